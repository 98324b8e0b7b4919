"""Light: exposure, clipping, gamma, contrast, in the file's numbers or in linear light.

Each acts on every number by itself (`pointwise`). An over-exposed photo, in capture order:
``LinearLight(Compose(SmoothExposure(4.0), Clip()))``. From one photo the parameters are fixed
only by anchors (f x = (f c)(x / c)): see `gdp_lite.estimators` for the exposure; gamma takes a
photo's usual mean, 0.45, and contrast how near to black or white a photo usually comes.
"""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from gdp_lite.curve import MIDDLE, splines
from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Between, Within, assign, drawn, learn
from gdp_lite.degradations.shapes import two_whole
from gdp_lite.estimators.anchors import Reference, exposure_posterior
from gdp_lite.image import linear_to_srgb, srgb_to_linear

# REACH: how far from 1/2 a good photo's farthest value lies in the median; the quantile FARTHEST of
# means of MEANS x MEANS pixels. On 256 pixels the contrast found from it errs by 0.06 of its
# logarithm (0.12 on 128), from the standard deviation by 0.40, from levels by 0.35, from this and
# the standard deviation no less. Noise of 10 of 255 at a contrast of 0.35 makes 0.10 of that, 0.20
# with means of 2 x 2; those of 8 x 8, or the quantile 0.99, err by 0.08 and 0.10 without
# (benchmarks/estimator_constants.py).
REACH, MEANS, FARTHEST = 0.495, 4, 0.9995


class Exposure(Degradation):
    """Brightness: y = gain x + offset, two learnable numbers (Phi), before clipping.

    The simplest degradation whose Phi is not known. Affine, of the form H x + M of Table 1.

    Parameters
    ----------
    gain, offset : Phi, finite; ValueError else. Without bounds: `SmoothExposure` has them.
    sigma : noise, display range.

    Examples
    --------
    >>> Exposure(0.5, 0.1)(torch.ones(1, 3, 1, 1)).flatten().detach()
    tensor([0.6000, 0.6000, 0.6000])
    """

    pointwise = True

    def __init__(self, gain: float = 1.0, offset: float = 0.0, sigma: float = 0.0):
        super().__init__(sigma)
        if not math.isfinite(gain) or not math.isfinite(offset):
            raise ValueError(f"gain and offset must be finite, got {gain}, {offset}")
        self.gain = nn.Parameter(torch.tensor(float(gain)))
        self.offset = nn.Parameter(torch.tensor(float(offset)))

    def randomise(self, generator: Generator | None = None) -> Self:
        with torch.no_grad():
            self.gain.copy_(0.5 + torch.rand((), generator=generator))
            self.offset.copy_(0.2 * torch.rand((), generator=generator) - 0.1)
        return self

    def A(self, x: Tensor) -> Tensor:
        return self.gain * x + self.offset

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return (self.gain * (y - self.offset) + rho * x) / (self.gain**2 + rho)


class LinearLight(Degradation):
    """Another degradation, applied to light: decode the sRGB curve, apply, encode.

    Light adds and multiplies; the numbers in a file do not. y is not clipped (`Clip` is a stage).

    Parameters
    ----------
    inner : any degradation without noise of its own; ValueError else.
    sigma : noise after encoding, display range.

    Examples
    --------
    >>> half = LinearLight(Exposure(0.5))
    >>> half(torch.ones(1, 3, 1, 1)).flatten().detach()
    tensor([0.7354, 0.7354, 0.7354])
    """

    def __init__(self, inner: Degradation, sigma: float = 0.0):
        super().__init__(sigma)
        if not isinstance(inner, Degradation):
            raise ValueError(f"LinearLight needs a degradation, not {inner}")
        if inner.sigma:
            raise ValueError("the noise is added after encoding: give sigma to LinearLight")
        self.inner, self.pointwise, self.rounds = inner, inner.pointwise, inner.rounds

    def A(self, x: Tensor) -> Tensor:
        return linear_to_srgb(self.inner.A(srgb_to_linear(x)))

    def randomise(self, generator: Generator | None = None) -> Self:
        self.inner.randomise(generator)
        return self

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        self.inner.initialise(srgb_to_linear(y), sigma, generator, light=True)

    def check_measurement(self, y: Tensor) -> None:
        self.inner.check_measurement(y)

    def start(self, y: Tensor) -> Tensor:
        return linear_to_srgb(self.inner.start(srgb_to_linear(y)))


