"""The finest details of a photo, measured by the blur that its edges tell.

A blur leaves nothing finer than itself: beside a step that it made w wide, a line comes out some
0.66 w wide, and fine texture a little less. Where a phone has taken the fine details for noise and
then sharpened the edges that were left, all that remains is wider than the edges are.
"""

import math

import numpy as np
from scipy import ndimage

STRIP = 512  # rows at a time, for memory
# By hand. With these 25 photos gain 0.38 dB and 2 are harmed; with half or twice as much of one of
# them 0.33 to 0.50 dB, and 2 or 3: benchmarks/soft_photos.py --finest.
GRAIN = 0.6  # pixels: Gaussian before anything is measured, against noise and JPEG
STEEP, NOISY = 0.02, 1.5  # least slope a pixel: display range, and times the noise
FINE = 0.02  # quantile of the widths: the finest that are not a chance
LEAST = 20  # steepest pixels that it takes


def finest_detail(luma: np.ndarray, width: float, noise: float = 0.0) -> float:
    """How narrow the finest details are, as a share of a blur's width.

    At every pixel that is steeper than its neighbours: the width of the step that would be as steep
    and as high as all within 1.5 widths.

    Parameters
    ----------
    luma : (H, W) float32, display range.
    width : of the blur, a standard deviation in pixels, above 0.
    noise : standard deviation of the luma's noise, display range.

    Returns
    -------
    The share; nan where next to nothing is steep.

    Examples
    --------
    >>> points = np.zeros((96, 96), np.float32)
    >>> points[::12, ::12] = 20
    >>> round(finest_detail(ndimage.gaussian_filter(points, 1.5), 1.5), 1)
    0.7
    """
    reach = max(2, math.ceil(1.5 * width))
    margin, found = reach + 4, [np.zeros(0, np.float32)]
    for top in range(0, luma.shape[0], STRIP):
        first = max(top - margin, 0)
        part = ndimage.gaussian_filter(luma[first : top + STRIP + margin], GRAIN)
        if min(part.shape) < 2:  # no gradient
            continue
        slope = np.hypot(*np.gradient(part))
        steepest = slope == ndimage.maximum_filter(slope, 3)
        steepest &= slope > max(STEEP, NOISY * noise)
        steepest[: top - first] = steepest[top - first + STRIP :] = False
        height = ndimage.maximum_filter(part, 2 * reach + 1)
        height -= ndimage.minimum_filter(part, 2 * reach + 1)
        found.append(height[steepest] / slope[steepest])
    widths = np.concatenate(found) / math.sqrt(2 * math.pi)
    if len(widths) < LEAST:
        return math.nan
    # Half of the grain's smoothing is taken out again: the slope is less, the height is too.
    finest = float(np.quantile(widths, FINE)) ** 2 - GRAIN**2 / 2
    return math.sqrt(max(finest, 0.01)) / width
