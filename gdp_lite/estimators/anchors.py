"""Exposure and white balance from one photo: what f x = (f c)(x / c) leaves open, an anchor pins.

Most good photos have a spot that is nearly white. With s = log of the brightest value, an unknown
gain moves it alone: s(g x) = log g + s(x). Over good photos s(x) is a mixture of two Gaussians,
those that reach white and those that do not; benchmarks/anchors.py fits it and writes
anchors.json. With a prior of log g that makes a posterior, given here as samples. Where y is
clipped, s is only a bound. Of a colour cast the histograms of all colours tell more
(`gdp_lite.estimators.chroma`). A `Reference`, a patch of known colour, pins the scale.
"""

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal, Normal
from torch.nn import functional

from gdp_lite.estimators import chroma
from gdp_lite.image import check_photo, srgb_to_linear

SAMPLES = 20000  # of a posterior: their median errs by less than 0.01 of its spread
DARKEST = 1 / 16  # the smallest exposure that is considered
WHITE = 0.995  # display range: from here on a value may have been clipped
# Spread of the log gains of a colour cast. Half of it errs more on casts of 0.2 and 0.3, twice as
# much on those of 0.1 and 0.2 (benchmarks/estimator_constants.py).
CAST = 0.22
# GOOD: spread of the log gains that are left in good photos, by hand. OFTEN: assumed share of
# photos with a cast. With 0.2, and the threshold that takes as many good photos for cast, a third
# of a strong cast would be undone on train/val and Kodak's, and not a half (benchmarks/casts.py).
GOOD, OFTEN = 0.05, 0.5
# Brightest values and histograms are of the same pixels, which are not independent, and other
# collections of photos have other colours. So their evidence is taken at this share of its
# logarithm, chosen by the errors of benchmarks/casts.py; the 90% cone then holds 90% of Kodak's
# casts (benchmarks/anchors.py).
EVIDENCE = 0.7
CURVE = 2.2  # relative errors grow by this from encoded numbers to light


class Reference(NamedTuple):
    """A patch of known colour in the photo, a grey card for instance.

    Parameters
    ----------
    box : (top, left, height, width) in pixels; None for the whole photo.
    colour : the number, or three, that it has in a good photo, encoded display range, mean over
        the patch.
    tolerance : its relative error.

    Examples
    --------
    >>> card = Reference(box=(10, 10, 16, 16), colour=0.5)
    >>> y = torch.full((1, 3, 64, 64), 0.25)
    >>> round(float(exposure_posterior(y, reference=card).median()), 2)
    0.5
    """

    box: tuple[int, int, int, int] | None
    colour: float | Sequence[float]
    tolerance: float = 0.01


def exposure_posterior(
    y: Tensor, linear: bool = False, reference: Reference | None = None, sigma: float = 0.0
) -> Tensor:
    """What one photo tells of its exposure f, y = f x.

    A photo that reaches white is taken to be over-exposed: f >= 1 then comes from its mean, of
    which clipping makes too little.

    Parameters
    ----------
    y : (B, 3, H, W), display range; one f for all.
    linear : whether y is light and not encoded.
    reference : a patch of known brightness.
    sigma : noise in y, display range, by which it may exceed white although clipped.

    Returns
    -------
    Samples of the posterior of f in [1/16, 4], sorted, (n,); the same in every call.

    Raises
    ------
    ValueError : for a reference that lies outside of y or has no positive colour.

    Examples
    --------
    >>> y = 0.5 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> bool(0.3 < exposure_posterior(y).median() < 0.7)
    True
    """
    check_photo(y)
    anchor, generator = _anchors()["linear" if linear else "encoded"], _generator()
    low, high = math.log(DARKEST), 0.0
    s = brightest(y).amax(0, keepdim=True)
    if bool(_clipped(y, s, linear, sigma)):
        mean, spread = anchor["mean"]
        centre = float(y.double().mean().clamp(min=1e-4).log()) - mean
        low, high, model = 0.0, math.log(4), [[1.0], [[mean]], [[[spread**2]]]]
        s = torch.tensor([centre + mean]).double()
    else:
        model = anchor["exposure"]
    if reference is None:
        log_f = low + (high - low) * torch.rand(SAMPLES, 1, generator=generator).double()
    else:
        value, tolerance = _seen(y, reference, linear)
        noise = torch.randn(SAMPLES, 1, generator=generator).double()
        log_f = value.mean() + tolerance * noise
    weights = _likelihood(log_f, s, model, None).softmax(0)
    return _resampled(log_f, weights, generator)[:, 0].exp().sort().values


