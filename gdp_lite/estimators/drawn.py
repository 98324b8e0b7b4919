"""Which share of a picture is drawn: text, codes, dithered tones, flat colours.

In what is drawn two pixels have one colour or two that are far apart; in a photo most differences
lie between. So pairs of pixels of one colour are counted, in those that differ by less than the
spread of their surroundings.
"""

from torch import Tensor

PART = 16  # pixels: the side of what is looked at together
# From one pixel of a pair to the other.
APART = ((0, 1), (1, 0), (0, 2), (2, 0), (3, 3), (0, 5), (5, 0), (7, 7))
CONTRAST = 20 / 255  # standard deviation: flatter parts tell nothing
# Of pairs with one colour, in those that are near. Photos of blocks have more in 10% of their parts
# at most, but a grey one of blocks of 8 in 17%; text on a fifth of a photo's width in 19% or more,
# but JPEGs of quality 75 by blocks of 2, from 7% (benchmarks/blocky.py).
FEW = 0.7


def drawn_share(picture: Tensor, same: float) -> float:
    """Share of the parts of 16 x 16 pixels of a picture that are drawn.

    Parameters
    ----------
    picture : (3, H, W), display range.
    same : colours that differ by less are one.

    Examples
    --------
    >>> import torch
    >>> code = (torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    >>> drawn_share(code.expand(3, -1, -1), 2 / 255)
    1.0
    """
    side = min(PART, *picture.shape[-2:])
    drawn = count = 0
    for strip in picture.split(side, -2):
        if strip.shape[-2] < side:
            break
        parts = strip.unfold(-1, side, side).permute(2, 0, 1, 3)  # (parts, 3, side, side)
        spread = parts.std((-2, -1)).amax(1)
        one = near = 0.0
        for down, right in APART:
            if max(down, right) < side:
                first = parts[..., down:, right:]
                other = parts[..., : side - down, : side - right]
                step = (first - other).abs().amax(1)
                one += (step < same).sum((-2, -1))
                near += (step < spread.clamp(min=same)[:, None, None]).sum((-2, -1))
        few = one > FEW * near
        drawn += int((few & (spread > CONTRAST)).sum())
        count += len(parts)
    return drawn / count
