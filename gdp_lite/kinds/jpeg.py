"""The marks of a coarse JPEG, blocks and ringing: whether a person sees them, and without them.

Phi, the quantisation steps, stands in the file, or is read from the pixels of a later copy. The
photo names an interval for each cosine coefficient; of all pictures in these intervals the prior
takes the most likely one.
"""

import math
from collections.abc import Callable

from torch import Generator, Tensor

from gdp_lite.colour import keep_colour
from gdp_lite.degradations import JPEG
from gdp_lite.estimators import Estimate
from gdp_lite.estimators.coding import BLOCK, Coding, estimate_coding, quality_of
from gdp_lite.estimators.jpeg_tables import SAMPLING
from gdp_lite.findings import SEEN, Finding
from gdp_lite.policy import POLICY
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore
from gdp_lite.tiling import change_in_tiles

LOWEST = 3  # along each axis: frequencies whose luma steps say how coarse a JPEG is
# From that mean step on (quality 40 of libjpeg's tables) blocks and ringing are seen at 100%: by
# eye, on four captures of the development scenes; HaarPSI is then below 0.93 on half of the scenes
# (benchmarks/jpeg_marks.py). The steepness in its logarithm leaves quality 50 alone.
STEP_SEEN, STEP_SLOPE = 16.0, 0.07


def of_coding(photo: Tensor, stored: Coding | None) -> Finding:
    """The finding about a photo whose file is coded like that; None where it is no JPEG.

    Examples
    --------
    >>> import torch
    >>> of_coding(torch.rand(1, 3, 64, 64), None).line
    'no coarse JPEG'
    """
    earlier = None
    if stored is None or coarseness(stored.luma) < STEP_SEEN:
        earlier = estimate_coding(photo, None if stored is None else stored.luma)
    coding = stored if earlier is None else earlier
    if coding is None:
        return Finding("jpeg", Estimate(0.0, math.inf), "of 255", 0.0, "no coarse JPEG", None)
    step, quality = coarseness(coding.luma), quality_of(coding.luma)
    strength = math.log(max(step, 1e-6) / STEP_SEEN) / STEP_SLOPE
    visible = 1 / (1 + math.exp(-max(min(strength, 30.0), -30.0)))
    what = "a JPEG" if coding.stored else "once a JPEG"
    line = f"{what} of quality {quality:.0f}"
    line += ", with blocks and ringing" if visible >= SEEN else ", too fine to be seen"
    return Finding(
        "jpeg", Estimate(step, 0.0 if coding.stored else 1.0), "of 255", visible, line, coding
    )


def coarseness(luma: Tensor) -> float:
    """Mean of the luma steps of the lowest frequencies, of 255.

    Examples
    --------
    >>> import torch
    >>> coarseness(torch.full((8, 8), 12.0))
    12.0
    """
    return float(luma[:LOWEST, :LOWEST].mean())


def degradation_of(coding: Coding, sigma: float = 0.0) -> JPEG:
    """Its F_Phi; sigma: noise that was there before, display range."""
    return JPEG(coding.luma, coding.chroma, coding.subsampling, sigma=sigma, offset=coding.offset)


def decoded(
    y: Tensor,
    coding: Coding,
    prior: Denoiser,
    tile: int,
    overlap: int,
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """y without the marks of its coding, tile by tile, each of whole blocks.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    coding : of the finding.
    prior, strength, seed, progress : as in `restore_image`.
    tile, overlap : pixels.

    Returns
    -------
    Shaped like y, clipped.

    Examples
    --------
    >>> import torch
    >>> from gdp_lite.estimators.coding import tables_of_quality
    >>> y = torch.rand(1, 3, 40, 40)
    >>> x = decoded(y, Coding(*tables_of_quality(20), (3, 0), True), lambda x, sigma: x, 32, 8)
    >>> x.shape
    torch.Size([1, 3, 40, 40])
    """
    x, row = y.clone(), POLICY["jpeg"]

    def change(part: Tensor, place: tuple, number: int, count: int) -> Tensor:
        wide, offset, inner = whole_blocks(place, y.shape[-2:], coding)
        there = degradation_of(coding._replace(offset=offset))
        generator = Generator().manual_seed(seed + number)
        result = restore(
            y[wide],
            there,
            prior,
            row.steps,
            strength,
            start_sigma=row.start_sigma,
            zeta=row.zeta,
            generator=generator,
        ).image
        if progress is not None:
            progress(number + 1, count)
        return result[inner]

    change_in_tiles(x, tile, overlap, change)
    return keep_colour(x.clamp_(0, 1), y)


def whole_blocks(
    place: tuple, size: tuple[int, ...], coding: Coding
) -> tuple[tuple, tuple[int, int], tuple]:
    """A place with the rest of the blocks at its edges; the offset there; the place in it.

    Examples
    --------
    >>> from gdp_lite.estimators.coding import tables_of_quality
    >>> coding = Coding(*tables_of_quality(20), (0, 3), True)
    >>> whole_blocks((..., slice(20, 60), slice(0, 20)), (100, 100), coding)[1]
    (0, 3)
    """
    wide, offsets, inner = [], [], []
    cells = (BLOCK * n for n in SAMPLING[coding.subsampling])
    for part, length, offset, cell in zip(place[1:], size, coding.offset, cells, strict=True):
        first = max(part.start - (part.start + offset) % cell, 0)
        last = min(part.stop + -(part.stop + offset) % cell, length)
        wide.append(slice(first, last))
        offsets.append((first + offset) % cell)
        inner.append(slice(part.start - first, part.stop - first))
    return (..., *wide), (offsets[0], offsets[1]), (..., *inner)
