"""One photo from its findings to its restoration: the file's marks, light, noise, holes, colours.

What `restore` does with one F_Phi on one picture is done here on a photo of any size, with memory
for a few copies of it and calls of the network only where they pay. Light and colour are invertible
numbers by numbers, so they are undone first and the noise that grows with them is told to the
rest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations import Degradation, ToneMap
from gdp_lite.degradations.softness import softness_degradation
from gdp_lite.denoise import denoise, denoising_calls
from gdp_lite.diagnosis import SEEN, Diagnosis
from gdp_lite.estimators import NoiseSpectrum, Softness
from gdp_lite.image import linear_to_srgb, srgb_to_linear
from gdp_lite.kept_colour import keep_colour
from gdp_lite.overshoot import limit_overshoot
from gdp_lite.policy import POLICY
from gdp_lite.prior import Denoiser
from gdp_lite.repairs import jpeg, resolution
from gdp_lite.repairs.cells import Mark, unmarked
from gdp_lite.repairs.covered import uncovered
from gdp_lite.repairs.grey import Hints, coloured
from gdp_lite.sampler import restore
from gdp_lite.tiling import change_in_tiles

# Pixels: a tile is no larger than that, neighbours share so many. With these a picture of 12
# megapixels is seen 1.09 times a call, and a seam is below one of 255 (tests/test_restoring.py).
TILE, OVERLAP = 576, 24
# Display range: by so much the result may exceed what its photo allows. With 0 to 4 of 255 it gains
# the same to 0.02 dB (benchmarks/package_constants.py).
HALO_NOISE = 2 / 255
LEAST_NOISE = 1.0 / 255  # display range: a tile with less is left as it is
# Display range: from here to 1 a cast is undone less and less: white stays white. In photos that
# are too bright 0.9 is nearer to the truth, in others it is the same (there).
WHITE = 0.95
# Calls for softness: more gain nothing on photos of the development scenes that are undone unasked
# (benchmarks/soft_photos.py --tune prints the gains of 8 beside them).
SOFT_STEPS = 5
GRAIN = 4  # pixels: of so many one is asked how the noise has grown, along each axis
ROWS = 256  # of a photo at a time, for memory
# The last that was made first.
MARKS: dict[str, Callable[[Any], Mark]] = {
    "jpeg": jpeg.mark_of,
    "resolution": resolution.mark_of,
}


def restore_image(
    y: Tensor,
    diagnosis: Diagnosis,
    prior: Denoiser | None,
    kinds: list[str] | None = None,
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """Undo what was found in a photo.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    diagnosis : of `diagnose`.
    prior : see `Denoiser`; light and colour need none.
    kinds : which findings; those that are seen by default.
    strength : trust in the photo, see `restore`.
    seed : of the noise that is put back in each tile.
    progress : called with (tiles that are done, of how many).

    Returns
    -------
    (1, 3, H, W) in [0, 1]; y itself where nothing is to be done.

    Raises
    ------
    ValueError : where a prior is needed, see `needs_prior`, and there is none.

    Examples
    --------
    >>> from gdp_lite.diagnosis import diagnose
    >>> dark = 0.15 * torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    >>> lifted = restore_image(dark, diagnose(dark), lambda x, sigma: x, kinds=["light"])
    >>> bool(lifted.mean() >= dark.mean())
    True
    """
    kinds = diagnosis.seen if kinds is None else kinds
    if prior is None or not needs_prior(diagnosis, kinds):
        if needs_prior(diagnosis, kinds):
            raise ValueError("what is to be undone needs a prior")
        z, _ = relit(y, diagnosis, kinds)
        return y if z is y else z.clamp_(0, 1)
    todo, done = passes(diagnosis, kinds), 0

    def advanced(number: int, tiles: int) -> None:  # every pass has the same tiles
        if progress is not None:
            progress(done * tiles + number, todo.count * tiles)

    x, how = y, (strength, seed, advanced)
    for mark in todo.marks:
        x, done = unmarked(x, mark, prior, TILE, OVERLAP, *how), done + 1
    z, gain = relit(x, diagnosis, kinds)
    lit = z is not x
    if todo.clean:
        x = cleaned(z, gain, diagnosis, prior, kinds, *how)
        x, done = keep_colour(x, z.clamp_(0, 1) if lit else z), done + 1
    elif lit:
        x = z.clamp_(0, 1)
    if todo.mask is not None:
        x = uncovered(x, todo.mask, prior, TILE, OVERLAP, *how)
    hints = hints_of(diagnosis, kinds)
    return x if hints is None else coloured(x, hints, prior, strength, seed)


def needs_prior(diagnosis: Diagnosis, kinds: list[str]) -> bool:
    """Whether a network is called to undo these kinds."""
    return bool(passes(diagnosis, kinds).count or hints_of(diagnosis, kinds))


def hints_of(diagnosis: Diagnosis, kinds: list[str]) -> Hints | None:
    """The strokes from which a photo's colours are found, once all else is; None for no such."""
    found = diagnosis.findings.get("grey")
    return found.detail if found is not None and "grey" in kinds else None


