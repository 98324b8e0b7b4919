"""The diffusion, its reversal and its steering, Eqs. (2) to (6): pure functions of tensors.

Every function takes images of shape (B, 3, H, W), or any shape whose first axis is the
batch, in model range [-1, 1]; a time ``t`` in 1..T, as an int or as an int64 tensor of
shape (B,); and a `NoiseSchedule`. Coefficients are computed in float64 and then given the
type and device of the image. Nothing here is random: noise is an argument. A time outside
the schedule is a ValueError.

The source prints four of these formulas with a mistake; the docstrings name each one.
"""

import torch
from torch import Tensor

from gdp_lite.schedule import NoiseSchedule

Time = int | Tensor


def add_noise(x0: Tensor, t: Time, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, for t in 0..T. Eq. (2)."""
    alpha_bar = schedule.alpha_bar[check_time(t, schedule, first=0)]
    return _as(alpha_bar.sqrt(), x0) * x0 + _as((1 - alpha_bar).sqrt(), x0) * eps


def predict_x0(x_t: Tensor, t: Time, eps_hat: Tensor, schedule: NoiseSchedule) -> Tensor:
    """x_{0|t} = (x_t - sqrt(1 - alpha_bar_t) eps_hat) / sqrt(alpha_bar_t). Eq. (5).

    Line 3 of the source's algorithm divides by sqrt(alpha_t), without the bar: a misprint.
    """
    alpha_bar = schedule.alpha_bar[check_time(t, schedule)]
    return (x_t - _as((1 - alpha_bar).sqrt(), x_t) * eps_hat) / _as(alpha_bar.sqrt(), x_t)


def predict_eps(x_t: Tensor, t: Time, x0_hat: Tensor, schedule: NoiseSchedule) -> Tensor:
    """The noise that x_t holds if the clean image is x0_hat: Eq. (5) solved for eps_hat."""
    alpha_bar = schedule.alpha_bar[check_time(t, schedule)]
    return (x_t - _as(alpha_bar.sqrt(), x_t) * x0_hat) / _as((1 - alpha_bar).sqrt(), x_t)


def posterior_mean_from_eps(
    x_t: Tensor, t: Time, eps_hat: Tensor, schedule: NoiseSchedule
) -> Tensor:
    """mu_t = (x_t - beta_t / sqrt(1 - alpha_bar_t) eps_hat) / sqrt(alpha_t). Eq. (3)."""
    t = check_time(t, schedule)
    alpha, beta, alpha_bar = schedule.alpha[t], schedule.beta[t], schedule.alpha_bar[t]
    return (x_t - _as(beta / (1 - alpha_bar).sqrt(), x_t) * eps_hat) / _as(alpha.sqrt(), x_t)


def posterior_mean(x0_hat: Tensor, x_t: Tensor, t: Time, schedule: NoiseSchedule) -> Tensor:
    """mu_t through the clean image. Eq. (4), equal to Eq. (3)'s mean when Eq. (5) holds.

    mu_t = sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t) x0_hat
         + sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) x_t

    The source prints sqrt(alpha_bar_t) in the second coefficient: a misprint.
    """
    t = check_time(t, schedule)
    alpha, beta, alpha_bar = schedule.alpha[t], schedule.beta[t], schedule.alpha_bar[t]
    alpha_bar_prev = schedule.alpha_bar[t - 1]
    of_x0 = alpha_bar_prev.sqrt() * beta / (1 - alpha_bar)
    of_xt = alpha.sqrt() * (1 - alpha_bar_prev) / (1 - alpha_bar)
    return _as(of_x0, x_t) * x0_hat + _as(of_xt, x_t) * x_t


def guided_mean(
    x_t: Tensor, t: Time, eps_hat: Tensor, gradient: Tensor, schedule: NoiseSchedule
) -> Tensor:
    """E[x_{t-1} | x_t, y] = mu_t + beta_t / sqrt(alpha_t) gradient. Eq. (6).

    gradient: of log p(y | x_t) in x_t, shaped like x_t. Exact for the mean if it and eps_hat are.
    The source prints the shift without its factor: a misprint.
    """
    mean = posterior_mean_from_eps(x_t, t, eps_hat, schedule)
    t = check_time(t, schedule)
    return mean + _as(schedule.beta[t] / schedule.alpha[t].sqrt(), x_t) * gradient


def posterior_var(t: Time, schedule: NoiseSchedule) -> Tensor:
    """Variance of Eqs. (3) and (4), beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t); float64.

    Zero at t = 1: the last step adds no noise.
    """
    t = check_time(t, schedule)
    alpha_bar, alpha_bar_prev = schedule.alpha_bar[t], schedule.alpha_bar[t - 1]
    return schedule.beta[t] * (1 - alpha_bar_prev) / (1 - alpha_bar)


def posterior_std(t: Time, schedule: NoiseSchedule) -> Tensor:
    """sigma_t of Eqs. (3) and (4): the square root of `posterior_var`; float64.

    The source multiplies the noise by the variance itself: a misprint.
    """
    return posterior_var(t, schedule).sqrt()


def ancestral_step(
    x_t: Tensor, t: Time, eps_hat: Tensor, noise: Tensor, schedule: NoiseSchedule
) -> Tensor:
    """x_{t-1} = mu_t + sigma_t noise. Eq. (3); noise is standard normal, shaped like x_t."""
    mean = posterior_mean_from_eps(x_t, t, eps_hat, schedule)
    return mean + _as(posterior_std(t, schedule), x_t) * noise


def check_time(t: Time, schedule: NoiseSchedule, first: int = 1) -> Tensor:
    """t as int64 on the CPU, where the schedule is; ValueError for all but integers first..T."""
    t = torch.as_tensor(t).cpu()
    if t.is_floating_point() or t.ndim > 1:
        raise ValueError("t must be an int or an integer tensor of shape (B,)")
    if bool((t < first).any()) or bool((t > schedule.T).any()):
        raise ValueError(f"t must lie in {first}..{schedule.T}, got {t.tolist()}")
    return t.long()


def _as(coefficient: Tensor, image: Tensor) -> Tensor:
    """Coefficient of shape () or (B,), shaped to multiply `image` and of its type and device."""
    coefficient = coefficient.to(image)
    return coefficient.reshape(-1, *[1] * (image.ndim - 1)) if coefficient.ndim else coefficient
