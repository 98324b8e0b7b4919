"""The source's Algorithm 1: the reference, which reads like the printed one, line by line."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from gdp_lite.degradations import Degradation
from gdp_lite.diffusion import posterior_mean, posterior_std, predict_x0
from gdp_lite.image import check_photo, to_display
from gdp_lite.losses import total_loss
from gdp_lite.prior import NoisePredictor
from gdp_lite.step import Step


def algorithm_1(
    y: Tensor,
    degradation: Degradation,
    prior: NoisePredictor,
    s: float = 1.0,
    eta: float = 0.0,
    lambda1: float = 1.0,
    lambda2: float = 0.0,
    perceptual: Callable[[Tensor], Tensor] | None = None,
    clip: bool = True,
    generator: Generator | None = None,
    callback: Callable[[Step], object] | None = None,
) -> Tensor:
    """The source's Algorithm 1, line by line, its misprints corrected; T network calls.

    Corrected: line 3 has alpha_bar, line 4 the coefficients of Eq. (4), line 5 the standard
    deviation, line 8 a minus. As the source has it: line 8 takes the gradient with respect to
    x_{0|t}, computed before Phi is updated, and adds it to x_{t-1}.

    Parameters
    ----------
    y : (B, 3, h, w), display range.
    degradation : F_Phi; its Phi is changed where eta is not 0.
    prior : a schedule and ``eps(x_t, t)``, see `NoisePredictor`.
    s : gradient step. Like the source's it is not normalised, so its best value depends on the
        degradation, the image's size and T.
    eta : learning rate of Phi, 0 or more.
    lambda1, lambda2, perceptual : see `total_loss`.
    clip : keep x_{0|t} in [-1, 1]. The source does not, but line 3 multiplies a trained network's
        error by 1 / sqrt(alpha_bar_t), 157 at t = 1000, and guidance then diverges.
    generator : a CPU generator for the noise.
    callback : called with a `Step` after every step.

    Returns
    -------
    x_0, (B, 3, H, W), display range, not clipped.

    Raises
    ------
    ValueError : where y does not fit the degradation, before the first network call.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from gdp_lite import linear_schedule
    >>> from gdp_lite.degradations import Exposure
    >>> schedule = linear_schedule(50, 1e-3, 0.3)
    >>> white = lambda x_t, t: (1 - schedule.alpha_bar[t]).sqrt() * x_t  # a scene of white noise
    >>> prior = SimpleNamespace(schedule=schedule, eps=white)
    >>> image = algorithm_1(torch.full((1, 3, 8, 8), 0.3), Exposure(0.5), prior)
    >>> bool((image.mean() - 0.6).abs() < 0.1)
    True
    """
    check_photo(y)
    if not all(map(math.isfinite, (s, eta, lambda1, lambda2))) or not eta >= 0:
        raise ValueError(f"s, eta >= 0, lambda1, lambda2 are finite: {s, eta, lambda1, lambda2}")
    degradation.check_measurement(y)
    schedule = prior.schedule
    phi = [p for p in degradation.parameters() if p.requires_grad] if eta else []
    with torch.no_grad():
        start = degradation.start(y)
    if perceptual is not None and lambda2:
        check_perceptual(perceptual, start)

    def noise() -> Tensor:  # drawn on the CPU, so that a seed gives the same noise everywhere
        return torch.randn(start.shape, generator=generator, dtype=y.dtype).to(y.device)

    x_t = noise()  # 1: x_T ~ N(0, I)
    for t in range(schedule.T, 0, -1):  # 2
        with torch.no_grad():
            x0_hat = predict_x0(x_t, t, prior.eps(x_t, t), schedule)  # 3: Eq. (5)
            x0_hat = x0_hat.clamp(-1, 1) if clip else x0_hat
            mu_t = posterior_mean(x0_hat, x_t, t, schedule)  # 4: Eq. (4)
            sigma_t = posterior_std(t, schedule).to(x_t)  # 5
        with torch.enable_grad():
            x0_hat.requires_grad_(True)
            loss = total_loss(  # 6: Eq. (8)
                y, to_display(x0_hat), degradation, lambda1, lambda2, perceptual
            )
            gradient, *gradient_phi = list(torch.autograd.grad(loss, [x0_hat, *phi]))
        with torch.no_grad():
            for p, g in zip(phi, gradient_phi, strict=True):
                p.sub_(eta * g)  # 7
            x_prev = mu_t - s * gradient + sigma_t * noise()  # 8
        if callback is not None:
            sigma, scale = float(schedule.sigma_bar[t]), float(schedule.alpha_bar[t]) ** 0.5
            state, image = to_display(x_t / scale), to_display(x0_hat.detach())
            number = schedule.T - t + 1
            callback(Step(number, schedule.T, sigma, state, image, loss.item(), degradation.phi()))
        x_t = x_prev
    return to_display(x_t)  # 9


def check_perceptual(perceptual: Callable[[Tensor], Tensor], image: Tensor) -> None:
    """Whether such an image has one, with a gradient, before the first step depends on it."""
    try:
        with torch.enable_grad():
            value = perceptual(image.detach().requires_grad_())
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the perceptual term fails on {tuple(image.shape)}: {reason}") from error
    good = isinstance(value, torch.Tensor) and value.requires_grad and not value.ndim
    if not good or not bool(value.isfinite()):
        raise ValueError("a perceptual term is one finite number of shape () with a gradient")