@dataclass(frozen=True)
class Passes:
    """What the network undoes, tile by tile, in this order.

    A file's marks were made last, and what is covered is filled with what is around it, once that
    is clean.

    Parameters
    ----------
    marks : each is a pass of its own.
    clean : whether there is noise or softness.
    mask : (H, W), 0 where the photo is covered; None where it is not.

    Examples
    --------
    >>> Passes([], True, None).count
    1
    """

    marks: list[Mark]
    clean: bool
    mask: Tensor | None

    @property
    def count(self) -> int:
        """How many passes there are."""
        return len(self.marks) + self.clean + (self.mask is not None)


def passes(diagnosis: Diagnosis, kinds: list[str]) -> Passes:
    """What the network undoes of these kinds."""
    detail = {kind: f.detail for kind, f in diagnosis.findings.items() if kind in kinds}
    soft = "softness" in detail and softness_degradation(detail["softness"]) is not None
    covered = [detail[kind].mask for kind in ("missing", "overlay") if kind in detail]
    mask = torch.stack(covered).amin(0) if covered else None
    if mask is not None and bool(mask.all()):
        mask = None
    marks = [mark_of(detail[k]) for k, mark_of in MARKS.items() if detail.get(k) is not None]
    return Passes(marks, "noise" in detail or soft, mask)


def calls(diagnosis: Diagnosis, kinds: list[str]) -> int:
    """How often the network sees each pixel to undo these kinds, at most.

    Examples
    --------
    >>> from gdp_lite.diagnosis import diagnose, told
    >>> calls(told(diagnose(torch.full((1, 3, 32, 32), 0.5)), noise=5), ["noise"])
    1
    """
    todo = passes(diagnosis, kinds)
    number = sum(mark.row.steps for mark in todo.marks)
    if todo.clean:
        noise = diagnosis.noise
        if "softness" not in kinds:
            number += denoising_calls(noise)
        else:
            doubted = "noise" in kinds and noise.present < SEEN
            number += SOFT_STEPS + (denoising_calls(noise) if doubted else 0)
    return number + (0 if todo.mask is None else POLICY["missing"].steps)


