"""Light: exposure, clipping, gamma, contrast, in the file's numbers or in linear light.

Each acts on every number by itself (`pointwise`). An over-exposed photo, in capture order:
``LinearLight(Compose(SmoothExposure(4.0), Clip()))``. From one photo the parameters are fixed
only by anchors (f x = (f c)(x / c)): see `gdp_lite.estimators` for the exposure; gamma and contrast
take a photo's usual mean, 0.45, and spread, 0.24.
"""

import math

import torch
from torch import nn

from gdp_lite.degradations.base import Degradation, two_whole
from gdp_lite.degradations.phi import Between, Within, assign, learn
from gdp_lite.estimators.anchors import exposure_posterior
from gdp_lite.image import linear_to_srgb, srgb_to_linear

MIDDLE_GREY = 0.45  # sRGB-encoded, 0.17 in linear light: where cameras put the mean


class Exposure(Degradation):
    """Brightness: y = gain x + offset, two learnable numbers (Phi), before clipping.

    The simplest degradation whose Phi is not known. Affine, of the form H x + M of Table 1.
    Phi: ``gain`` and ``offset``, display range, without bounds: `SmoothExposure` has them.
    """

    pointwise = True

    def __init__(self, gain=1.0, offset=0.0, sigma=0.0):
        super().__init__(sigma)
        if not math.isfinite(gain) or not math.isfinite(offset):
            raise ValueError(f"gain and offset must be finite, got {gain}, {offset}")
        self.gain = nn.Parameter(torch.tensor(float(gain)))
        self.offset = nn.Parameter(torch.tensor(float(offset)))

    def randomise(self, generator=None):
        """Draw Phi at random, as the source's algorithm asks; returns the degradation."""
        with torch.no_grad():
            self.gain.copy_(0.5 + torch.rand((), generator=generator))
            self.offset.copy_(0.2 * torch.rand((), generator=generator) - 0.1)
        return self

    def A(self, x):
        return self.gain * x + self.offset

    def prox(self, x, y, rho):
        return (self.gain * (y - self.offset) + rho * x) / (self.gain**2 + rho)


class LinearLight(Degradation):
    """Another degradation, applied to light: decode the sRGB curve, apply, encode.

    Light adds and multiplies; the numbers in a file do not. inner: any degradation without
    noise of its own. sigma: noise after encoding. y is not clipped (`Clip` is a stage).
    """

    def __init__(self, inner, sigma=0.0):
        super().__init__(sigma)
        if not isinstance(inner, Degradation):
            raise ValueError(f"LinearLight needs a degradation, not {inner}")
        if inner.sigma:
            raise ValueError("the noise is added after encoding: give sigma to LinearLight")
        self.inner, self.pointwise = inner, inner.pointwise

    def A(self, x):
        return linear_to_srgb(self.inner.A(srgb_to_linear(x)))

    def randomise(self, generator=None):
        self.inner.randomise(generator)
        return self

    def initialise(self, y, sigma=None, generator=None, light=False):
        sigma = self.sigma if sigma is None else sigma
        self.inner.initialise(srgb_to_linear(y), sigma, generator, light=True)
        return self

    def check_measurement(self, y):
        self.inner.check_measurement(y)

    def start(self, y):
        return linear_to_srgb(self.inner.start(srgb_to_linear(y)))


class SmoothExposure(Degradation):
    """y = f x + M with a smooth M: light missing, or stray light in a part of the photo.

    Phi: ``gain`` f in [1/64, 64]; ``offset``, the (channels, n, m) control points of M, each in
    [-0.5, 0.5], spread by cubic B-splines, which have no edges and never leave that range.
    grid: (n, m), at least 4 each. channels: 1, or 3 for a coloured M. reference: an
    `anchors.Reference`, a patch of known brightness, for `initialise`.
    """

    pointwise = True

    def __init__(self, gain=1.0, grid=(4, 4), channels=1, sigma=0.0, reference=None):
        super().__init__(sigma)
        if min(two_whole(grid, "grid")) < 4 or channels not in (1, 3):
            raise ValueError(f"M needs a grid of 4 x 4 or more and 1 or 3 channels, got {grid}")
        self.reference = reference
        learn(self, "gain", float(gain), Between(1 / 64, 64))
        learn(self, "offset", torch.zeros(channels, *grid), Within(0.5))

    def M(self, x):
        """The offset at the size of x, (channels, H, W)."""
        rows = _splines(x.shape[-2], self.offset.shape[-2], x)
        return rows @ self.offset.to(x) @ _splines(x.shape[-1], self.offset.shape[-1], x).T

    def A(self, x):
        return self.gain * x + self.M(x)

    def initialise(self, y, sigma=None, generator=None, light=False):
        """M = 0, and the gain of `exposure_posterior`, its median or a draw; both are held:
        what x_{0|t} would teach M is not there (benchmarks/blind.py)."""
        sigma = self.sigma if sigma is None else sigma
        posterior = exposure_posterior(y, light, self.reference, sigma)
        assign(self, "gain", _middle_or_draw(posterior, generator))
        assign(self, "offset", 0.0)
        return self.requires_grad_(False)

    def start(self, y):
        return (y - self.M(y)) / self.gain

    def prox(self, x, y, rho):
        return (self.gain * (y - self.M(x)) + rho * x) / (self.gain**2 + rho)


