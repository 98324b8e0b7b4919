"""Colour stays: what a restoration that means to change no colour must not have changed.

A prior's errors are small but lean one way: over a whole photo they add up to a tint.
"""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from gdp_lite.image import LUMA

# Pixels that one cell of low frequencies spans. Blotches of a phone's colour noise are some 8 to 16
# wide, and averaging over 64 takes 15 of 16 parts of their variance away: little comes back.
CELL = 64
NEARLY = 3 / 255  # what JPEG's rounding leaves between the channels of a grey picture, at most


def is_grey(image: Tensor, tolerance: float = 0.0) -> bool:
    """Whether all three channels are the same everywhere, up to `tolerance` in display range."""
    return bool((image.amax(1) - image.amin(1)).max() <= tolerance)


def keep_colour(restored: Tensor, photo: Tensor, cell: int = CELL) -> Tensor:
    """A restored picture with the photo's colours: each channel's mean and low frequencies.

    Grey stays grey: where the photo has three equal channels, so has the result; nearly equal ones
    keep their small differences. Else what a
    restoration changed is kept above the frequencies of a cell and taken back below, channel by
    channel, and its mean is the photo's.

    Parameters
    ----------
    restored, photo : (B, 3, H, W), display range.
    cell : pixels over which a mean is the photo's.

    Returns
    -------
    (B, 3, H, W) in [0, 1].

    Raises
    ------
    ValueError : where the two are not of one size.

    Examples
    --------
    >>> photo = torch.rand(1, 3, 80, 80)
    >>> tinted = (photo + torch.tensor([0.02, -0.01, 0]).view(1, 3, 1, 1)).clamp(0, 1)
    >>> bool((keep_colour(tinted, photo).mean((2, 3)) - photo.mean((2, 3))).abs().max() < 1e-3)
    True
    """
    if restored.shape != photo.shape or photo.ndim != 4 or photo.shape[1] != 3:
        raise ValueError(f"(B, 3, h, w) twice, not {tuple(restored.shape)}, {tuple(photo.shape)}")
    if is_grey(photo, NEARLY):
        weights = torch.tensor(LUMA, dtype=restored.dtype, device=restored.device)
        luma = torch.einsum("bchw,c->bhw", restored, weights)[:, None]
        own = photo.mean(1, keepdim=True)
        grey = _with_low(luma, own, cell).expand(-1, 3, -1, -1)
        return grey.clone() if is_grey(photo) else (grey + photo - own).clamp(0, 1)
    result = torch.empty_like(photo)
    for channel in range(3):  # one at a time: a third of the memory
        one = slice(channel, channel + 1)
        result[:, one] = _with_low(restored[:, one], photo[:, one], cell)
    return result


def _with_low(restored: Tensor, photo: Tensor, cell: int) -> Tensor:
    """(B, 1, H, W) with the photo's means over cells, joined smoothly, and its mean exactly."""
    size = photo.shape[-2:]
    grid = (max(1, round(size[0] / cell)), max(1, round(size[1] / cell)))
    low = adaptive_avg_pool2d(photo - restored, grid)
    result = restored + interpolate(low, size, mode="bilinear", align_corners=False)
    result = result.clamp(0, 1)
    for _ in range(3):  # clipping moves the mean; what is left after this is below 1e-4
        result += (photo - result).mean((2, 3), keepdim=True)
        result.clamp_(0, 1)
    return result
