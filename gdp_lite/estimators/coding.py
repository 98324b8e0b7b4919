"""How coarsely a photo was coded as a JPEG: from its file, or from the pixels of a later copy.

A coarse JPEG that was stored anew (a screenshot, a message passed on) leaves its mark: in the 8 x 8
grid of the first coding, the cosine coefficients of each frequency are multiples of one step, up
to what the second coding and rounding to 8 bits have moved them.
"""

import io
import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gdp_lite.estimators.jpeg_tables import SAMPLING, JpegTables, read_jpeg_tables
from gdp_lite.image import check_photo

BLOCK = 8  # pixels: side of a block
SIDE = 512  # pixels of the photo's middle that are looked at
PHASES = 2  # grids that are tried, those with the strongest steps, along each axis
# A step is read where the mean of cos(2 pi c / step), over coefficients c that are not rounded to
# 0, exceeds COMB, and there are LEAST of them: by chance that is 5 standard deviations.
COMB, LEAST = 0.55, 40
COARSE, COARSEST = 6, 120  # luma steps that are looked for: nobody sees finer ones
# Row and column of a frequency, added: above, few coefficients are not 0; 3 finds fewer JPEGs of
# quality 60, 7 no more. And how many frequencies' steps must be read and agree, within AGREE: 3
# would find some more of quality 20, 12 finds fewer, and AGREE may as well be 1.12 or 1.5. None of
# these finds a JPEG where there was none (benchmarks/estimator_constants.py).
HIGHEST = 6
READ = 6
AGREE = 1.25


class Coding(NamedTuple):
    """A JPEG's coding, as it lies over the upright photo.

    Parameters
    ----------
    luma, chroma : (8, 8) quantisation steps, rows of rising vertical frequency; chroma None for a
        grey file.
    subsampling : a key of `SAMPLING`.
    offset : (rows, columns) of the first block (of 16 pixels with halved chroma) that lie before
        the photo's first pixel.
    stored : whether it is the file's own coding, not found in the pixels.

    Examples
    --------
    >>> Coding(*tables_of_quality(50), (0, 0), True).luma[0, 0]
    tensor(16.)
    """

    luma: Tensor
    chroma: Tensor | None
    subsampling: str
    offset: tuple[int, int]
    stored: bool

    def numbers(self) -> dict[str, Any]:
        """All of it as lists and words, for a report."""
        tables = {name: getattr(self, name) for name in ("luma", "chroma")}
        lists = {name: None if t is None else t.tolist() for name, t in tables.items()}
        return {**lists, **dict(zip(self._fields[2:], self[2:], strict=True))}


def coding_of_file(tables: JpegTables, size: Sequence[int], turn: tuple) -> Coding:
    """A file's coding over its upright photo.

    Parameters
    ----------
    tables : of `read_jpeg_tables`.
    size : (height, width) of the upright photo.
    turn : (swap axes, flip rows, flip columns), what turned the stored picture upright.

    Examples
    --------
    >>> tables = JpegTables(list(range(1, 65)), [9] * 64, "4:2:2")
    >>> coding = coding_of_file(tables, (30, 20), (True, False, True))
    >>> coding.subsampling, coding.offset, coding.luma[0, 1]
    ('4:4:0', (0, 4), tensor(9.))
    """
    swap, *flips = turn
    both = [None if t is None else torch.tensor(t).float().view(8, 8) for t in tables[:2]]
    luma, chroma = (t.T if swap and t is not None else t for t in both)
    subsampling = tables.subsampling
    if swap:
        subsampling = {"4:2:2": "4:4:0", "4:4:0": "4:2:2"}.get(subsampling, subsampling)
    cells = [BLOCK * n for n in SAMPLING[subsampling]]
    rows, columns = (-n % c if f else 0 for n, c, f in zip(size, cells, flips, strict=True))
    assert luma is not None
    return Coding(luma, chroma, subsampling, (rows, columns), True)


@lru_cache
def tables_of_quality(quality: int, subsampling: str = "4:2:0") -> tuple[Tensor, Tensor, str]:
    """Luma and chroma steps that libjpeg takes at that quality, (8, 8) each, and the subsampling.

    Examples
    --------
    >>> tables_of_quality(90)[0][0, 0]
    tensor(3.)
    """
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    tables = read_jpeg_tables(file)
    luma, chroma = (torch.tensor(t).float().view(8, 8) for t in tables[:2])
    return luma, chroma, subsampling


def quality_of(luma: Tensor) -> float:
    """libjpeg's quality, 1 to 100, whose luma steps are nearest to those, in the median.

    Examples
    --------
    >>> round(quality_of(tables_of_quality(30)[0]))
    30
    """
    shares = luma / tables_of_quality(50)[0]
    told = luma < 255  # there they end
    share = float((shares[told] if bool(told.any()) else shares).median())
    return min(max(50 / share if share > 1 else 100 - 50 * share, 1.0), 100.0)


