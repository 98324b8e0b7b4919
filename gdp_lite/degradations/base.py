"""Degradations F_Phi: how a photo went wrong, Eq. (1) and Table 1 of the source.

A degradation is a `torch.nn.Module` that maps images to measurements, both in display range
[0, 1] but never clipped, so that linear ones stay linear. Only ``A`` has to be written: all else
follows from it, by differentiation where nothing better is known. The learnable Phi of the source
are the module's parameters. Names follow deepinv.
"""

from functools import reduce
from typing import Any, Self

import torch
from torch import Generator, Tensor, nn

from gdp_lite.degradations.shapes import checked_sigma
from gdp_lite.degradations.solvers import Map, prox_of_images, prox_of_linear, prox_of_pixels, vjp
from gdp_lite.losses import fidelity_loss


class Degradation(nn.Module):
    """Base class: the noise, and what follows from ``A`` alone.

    Parameters
    ----------
    sigma : standard deviation of the noise after A, display range, 0 or more; ValueError else.

    Examples
    --------
    >>> class Negative(Degradation):
    ...     def A(self, x):
    ...         return 1 - x
    >>> degradation = Negative(sigma=0.01)
    >>> x = torch.rand(1, 3, 4, 4)
    >>> z = degradation.prox(torch.zeros_like(x), degradation(x), rho=1e-6)
    >>> bool((z - x).abs().max() < 1e-3)
    True
    """

    linear = False  # A is linear: conjugate gradients solve `prox`, and there is an adjoint
    pointwise = False  # each number of A(x) depends on the same number of x alone
    rounds = False  # A rounds: how far it moves is not what its slope promises
    noise_only = False  # A is the identity and the noise white: a photo is a diffused image
    kind = "general"  # the row of `gdp_lite.policy.POLICY` that says how it is sampled
    iterations, tolerance = 20, 1e-4  # of the solvers behind `prox`, where there is no closed form

    def __init__(self, sigma: float = 0.0):
        super().__init__()
        self._sigma = checked_sigma(sigma)

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise after A, display range."""
        return self._sigma

    @sigma.setter
    def sigma(self, sigma: float) -> None:
        self._sigma = checked_sigma(sigma)

    def A(self, x: Tensor) -> Tensor:
        """The map, (B, 3, H, W) -> (B, 3, h, w), display range."""
        raise NotImplementedError(f"{type(self).__name__} defines no map A")

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The transpose of a linear A, by differentiation. NotImplementedError for others."""
        if not self.linear:
            raise NotImplementedError(f"{type(self).__name__} has no adjoint: it is not linear")
        return vjp(self.A, torch.zeros_like(self.start(y)))[1](y)

    def forward(self, x: Tensor) -> Tensor:
        return self.A(x)

    def simulate(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """A(x) plus Gaussian noise of standard deviation ``sigma``, not clipped. Eq. (1)."""
        clean = self.A(x)
        noise = torch.randn(clean.shape, generator=generator, dtype=x.dtype)
        return clean + self.sigma * noise.to(clean.device)

    def check_measurement(self, y: Tensor) -> None:
        """Raise ValueError, in one line, where y cannot be a measurement of this kind."""

    def start(self, y: Tensor) -> Tensor:
        """A first image from the measurement, for the sampler's warm start; the size of x."""
        return y

    def phi(self) -> dict[str, Tensor]:
        """Phi by name, detached, as it enters A: in its unit and range, see `phi`."""
        names = [name for name, _ in self.named_parameters()]
        names = [n.replace("parametrizations.", "").removesuffix(".original") for n in names]
        values: dict[str, Any] = {n: reduce(getattr, n.split("."), self) for n in names}
        return {name: value.detach().clone() for name, value in values.items()}

    def describe(self) -> str:
        """One line for a report: the kind, its Phi and its noise in levels of 255."""
        phi = [f"{name.split('.')[-1]} {_brief(value)}" for name, value in self.phi().items()]
        noise = f"noise {255 * self.sigma:.1f} of 255" if self.sigma else ""
        return ", ".join(filter(None, [type(self).__name__, self.extra_repr(), *phi, noise]))

    def randomise(self, generator: Generator | None = None) -> Self:
        """Draw Phi at random, before its range is imposed: N(0, 1/4). Returns the degradation."""
        with torch.no_grad():
            for raw in self.parameters():
                raw.copy_(0.5 * torch.randn(raw.shape, generator=generator))
        return self

    def initialise(
        self,
        y: Tensor,
        sigma: float | None = None,
        generator: Generator | None = None,
        light: bool = False,
    ) -> Self:
        """Set Phi to a guess from the photo y, where there is one; returns the degradation.

        What a photo tells better than x_{0|t} will is frozen. sigma: noise in y, display range;
        the degradation's own by default. generator: draws Phi from its posterior, where there is
        one, in place of its middle. light: whether y holds linear light.
        """
        self.guess(y, self.sigma if sigma is None else sigma, generator, light)
        return self

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        """What `initialise` does, all arguments given; a kind with a guess has its own."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """||y - A(x)||^2, Eq. (9): what `fit` lowers."""
        return fidelity_loss(y, self.A(x))

    def residual(self, x: Tensor, y: Tensor) -> Tensor:
        """Root mean square of A(x) - y where y tells something about x, (B,), display range."""
        return (self.A(x) - y).square().flatten(1).mean(1).sqrt()

    def fit(self, x: Tensor, y: Tensor, sigma_bar: float) -> None:
        """Learn Phi where a guess x of the scene and y are given: L-BFGS on `loss`.

        sigma_bar: noise level at which x was guessed, display range; for kinds that know how the
        guess errs.
        """
        phi = [p for p in self.parameters() if p.requires_grad]
        if not phi:
            return
        optimiser = torch.optim.LBFGS(phi, max_iter=10, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = self.loss(x, y) / y.numel()
            loss.backward()
            return loss

        with torch.enable_grad():
            optimiser.step(closure)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """argmin_z ||A z - y||^2 + rho ||z - x||^2, or a local minimum where A is not linear.

        x: (B, 3, H, W); y: a measurement; rho >= 0. For a linear A conjugate gradients; else
        damped Newton steps, in every pixel by itself where A is pointwise. `solvers` has them.
        """
        limits = self.iterations, self.tolerance
        if self.linear:
            return prox_of_linear(self.A, self.A_adjoint, x, y, rho, *limits)
        if self.pointwise:
            return prox_of_pixels(self.A, (x, self.start(y)), x, y, rho)
        return prox_of_images(self.linearise, x, y, rho, *limits, self.rounds)

    def linearise(self, x: Tensor) -> tuple[Tensor, Map, Map]:
        """A(x), and the maps v -> J v and v -> J^T v with the Jacobian J of A at x."""
        if self.linear:
            return self.A(x), self.A, self.A_adjoint
        image, pull = vjp(self.A, x)
        if self.pointwise:  # J is diagonal
            slope = pull(torch.ones_like(image))
            return image, slope.mul, slope.mul
        # J v, by differentiating u -> J^T u, which is linear, once more.
        return image, vjp(pull, torch.zeros_like(image))[1], pull


def _brief(value: Tensor) -> str:
    """A few numbers, or the size of many."""
    if value.numel() > 6:
        return "x".join(str(n) for n in value.shape)
    return " ".join(f"{v:.3g}" for v in value.flatten().tolist())