class SmoothExposure(Degradation):
    """y = f x + M with a smooth M: light missing, or stray light in a part of the photo.

    Phi: ``gain`` f in [1/64, 64]; ``offset``, the (channels, n, m) control points of M, each in
    [-0.5, 0.5], spread by cubic B-splines, which have no edges and never leave that range.
    `initialise` takes M = 0 and the gain of `exposure_posterior`, its median or a draw, and holds
    both: what x_{0|t} would teach M is not there (benchmarks/blind.py).

    Parameters
    ----------
    gain : f.
    grid : (n, m), at least 4 each; ValueError else.
    channels : 1, or 3 for a coloured M.
    sigma : noise, display range.
    reference : a patch of known brightness, for `initialise`.

    Examples
    --------
    >>> dark = SmoothExposure(0.25)
    >>> dark(torch.ones(1, 3, 1, 1)).flatten().detach()
    tensor([0.2500, 0.2500, 0.2500])
    """

    pointwise = True
    gain: Tensor
    offset: Tensor

    def __init__(
        self,
        gain: float = 1.0,
        grid: Sequence[int] = (4, 4),
        channels: int = 1,
        sigma: float = 0.0,
        reference: Reference | None = None,
    ):
        super().__init__(sigma)
        if min(two_whole(grid, "grid")) < 4 or channels not in (1, 3):
            raise ValueError(f"M needs a grid of 4 x 4 or more and 1 or 3 channels, got {grid}")
        self.reference = reference
        learn(self, "gain", float(gain), Between(1 / 64, 64))
        learn(self, "offset", torch.zeros(channels, *grid), Within(0.5))

    def M(self, x: Tensor) -> Tensor:
        """The offset at the size of x, (channels, H, W)."""
        rows = splines(x.shape[-2], self.offset.shape[-2], x)
        return rows @ self.offset.to(x) @ splines(x.shape[-1], self.offset.shape[-1], x).T

    def A(self, x: Tensor) -> Tensor:
        return self.gain * x + self.M(x)

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        posterior = exposure_posterior(y, light, self.reference, sigma)
        assign(self, "gain", drawn(posterior, posterior[len(posterior) // 2], generator))
        assign(self, "offset", 0.0)
        self.requires_grad_(False)

    def start(self, y: Tensor) -> Tensor:
        return (y - self.M(y)) / self.gain

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return (self.gain * (y - self.M(x)) + rho * x) / (self.gain**2 + rho)


class Clip(Degradation):
    """What is darker than black or brighter than white is lost: clamp to [0, 1]; exact `prox`.

    Parameters
    ----------
    sigma : noise after clipping, display range.

    Examples
    --------
    >>> Clip()(torch.tensor([-0.2, 0.5, 1.3]))
    tensor([0.0000, 0.5000, 1.0000])
    """

    pointwise = True

    def A(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """Exact: the best of staying inside, and of lying beyond either end."""
        inside = ((y + rho * x) / (1 + rho)).clamp(0, 1)
        best = inside
        for z in (x.clamp(min=1), x.clamp(max=0)):
            best = torch.where(self._loss(z, x, y, rho) < self._loss(best, x, y, rho), z, best)
        return best

    def _loss(self, z: Tensor, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return (self.A(z) - y).square() + rho * (z - x).square()


class Gamma(Degradation):
    """y = x^g for x in [0, 1], clipped below 1e-6 (where g < 1 has no slope) and above 1.

    Phi: ``exponent`` g in [0.1, 10]; above 1 darkens. `initialise` takes the one that leads from
    the target to the mean of y; it is then learned.

    Parameters
    ----------
    exponent : g.
    target : mean of the scene, encoded display range, above 0 and below 1; ValueError else.
    sigma : noise, display range.

    Examples
    --------
    >>> Gamma(2.0)(torch.full((1, 3, 1, 1), 0.5)).flatten().detach()
    tensor([0.2500, 0.2500, 0.2500])
    """

    pointwise = True
    exponent: Tensor

    def __init__(self, exponent: float = 1.0, target: float = MIDDLE, sigma: float = 0.0):
        super().__init__(sigma)
        if not 0 < target < 1:
            raise ValueError(f"the target, a mean, lies between 0 and 1, got {target}")
        self.target = target
        learn(self, "exponent", float(exponent), Between(0.1, 10))

    def A(self, x: Tensor) -> Tensor:
        return x.clamp(1e-6, 1) ** self.exponent

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        target = torch.as_tensor(self.target)
        target = srgb_to_linear(target) if light else target
        mean = torch.as_tensor(float(y.mean())).clamp(0.01, 0.99)
        exponent = float(mean.log() / target.log())
        assign(self, "exponent", min(max(exponent, 0.15), 7.0))

    def start(self, y: Tensor) -> Tensor:
        return y.clamp(1e-6, 1) ** (1 / self.exponent)


class Contrast(Degradation):
    """y = 1/2 + c (x - 1/2), not clipped. Phi: ``contrast`` c in [0.05, 20], no unit.

    Nearly every good photo is somewhere nearly black or nearly white. So `initialise` takes c from
    how far y goes from 1/2, its noise averaged, and holds it: learned on x_{0|t} it comes out worse
    (benchmarks/estimator_constants.py). A contrast that was raised and clipped is taken for 1.

    Parameters
    ----------
    contrast : c.
    sigma : noise, display range.

    Examples
    --------
    >>> Contrast(0.5)(torch.tensor([0.0, 1.0])).detach()
    tensor([0.2500, 0.7500])
    """

    pointwise = True
    contrast: Tensor

    def __init__(self, contrast: float = 1.0, sigma: float = 0.0):
        super().__init__(sigma)
        learn(self, "contrast", float(contrast), Between(0.05, 20))

    def A(self, x: Tensor) -> Tensor:
        return 0.5 + self.contrast * (x - 0.5)

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        assign(self, "contrast", min(max(reach(y) / REACH, 0.06), 18.0))
        self.requires_grad_(False)

    def start(self, y: Tensor) -> Tensor:
        return 0.5 + (y - 0.5) / self.contrast

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        c = self.contrast
        return (c * (y - 0.5 + 0.5 * c) + rho * x) / (c**2 + rho)


def reach(y: Tensor) -> float:
    """How far the farthest of y's numbers lie from 1/2, averaged against the noise."""
    means = functional.avg_pool2d(y.detach().cpu(), [min(MEANS, n) for n in y.shape[-2:]])
    distance = (means - 0.5).abs().flatten()
    return float(distance.kthvalue(max(1, round(FARTHEST * len(distance)))).values)