class Clip(Degradation):
    """What is darker than black or brighter than white is lost: clamp to [0, 1]."""

    pointwise = True

    def A(self, x):
        return x.clamp(0, 1)

    def prox(self, x, y, rho):
        """Exact: the best of staying inside, and of lying beyond either end."""
        inside = ((y + rho * x) / (1 + rho)).clamp(0, 1)
        best = inside
        for z in (x.clamp(min=1), x.clamp(max=0)):
            best = torch.where(self._loss(z, x, y, rho) < self._loss(best, x, y, rho), z, best)
        return best

    def _loss(self, z, x, y, rho):
        return (self.A(z) - y).square() + rho * (z - x).square()


class Gamma(Degradation):
    """y = x^g for x in [0, 1], clipped below 1e-6 (where g < 1 has no slope) and above 1.

    Phi: ``exponent`` g in [0.1, 10]; above 1 darkens. target: the mean that `initialise` takes
    the scene to have, encoded display range, above 0 and below 1.
    """

    pointwise = True

    def __init__(self, exponent=1.0, target=MIDDLE_GREY, sigma=0.0):
        super().__init__(sigma)
        if not 0 < target < 1:
            raise ValueError(f"the target, a mean, lies between 0 and 1, got {target}")
        self.target = target
        learn(self, "exponent", float(exponent), Between(0.1, 10))

    def A(self, x):
        return x.clamp(1e-6, 1) ** self.exponent

    def initialise(self, y, sigma=None, generator=None, light=False):
        """The exponent that takes the target, the mean of the encoded scene, to y's."""
        target = torch.as_tensor(self.target)
        target = srgb_to_linear(target) if light else target
        mean = torch.as_tensor(float(y.mean())).clamp(0.01, 0.99)
        exponent = float(mean.log() / target.log())
        assign(self, "exponent", min(max(exponent, 0.15), 7.0))
        return self

    def start(self, y):
        return y.clamp(1e-6, 1) ** (1 / self.exponent)


class Contrast(Degradation):
    """y = 1/2 + c (x - 1/2), not clipped. Phi: ``contrast`` c in [0.05, 20], no unit."""

    pointwise = True

    def __init__(self, contrast=1.0, sigma=0.0):
        super().__init__(sigma)
        learn(self, "contrast", float(contrast), Between(0.05, 20))

    def A(self, x):
        return 0.5 + self.contrast * (x - 0.5)

    def initialise(self, y, sigma=None, generator=None, light=False):
        """Photos have a standard deviation of about 0.24."""
        assign(self, "contrast", min(max(float(y.std()) / 0.24, 0.06), 18.0))
        return self

    def start(self, y):
        return 0.5 + (y - 0.5) / self.contrast

    def prox(self, x, y, rho):
        c = self.contrast
        return (c * (y - 0.5 + 0.5 * c) + rho * x) / (c**2 + rho)


def _middle_or_draw(posterior, generator):
    """The middle one of sorted samples, or with a generator any one."""
    if generator is None:
        return posterior[len(posterior) // 2]
    return posterior[torch.randint(len(posterior), (), generator=generator)]


def _splines(length, count, like):
    """Uniform cubic B-splines, (length, count): rows non-negative with sum 1."""
    place = (torch.arange(length, dtype=torch.float64) + 0.5) / length * (count - 3)
    distance = (place[:, None] - torch.arange(-1, count - 1, dtype=torch.float64)).abs()
    near = 2 / 3 - distance**2 + distance**3 / 2
    return torch.where(distance < 1, near, (2 - distance).clamp(min=0) ** 3 / 6).to(like)