def cast_posterior(
    y: Tensor, linear: bool = False, reference: Reference | None = None, sigma: float = 0.0
) -> Tensor:
    """What one photo tells of its colour cast, y = gains * x.

    Parameters
    ----------
    y, linear, reference, sigma : as in `exposure_posterior`.

    Returns
    -------
    Samples of the posterior of the gains, mean 1 each, (n, 3); the same in every call.

    Raises
    ------
    ValueError : as there.

    Examples
    --------
    >>> y = torch.rand(1, 3, 64, 64) * torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)
    >>> gains = cast_posterior(y).mean(0)
    >>> bool(gains[0] > gains[1] > gains[2])
    True
    """
    check_photo(y)
    generator = _generator()
    log_g = _casts(generator, None if reference is None else _seen(y, reference, linear))
    return _as_gains(log_g, _cast_likelihood(log_g, y, linear, sigma), generator)


class Cast(NamedTuple):
    """What one photo tells of its colour cast.

    Parameters
    ----------
    gains : samples of their posterior, mean 1 each, (n, 3).
    chance : the probability that there is a cast at all, if one photo in two had one.

    Examples
    --------
    >>> gains, chance = estimate_cast(torch.full((1, 3, 32, 32), 0.5))
    >>> gains.shape[1], 0 < chance < 1
    (3, True)
    """

    gains: Tensor
    chance: float


def estimate_cast(y: Tensor, linear: bool = False, sigma: float = 0.0) -> Cast:
    """The gains of a colour cast, and how likely there is one.

    For the chance the likelihood is taken twice, for gains as good photos have them and for all
    casts.

    Parameters
    ----------
    y, linear, sigma : as in `cast_posterior`.

    Returns
    -------
    Cast; its gains are the samples of `cast_posterior`.

    Raises
    ------
    ValueError : for anything else than photos.

    Examples
    --------
    >>> y = 0.8 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> blue = y * torch.tensor([0.6, 1.0, 1.4]).view(3, 1, 1)
    >>> none, some = (estimate_cast(x, True).chance for x in (y.expand(1, 3, 64, 64), blue))
    >>> none < 0.3 < 0.7 < some
    True
    """
    check_photo(y)
    generator = _generator()
    casts = _casts(generator, None)
    both = torch.cat([casts, GOOD / CAST * casts])
    some, none = _cast_likelihood(both, y, linear, sigma).view(2, -1)
    odds = float(some.logsumexp(0) - none.logsumexp(0))
    odds = OFTEN / (1 - OFTEN) * math.exp(min(odds, 50.0))
    return Cast(_as_gains(casts, some, generator), odds / (1 + odds))


def brightest(y: Tensor) -> Tensor:
    """Log of each channel's largest value, (3,), after 2 x 2 averaging against the noise."""
    y = functional.avg_pool2d(y.detach(), [min(2, n) for n in y.shape[-2:]]).double()
    return y.amax((0, 2, 3)).clamp(min=1e-4).log().cpu()


def _clipped(y: Tensor, s: Tensor, linear: bool, sigma: float) -> Tensor:
    """Whether s is only a bound."""
    curve = CURVE if linear else 1.0
    return (s >= curve * math.log(WHITE)) & _bounded(y, linear, sigma)


def _bounded(y: Tensor, linear: bool, sigma: float) -> bool:
    """Whether y may have been clipped: a simulation without clipping exceeds white."""
    return bool(y.max() < 1 + 1e-4 + 6 * (CURVE if linear else 1.0) * sigma)


