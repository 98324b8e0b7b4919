"""Noise alone: white, or growing with the light as photons arrive one by one (Poisson).

The variance of a sensor's pixel of value x is gain x + read_sigma^2, Foi et al. 2008's a x + b. It
holds for a sensor's numbers, linear light; on an encoded photo it is a fit.
"""

import torch
from torch import Generator, Tensor

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Between, assign, learn
from gdp_lite.estimators.noise import estimate_noise_curve


class GaussianNoise(Degradation):
    """Noise alone: y = x + sigma n. Table 1, first row (H = I).

    Parameters
    ----------
    sigma : standard deviation of the noise, display range.
    coded : whether the photo was a JPEG or the like since, so that the noise is not white any
        more, and a few steps take away more of it than one (benchmarks/noise_steps.py).

    Examples
    --------
    >>> y = GaussianNoise(0.1).simulate(torch.zeros(1, 3, 64, 64))
    >>> round(float(y.std()), 1)
    0.1
    """

    linear, pointwise, noise_only = True, True, True

    def __init__(self, sigma: float = 0.0, coded: bool = False):
        super().__init__(sigma)
        self.kind = "coded noise" if coded else "noise"

    def A(self, x: Tensor) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return (y + rho * x) / (1 + rho)


class PoissonGaussianNoise(Degradation):
    """y = gain Poisson(x / gain) + read_sigma n; the map itself is the identity.

    Phi is known unless ``requires_grad_()`` is called: then `initialise` finds and holds it, or,
    from a start at random or given, `fit` learns it by `loss`, since it shapes the noise, not A.

    Parameters
    ----------
    gain : Phi, in [1e-6, 0.5], display range per photon.
    read_sigma : Phi, in [1e-4, 0.5], display range.
    level : of x, at which ``sigma`` (what the sampler's rho uses) is the standard deviation; above
        0 and up to 1, ValueError else.

    Examples
    --------
    >>> round(PoissonGaussianNoise(gain=0.01, read_sigma=0.01).sigma, 3)
    0.071
    """

    linear, pointwise = True, True
    gain: Tensor
    read_sigma: Tensor

    def __init__(self, gain: float = 0.01, read_sigma: float = 0.01, level: float = 0.5):
        super().__init__()
        if not 0 < level <= 1:
            raise ValueError(f"the level of x lies above 0 and up to 1, got {level}")
        self.level = level
        learn(self, "gain", float(gain), Between(1e-6, 0.5))
        learn(self, "read_sigma", float(read_sigma), Between(1e-4, 0.5))
        self.requires_grad_(False)

    @property  # type: ignore[misc]  # follows from Phi, is not set
    def sigma(self) -> float:
        return float((self.gain * self.level + self.read_sigma**2).detach().sqrt())

    def A(self, x: Tensor) -> Tensor:
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y

    def var(self, x: Tensor) -> Tensor:
        """Variance of y at each pixel; x below 0 counts as 0."""
        return self.gain * x.clamp(min=0) + self.read_sigma**2

    def simulate(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        gain = self.gain.detach().to(x)
        photons = torch.poisson((x.clamp(min=0) / gain).cpu(), generator=generator).to(x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        return gain * photons + self.read_sigma.detach().to(x) * noise

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """Exact, with each pixel of y weighted by sigma^2 / var(x), its variance frozen at x."""
        weight = self.sigma**2 / self.var(x)
        return (weight * y + rho * x) / (weight + rho)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """-log p(y | x) as if Gaussian, less a constant, summed: the fidelity that fits."""
        var = self.var(x)
        return 0.5 * ((y - x).square() / var + var.log()).sum()

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        gain, read_sigma = estimate_noise_curve(y)
        assign(self, "gain", min(max(gain, 2e-6), 0.4))
        assign(self, "read_sigma", min(max(read_sigma, 2e-4), 0.4))
        self.level = float(y.mean().clamp(0.01, 1))
        self.requires_grad_(False)