def cleaned(
    z: Tensor,
    gain: Tensor,
    diagnosis: Diagnosis,
    prior: Denoiser,
    kinds: list[str],
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """A photo in good light, z, without its noise and softness, clipped; z is left as it is.

    gain : (1, 1, H, W), of `relit`. The rest is as in `restore_image`.
    """
    noise = diagnosis.noise if "noise" in kinds else diagnosis.findings["noise"].detail
    soft = diagnosis.softness if "softness" in kinds else None
    x = z.clone()

    def change(part: Tensor, place: tuple, number: int) -> Tensor:
        told = amplified(noise, float(gain[place].mean()))
        seeds, corner = (seed, seed + number), (place[1].start, place[2].start)
        return cleaned_part(part, told, soft, "noise" in kinds, prior, strength, seeds, corner)

    change_in_tiles(x, TILE, OVERLAP, change, progress)
    return x.clamp_(0, 1)


def cleaned_part(
    part: Tensor,
    told: NoiseSpectrum,
    soft: Softness | None,
    noisy: bool,
    prior: Denoiser,
    strength: float,
    seeds: tuple[int, int],
    corner: tuple[int, int],
) -> Tensor:
    """One tile in good light without its noise and its softness, neither clipped nor blended.

    told : its noise, as strong as it is there. noisy : whether it is to be taken away, too, where
    softness is. seeds : of the noise that `denoise` adds, and that `restore` puts back. corner : of
    the tile in its photo.
    """
    level = float(told.rms) if told.present >= SEEN else 0.0
    blur = None if soft is None else softness_degradation(soft, level)
    doubted = blur is not None and noisy and not level  # noise, by its share
    if told.rms >= LEAST_NOISE and (blur is None or doubted):
        part = denoise(part, told, prior, strength, seeds[0], corner)
    if soft is None or blur is None:
        return part
    sharp = deblurred(part, blur, prior, strength, Generator().manual_seed(seeds[1]))
    return part + soft.present * (sharp - part) if soft.present < 1 else sharp


def relit(y: Tensor, diagnosis: Diagnosis, kinds: list[str]) -> tuple[Tensor, Tensor]:
    """The photo in good light and colour, and by how much its noise has grown, (1, 1, H, W).

    y itself where that needs no change.
    """
    size = y.shape[-2:]
    z, gain = y, y.new_ones(1, 1, 1, 1).expand(1, 1, *size)
    if "light" in kinds:
        light = ToneMap.held(diagnosis.findings["light"].detail.tone)
        z = light.inverse(y)
        if z is not y:
            some = light.noise_gain(y[..., ::GRAIN, ::GRAIN]).mean(1, keepdim=True)
            gain = functional.interpolate(some, size, mode="nearest")
    if "colour" in kinds:
        gains = diagnosis.findings["colour"].detail.to(z).view(1, 3, 1, 1)
        z = z.clone() if z is y else z
        for strip in z.split(ROWS, -2):
            neutral = linear_to_srgb(srgb_to_linear(strip) / gains)
            white = ((strip.amin(1, keepdim=True) - WHITE) / (1 - WHITE)).clamp(0, 1)
            strip.copy_((1 - white) * neutral + white * strip)
    return z, gain


def amplified(noise: NoiseSpectrum, gain: float) -> NoiseSpectrum:
    """The noise of a photo that was made lighter."""
    rms = type(noise.rms)(gain * noise.rms, gain * noise.rms.std)
    return NoiseSpectrum(gain * noise.bands, rms, noise.present)


def deblurred(
    y: Tensor, blur: Degradation, prior: Denoiser, strength: float, generator: Generator
) -> Tensor:
    """A tile without its blur, and without halos."""
    x = restore(y, blur, prior, SOFT_STEPS, strength, generator=generator).image
    assert isinstance(blur.kernel, Tensor)
    kernel = blur.kernel if blur.kernel.ndim == 2 else torch.outer(blur.kernel, blur.kernel)
    return limit_overshoot(x, y, kernel_width(kernel), HALO_NOISE)


def kernel_width(kernel: Tensor) -> float:
    """Root mean square radius along one axis, pixels."""
    kernel = kernel.detach() / kernel.detach().sum()
    axis = torch.arange(len(kernel)).to(kernel)
    centre = [float((kernel.sum(d) * axis).sum()) for d in (0, 1)]
    spread = [
        float((kernel.sum(d) * (axis - c) ** 2).sum()) for d, c in zip((0, 1), centre, strict=True)
    ]
    return math.sqrt(sum(spread) / 2)
