"""The degradation of a batch: one for all chains where Phi is known, else a copy for each.

A chain is one sample of one photo. Each may find another Phi, so that each has its own copy.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from gdp_lite.degradations import Degradation
from gdp_lite.losses import fidelity_loss

NO_NOISE = 1e-8  # the smallest rho: where y has no noise, blur still needs one to divide by


class Chains:
    """What a sampler asks of the degradations of its chains; all images (chains, 3, H, W).

    initial: where Phi starts: "photo", "random" or "given", see `restore`. spread: whether each
    chain draws its Phi from the posterior. The degradation that is given stays as it is.
    """

    def __init__(
        self,
        degradation: Degradation,
        ys: Tensor,
        initial: str,
        spread: bool,
        generator: Generator | None,
    ):
        self.ys, self.members, self.generator = ys, [degradation], generator
        if any(p.requires_grad for p in degradation.parameters()):
            self.members = [copy.deepcopy(degradation) for _ in ys]
            for member, y in zip(self.members, ys, strict=True):
                member.check_measurement(y[None])  # a mask for each photo cannot be shared out
                if initial == "photo":
                    member.initialise(y[None], generator=generator if spread else None)
                elif initial == "random":
                    member.randomise(generator)

    @property
    def sigma(self) -> float:
        """Noise of the photos, the mean over the chains."""
        return sum(d.sigma for d in self.members) / len(self.members)

    @torch.no_grad()
    def start(self) -> Tensor:
        """First images, from the photos."""
        return self._each(lambda d, y: d.start(y))

    @torch.no_grad()
    def photos(self, x: Tensor) -> Tensor:
        """F_Phi(x)."""
        return self._each(lambda d, y, x: d(x), x)

    @torch.no_grad()
    def prox(self, x: Tensor, trust: float) -> Tensor:
        """What agrees with the photos and stays near x, with rho = sigma_n^2 / trust."""
        return self._each(lambda d, y, x: d.prox(x, y, max(d.sigma**2 / trust, NO_NOISE)), x)

    @torch.no_grad()
    def draw(self, x: Tensor, trust: float) -> Tensor:
        """A draw instead: x and the photos get noise of their own first; exact for a linear F."""

        def noisy(image: Tensor, level: float) -> Tensor:
            n = torch.randn(image.shape, generator=self.generator, dtype=image.dtype)
            return image + level * n.to(image.device)

        def one(d: Degradation, y: Tensor, x: Tensor) -> Tensor:
            rho = max(d.sigma**2 / trust, NO_NOISE)
            return d.prox(noisy(x, trust**0.5), noisy(y, d.sigma), rho)

        return self._each(one, x)

    @torch.no_grad()
    def loss(self, x: Tensor) -> float:
        """The fidelity, Eq. (9), summed over everything."""
        return sum(float(fidelity_loss(y, d(part))) for d, y, part in self._split(x))

    @torch.no_grad()
    def residual(self, x: Tensor) -> Tensor:
        """Root mean square of F_Phi(x) - y, (chains,)."""
        return self._each(lambda d, y, x: d.residual(x, y), x)

    def fit(self, x: Tensor, sigma: float) -> None:
        """Learn Phi on guesses x of the scenes, made at this noise level."""
        for member, y, part in self._split(x):
            member.fit(part, y, sigma)

    def phi(self) -> dict[str, Tensor]:
        """Phi of all chains by name, (chains, ...)."""
        phis = [member.phi() for member in self.members] * (len(self.ys) // len(self.members))
        return {name: torch.stack([phi[name] for phi in phis]) for name in phis[0]}

    def _split(self, *images: Tensor) -> Iterator:
        """(degradation, its photos, its part of each batch), for every member."""
        one = len(self.members) == 1
        parts = [[x] if one else x.split(1) for x in (self.ys, *images)]
        return zip(self.members, *parts, strict=True)

    def _each(self, function: Callable[..., Tensor], *images: Tensor) -> Tensor:
        return torch.cat([function(*part) for part in self._split(*images)])
