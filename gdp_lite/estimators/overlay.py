"""Where one flat colour lies over a photo: text, a stamp, a logo, a box."""

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.image import check_one_photo


def find_overlay(
    y: Tensor, tolerance: float = 6 / 255, grow: int = 1
) -> tuple[Tensor, Tensor | None]:
    """Where one flat colour lies over a photo: text, a logo, a box.

    An overlay's colour is frequent, colours near it are rare, and it ends in a step: score =
    (pixels with the colour) / (pixels near it) times the share of them in parts with a step, at
    least 0.6. Most photos without overlay stay below 0.55; one of the 24 Kodak photos, with
    clipped white walls, and a portrait before black reach 0.8, and the wall, the background, is
    then taken for an overlay. Black letters before black are not found, nor thin coloured ones
    after a JPEG with halved chroma. Show the mask before using it.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    tolerance : how much the colour may vary, display range; more for a poor JPEG.
    grow : pixels added all around, for blended edges.

    Returns
    -------
    (mask, colour) : (H, W), 0 on the overlay and 1 elsewhere, and (3,); or all ones and None. No
    uncertainty: the score tells photos with an overlay from those without, not how sure each is.

    Raises
    ------
    ValueError : for more than one photo.

    Examples
    --------
    >>> y = torch.rand(1, 3, 32, 32)
    >>> y[..., 8:20, 8:20] = torch.tensor([1.0, 0.9, 0.2]).view(3, 1, 1)
    >>> find_overlay(y)[1]
    tensor([1.0000, 0.9000, 0.2000])
    """
    check_one_photo(y)
    y = y.detach()[0].clamp(0, 1)
    coarse = (y / tolerance).round().long()
    codes = (coarse[0] * 1024 + coarse[1]) * 1024 + coarse[2]
    values, counts = codes.unique(return_counts=True)
    best = 0.6
    found: tuple[Tensor, Tensor | None] = (torch.ones_like(y[0]), None)
    for code in values[counts.argsort(descending=True)[:24]]:
        colour = y[:, codes == code].median(1).values
        distance = (y - colour.view(3, 1, 1)).abs().amax(0)
        near = distance <= tolerance
        hit, specks = _with_steps(near, distance)
        share, rare = hit.double().mean(), near.sum() / (distance <= 4 * tolerance).sum()
        score = float(rare * hit.sum() / near.sum())
        if 5e-4 < float(share) < 0.6 and score > best:
            hit = hit | (specks & _grow(hit, 6))
            best, found = score, ((~_grow(hit, grow)).to(y), colour)
    return found


def _with_steps(hit: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """Of the connected parts of `hit` those that end in a step, nearly all around them.

    Two masks: of 6 pixels or more; and of less, which prove nothing, but beside the first are a
    date's full stops, an i's dot: letters with such small ones leave no more than 6 pixels between.
    """
    from skimage.measure import label

    parts = torch.from_numpy(label(hit.cpu().numpy(), connectivity=2)).to(distance)
    reach = functional.max_pool2d(parts[None], 7, stride=1, padding=3)[0].long()
    ring = (reach > 0) & ~_grow(hit, 2)
    count = torch.bincount(reach[ring], minlength=int(parts.max()) + 1)
    steps = torch.bincount(reach[ring & (distance > 0.1)], minlength=len(count))
    area = torch.bincount(parts.long().flatten(), minlength=len(count))
    good = steps > 0.8 * count
    good[0] = False
    return (good & (area >= 6))[parts.long()], (good & (area < 6))[parts.long()]


def _grow(hit: Tensor, pixels: int) -> Tensor:
    size = 2 * pixels + 1
    return functional.max_pool2d(hit[None].float(), size, stride=1, padding=pixels)[0] > 0
