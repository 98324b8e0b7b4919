"""No halo beside an edge: a deblurred photo is held to what its blurred one allows.

Blur with a kernel takes averages, so beside a step the scene is no brighter than the photo is
around. What blur does lower is narrow: of a line as thin as a sharp photo shows, w wide, blur by s
leaves w / sqrt(w^2 + s^2) of its height, of a point the square of that. So a restored photo may
exceed the greatest value around only where the photo has something narrow, and by that share.
"""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from gdp_lite.estimators.softness import OWN
from gdp_lite.image import check_photo

# Pixels: standard deviation across the thinnest lines of a sharp photo, as of its edges.
THINNEST = OWN[0]
# Share of a step: what stands out beside it by less may be the halo of a phone's sharpener and is
# not raised further. Nine in ten simulated cameras leave up to 0.19 (`true_step` in
# benchmarks/softness.py).
HALO = 0.2
STRIP = 256  # rows at a time, for memory


def limit_overshoot(restored: Tensor, photo: Tensor, width: float, noise: float = 0.0) -> Tensor:
    """Hold what was deblurred between the least and the greatest value that its photo allows.

    Within 2 widths of each pixel these are the photo's own, widened by ``noise`` and, where
    something narrower than 4 widths stands out from its surroundings, by as much as blur can have
    lowered a line. Each channel by itself.

    Parameters
    ----------
    restored, photo : (B, 3, H, W), display range.
    width : standard deviation of the blur that was undone, pixels; 0 limits to the neighbours.
    noise : standard deviation of the photo's noise, display range.

    Returns
    -------
    (B, 3, H, W), ``restored`` where it was within the limits.

    Raises
    ------
    ValueError : for images of different sizes, and a width or a noise that is negative.

    Examples
    --------
    >>> photo = torch.full((1, 3, 8, 16), 0.2)
    >>> photo[..., 8:] = 0.8
    >>> with_halo = photo.clone()
    >>> with_halo[..., 8] = 0.95
    >>> torch.equal(limit_overshoot(with_halo, photo, width=1.0), photo)
    True
    """
    check_photo(photo)
    if restored.shape != photo.shape:
        raise ValueError(f"a result of {tuple(photo.shape)}, not {tuple(restored.shape)}")
    if not (0 <= width < math.inf and 0 <= noise < math.inf):
        raise ValueError(f"width and noise are not negative, got {width} and {noise}")
    out = torch.empty_like(restored)
    reach = 3 * max(math.ceil(2 * width), 1) + 1  # of all extremes of extremes
    for image, channel in ((b, c) for b in range(len(photo)) for c in range(3)):
        part = photo[image, channel].detach().cpu().numpy()
        for top in range(0, len(part), STRIP):
            first = max(top - reach, 0)
            low, high = (
                torch.from_numpy(v[top - first : top - first + STRIP]).to(restored)
                for v in _limits(part[first : top + STRIP + reach], width, noise)
            )
            strip = restored[image, channel, top : top + STRIP]
            out[image, channel, top : top + STRIP] = strip.clamp(low, high)
    return out


def _limits(part: np.ndarray, width: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value that one channel, (h, w), allows."""
    radius = max(math.ceil(2 * width), 1)
    lost = math.hypot(1, width / THINNEST) - 1  # of the height that is left
    high, low = _greatest(part, radius), _least(part, radius)
    # Opening takes narrow bright things away, closing narrow dark ones; steps they leave.
    opened, closed = _greatest(low, radius), _least(high, radius)
    middle = (opened + closed) / 2
    step = HALO * (_greatest(middle, radius) - _least(middle, radius))
    bright = _greatest(np.maximum(part - opened - step - noise, 0), 1)
    dark = _greatest(np.maximum(closed - part - step - noise, 0), 1)
    return low - noise - lost * dark, high + noise + lost * bright


def _greatest(x: np.ndarray, radius: int) -> np.ndarray:
    """The greatest value of the square of 2 radius + 1 pixels around each; the photo's alone."""
    x = ndimage.maximum_filter1d(x, 2 * radius + 1, axis=0, mode="nearest")
    return ndimage.maximum_filter1d(x, 2 * radius + 1, axis=1, mode="nearest")


def _least(x: np.ndarray, radius: int) -> np.ndarray:
    return -_greatest(-x, radius)
