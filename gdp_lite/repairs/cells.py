"""A photo restored tile by tile, where what was done to it was done in cells: blocks of pixels.

A tile then needs the whole of the cells at its edges.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Generator, Tensor

from gdp_lite.degradations import Degradation
from gdp_lite.kept_colour import keep_colour
from gdp_lite.policy import Policy
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore
from gdp_lite.tiling import change_in_tiles


class Cells(NamedTuple):
    """Where the cells of a photo lie.

    Parameters
    ----------
    height, width : of a cell, pixels.
    top, left : pixels of the first cells that lie outside of the photo.

    Examples
    --------
    >>> Cells(8, 16, 0, 3).height
    8
    """

    height: int
    width: int
    top: int
    left: int


class Mark(NamedTuple):
    """What was done to a photo cell by cell, after all else.

    Parameters
    ----------
    cells : where they lie.
    degradation : F_Phi of a part, given the offset of its first cells, (top, left).
    row : of `policy.POLICY`, how it is sampled.

    Examples
    --------
    >>> from gdp_lite.degradations import BlockAverageSameSize
    >>> from gdp_lite.policy import POLICY
    >>> average = lambda offset: BlockAverageSameSize(4, offset=offset)
    >>> Mark(Cells(4, 4, 0, 0), average, POLICY["general"]).row.steps
    8
    """

    cells: Cells
    degradation: Callable[[tuple[int, int]], Degradation]
    row: Policy


def unmarked(
    y: Tensor,
    mark: Mark,
    prior: Denoiser,
    tile: int,
    overlap: int,
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """y without such marks, tile by tile, its colour kept, clipped.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    tile, overlap : pixels.
    prior, strength, seed, progress : as in `restore_image`.

    Examples
    --------
    >>> import torch
    >>> from gdp_lite.degradations import BlockAverageSameSize
    >>> from gdp_lite.policy import POLICY
    >>> y = torch.rand(1, 3, 6, 8).repeat_interleave(4, -1).repeat_interleave(4, -2)
    >>> average = lambda offset: BlockAverageSameSize(4, offset=offset)
    >>> mark = Mark(Cells(4, 4, 0, 0), average, POLICY["general"])
    >>> unmarked(y, mark, lambda x, sigma: x, 16, 4).shape
    torch.Size([1, 3, 24, 32])
    """
    x, row = y.clone(), mark.row

    def change(part: Tensor, place: tuple, number: int) -> Tensor:
        wide, offset, inner = whole_cells(place, y.shape[-2:], mark.cells)
        result = restore(
            y[wide],
            mark.degradation(offset),
            prior,
            row.steps,
            strength,
            start_sigma=row.start_sigma,
            zeta=row.zeta,
            generator=Generator().manual_seed(seed + number),
        ).image
        return result[inner]

    change_in_tiles(x, tile, overlap, change, progress)
    return keep_colour(x.clamp_(0, 1), y)


def whole_cells(
    place: tuple, size: tuple[int, ...], cells: Cells
) -> tuple[tuple, tuple[int, int], tuple]:
    """A place with the rest of the cells at its edges; the offset there; the place in it.

    Examples
    --------
    >>> whole_cells((..., slice(20, 60), slice(0, 20)), (100, 100), Cells(16, 16, 0, 3))[1]
    (0, 3)
    """
    wide, offsets, inner = [], [], []
    for part, length, cell, offset in zip(place[1:], size, cells[:2], cells[2:], strict=True):
        first = max(part.start - (part.start + offset) % cell, 0)
        last = min(part.stop + -(part.stop + offset) % cell, length)
        wide.append(slice(first, last))
        offsets.append((first + offset) % cell)
        inner.append(slice(part.start - first, part.stop - first))
    return (..., *wide), (offsets[0], offsets[1]), (..., *inner)


def unmarked_part(y: Tensor, place: tuple, mark: Mark, *how: Any) -> Tensor:
    """That place of y alone, with the rest of its cells; how: as in `unmarked`.

    Examples
    --------
    >>> import torch
    >>> from gdp_lite.degradations import BlockAverageSameSize
    >>> from gdp_lite.policy import POLICY
    >>> average = lambda offset: BlockAverageSameSize(4, offset=offset)
    >>> mark = Mark(Cells(4, 4, 0, 0), average, POLICY["general"])
    >>> place = (..., slice(2, 9), slice(0, 5))
    >>> unmarked_part(torch.rand(1, 3, 24, 32), place, mark, lambda x, sigma: x, 16, 4).shape
    torch.Size([1, 3, 7, 5])
    """
    wide, offset, inner = whole_cells(place, y.shape[-2:], mark.cells)
    height, width = mark.cells[:2]
    there = Mark(Cells(height, width, *offset), mark.degradation, mark.row)
    return unmarked(y[wide], there, *how)[inner]
