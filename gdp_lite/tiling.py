"""A prior for large images: the network sees overlapping tiles, everything else the whole image.

Introduced in the chapter on the network. Memory then depends on the tile, not on the image.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.prior import Denoiser, schedule_of

# Pixels of a picture that the network sees whole, and of the tiles in which it sees a larger one;
# what they cost and change: benchmarks/tiles.py.
WHOLE, TILE, OVERLAP = 1_350_000, 512, 64


class TiledPrior:
    """A `Denoiser` that calls another one on each tile.

    Predictions are blended with weights that fall linearly to the edge of a tile. They are not
    quite those of one call on the whole image: the network's normalisation sees the tile only.
    benchmarks/tiles.py measures by how much.

    Parameters
    ----------
    denoiser : the one that is called.
    tile : side of a tile in pixels, a multiple of the denoiser's ``multiple``, where it has one.
    overlap : pixels that neighbouring tiles share at least, fewer than ``tile``.

    Raises
    ------
    ValueError : for another tile or overlap.

    Examples
    --------
    >>> half = TiledPrior(lambda x, sigma: x / 2, tile=64, overlap=16)
    >>> half(torch.ones(1, 3, 100, 100), 0.1).unique()
    tensor([0.5000])
    """

    def __init__(self, denoiser: Denoiser, tile: int = 256, overlap: int = 64):
        multiple = getattr(denoiser, "multiple", 1)
        if tile % multiple or not 0 <= overlap < tile:
            raise ValueError(f"tile must be a multiple of {multiple}, overlap in 0..tile - 1")
        self.denoiser, self.tile, self.overlap = denoiser, tile, overlap
        self.schedule = schedule_of(denoiser)

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """E[x_0 | x_0 + sigma n = x], (B, 3, H, W), display range."""
        height, width = x.shape[-2:]
        rows, columns = (_starts(n, self.tile, self.overlap) for n in (height, width))
        if len(rows) * len(columns) == 1:
            return self.denoiser(x, sigma)
        total, weights = torch.zeros_like(x), x.new_zeros(height, width)
        for top in rows:
            for left in columns:
                place = (..., slice(top, top + self.tile), slice(left, left + self.tile))
                x0_hat = self.denoiser(x[place], sigma)
                weight = _ramp(x0_hat.shape[-2], x)[:, None] * _ramp(x0_hat.shape[-1], x)
                total[place] += weight * x0_hat
                weights[place[1:]] += weight
        return total / weights


def fitted(denoiser: Denoiser) -> Denoiser:
    """The denoiser itself where it takes any size; else one that shows it its native size.

    Larger pictures are seen in tiles of that size that share a quarter, smaller ones padded to it
    (by `Prior`).

    Examples
    --------
    >>> half = lambda x, sigma: x / 2
    >>> fitted(half) is half
    True
    """
    side = _native(denoiser)
    return TiledPrior(denoiser, side, side // 4) if side else denoiser


def how_seen(denoiser: Denoiser, height: int, width: int) -> str:
    """One line about how a picture is shown to a denoiser that has a native size; empty else.

    denoiser : itself, or `fitted`.

    Examples
    --------
    >>> class Small:
    ...     native_size = 64
    >>> how_seen(Small(), 100, 64)
    'the prior sees 64 x 64 pixels: the picture is shown in tiles of that'
    >>> how_seen(Small(), 40, 64)
    'the prior sees 64 x 64 pixels: the picture is padded to that'
    """
    side = _native(denoiser.denoiser if isinstance(denoiser, TiledPrior) else denoiser)
    if not side or (height, width) == (side, side):
        return ""
    how = ["shown in tiles of that"] if max(height, width) > side else []
    how += ["padded to that"] if min(height, width) < side else []
    return f"the prior sees {side} x {side} pixels: the picture is {' and '.join(how)}"


def _native(denoiser: Denoiser) -> int:
    """Its native size, a multiple of its ``multiple``; 0 where it has none."""
    side, multiple = getattr(denoiser, "native_size", None) or 0, getattr(denoiser, "multiple", 1)
    return -(-side // multiple) * multiple


def count_tiles(height: int, width: int, tile: int = 256, overlap: int = 64) -> int:
    """How often `TiledPrior` calls the network for an image of height x width pixels."""
    return len(_starts(height, tile, overlap)) * len(_starts(width, tile, overlap))


def change_in_tiles(
    x: Tensor,
    tile: int,
    overlap: int,
    change: Callable[[Tensor, tuple, int], Tensor],
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Change a picture in place, tile by tile, with memory for one row of tiles more.

    x : (B, 3, H, W). change : called with (part of x, its place, number), returns another part.
    Every tile is given x as it was: what the next row has a share in waits for it.
    progress : called with (tiles that are done, of how many).

    Examples
    --------
    >>> x = torch.ones(1, 3, 100, 90)
    >>> change_in_tiles(x, 64, 8, lambda part, place, number: part / 2)
    >>> x.unique()
    tensor([0.5000])
    """
    places = list(fitted_tiles(x.shape[-2], x.shape[-1], tile, overlap))
    tops = sorted({place[1].start for place, _ in places})
    total, weights = x[..., :0, :], x[0, 0, :0]
    for row, top in enumerate(tops):
        some = [item for item in enumerate(places) if item[1][0][1].start == top]
        side, waiting = some[0][1][1].shape[0], len(weights)
        room = (0, 0, 0, side - waiting)
        total, weights = functional.pad(total, room), functional.pad(weights, room)
        for number, (place, weight) in some:
            weight = weight.to(x)
            total[..., place[2]] += weight * change(x[place], place, number)
            weights[:, place[2]] += weight
            if progress is not None:
                progress(number + 1, len(places))
        ready = tops[row + 1] - top if row + 1 < len(tops) else side
        x[..., top : top + ready, :] = total[..., :ready, :] / weights[:ready]
        total, weights = total[..., ready:, :], weights[ready:]


def fitted_tiles(
    height: int, width: int, tile: int, overlap: int
) -> Iterator[tuple[tuple, Tensor]]:
    """Places of overlapping tiles, of `fitted_side`, and the weights, (h, w), to blend them with.

    Weights are 1 but for the pixels that neighbours share, so that most of a picture is what one
    tile makes of it.

    Examples
    --------
    >>> [(place[2], tuple(weight.shape)) for place, weight in fitted_tiles(32, 100, 64, 8)]
    [(slice(0, 56, None), (32, 56)), (slice(44, 100, None), (32, 56))]
    """
    parts = []
    for length in (height, width):
        side = fitted_side(length, tile, overlap)
        place = torch.arange(side)
        ramp = torch.minimum(place + 1, side - place).clamp(max=overlap) / overlap
        starts = _starts(length, side, overlap)
        parts.append([(start, ramp if len(starts) > 1 else torch.ones(side)) for start in starts])
    for top, rows in parts[0]:
        for left, columns in parts[1]:
            place_2d = (..., slice(top, top + len(rows)), slice(left, left + len(columns)))
            yield place_2d, rows[:, None] * columns


def fitted_side(length: int, tile: int, overlap: int) -> int:
    """Of the fewest tiles of at most `tile` pixels the least side, a multiple of 8.

    length : of the picture, which is one tile where it is no longer than that.
    """
    if length <= tile:
        return length
    count = -(-(length - overlap) // (tile - overlap))
    return -(-(length + (count - 1) * overlap) // count // 8) * 8


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """First pixels of the fewest evenly spread tiles that share `overlap` pixels or more."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _ramp(length: int, like: Tensor) -> Tensor:
    """Weights 1, 2, ... up to the middle and down again."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.minimum(place + 1, length - place)
