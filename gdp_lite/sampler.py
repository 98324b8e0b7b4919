"""Guided sampling: the source's Algorithm 1, and the form that is used in practice.

Both take a measurement ``y`` in display range, a degradation and a prior, and call
``callback(Step(...))`` after every step: plots, progress and tests all hang there.
"""

from dataclasses import dataclass

import torch

from gdp_lite.diffusion import (
    add_noise,
    posterior_mean,
    posterior_std,
    predict_eps,
    predict_x0,
    to_display,
    to_model,
)
from gdp_lite.losses import fidelity_loss, total_loss


@dataclass(frozen=True)
class Step:
    """What a sampler's callback sees after the step from time t.

    number, steps: 1..steps and their count. t: the time that was left behind.
    x_t: the state at t, model range. x0_hat: x_{0|t}, display range.
    loss: the total loss at x0_hat, a float. phi: the degradation's parameters by name.
    """

    number: int
    steps: int
    t: int
    x_t: torch.Tensor
    x0_hat: torch.Tensor
    loss: float
    phi: dict


def algorithm_1(
    y,
    degradation,
    prior,
    image_size=None,
    s=1.0,
    eta=0.0,
    lambda1=1.0,
    lambda2=0.0,
    perceptual=None,
    generator=None,
    callback=None,
):
    """The source's Algorithm 1, line by line, its misprints corrected; T network calls.

    y: (B, 3, h, w), display range. image_size: (H, W) of the result where it is not y's.
    s: gradient step. eta: learning rate of Phi, the degradation's parameters (0 leaves them).
    lambda1, lambda2, perceptual: see `total_loss`. generator: a CPU generator for the noise.
    Returns x_0, (B, 3, H, W), display range, not clipped.

    Corrected: line 3 has alpha_bar, line 4 the coefficients of Eq. (4), line 5 the standard
    deviation, line 8 a minus. As the source has it: line 8 takes the gradient with respect to
    x_{0|t}, computed before Phi is updated, and adds it to x_{t-1}.
    """
    degradation.check_measurement(y)
    schedule = prior.schedule
    phi = [p for p in degradation.parameters() if p.requires_grad] if eta else []
    size = (*y.shape[:2], *(image_size or y.shape[-2:]))
    x_t = _noise(size, y, generator)  # 1: x_T ~ N(0, I)
    for t in range(schedule.T, 0, -1):  # 2
        with torch.no_grad():
            x0_hat = predict_x0(x_t, t, prior.eps(x_t, t), schedule)  # 3: Eq. (5)
            mu_t = posterior_mean(x0_hat, x_t, t, schedule)  # 4: Eq. (4)
            sigma_t = posterior_std(t, schedule).to(x_t)  # 5
        with torch.enable_grad():
            x0_hat.requires_grad_(True)
            loss = total_loss(  # 6: Eq. (8)
                y, to_display(x0_hat), degradation, lambda1, lambda2, perceptual
            )
            gradient, *gradient_phi = torch.autograd.grad(loss, [x0_hat, *phi])
        with torch.no_grad():
            for p, g in zip(phi, gradient_phi, strict=True):
                p -= eta * g  # 7
            x_prev = mu_t - s * gradient + sigma_t * _noise(size, y, generator)  # 8
        if callback is not None:
            number = schedule.T - t + 1
            image = to_display(x0_hat.detach())
            callback(Step(number, schedule.T, t, x_t, image, float(loss), _values(degradation)))
        x_t = x_prev
    return to_display(x_t)  # 9


def time_grid(t_start, steps):
    """At most `steps` decreasing times from t_start to 1, quadratically denser near 1."""
    if steps < 1:
        raise ValueError(f"at least one step is needed, got {steps}")
    root = torch.linspace(t_start**0.5, 1, steps, dtype=torch.float64)
    return sorted({round(float(r**2)) for r in root}, reverse=True)


def restore(
    y,
    degradation,
    prior,
    steps=20,
    strength=1.0,
    start_sigma=0.25,
    zeta=1.0,
    lam=1.0,
    generator=None,
    callback=None,
):
    schedule = prior.schedule
    degradation.check_measurement(y)
    start = degradation.start(y)
    t_start = schedule.nearest_t(start_sigma)
    times = time_grid(t_start, steps)
    x_t = add_noise(to_model(start), t_start, _noise(start.shape, y, generator), schedule)
    for number, t in enumerate(times, 1):
        with torch.no_grad():
            x0_hat = to_display(predict_x0(x_t, t, prior.eps(x_t, t), schedule)).clamp(0, 1)
            rho = lam * degradation.sigma**2 / (strength * float(schedule.sigma_bar[t]) ** 2)
            x0 = degradation.prox(x0_hat, y, max(rho, 1e-8))
        if callback is not None:
            loss = float(fidelity_loss(y, degradation(x0_hat)))
            callback(Step(number, len(times), t, x_t, x0_hat, loss, _values(degradation)))
        if number == len(times):
            return x0
        eps_hat = predict_eps(x_t, t, to_model(x0), schedule)
        eps = (1 - zeta) ** 0.5 * eps_hat + zeta**0.5 * _noise(x0.shape, y, generator)
        x_t = add_noise(to_model(x0), times[number], eps, schedule)


def _noise(size, like, generator):
    """Standard normal noise, drawn on the CPU so that a seed gives one picture everywhere."""
    return torch.randn(size, generator=generator, dtype=like.dtype).to(like.device)


def _values(degradation):
    return {name: p.detach().clone() for name, p in degradation.named_parameters()}
