"""Noise schedules: how much of the picture is left at each time.

Derived in the chapter on Eq. (2). Time runs t = 1..T; index 0 is the clean image, so every
tensor has length T + 1 and ``alpha_bar[0] = 1``. Libraries that count 0..T-1 meet this
convention in one place only, `gdp_lite.prior`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """The constants of a diffusion, all float64 tensors of shape (T + 1,).

    Parameters
    ----------
    beta : variance added by the step t-1 -> t; ``beta[0] = 0`` is never used.
    alpha : ``1 - beta``.
    alpha_bar : product of alpha up to t, the share of the signal's variance left at time t.

    Examples
    --------
    >>> schedule = NoiseSchedule.from_betas([0.1, 0.2])
    >>> schedule.T, round(float(schedule.alpha_bar[2]), 2)
    (2, 0.72)
    """

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor

    @classmethod
    def from_betas(cls, betas: Sequence[float] | Tensor) -> Self:
        """Schedule from beta_1..beta_T, a sequence of T numbers in (0, 1)."""
        betas = torch.as_tensor(betas, dtype=torch.float64)
        if betas.ndim != 1 or len(betas) == 0 or not bool(((betas > 0) & (betas < 1)).all()):
            raise ValueError("betas must be a sequence of at least one number in (0, 1)")
        beta = torch.cat([torch.zeros(1, dtype=torch.float64), betas])
        alpha = 1 - beta
        return cls(beta, alpha, torch.cumprod(alpha, dim=0))

    @property
    def T(self) -> int:
        """Number of noise steps."""
        return len(self.beta) - 1

    @property
    def sigma_bar(self) -> Tensor:
        """Noise level in display range, ``sqrt((1 - alpha_bar) / alpha_bar) / 2``, (T + 1,).

        x_t / sqrt(alpha_bar_t) is the clean image plus noise of this standard deviation,
        counted on a scale where black is 0 and white is 1 (the state itself spans 2).
        """
        return 0.5 * ((1 - self.alpha_bar) / self.alpha_bar).sqrt()

    def nearest_t(self, sigma: float | Tensor) -> int | Tensor:
        """The time in 1..T whose `sigma_bar` is nearest, in the logarithm, to sigma > 0.

        For a tensor (B,) of levels as many times.
        """
        levels = torch.as_tensor(sigma, dtype=torch.float64).cpu()
        if not bool((levels > 0).all()):
            raise ValueError(f"sigma must be positive, got {sigma}")
        t = 1 + (self.sigma_bar[1:].log() - levels[..., None].log()).abs().argmin(-1)
        return t if t.ndim else int(t)


def linear_schedule(
    T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
) -> NoiseSchedule:
    """Linear beta schedule. Source: Ho et al. 2020, section 4.

    Parameters
    ----------
    T : number of noise steps.
    beta_start, beta_end : the first and last beta, in (0, 1); ValueError else.

    Examples
    --------
    >>> round(float(linear_schedule().sigma_bar[-1]), 1)
    78.7
    """
    return NoiseSchedule.from_betas(torch.linspace(beta_start, beta_end, T, dtype=torch.float64))


def cosine_schedule(T: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> NoiseSchedule:
    """Cosine schedule. Source: Nichol and Dhariwal 2021, Eq. (17).

    Parameters
    ----------
    T : number of noise steps.
    offset : keeps the first betas from vanishing.
    max_beta : where beta is clipped, below 1.

    Examples
    --------
    >>> round(float(cosine_schedule().beta[-1]), 3)
    0.999
    """
    t = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return NoiseSchedule.from_betas((1 - f[1:] / f[:-1]).clamp(max=max_beta))


def sigmoid_schedule(
    T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
) -> NoiseSchedule:
    """Betas along a sigmoid from -6 to 6. Source: Xu et al. 2022 (GeoDiff), as diffusers has it.

    Parameters
    ----------
    T : number of noise steps.
    beta_start, beta_end : the betas between which it runs, in (0, 1); ValueError else.

    Examples
    --------
    >>> round(float(sigmoid_schedule().beta[500]), 4)
    0.01
    """
    share = torch.sigmoid(torch.linspace(-6, 6, T, dtype=torch.float64))
    return NoiseSchedule.from_betas(beta_start + (beta_end - beta_start) * share)


def time_grid(t_start: int, steps: int) -> list[int]:
    """At most `steps` decreasing times from t_start to 1, quadratically denser near 1."""
    if steps < 1:
        raise ValueError(f"at least one step is needed, got {steps}")
    root = torch.linspace(t_start**0.5, 1, steps, dtype=torch.float64)
    return sorted({round(float(r**2)) for r in root}, reverse=True)


def sigma_grid(schedule: NoiseSchedule, start: float, steps: int) -> list[float]:
    """The noise levels of `time_grid`, display range, from the one nearest to `start` down."""
    return [float(schedule.sigma_bar[t]) for t in time_grid(int(schedule.nearest_t(start)), steps)]