def estimate_coding(photo: Tensor, finest: Tensor | None = None) -> Coding | None:
    """The coarse JPEG that a photo was before it was stored as it is now.

    Parameters
    ----------
    photo : (1, 3, H, W), display range.
    finest : (8, 8), the luma steps of its present file, where that is a JPEG: only steps that are
        clearly coarser tell of another.

    Returns
    -------
    A `Coding`; None where there was none, or none so coarse that it can be told. No uncertainty:
    steps are whole numbers, read exactly or not at all.

    Raises
    ------
    ValueError : for anything but photos.

    Examples
    --------
    >>> estimate_coding(torch.rand(1, 3, 64, 64)) is None
    True
    """
    check_photo(photo)
    height, width = photo.shape[-2:]
    top, left = (BLOCK * 2 * (max(n - SIDE, 0) // (4 * BLOCK)) for n in (height, width))
    part = photo[:1, :, top : top + SIDE, left : left + SIDE]
    if min(part.shape[-2:]) < 6 * BLOCK:
        return None
    planes = ycc(part)
    least = COARSE if finest is None else finest.clamp(min=COARSE / 1.5) * 1.5
    usual = tables_of_quality(50)[0]
    for row, column in itertools.product(phases(planes[0]), phases(planes[0].T)):
        steps = combs(blocks(planes[0], row, column), least)
        shares = (steps / usual)[steps > 0]
        share = shares.median() if len(shares) else 0.0
        agree = (shares < AGREE * share) & (shares > share / AGREE)
        if int(agree.sum()) >= max(READ, 0.7 * len(shares)):
            break
    else:
        return None
    luma = torch.where(steps > 0, steps, (usual * share).round().clamp(min=1))
    chroma = tables_of_quality(max(round(quality_of(usual * share)), 1))[1]
    subsampling, rows, columns = chroma_grid(planes[1:], chroma, row, column)
    cell = [BLOCK * n for n in SAMPLING[subsampling]]
    offset = tuple(-n % c for n, c in zip((rows, columns), cell, strict=True))
    return Coding(luma, chroma, subsampling, (offset[0], offset[1]), False)


def ycc(photo: Tensor) -> Tensor:
    """(1, 3, H, W), display range -> (3, H, W), luma less 128 and chroma about 0, of 255."""
    red, green, blue = 255 * photo[0]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return torch.stack([luma - 128, 0.5643 * (blue - luma), 0.7133 * (red - luma)])


def phases(plane: Tensor) -> list[int]:
    """Rows, of 0 to 7, at which blocks most likely begin: where neighbours bend most."""
    bend = (plane[:-3] - 3 * plane[1:-2] + 3 * plane[2:-1] - plane[3:]).abs().mean(1)
    means = torch.stack([bend[n::BLOCK].mean() for n in range(BLOCK)])
    return [(int(n) + 2) % BLOCK for n in means.argsort(descending=True)[:PHASES]]


def blocks(plane: Tensor, row: int, column: int) -> Tensor:
    """Cosine coefficients of the 8 x 8 blocks of a grid that begins there, (n, 8, 8)."""
    parts = plane[row:, column:].unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK)
    place = torch.arange(BLOCK, dtype=plane.dtype)
    waves = torch.cos(math.pi / BLOCK * place[:, None] * (place + 0.5)) / 2
    waves[0] /= math.sqrt(2)
    return (waves @ parts @ waves.T).flatten(0, 1)


def combs(values: Tensor, least: float | Tensor) -> Tensor:
    """For each frequency the step of which its coefficients are multiples, 0 where none is read.

    values : (n, 8, 8); least : the finest step that is looked for, a number or (8, 8).

    Examples
    --------
    >>> steps = combs(12 * torch.randn(500, 8, 8).mul(2).round(), 6)
    >>> steps[0, :3]
    tensor([12., 12., 12.])
    """
    finest = torch.as_tensor(least).expand(8, 8).tolist()
    steps = range(COARSE, COARSEST)
    halves = np.array(steps, dtype=np.float32) / 2
    sizes, read = values.abs().cpu().numpy(), torch.zeros(8, 8)
    for row, column in itertools.product(range(HIGHEST + 1), range(HIGHEST + 1)):
        if row + column > HIGHEST:
            continue
        some = np.sort(sizes[:, row, column])[::-1]
        counts = np.searchsorted(-some, -halves)  # of those that a step does not round to 0
        scores = {
            step: float(np.cos(2 * math.pi / step * some[:count]).sum()) / count
            for step, count in zip(steps, counts.tolist(), strict=True)
            if count >= LEAST and step >= finest[row][column]
        }
        good = [step for step, score in scores.items() if score > COMB]
        if good:  # multiples of 12 are multiples of 6, too: of the last peak the top
            peak = [step for step in good if step > 0.75 * good[-1]]
            read[row, column] = max(peak, key=lambda step: scores[step])
    return read


def chroma_grid(planes: Tensor, table: Tensor, row: int, column: int) -> tuple[str, int, int]:
    """Subsampling and first row and column of the chroma's grid whose multiples fit best."""
    found = []
    for subsampling in ("4:4:4", "4:2:0"):
        factor = SAMPLING[subsampling][0]
        for down in range(0, BLOCK * factor, BLOCK):
            for right in range(0, BLOCK * factor, BLOCK):
                fit = []
                for plane in planes:
                    part = plane[row + down :, column + right :]
                    if factor > 1:
                        part = torch.nn.functional.avg_pool2d(part[None], factor)[0]
                    if min(part.shape) < BLOCK:
                        continue
                    values = blocks(part, 0, 0)[:, :4, :4] / table[:4, :4]
                    told = values.abs() > 0.5
                    fit.append(
                        float(((2 * math.pi * values).cos() * told).sum() / told.sum().clamp(min=9))
                    )
                found.append((max(fit, default=0.0), subsampling, row + down, column + right))
    return max(found)[1:]
