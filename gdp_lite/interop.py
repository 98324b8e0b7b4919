"""deepinv both ways: their physics as our degradation, our operators as their physics, our prior as
their denoiser. Their denoisers need nothing: D(x, sigma) is a `gdp_lite.prior.Denoiser` as it is.

deepinv is optional: ``pip install "gdp-lite[deepinv]"``. Written against its version 0.5.
"""

import torch
from torch import Tensor

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.degradations import Degradation
from gdp_lite.prior import Denoiser

repair_torchvision()  # which deepinv imports
import deepinv  # noqa: E402


class FromPhysics(Degradation):
    """A deepinv physics as a degradation, (B, 3, H, W), display range.

    physics: a `deepinv.physics.Physics`; a linear one brings its own adjoint and `prox_l2`.
    sigma: the noise; by default that of its Gaussian noise model, 0 where it has another.
    """

    def __init__(self, physics: deepinv.physics.Physics, sigma: float | None = None):
        noise = getattr(physics.noise_model, "sigma", 0.0)
        super().__init__(float(noise) if sigma is None else sigma)
        self.physics = physics.clone()
        self.linear = isinstance(physics, deepinv.physics.LinearPhysics)

    def A(self, x: Tensor) -> Tensor:
        return self.physics.A(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.physics.A_adjoint(y) if self.linear else super().A_adjoint(y)

    def start(self, y: Tensor) -> Tensor:
        """Of a linear one argmin_z ||A z - y||^2 + rho ||z||^2: under a blur A_dagger is all noise.

        With rho = 16 sigma^2 no direction gets more of y's noise than 1/8, half of what is added
        at `POLICY`'s first level, 0.25.
        """
        if not self.linear:
            return self.physics.A_dagger(y)
        return self.prox(torch.zeros_like(self.A_adjoint(y)), y, max(16 * self.sigma**2, 1e-4))

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """Theirs is argmin_z gamma / 2 ||A z - y||^2 + 1 / 2 ||z - x||^2: gamma = 1 / rho."""
        if not self.linear:
            return super().prox(x, y, rho)
        limits = {"max_iter": self.iterations, "tol": self.tolerance}
        return self.physics.prox_l2(x, y, 1 / rho, **limits)


class AsPhysics(deepinv.physics.LinearPhysics):
    """A linear degradation as a deepinv physics, its noise as their noise model.

    ValueError for a degradation that is not linear: their solvers would not notice.
    """

    def __init__(self, degradation: Degradation):
        if not degradation.linear:
            raise ValueError(f"{type(degradation).__name__} is not linear")
        super().__init__(noise_model=deepinv.physics.GaussianNoise(degradation.sigma))
        self.degradation = degradation

    def A(self, x: Tensor, **_: object) -> Tensor:
        return self.degradation.A(x)

    def A_adjoint(self, y: Tensor, **_: object) -> Tensor:
        return self.degradation.A_adjoint(y)

    def A_dagger(self, y: Tensor, **_: object) -> Tensor:
        """What our sampler starts from, as near to y as a small rho makes it."""
        return self.prox_l2(self.degradation.start(y), y, 1e6)

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float, **_: object) -> Tensor:
        return self.degradation.prox(z, y, 1 / gamma)


class AsDenoiser(deepinv.models.Denoiser):
    """A prior as a deepinv denoiser, display range: ``forward(x, sigma)``, sigma float or (B,)."""

    def __init__(self, prior: Denoiser):
        super().__init__()
        self.prior = prior

    def forward(self, x: Tensor, sigma: float | Tensor, **_: object) -> Tensor:
        if isinstance(sigma, torch.Tensor) and sigma.numel() == 1:
            sigma = float(sigma)
        return self.prior(x, sigma)
