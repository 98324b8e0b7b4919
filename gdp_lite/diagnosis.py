"""What is wrong with a photo: for each kind of degradation its Phi, and whether a person sees it.

Every finding comes from an estimator of its own (`gdp_lite.estimators`). Together they say which
F_Phi made the photo: light and colour first, then the lens, then the noise, as in a camera.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations import (
    ColourCast,
    Compose,
    Degradation,
    GaussianNoise,
    LinearLight,
    ToneMap,
)
from gdp_lite.degradations.softness import softness_degradation
from gdp_lite.estimators import (
    Estimate,
    Light,
    NoiseSpectrum,
    Softness,
    cast_posterior,
    estimate_light,
    estimate_noise_spectrum,
    estimate_softness,
)
from gdp_lite.estimators.noise_statistics import SHARES
from gdp_lite.image import check_photo, srgb_to_linear

KINDS = ("light", "colour", "softness", "noise")  # in capture order
SEEN = 0.5  # from this probability on a finding is acted upon
# Noise is seen from about 2 of 255 on, a cast from 0.18 of the logarithm of a gain on: at this the
# estimate mistakes one good photo in fifteen (val), see benchmarks/diagnosis.py. Steepness: by eye.
NOISE_SEEN, NOISE_SLOPE = 2 / 255, 0.4 / 255
CAST_SEEN, CAST_SLOPE = 0.18, 0.02
LOOKED_AT = 512  # pixels of the longer side, for light and colour


@dataclass(frozen=True)
class Finding:
    """One kind of degradation in one photo.

    Parameters
    ----------
    kind : of `KINDS`.
    estimate : its strength; ``std``: the uncertainty.
    unit : of the estimate: "stops", "log gain", "pixels", "of 255".
    visible : the probability that a person would see it.
    line : in plain words.
    detail : what the estimator returned, with all of Phi.
    """

    kind: str
    estimate: Estimate
    unit: str
    visible: float
    line: str
    detail: Any

    @property
    def seen(self) -> bool:
        """Whether it is acted upon."""
        return self.visible >= SEEN


@dataclass(frozen=True)
class Diagnosis:
    """All findings about one photo.

    Parameters
    ----------
    findings : by kind, in capture order.
    """

    findings: Mapping[str, Finding]

    @property
    def seen(self) -> list[str]:
        """The kinds that a person would see."""
        return [kind for kind, finding in self.findings.items() if finding.seen]

    @property
    def lines(self) -> list[str]:
        """Every finding in plain words."""
        return [f"{kind}: {finding.line}" for kind, finding in self.findings.items()]

    def degradation(self, kinds: Iterable[str] | None = None) -> Degradation | None:
        """F_Phi of the kinds that are seen, or of those named, in capture order; None of none."""
        kinds = self.seen if kinds is None else kinds
        stages: list[Degradation] = []
        noise: NoiseSpectrum = self.findings["noise"].detail
        sigma = float(noise.rms) if "noise" in kinds else 0.0
        if "light" in kinds:
            stages.append(self.findings["light"].detail.degradation)
        if "colour" in kinds:
            stages.append(LinearLight(ColourCast(self.findings["colour"].detail.tolist())))
        if "softness" in kinds:
            blur = softness_degradation(self.findings["softness"].detail, sigma)
            if blur is not None:
                stages.append(blur)
        if "noise" in kinds and "softness" not in kinds:  # the blur's sigma has it already
            stages.append(GaussianNoise(sigma, coded=True))
        return Compose(*stages).requires_grad_(False) if stages else None


def diagnose(photo: Tensor, iso: float | None = None) -> Diagnosis:
    """What is wrong with a photo.

    Parameters
    ----------
    photo : (1, 3, H, W), display range; of 12 megapixels it takes some seconds.
    iso : the sensitivity that its file states, see `Photo.iso`.

    Returns
    -------
    A `Diagnosis`.

    Raises
    ------
    ValueError : for anything but one photo.

    Examples
    --------
    >>> dark = 0.15 * torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    >>> found = diagnose(dark)
    >>> list(found.findings)
    ['light', 'colour', 'softness', 'noise']
    """
    check_photo(photo)
    if len(photo) != 1:
        raise ValueError(f"one photo at a time, not {len(photo)}")
    noise = estimate_noise_spectrum(photo, iso)
    level = float(noise.rms) if noise.present >= SEEN else 0.0
    light = estimate_light(photo, level)
    gain = 1.0
    if light.visible >= SEEN and light.fault != "none":
        gain = float(light.degradation.noise_gain(_small(photo)).mean())
    findings = [
        _of_light(light),
        _of_colour(photo, level),
        _of_softness(estimate_softness(photo, level)),
        _of_noise(noise, gain),
    ]
    return Diagnosis({finding.kind: finding for finding in findings})


def told(
    diagnosis: Diagnosis,
    noise: float | None = None,
    blur: float | None = None,
    exposure: float | None = None,
) -> Diagnosis:
    """The diagnosis with what a person knows better.

    Parameters
    ----------
    noise : standard deviation of its luma, of 255; the octaves keep their shares.
    blur : width of a Gaussian, pixels.
    exposure : stops to brighten by.

    Returns
    -------
    Another `Diagnosis`; what was told is seen, or not where it is 0.
    """
    findings = dict(diagnosis.findings)
    if noise is not None:
        old: NoiseSpectrum = findings["noise"].detail
        bands = old.bands if old.rms > 0.1 / 255 else torch.ones(2, 4)
        rms = float((bands[0].square() * torch.tensor(SHARES)).sum().sqrt())
        level = Estimate(noise / 255, 0.0)
        spectrum = NoiseSpectrum(bands * level / rms, level, float(noise > 0))
        line, unit = f"noise of {noise:g} of 255, as told", "of 255"
        estimate = Estimate(noise, 0.0)
        findings["noise"] = Finding("noise", estimate, unit, spectrum.present, line, spectrum)
    if blur is not None:
        width = Estimate(blur, 0.0)
        line, seen = f"a blur of {blur:g} pixels, as told", float(blur > 0)
        soft = findings["softness"].detail._replace(width=width, kind="gaussian", length=0.0)
        findings["softness"] = Finding("softness", width, "pixels", seen, line, soft)
    if exposure is not None:
        stops = Estimate(exposure, 0.0)
        line, seen = f"{exposure:+g} stops, as told", float(exposure != 0)
        light = Light(ToneMap(-exposure).requires_grad_(False), seen, "told", stops, {})
        findings["light"] = Finding("light", stops, "stops", seen, line, light)
    return Diagnosis(findings)


def _of_light(light: Light) -> Finding:
    visible = light.visible if light.fault != "none" else min(light.visible, 0.49)
    return Finding("light", light.stops, "stops", visible, light.line, light)


def _of_colour(photo: Tensor, noise: float) -> Finding:
    """A cast, of the photo made small, where its noise is less."""
    small = _small(photo)
    sigma = noise * small.shape[-1] / photo.shape[-1]
    gains = cast_posterior(srgb_to_linear(small), linear=True, sigma=sigma)
    logs = gains.log()
    mean = logs.mean(0) - logs.mean()
    strongest = int(mean.abs().argmax())
    found = Estimate(float(mean[strongest].abs()), float(logs[:, strongest].std()))
    visible = 1 / (1 + math.exp(-(found - CAST_SEEN) / CAST_SLOPE))
    names = ("red", "green", "blue") if mean[strongest] > 0 else ("cyan", "magenta", "yellow")
    line = "no cast that would be seen"
    if visible >= SEEN:
        line = f"a {names[strongest]} cast, {100 * (math.exp(found) - 1):.0f}% in light"
    phi = mean.exp() / mean.exp().mean()
    return Finding("colour", found, "log gain", visible, line, phi.float())


def _small(photo: Tensor) -> Tensor:
    shrink = max(max(photo.shape[-2:]) // LOOKED_AT, 1)
    return functional.avg_pool2d(photo, min(shrink, *photo.shape[-2:]))


def _of_softness(found: Softness) -> Finding:
    width = Estimate(math.hypot(found.width, found.length / 12**0.5), found.width.std)
    return Finding("softness", width, "pixels", found.visible, found.line, found)


def _of_noise(found: NoiseSpectrum, gain: float) -> Finding:
    strength = (gain * max(found.rms, _blotches(found)) - NOISE_SEEN) / NOISE_SLOPE
    visible = found.present / (1 + math.exp(-max(min(strength, 30.0), -30.0)))
    level = f"{255 * found.rms:.1f} of 255, in colour {255 * _blotches(found):.1f}"
    line = f"noise of {level}" if found.present >= SEEN else "no noise that can be told from detail"
    rms = Estimate(255 * found.rms, 255 * found.rms.std)
    return Finding("noise", rms, "of 255", visible, line, found)


def _blotches(found: NoiseSpectrum) -> float:
    """Standard deviation of the coarse chroma noise, in units of one channel."""
    return float((2 * found.bands[1].square() * torch.tensor(SHARES)).sum().sqrt())
