"""Whether a photo is made of square blocks of one colour: low resolution, shown larger.

Between neighbours within a block there is then next to no difference, across its edge there is. So
the squared differences along each axis are averaged by their distance from an edge, for every side
and place of a block; only in photos of blocks one of these means stands far above the others.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.estimators.drawn import drawn_share
from gdp_lite.image import check_one_photo

SIDES = range(2, 17)  # pixels
# Differences across edges, squared, in those within blocks, along both axes: good photos have 4.7
# at most; and detail within blocks, display range: JPEGs of quality 3, which have up to 19, have
# more of that (benchmarks/blocky.py).
RATIO, INSIDE = 6.0, 5 / 255
SAME = 2 / 255  # display range: neighbouring blocks that differ by less have one colour
LEAST = 6  # blocks along each axis
ROWS = 256  # of a photo at a time, for memory


class Blocks(NamedTuple):
    """What `estimate_blocks` found.

    Parameters
    ----------
    side : of a block, pixels; 1 where the photo is not made of blocks.
    top, left : pixels of the first blocks that lie outside of the photo.
    inside : detail within blocks, root mean square, display range.
    same : share of the neighbouring blocks that have one colour, as drawn pictures have.
    drawn : share of its parts that are drawn, see `drawn_share`.

    Examples
    --------
    >>> Blocks(4, 0, 1, 0.01, 0.1).numbers()["side"]
    4
    """

    side: int
    top: int
    left: int
    inside: float
    same: float
    drawn: float = 0.0

    def numbers(self) -> dict[str, Any]:
        """All of them, for a report."""
        return self._asdict()


# The answer about a photo that is not made of blocks.
NONE = Blocks(1, 0, 0, 0.0, 0.0)


def estimate_blocks(photo: Tensor) -> Blocks:
    """The side and the place of the blocks that a photo is made of.

    Parameters
    ----------
    photo : (1, 3, H, W), display range.

    Returns
    -------
    A `Blocks`; its ``side`` is 1 where there are none, or fewer than 6 along an axis.

    Raises
    ------
    ValueError : for anything but one photo.

    Examples
    --------
    >>> small = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    >>> large = small.repeat_interleave(4, -1).repeat_interleave(4, -2)
    >>> estimate_blocks(large[..., 1:, 3:])[:3]
    (4, 1, 3)
    """
    check_one_photo(photo)
    side, top, left, ratio = likeliest(photo)
    if ratio < RATIO:
        return NONE
    inside, same, drawn = within(photo, side, top, left)
    return Blocks(side, top, left, inside, same, drawn) if inside <= INSIDE else NONE


def likeliest(photo: Tensor) -> tuple[int, int, int, float]:
    """Side, offsets and ratio of what comes nearest to blocks in a photo.

    Examples
    --------
    >>> likeliest(torch.rand(1, 3, 8, 8))  # too small to tell
    (1, 0, 0, 0.0)
    """
    across, down = _steps(photo)
    found = (1, 0, 0, 0.0)
    for side in SIDES:
        if side * LEAST > min(photo.shape[-2:]):
            break
        (ratio, top), (other, left) = (_edges(steps, side) for steps in (down, across))
        if min(ratio, other) > found[3]:
            found = (side, top, left, min(ratio, other))
    return found


def _steps(photo: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares of the steps from each column to the next, and from each row."""
    across, down = torch.zeros(photo.shape[-1] - 1).double(), []
    for top in range(0, photo.shape[-2], ROWS):
        part = photo[0, :, top : top + ROWS + 1].detach().cpu().float()  # the next row's first
        across += part[:, :ROWS].diff(dim=-1).square().sum((0, 1)).double()
        down.append(part.diff(dim=-2).square().mean((0, 2)).double())
    return across / (3 * photo.shape[-2]), torch.cat(down)


def _edges(steps: Tensor, side: int) -> tuple[float, int]:
    """How far the steps at one place of every block exceed the rest, and the offset it tells."""
    means = torch.stack([steps[place::side].mean() for place in range(side)])
    edge = int(means.argmax())
    rest = (means.sum() - means[edge]) / (side - 1)
    # Step k is from pixel k to k + 1, which begins a block.
    return float(means[edge] / rest.clamp(min=1e-9)), (side - 1 - edge) % side


def within(photo: Tensor, side: int, top: int, left: int) -> tuple[float, float, float]:
    """Detail within the whole blocks, the share of neighbours of one colour, and of what is drawn.

    Examples
    --------
    >>> within(torch.full((1, 3, 32, 32), 0.5), 4, 0, 0)
    (0.0, 1.0, 0.0)
    """
    part = photo[0, :, (side - top) % side :, (side - left) % side :].detach().cpu().float()
    height, width = (n // side * side for n in part.shape[-2:])
    part, lost, colours = part[:, :height, :width], 0.0, []
    for strip in part.split(ROWS // side * side, -2):
        mean = functional.avg_pool2d(strip, side)
        full = mean.repeat_interleave(side, -1).repeat_interleave(side, -2)
        lost += float((strip - full).square().sum())
        colours.append(mean)
    blocks = torch.cat(colours, -2)
    same = [(blocks.diff(dim=d).abs().amax(0) < SAME).double().mean() for d in (-1, -2)]
    inside = (lost / part.numel()) ** 0.5
    return inside, float(sum(same)) / 2, drawn_share(blocks, max(SAME, inside))
