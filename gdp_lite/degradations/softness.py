"""The blur that a photo's softness implies, told more noise than the photo has, to be careful."""

import math

from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.blur import Blur, GaussianBlur, gaussian_kernel, motion_kernel
from gdp_lite.estimators.softness import Softness

# Pixels, root mean square in all directions: what is less, photos differ by themselves.
LEAST = 0.5
# Display range, and share of the photo's noise: a phone's noise is coarse, JPEG's errors are, and
# deblurring takes them for detail. With less, captures of train/large came back up to 5 decibels
# worse than they were; benchmarks/softness.py --tune tries such settings.
FLOOR, COARSE = 5 / 255, 2.5


def softness_degradation(found: Softness, noise: float = 0.0) -> Degradation | None:
    """The degradation to restore a photo from, or None where there is nothing to be done.

    Parameters
    ----------
    found : what `estimate_softness` says of the photo.
    noise : standard deviation of the noise of its luma, all octaves, display range.

    Returns
    -------
    A `GaussianBlur`, of a movement a `Blur`; None where no edge tells, and below `LEAST` pixels.
    Its ``sigma`` is larger than the noise, see there.

    Examples
    --------
    >>> from gdp_lite.estimators import Estimate
    >>> soft = Softness(Estimate(1.2, 0.2), "gaussian", 0, 0, 0.05, 400, 0.9, "", None)
    >>> blur = softness_degradation(soft, noise=4 / 255)
    >>> blur.width, round(255 * blur.sigma)
    (1.2, 10)
    >>> sharp = soft._replace(width=Estimate(0.2, 0.2))
    >>> softness_degradation(sharp) is None
    True
    """
    total = math.hypot(found.width, found.length / 24**0.5)
    if not math.isfinite(found.width.std) or total < LEAST:
        return None
    sigma = max(FLOOR, COARSE * noise)
    size = 2 * math.ceil(3 * found.width) + 1
    if not found.length:
        return GaussianBlur(size, float(found.width), sigma)
    line = motion_kernel(found.length, found.angle)
    if found.width < 0.3:  # a Gaussian as narrow is one pixel
        return Blur(line, sigma)
    return Blur(_convolved(line, gaussian_kernel(size, found.width)), sigma)


def _convolved(a: Tensor, b: Tensor) -> Tensor:
    """Both kernels after each other, (n + m - 1) wide."""
    room = len(b) - 1
    padded = functional.pad(a, (room, room, room, room))[None, None]
    return functional.conv2d(padded, b.to(a)[None, None])[0, 0]  # b is symmetric
