"""A prior about which everything is known: x_0 ~ N(mean, var) for every pixel, independently.

Model range throughout. With it E[x_0 | x_t], p(x_0 | y) and the sampled distribution are
closed formulas, so a sampler can be wrong in front of it.
"""

import torch

from gdp_lite.image import to_display, to_model
from gdp_lite.schedule import linear_schedule


class GaussianPrior:
    """A `gdp_lite.prior.Denoiser` and `NoisePredictor`, both exact."""

    def __init__(self, mean=0.2, var=0.09, schedule=None):
        self.mean, self.var = mean, var
        self.schedule = schedule or linear_schedule()

    def posterior_mean_x0(self, x_t, t):
        """E[x_0 | x_t]: the mean of a product of two Gaussians."""
        alpha_bar = float(self.schedule.alpha_bar[t])
        gain = alpha_bar**0.5 * self.var / (alpha_bar * self.var + 1 - alpha_bar)
        return self.mean + gain * (x_t - alpha_bar**0.5 * self.mean)

    def __call__(self, x, sigma):
        """E[x_0 | x_0 + sigma n = x], display range."""
        gain = self.var / (self.var + (2 * sigma) ** 2)
        return to_display(self.mean + gain * (to_model(x) - self.mean))

    def eps(self, x_t, t):
        """The exact E[eps | x_t]."""
        alpha_bar = float(self.schedule.alpha_bar[t])
        return (x_t - alpha_bar**0.5 * self.posterior_mean_x0(x_t, t)) / (1 - alpha_bar) ** 0.5


def normal(*shape, seed=0):
    """Standard normal float64 numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
