"""Noise that grows with the light: photons arrive one by one (Poisson), reading adds Gaussian.

The variance of a pixel of value x is gain x + read_sigma^2, Foi et al. 2008's a x + b. It holds
for a sensor's numbers, linear light; on an encoded photo it is a fit.
"""

import torch
from torch import nn

from gdp_lite.degradations import Degradation
from gdp_lite.phi import Between, assign, learn


class PoissonGaussianNoise(Degradation):
    """y = gain Poisson(x / gain) + read_sigma n; the map itself is the identity.

    Phi: ``gain`` in [1e-6, 0.5], display range per photon; ``read_sigma`` in [1e-4, 0.5],
    display range. They shape the noise and not A, so the fidelity loss cannot learn them and
    they are frozen; `loss` can, after ``requires_grad_()``.
    level: of x, at which ``sigma`` (what the sampler's rho uses) is the standard deviation.
    """

    pointwise = True

    def __init__(self, gain=0.01, read_sigma=0.01, level=0.5):
        nn.Module.__init__(self)
        self.level = level
        learn(self, "gain", float(gain), Between(1e-6, 0.5))
        learn(self, "read_sigma", float(read_sigma), Between(1e-4, 0.5))
        self.requires_grad_(False)

    @property
    def sigma(self):
        return float((self.gain * self.level + self.read_sigma**2).detach().sqrt())

    def A(self, x):
        return x

    def A_adjoint(self, y):
        return y

    def var(self, x):
        """Variance of y at each pixel; x below 0 counts as 0."""
        return self.gain * x.clamp(min=0) + self.read_sigma**2

    def simulate(self, x, generator=None):
        gain = self.gain.detach().to(x)
        photons = torch.poisson((x.clamp(min=0) / gain).cpu(), generator=generator).to(x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        return gain * photons + self.read_sigma.detach().to(x) * noise

    def prox(self, x, y, rho):
        """Exact, with each pixel of y weighted by sigma^2 / var(x), its variance frozen at x."""
        weight = self.sigma**2 / self.var(x)
        return (weight * y + rho * x) / (weight + rho)

    def loss(self, y, x):
        """-log p(y | x) as if Gaussian, less a constant, summed: the fidelity that fits."""
        var = self.var(x)
        return 0.5 * ((y - x).square() / var + var.log()).sum()

    def initialise(self, y):
        gain, read_sigma = estimate_noise_curve(y)
        assign(self, "gain", min(max(gain, 2e-6), 0.4))
        assign(self, "read_sigma", min(max(read_sigma, 2e-4), 0.4))
        self.level = float(y.mean().clamp(0.01, 1))
        return self

    def anscombe(self, y):
        """Generalised Anscombe transform: noise of standard deviation 1, whatever the value."""
        gain, var = self.gain, self.read_sigma**2
        return 2 / gain * (gain * y + 0.375 * gain**2 + var).clamp(min=0).sqrt()

    def anscombe_inverse(self, z):
        """The algebraic inverse; of a mean it is biased at a few photons (Makitalo and Foi)."""
        gain, var = self.gain, self.read_sigma**2
        return gain * (z / 2).square() - 0.375 * gain - var / gain


def estimate_noise_curve(y, bins=16):
    """(gain, read_sigma) of a photo y, (B, 3, H, W), display range.

    Squares of 2 x 2 pixels: their mean tells the value, their diagonal difference, which smooth
    picture cancels, the noise. Robust levels in bins of the value, then a line through the
    variances. Fine texture adds to it, so only the smoothest quarter of each bin is used.
    """
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    height, width = (n - n % 2 for n in y.shape[-2:])
    y = y.detach().double()[..., :height, :width]
    a, b, c, d = (y[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    mean, diagonal = (a + b + c + d) / 4, (a - b - c + d) / 2
    slope = mean.new_zeros(mean.shape)
    for axis in (-2, -1):  # of the means, which are independent of the diagonals
        slope += torch.gradient(mean, dim=axis)[0].abs()
    inside = (mean > 0.02) & (mean < 0.98)
    mean, diagonal, slope = mean[inside], diagonal[inside], slope[inside]
    if len(mean) < 16 * bins:
        raise ValueError("the photo is clipped almost everywhere: no noise to be seen")
    values, variances = [], []
    for part in mean.argsort().tensor_split(bins):
        part = part[slope[part].argsort()[: max(len(part) // 4, 8)]]
        values.append(mean[part].mean())
        variances.append((diagonal[part].abs().median() / 0.67449).square())
    values, variances = torch.stack(values), torch.stack(variances).clamp(min=1e-10)
    # The error of a variance is proportional to it: weights 1 / variance, from a first fit.
    weights = 1 / variances
    for _ in range(5):
        design = torch.stack([values, torch.ones_like(values)], 1) * weights[:, None]
        gain, var = torch.linalg.lstsq(design, variances * weights).solution.tolist()
        if gain < 0:
            gain, var = 0.0, float((weights**2 @ variances) / (weights**2).sum())
        elif var < 0:
            gain, var = float((variances / values).median()), 0.0
        weights = 1 / (gain * values + var).clamp(min=1e-10)
    return gain, var**0.5
