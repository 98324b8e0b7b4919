"""What is wrong with a photo: for each kind of degradation its Phi, and whether a person sees it.

Every finding comes from an estimator of its own (`gdp_lite.estimators`). Together they say which
F_Phi made the photo: light and colour first, then the lens, the noise, what was laid over the
picture, and the file, as in a camera.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from gdp_lite.curve import Tone
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
    estimate_blocks,
    estimate_light,
    estimate_noise_spectrum,
    estimate_softness,
)
from gdp_lite.estimators.coding import Coding
from gdp_lite.estimators.noise_statistics import SHARES
from gdp_lite.findings import (
    KINDS,
    SEEN,
    Finding,
    of_colour,
    of_light,
    of_noise,
    of_softness,
    small,
)
from gdp_lite.image import check_one_photo
from gdp_lite.repairs import jpeg, resolution
from gdp_lite.repairs.covered import of_mask, of_overlay
from gdp_lite.repairs.grey import of_strokes

__all__ = ["KINDS", "SEEN", "Diagnosis", "Finding", "diagnose", "told"]


@dataclass(frozen=True)
class Diagnosis:
    """All findings about one photo.

    Parameters
    ----------
    findings : by kind, in capture order.

    Examples
    --------
    >>> diagnose(torch.full((1, 3, 32, 32), 0.5)).degradation() is None
    True
    """

    findings: Mapping[str, Finding]

    @property
    def seen(self) -> list[str]:
        """The kinds that are undone unless a person says otherwise."""
        return [kind for kind, finding in self.findings.items() if finding.seen]

    def chosen(self, only: Collection[str] | None, skip: Collection[str]) -> list[str]:
        """The kinds to undo: those of `only`, where given, or `seen`, without those of `skip`."""
        only = self.seen if only is None else only
        here = [kind for kind in KINDS if kind in self.findings]
        return [kind for kind in here if kind in only and kind not in skip]

    @property
    def noise(self) -> NoiseSpectrum:
        """The noise to be taken away. Where none is seen a person has asked, and is not doubted."""
        finding = self.findings["noise"]
        return finding.detail if finding.seen else finding.detail._replace(present=1.0)

    @property
    def softness(self) -> Softness:
        """The softness to be undone: the share that is likely, or all where a person has asked."""
        finding = self.findings["softness"]
        return finding.detail if finding.seen else finding.detail._replace(present=1.0)

    @property
    def lines(self) -> list[str]:
        """Every finding in plain words."""
        return [f"{kind}: {finding.line}" for kind, finding in self.findings.items()]

    def absent(self, only: Collection[str] | None) -> list[str]:
        """The same about what a person asks for and the photo does not have."""
        line = "asked for, but there is none in this photo"
        return [f"{kind}: {line}" for kind in only or () if kind not in self.findings]

    def degradation(self, kinds: Iterable[str] | None = None) -> Degradation | None:
        """F_Phi of the kinds that are seen, or of those named, in capture order; None of none."""
        kinds = [k for k in (self.seen if kinds is None else kinds) if k in self.findings]
        detail = {kind: self.findings[kind].detail for kind in kinds}
        sigma = float(detail["noise"].rms) if "noise" in detail else 0.0
        stages: list[Degradation] = []
        if "light" in detail:
            stages.append(ToneMap.held(detail["light"].tone))
        if "colour" in detail:
            stages.append(LinearLight(ColourCast(detail["colour"].tolist())))
        if "grey" in detail:  # before the lens, which treats all channels alike
            stages.append(detail["grey"].degradation())
        blur = softness_degradation(detail["softness"], sigma) if "softness" in detail else None
        late: list[Degradation] = []
        if "resolution" in detail:
            late.append(resolution.degradation_of(detail["resolution"]))
        late += [detail[kind].degradation() for kind in ("missing", "overlay") if kind in detail]
        if detail.get("jpeg") is not None:
            late.append(jpeg.degradation_of(detail["jpeg"]))
        if blur is not None:  # its sigma has the noise already
            sigma, blur.sigma = blur.sigma, 0.0 if late else blur.sigma
            stages.append(blur)
        elif "noise" in detail and not late:
            stages.append(GaussianNoise(sigma, coded=True))
        if late:  # noise was there before the file, which is the last
            late[-1].sigma = max(sigma, late[-1].sigma)
        stages += late
        return Compose(*stages).requires_grad_(False) if stages else None


def known_kinds(kinds: Iterable[str]) -> list[str]:
    """Those kinds as a list; ValueError for one that there is not.

    Examples
    --------
    >>> known_kinds(["noise"])
    ['noise']
    """
    kinds = list(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    return kinds


def diagnose(photo: Tensor, iso: float | None = None, coding: Coding | None = None) -> Diagnosis:
    """What is wrong with a photo.

    Parameters
    ----------
    photo : (1, 3, H, W), display range; of 12 megapixels it takes some seconds.
    iso : the sensitivity that its file states, see `Photo.iso`.
    coding : how its file is coded, see `Photo.coding`; without, an earlier JPEG may still be found
        in the pixels.

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
    ['light', 'colour', 'softness', 'noise', 'overlay', 'jpeg']
    """
    check_one_photo(photo)
    noise = estimate_noise_spectrum(photo, iso)
    level = float(noise.rms) if noise.present >= SEEN else 0.0
    with ThreadPoolExecutor(1) as beside:  # as long as all the rest, and both keep one core busy
        soft = beside.submit(estimate_softness, photo, level)
        light = estimate_light(photo, level)
        gain = 1.0
        if light.fault != "none":
            gain = float(ToneMap.held(light.tone).noise_gain(small(photo)).mean())
        findings = [
            of_light(light, photo),
            of_colour(photo, level),
            of_softness(soft.result(), level),
            of_noise(noise, gain),
            of_overlay(photo),
            jpeg.of_coding(photo, coding),
        ]
    if (blocks := estimate_blocks(photo)).side > 1:
        findings = [resolution.left_to_blocks(finding) for finding in findings]
        findings.append(resolution.of_blocks(blocks))
    findings.sort(key=lambda finding: KINDS.index(finding.kind))
    return Diagnosis({finding.kind: finding for finding in findings})


def told(
    diagnosis: Diagnosis,
    noise: float | None = None,
    blur: float | None = None,
    exposure: float | None = None,
    mask: Tensor | None = None,
    strokes: tuple[Tensor, Tensor] | None = None,
) -> Diagnosis:
    """The diagnosis with what a person knows better.

    Parameters
    ----------
    noise : standard deviation of its luma, of 255; the octaves keep their shares.
    blur : width of a Gaussian, pixels.
    exposure : stops to brighten by.
    mask : (H, W), 1 where the photo is to be kept, 0 where it is missing.
    strokes : of `read_strokes`, (1, 4, H, W), and the photo.

    Returns
    -------
    Another `Diagnosis`; what was told is seen, or not where it is 0, or a blur too narrow to be
    undone.

    Examples
    --------
    >>> photo = torch.full((1, 3, 32, 32), 0.5)
    >>> told(diagnose(photo), noise=5, blur=0, exposure=0.5).seen
    ['light', 'noise']
    """
    findings = dict(diagnosis.findings)
    if noise is not None:
        old: NoiseSpectrum = findings["noise"].detail
        bands = old.bands if old.rms > 0.1 / 255 else torch.ones(2, 4)
        rms = float((bands[0].square() * torch.tensor(SHARES)).sum().sqrt())
        level = Estimate(noise / 255, 0.0)
        spectrum = NoiseSpectrum(bands * level / rms, level, float(noise > 0))
        line, estimate = f"noise of {noise:g} of 255, as told", Estimate(noise, 0.0)
        findings["noise"] = Finding("noise", estimate, "of 255", spectrum.present, line, spectrum)
    if blur is not None:
        width = Estimate(blur, 0.0)
        soft = findings["softness"].detail._replace(
            width=width, kind="gaussian", length=0.0, present=1.0
        )
        seen, line = float(blur > 0), f"a blur of {blur:g} pixels, as told"
        if blur > 0 and softness_degradation(soft) is None:
            seen, line = 0.0, f"{line}, which is too narrow to be undone"
        findings["softness"] = Finding("softness", width, "pixels", seen, line, soft)
    if exposure is not None:
        stops = Estimate(exposure, 0.0)
        line, seen = f"{exposure:+g} stops, as told", float(exposure != 0)
        tone = Tone(torch.full((4, 4), -exposure), *torch.zeros(3))
        light = Light(tone, seen, "told", stops, {})
        findings["light"] = Finding("light", stops, "stops", seen, line, light)
    if mask is not None:
        findings["missing"] = of_mask(mask)
    if strokes is not None:
        findings["grey"] = of_strokes(*strokes)
    return Diagnosis({kind: findings[kind] for kind in KINDS if kind in findings})
