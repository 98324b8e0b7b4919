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
    predict_x0,
    to_display,
    to_model,
)
from gdp_lite.losses import fidelity_loss, total_loss

PHI_FROM = 0.5  # noise level, display range, under which a guess is good enough to fit Phi to
NO_NOISE = 1e-8  # the smallest rho: where y has no noise, blur still needs one to divide by


@dataclass(frozen=True)
class Step:
    """What a sampler's callback sees after the step from time t.

    number, steps: 1..steps and their count. t: the time that was left behind.
    x_t: the state at t, model range. x0_hat: x_{0|t}, display range.
    loss: what the sampler minimises, at x0_hat, a float: the total loss in Algorithm 1, the
    fidelity loss in `restore`. phi: the degradation's parameters by name, each in its own unit.
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
    s=1.0,
    eta=0.0,
    lambda1=1.0,
    lambda2=0.0,
    perceptual=None,
    clip=True,
    generator=None,
    callback=None,
):
    """The source's Algorithm 1, line by line, its misprints corrected; T network calls.

    y: (B, 3, h, w), display range. s: gradient step; like the source's it is not normalised,
    so its best value depends on the degradation, the image's size and T. eta: learning rate
    of Phi, the degradation's parameters (0 leaves them). lambda1, lambda2, perceptual: see
    `total_loss`. clip: keep x_{0|t} in [-1, 1]; the source does not, but line 3 multiplies a
    trained network's error by 1 / sqrt(alpha_bar_t), 157 at t = 1000, and guidance then
    diverges. generator: a CPU generator for the noise.
    Returns x_0, (B, 3, H, W), display range, not clipped. Raises ValueError where y does not
    fit the degradation, before the first network call.

    Corrected: line 3 has alpha_bar, line 4 the coefficients of Eq. (4), line 5 the standard
    deviation, line 8 a minus. As the source has it: line 8 takes the gradient with respect to
    x_{0|t}, computed before Phi is updated, and adds it to x_{t-1}.
    """
    degradation.check_measurement(y)
    schedule = prior.schedule
    phi = [p for p in degradation.parameters() if p.requires_grad] if eta else []
    size = degradation.start(y).shape
    x_t = _noise(size, y, generator)  # 1: x_T ~ N(0, I)
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
            gradient, *gradient_phi = torch.autograd.grad(loss, [x0_hat, *phi])
        with torch.no_grad():
            for p, g in zip(phi, gradient_phi, strict=True):
                p -= eta * g  # 7
            x_prev = mu_t - s * gradient + sigma_t * _noise(size, y, generator)  # 8
        if callback is not None:
            number = schedule.T - t + 1
            image = to_display(x0_hat.detach())
            callback(Step(number, schedule.T, t, x_t, image, loss.item(), degradation.phi()))
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
    zeta=0.25,
    eta=0.0,
    generator=None,
    callback=None,
):
    """The practical form: few steps, a warm start, and a proximal step instead of a gradient.

    Each step denoises, x_{0|t} by Eq. (5), then solves for the image that agrees with the
    photo and stays near x_{0|t},

        x0 = argmin_z ||F(z) - y||^2 + rho_t ||z - x_{0|t}||^2,
        rho_t = sigma_n^2 / (strength * sigma_bar_t^2),

    and adds noise again, x_{t'} = sqrt(alpha_bar_t') x0 + sqrt(zeta (1 - alpha_bar_t')) eps.
    No gradient passes through the network. The proximal step is the one of DiffPIR (Zhu et
    al. 2023); adding only the share zeta of the noise's variance is not: x0 has an error of
    its own, which the network takes for noise, so that with zeta = 1 there is more noise in
    x_t' than the network is told.

    y: (B, 3, h, w), display range. steps: network calls at most. strength: unitless trust in
    the photo, larger follows it more closely. start_sigma: noise level of the start, display
    range. zeta: in [0, 1]; 0 is deterministic and near a posterior mean, 1 nearest to a sample.
    Even at 1 the spread over seeds is not the posterior's: it is smaller. eta: learning rate
    of Phi, in display units; 0 holds it fixed. With eta, a few Adam steps fit Phi to the guess
    once the noise is below half the range, before the proximal step. generator: a CPU generator.
    Returns (B, 3, H, W), display range, not clipped. Raises ValueError for settings out of range
    and where y does not fit the degradation, before the first network call.
    """
    if not strength > 0 or not 0 <= zeta <= 1:
        raise ValueError(f"strength must be positive and zeta in [0, 1], got {strength}, {zeta}")
    degradation.check_measurement(y)
    schedule = prior.schedule
    x0 = degradation.start(y)
    times = time_grid(schedule.nearest_t(start_sigma), steps)
    phi = [p for p in degradation.parameters() if p.requires_grad] if eta else []
    optimiser = torch.optim.Adam(phi, lr=eta) if phi else None
    for number, t in enumerate(times, 1):
        noise = zeta**0.5 * _noise(x0.shape, y, generator)
        x_t = add_noise(to_model(x0), t, noise, schedule)
        with torch.no_grad():
            x0_hat = to_display(predict_x0(x_t, t, prior.eps(x_t, t), schedule)).clamp(0, 1)
        if optimiser is not None and schedule.sigma_bar[t] <= PHI_FROM:
            _fit_phi(optimiser, y, degradation, x0_hat)
        with torch.no_grad():
            rho = degradation.sigma**2 / (strength * float(schedule.sigma_bar[t]) ** 2)
            x0 = degradation.prox(x0_hat, y, max(rho, NO_NOISE))
        if callback is not None:
            with torch.no_grad():
                loss = fidelity_loss(y, degradation(x0_hat)).item()
            callback(Step(number, len(times), t, x_t, x0_hat, loss, degradation.phi()))
    return x0


def _fit_phi(optimiser, y, degradation, x0_hat, steps=5):
    """Some Adam steps on Phi that lower the fidelity loss, the image held fixed."""
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            fidelity_loss(y, degradation(x0_hat)).backward()
            optimiser.step()


def _noise(size, like, generator):
    """Standard normal noise, drawn on the CPU so that a seed gives the same noise everywhere."""
    return torch.randn(size, generator=generator, dtype=like.dtype).to(like.device)
