"""One kind of degradation in one photo: how strong it is, and whether a person sees it.

What the estimators answer (`gdp_lite.estimators`), in one form and in plain words.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations.softness import COARSE, FLOOR
from gdp_lite.estimators import (
    Estimate,
    Light,
    NoiseSpectrum,
    Softness,
    estimate_cast,
)
from gdp_lite.estimators.noise_statistics import SHARES
from gdp_lite.image import srgb_to_linear
from gdp_lite.kept_colour import NEARLY, is_grey

# In capture order. Grey and those after the noise have modules of their own in `gdp_lite.repairs`:
# a photo's colours are lost where a person's strokes tell some, parts missing where a mask says so.
KINDS = (
    *("light", "colour", "grey", "softness", "noise"),
    *("resolution", "missing", "overlay", "jpeg"),
)
SEEN = 0.5  # from this probability on a finding is acted upon
# An overlay is told, and undone when a person asks, as it may be a part of the scene: of 60 good
# photos one seems to have some (benchmarks/diagnosis.py).
# Noise is taken away by the share that it is likely (`denoise`), so little is risked from 0.25 on:
# captures gain 2.35 dB, 2.33 with the whole change from 0.5 on, and those without noise stay within
# 45 dB of themselves, not 40 (benchmarks/phone_noise.py).
ASKED = {"overlay": 0.99, "noise": 0.25}
# Noise is seen from about 2 of 255 on. Steepness, here and of a cast: by eye.
NOISE_SEEN, NOISE_SLOPE = 2 / 255, 0.4 / 255
# Of a cast the part that is likely is undone, its mean times the chance that there is one. Less
# than this part, in logarithms, is left alone: 0.08 leaves less error on train/val, but takes twice
# as many good photos for cast (benchmarks/casts.py).
CAST_SEEN, CAST_SLOPE = 0.12, 0.02
# The share of softness that is undone unasked: the whole gains some hundredths of a decibel more on
# blurred photos, and loses more where it was misjudged, as a disc that is taken for a Gaussian
# (benchmarks/soft_photos.py --tune). Where there is noise, `softness_degradation` is told more of
# it than there is, which does the same.
SHARE = 0.8
ONE_TONE = 6 / 255  # display range: a photo that has no more between its least and greatest
LOOKED_AT = 512  # pixels of the longer side, for light and colour


@dataclass(frozen=True)
class Finding:
    """One kind of degradation in one photo.

    Parameters
    ----------
    kind : of `KINDS`.
    estimate : its strength; ``std``: the uncertainty.
    unit : of the estimate: "stops", "log gain", "pixels", "of 255", "share".
    visible : the probability that a person would see it.
    line : in plain words.
    detail : what the estimator returned, with all of Phi.
    doubt : why it is left as it is though it is seen; empty where undoing it helps.
    """

    kind: str
    estimate: Estimate
    unit: str
    visible: float
    line: str
    detail: Any
    doubt: str = ""

    @property
    def seen(self) -> bool:
        """Whether it is acted upon: seen, and no doubt that undoing it helps."""
        return not self.doubt and self.visible >= ASKED.get(self.kind, SEEN)

    def phi(self) -> dict[str, Any]:
        """Its Phi as numbers, words and lists."""
        if isinstance(self.detail, Tensor):
            return {"gains": self.detail.tolist()}
        return {} if self.detail is None else self.detail.numbers()


def of_light(light: Light, photo: Tensor) -> Finding:
    """Too dark, too bright, flat or uneven; estimate in stops."""
    little = small(photo)
    if _one_tone(little):
        line = "a single tone, which tells nothing of the light"
        return Finding("light", Estimate(0.0, math.inf), "stops", 0.0, line, light)
    visible = light.visible if light.fault != "none" else min(light.visible, 0.49)
    return Finding("light", light.stops, "stops", visible, light.line, light)


def of_colour(photo: Tensor, noise: float) -> Finding:
    """A cast, of the photo made small, where its noise is less.

    detail: gains, (3,): of a cast that is seen the part, in logarithms, that is undone, as there
    may be none; else all of it, since whoever asks for one that is not seen is not doubted.
    """
    little = small(photo)
    if is_grey(little, NEARLY):  # no colour, no cast: what the prior alone would say tints it
        line = "black and white; paint some of its colours on the page (serve), "
        line += "or on a copy of it (restore --strokes COPY)"
        return Finding("colour", Estimate(0.0, math.inf), "log gain", 0.0, line, torch.ones(3))
    if _one_tone(little):
        line = "a single tone, which tells nothing of a cast"
        return Finding("colour", Estimate(0.0, math.inf), "log gain", 0.0, line, torch.ones(3))
    sigma = noise * little.shape[-1] / photo.shape[-1]
    gains, chance = estimate_cast(srgb_to_linear(little), linear=True, sigma=sigma)
    logs = gains.log()
    mean = logs.mean(0) - logs.mean()
    strongest = int(mean.abs().argmax())
    found = Estimate(float(mean[strongest].abs()), float(logs[:, strongest].std()))
    visible = 1 / (1 + math.exp(-(chance * found - CAST_SEEN) / CAST_SLOPE))
    names = ("red", "green", "blue") if mean[strongest] > 0 else ("cyan", "magenta", "yellow")
    line = "no cast that would be seen"
    if visible >= SEEN:
        line = f"a {names[strongest]} cast, {100 * (math.exp(found) - 1):.0f}% in light"
        line += f"; {100 * chance:.0f}% of it is undone, as it may be the scene's"
        mean = chance * mean
    phi = mean.exp() / mean.exp().mean()
    return Finding("colour", found, "log gain", visible, line, phi.float())


def _one_tone(photo: Tensor) -> bool:
    """Whether no channel has more than `ONE_TONE` between its least and its greatest."""
    return bool((photo.amax((2, 3)) - photo.amin((2, 3)) < ONE_TONE).all())


def small(photo: Tensor) -> Tensor:
    """The photo with at most twice `LOOKED_AT` pixels on its longer side, by averages."""
    shrink = max(max(photo.shape[-2:]) // LOOKED_AT, 1)
    return functional.avg_pool2d(photo, min(shrink, *photo.shape[-2:]))


def of_softness(found: Softness, noise: float = 0.0) -> Finding:
    """Blur and movement, root mean square in all directions; noise: of the luma, display range."""
    width = Estimate(math.hypot(found.width, found.length / 12**0.5), found.width.std)
    line, share = found.line, 1.0 if COARSE * noise > FLOOR else SHARE
    if found.visible >= SEEN:
        line += f"; left as it is, {found.doubt}" if found.doubt else _undone(share)
    detail = found._replace(present=share)
    return Finding("softness", width, "pixels", found.visible, line, detail, found.doubt)


def _undone(share: float) -> str:
    return f"; undone by {100 * share:.0f}%" if share < 1 else "; undone"


def of_noise(found: NoiseSpectrum, gain: float) -> Finding:
    """Noise; gain: by how much undoing the light will make it stronger."""
    strength = (gain * max(found.rms, _blotches(found)) - NOISE_SEEN) / NOISE_SLOPE
    visible = found.present / (1 + math.exp(-max(min(strength, 30.0), -30.0)))
    level = f"{255 * found.rms:.1f} of 255, in colour {255 * _blotches(found):.1f}"
    line = "no noise that can be told from detail"
    if found.present >= SEEN:
        line = f"noise of {level}"
    elif visible >= ASKED["noise"]:
        percent = f"{100 * found.present:.0f}%"
        line = f"perhaps noise of {level}: {percent} likely, so {percent} of it is taken away"
    rms = Estimate(255 * found.rms, 255 * found.rms.std)
    return Finding("noise", rms, "of 255", visible, line, found)


def _blotches(found: NoiseSpectrum) -> float:
    """Standard deviation of the coarse chroma noise, in units of one channel."""
    return float((2 * found.bands[1].square() * torch.tensor(SHARES)).sum().sqrt())
