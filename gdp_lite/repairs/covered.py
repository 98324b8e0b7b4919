"""Parts of a photo that are missing, by a mask that a person made, or under an overlay of one
colour, which is found: a date stamp, a line of text, a scratch.

What is covered is invented, and everything else stays as it is.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations import Degradation, Inpainting, Occlusion
from gdp_lite.estimators import Estimate, find_stamp
from gdp_lite.findings import Finding
from gdp_lite.image import LUMA
from gdp_lite.kept_colour import is_grey
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore
from gdp_lite.tiling import change_in_tiles

LOOKED_AT = 1024  # pixels of the longer side, for an overlay: it is seen in the whole picture
FILLED_AT = 256  # pixels of the longer side at which holes larger than a tile are filled at first
NOISE = 1 / 255  # display range: of what is kept around a hole
# Pixels that a mask of what was found grows by: edges are blended, and a JPEG blurs their colour.
EDGE = 2


class Covered(NamedTuple):
    """What is covered.

    Parameters
    ----------
    mask : (H, W), 1 = kept, 0 = covered.
    colour : (3,), display range, of an overlay; None for missing parts.

    Examples
    --------
    >>> Covered(torch.ones(2, 4), None).numbers()
    {'share': 0.0, 'box': None, 'colour': None}
    """

    mask: Tensor
    colour: Tensor | None

    def numbers(self) -> dict[str, Any]:
        """Share of the photo, box (top, left, bottom, right) and colour, for a report."""
        rows, columns = (torch.where((self.mask == 0).any(axis))[0].tolist() for axis in (1, 0))
        box = [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1] if rows else None
        share = round(1 - float(self.mask.mean(dtype=torch.float64)), 6)
        colour = None if self.colour is None else self.colour.tolist()
        return {"share": share, "box": box, "colour": colour}

    def degradation(self) -> Degradation:
        """Its F_Phi."""
        if self.colour is None:
            return Inpainting(self.mask)
        return Occlusion(self.mask, self.colour)


def of_mask(mask: Tensor) -> Finding:
    """The finding that a person's mask is: (H, W), 1 = kept, 0 = missing.

    Examples
    --------
    >>> of_mask(torch.tensor([[1.0, 0.0]])).line
    '50.0% are missing, by the mask'
    """
    share = Estimate(1 - float(mask.mean()), 0.0)
    line = f"{100 * share:.1f}% are missing, by the mask"
    return Finding("missing", share, "share", 1.0, line, Covered(mask, None))


def of_overlay(photo: Tensor) -> Finding:
    """Whether a line of text of one flat colour lies over a photo: a date, a name.

    Examples
    --------
    >>> y = 0.3 * torch.rand(1, 3, 64, 64)
    >>> for left in range(8, 48, 8):
    ...     y[..., 40:52, left : left + 4] = torch.tensor([1.0, 0.6, 0.1]).view(3, 1, 1)
    >>> found = of_overlay(y)
    >>> bool(found.detail.mask[46, 10] == 0), found.seen
    (True, False)
    """
    shrink = max(-(-max(photo.shape[-2:]) // LOOKED_AT), 1)
    small = photo[..., ::shrink, ::shrink]  # no averages: they would blend a letter's edges away
    mask, colour = find_stamp(small, grow=EDGE)
    if colour is None:
        none = Covered(torch.ones(1, 1).expand(photo.shape[-2:]), None)
        line = "no stamp or text of one colour"
        return Finding("overlay", Estimate(0.0, math.inf), "share", 0.0, line, none)
    if shrink > 1:
        mask = functional.interpolate(mask[None, None], photo.shape[-2:], mode="nearest")[0, 0]
    covered = Covered(mask, colour)
    share = 1 - float(mask.mean())
    red, green, blue = (round(255 * float(c)) for c in colour)
    line = f"perhaps text or a stamp of colour #{red:02x}{green:02x}{blue:02x}, {100 * share:.1f}%"
    return Finding("overlay", Estimate(share, math.inf), "share", PROBABLE, line, covered)


# How often what `find_stamp` finds is one: a guess, as it is undone when asked only.
PROBABLE = 0.7


def uncovered(
    y: Tensor,
    mask: Tensor,
    prior: Denoiser,
    tile: int,
    overlap: int,
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """y with what a mask covers invented; the rest is y's, bit for bit.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    mask : (H, W), 1 = kept, 0 = to be replaced.
    prior, strength, seed, progress : as in `restore_image`.
    tile, overlap : pixels; tiles without a hole cost no call.

    Returns
    -------
    (1, 3, H, W) in [0, 1].

    Examples
    --------
    >>> y, mask = torch.full((1, 3, 32, 32), 0.4), torch.ones(32, 32)
    >>> y[..., 8:12, 8:12], mask[8:12, 8:12] = 1.0, 0.0
    >>> x = uncovered(y, mask, lambda x, sigma: x.clamp(0.3, 0.5), 64, 8)
    >>> bool((x[..., 8:12, 8:12] - 0.4).abs().max() < 0.1)
    True
    """
    x, hole = roughly_filled(y, mask), mask == 0

    def change(part: Tensor, place: tuple, number: int) -> Tensor:
        kept = mask[place[1:]]
        if bool((kept == 0).any()) and bool(kept.any()):
            generator = Generator().manual_seed(seed + number)
            degradation = Inpainting(kept, NOISE)
            part = restore(part, degradation, prior, strength=strength, generator=generator).image
        return part

    change_in_tiles(x, tile, overlap, change, progress)
    if is_grey(y):
        x = torch.einsum("bchw,c->bhw", x, x.new_tensor(LUMA))[:, None].expand(-1, 3, -1, -1)
    return torch.where(hole, x.clamp(0, 1), y)


def roughly_filled(y: Tensor, mask: Tensor) -> Tensor:
    """y with its holes filled smoothly, as it looks when made small: for tiles that hold nothing
    else."""
    shrink = max(max(y.shape[-2:]) // FILLED_AT, 1)
    weights = functional.avg_pool2d(mask[None, None], shrink, ceil_mode=True)
    means = functional.avg_pool2d(mask * y, shrink, ceil_mode=True) / weights.clamp(min=1e-6)
    smooth = Inpainting((weights[0, 0] > 0).float()).start(means)
    smooth = functional.interpolate(smooth, y.shape[-2:], mode="bilinear")
    return torch.where(mask == 0, smooth, y)