def _seen(y: Tensor, reference: Reference, linear: bool) -> tuple[Tensor, float]:
    """(log of what the patch has over what it should have, (3,), and its tolerance)."""
    top, left, height, width = reference.box or (0, 0, *y.shape[-2:])
    patch = y.detach()[..., top : top + height, left : left + width].double()
    if 0 in patch.shape or patch.shape[-2:] != (height, width) or min(top, left) < 0:
        raise ValueError(f"the reference {reference.box} lies outside of {tuple(y.shape[-2:])}")
    colour = torch.as_tensor(reference.colour).double().expand(3)
    if not bool((colour > 0).all()) or not reference.tolerance > 0:
        raise ValueError(f"a reference needs a colour and tolerance above 0: {reference}")
    power = CURVE if linear else 1.0
    if linear:
        colour = srgb_to_linear(colour)
    seen = patch.mean((0, 2, 3)).cpu().clamp(min=1e-4)
    return (seen / colour).log(), power * reference.tolerance


def _casts(generator: Generator, seen: tuple[Tensor, float] | None) -> Tensor:
    """Log gains as they are expected before the photo is looked at, but for its reference."""
    # Casts have mean 1, so that the sum of the log gains hardly varies.
    cov = 1.5 * CAST**2 * (torch.eye(3) - 0.98 / 3 * torch.ones(3, 3)).double()
    mean = torch.zeros(3).double()
    if seen is not None:
        value, tolerance = seen
        value = value.expand(3) - value.mean()
        gain = cov @ torch.linalg.inv(cov + tolerance**2 * torch.eye(3).double())
        mean, cov = mean + gain @ (value - mean), cov - gain @ cov
    root = torch.linalg.cholesky(cov + 1e-12 * torch.eye(3).double())
    return mean + torch.randn(SAMPLES, 3, generator=generator).double() @ root.T


def _cast_likelihood(log_g: Tensor, y: Tensor, linear: bool, sigma: float) -> Tensor:
    """Log likelihood of casts, (n, 3) -> (n,), by the brightest values and by all colours."""
    s = brightest(y)
    clipped = _clipped(y, s, linear, sigma)
    model = _anchors()["linear" if linear else "encoded"]["cast"]
    light = y if linear else srgb_to_linear(y)
    scores = chroma.score(light, _bounded(y, linear, sigma))
    in_light = log_g if linear else CURVE * log_g
    return EVIDENCE * (_likelihood(log_g, s, model, clipped) + chroma.at(scores, in_light))


def _likelihood(log_g: Tensor, s: Tensor, model: list, clipped: Tensor | None) -> Tensor:
    """Log likelihood of gains, (n, k) -> (n,), by s = log g + v."""
    total = []
    clipped = torch.zeros(len(s), dtype=torch.bool) if clipped is None else clipped
    for weight, mean, cov in zip(*(torch.tensor(p).double() for p in model), strict=True):
        log_p = weight.log().expand(len(log_g))
        if not bool(clipped.all()):
            seen = ~clipped
            v = MultivariateNormal(mean[seen], cov[seen][:, seen])
            log_p = log_p + v.log_prob(s[seen] - log_g[:, seen])
        for c in clipped.nonzero()[:, 0].tolist():  # what was clipped was at least that bright
            above = (log_g[:, c] + mean[c] - s[c]) / cov[c, c].sqrt()
            log_p = log_p + Normal(0.0, 1.0).cdf(above).clamp(min=1e-12).log()
        total.append(log_p)
    return torch.stack(total).logsumexp(0)


def _resampled(log_g: Tensor, weights: Tensor, generator: Generator) -> Tensor:
    """Samples of the prior, (n, k), drawn again by their weights, (n,)."""
    return log_g[torch.multinomial(weights, SAMPLES, True, generator=generator)]


def _as_gains(log_g: Tensor, likelihood: Tensor, generator: Generator) -> Tensor:
    """Samples of the posterior of the gains, mean 1 each, (n, 3)."""
    gains = _resampled(log_g, likelihood.softmax(0), generator).exp()
    return gains / gains.mean(1, keepdim=True)


def _generator() -> Generator:
    return torch.Generator().manual_seed(0)


@cache
def _anchors() -> dict:
    return json.loads((Path(__file__).parent / "anchors.json").read_text(encoding="utf-8"))
