"""Noise alone: white, or growing with the light as photons arrive one by one (Poisson).

The variance of a sensor's pixel of value x is gain x + read_sigma^2, Foi et al. 2008's a x + b. It
holds for a sensor's numbers, linear light; on an encoded photo it is a fit.
"""

import torch

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Between, assign, learn
from gdp_lite.estimators.noise import estimate_noise_curve


class GaussianNoise(Degradation):
    """Noise alone: y = x + sigma n. Table 1, first row (H = I).

    coded: whether the photo was a JPEG or the like since, so that the noise is not white any
    more, and a few steps take away more of it than one (benchmarks/noise_steps.py).
    """

    linear, pointwise, noise_only = True, True, True

    def __init__(self, sigma: float = 0.0, coded: bool = False):
        super().__init__(sigma)
        self.kind = "coded noise" if coded else "noise"

    def A(self, x):
        return x

    def A_adjoint(self, y):
        return y

    def prox(self, x, y, rho):
        return (y + rho * x) / (1 + rho)


class PoissonGaussianNoise(Degradation):
    """y = gain Poisson(x / gain) + read_sigma n; the map itself is the identity.

    Phi: ``gain`` in [1e-6, 0.5], display range per photon; ``read_sigma`` in [1e-4, 0.5],
    display range. They are known unless ``requires_grad_()`` is called: then `initialise` finds
    and holds them, or, from a start at random or given, `fit` learns them by `loss`, since
    they shape the noise and not A.
    level: of x, at which ``sigma`` (what the sampler's rho uses) is the standard deviation.
    """

    linear, pointwise = True, True

    def __init__(self, gain=0.01, read_sigma=0.01, level=0.5):
        super().__init__()
        if not 0 < level <= 1:
            raise ValueError(f"the level of x lies above 0 and up to 1, got {level}")
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

    def loss(self, x, y):
        """-log p(y | x) as if Gaussian, less a constant, summed: the fidelity that fits."""
        var = self.var(x)
        return 0.5 * ((y - x).square() / var + var.log()).sum()

    def initialise(self, y, sigma=None, generator=None, light=False):
        gain, read_sigma = estimate_noise_curve(y)
        assign(self, "gain", min(max(gain, 2e-6), 0.4))
        assign(self, "read_sigma", min(max(read_sigma, 2e-4), 0.4))
        self.level = float(y.mean().clamp(0.01, 1))
        return self.requires_grad_(False)

    def anscombe(self, y):
        """Generalised Anscombe transform: noise of standard deviation 1, whatever the value."""
        gain, var = self.gain, self.read_sigma**2
        return 2 / gain * (gain * y + 0.375 * gain**2 + var).clamp(min=0).sqrt()

    def anscombe_inverse(self, z):
        """The algebraic inverse; of a mean it is biased at a few photons (Makitalo and Foi)."""
        gain, var = self.gain, self.read_sigma**2
        return gain * (z / 2).square() - 0.375 * gain - var / gain
