"""How wide the blur of a photo is, by the fall of its spectrum."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.estimators.estimate import Estimate
from gdp_lite.image import LUMA

# Mean over the 1,380 training photos: the fall of a photo's spectrum, its spread from photo to
# photo, and the width of the blur that lens, demosaicking and scaling leave in a sharp one. By
# another fit, least squares of the logarithm, benchmarks/package_constants.py has 2.1, 0.53, 0.36.
FALL, FALL_SPREAD, OWN_WIDTH = 2.3, 0.45, 0.33
FOURTH = (1 / 16, -4 / 16, 6 / 16, -4 / 16, 1 / 16)  # differences: the finest detail along an axis
OF_WHITE = 35 / 128  # share of the power of white noise that they pass
# Pixels of a part of a photo, and how many times the noise's power its detail must have: by a look
# at nine scenes of train/large; benchmarks/sharp_parts.py tells what comes of them.
SQUARE, ABOVE = 32, 4.0
WIDTHS = np.linspace(0, 3, 61)  # pixels, that parts are told apart by


def estimate_blur_width(y: Tensor, sigma: float = 0.0) -> Estimate:
    """Width of the Gaussian that blurred a photo; of other kernels the second moment.

    Whittle's likelihood of the spectrum: at angular frequency w the power of a photo, mean over
    its channels, has the mean a w^-b exp(-(width^2 + OWN_WIDTH^2) w^2) + floor,
    b ~ N(FALL, FALL_SPREAD^2), a and the floor, from sigma^2 upwards, anything: a JPEG has one.

    Parameters
    ----------
    y : (B, C, H, W), display range.
    sigma : standard deviation of the noise in y, display range.

    Returns
    -------
    Pixels, in [0.05, 10], the least where the floor hides everything. ``std``: from the curvature
    of the likelihood (Laplace).

    Raises
    ------
    ValueError : below 16 x 16 pixels.

    Examples
    --------
    >>> from gdp_lite.degradations import GaussianBlur
    >>> photo = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)).cumsum(-1)
    >>> photo = 0.01 * photo.cumsum(-2)
    >>> 1.8 < estimate_blur_width(GaussianBlur(25, 2.0)(photo)) < 2.5
    True
    """
    if y.ndim != 4 or not bool(y.isfinite().all()):
        raise ValueError(f"photos (B, C, H, W), finite, are needed, got {tuple(y.shape)}")
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    omega, power, count = radial_spectrum(y)
    least = max(sigma, 0.3 / 255) ** 2  # 8 bits leave that much

    def minus_log(log_a: Tensor, b: Tensor, log_width: Tensor, log_floor: Tensor) -> Tensor:
        width = log_width.exp().clamp(0.05, 10)
        fall = log_a - b * omega.log() - (width**2 + OWN_WIDTH**2) * omega**2
        mean = fall.exp() + least * (1 + log_floor.exp())
        prior = 0.5 * ((b - FALL) / FALL_SPREAD) ** 2
        return 0.5 * (count * (power / mean + mean.log())).sum() + prior

    found = []
    for width in (0.3, 1.0, 3.0):  # the likelihood may have several maxima
        log_a = (power[:4].log() + FALL * omega[:4].log() + width**2 * omega[:4] ** 2).mean()
        first = [float(v) for v in (log_a, FALL, math.log(width), -2.0)]
        raw = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in first]
        optimiser = torch.optim.LBFGS(raw, max_iter=60, line_search_fn="strong_wolfe")

        def closure(raw: list = raw, optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            loss = minus_log(*raw) / len(omega)
            loss.backward()
            return loss

        with torch.enable_grad():
            optimiser.step(closure)
        with torch.no_grad():
            found.append((float(minus_log(*raw)), [v.detach() for v in raw]))
    best = min(found, key=lambda f: f[0])[1]
    hessian = torch.tensor(torch.autograd.functional.hessian(minus_log, tuple(best)))
    width = min(max(float(best[2].exp()), 0.05), 10.0)
    var = float(torch.linalg.pinv(hessian)[2, 2])
    return Estimate(width, width * var**0.5 if var > 0 else math.inf)


def radial_spectrum(y: Tensor, bins: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Rings of equal width in log frequency -> angular frequency, mean power, independent numbers.

    Of the mirrored image, so that its edges make no cross. White noise of variance v in every
    channel has power v.
    """
    grey = y.detach().double().mean(1)
    grey = torch.cat([grey, grey.flip(-1)], -1)
    grey = torch.cat([grey, grey.flip(-2)], -2)
    height, width = grey.shape[-2:]
    power = torch.fft.rfft2(grey).abs().square().mean(0) * y.shape[1] / (height * width)
    rows = torch.fft.fftfreq(height, dtype=torch.float64, device=y.device)[:, None]
    columns = torch.fft.rfftfreq(width, dtype=torch.float64, device=y.device)
    omega = (2 * math.pi * torch.hypot(rows, columns)).flatten()
    low = 8 * math.pi / min(height, width)
    keep = (omega > low) & (omega < math.pi)
    omega, power = omega[keep], power.flatten()[keep]
    ring = ((omega / low).log() / math.log(math.pi / low) * bins).long().clamp(0, bins - 1)
    count = torch.zeros(bins).to(power).index_add(0, ring, torch.ones_like(power))
    used = count > 0
    means = [torch.zeros(bins).to(power).index_add(0, ring, v) for v in (omega, power)]
    omega, power = ((v / count)[used].cpu() for v in means)
    return omega, power, count[used].cpu() / 2  # the half plane has every number twice


def sharpest_width(y: Tensor, sigma: float) -> float:
    """The least width of a blur that any part of a photo may have.

    One number for a photo would let a sharp subject pass before a soft background. In each square
    of `SQUARE` pixels the finest detail is compared with that twice as coarse: how much weaker it
    is tells a width, once the spectrum falls as in other photos (`FALL`).

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    sigma : standard deviation of noise and coding in y, display range. Squares whose finest detail
        does not exceed it tell nothing.

    Returns
    -------
    Pixels, up to 3; infinity where no square tells.

    Examples
    --------
    >>> from gdp_lite.degradations import GaussianBlur
    >>> fine = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    >>> soft = GaussianBlur(13, 2.0)(fine)
    >>> sharpest_width(soft, 0.01)
    inf
    >>> soft[..., 32:64, 32:64] = fine[..., 32:64, 32:64]
    >>> sharpest_width(soft, 0.01)
    0.0
    """
    weights, least, ratios = y.new_tensor(LUMA), math.inf, _ratios()
    for strip in y.split(8 * SQUARE, -2):  # some rows at a time, for memory
        luma = torch.einsum("bchw,c->bhw", strip, weights)[:, None]
        noise = OF_WHITE * sigma**2
        fine, coarse = (_detail(luma, spacing) for spacing in (1, 2))
        told = fine > ABOVE * noise
        if bool(told.any()):
            ratio = ((fine - noise) / (coarse - noise).clamp(min=1e-12))[told].double().numpy()
            least = min(least, float(np.interp(-ratio.max(), -ratios, WIDTHS)))
    return least


def _detail(luma: Tensor, spacing: int) -> Tensor:
    """Mean power of the fourth differences of every so many pixels, square by square."""
    power = torch.zeros_like(luma)
    for axis in (-1, -2):
        if luma.shape[axis] > 4 * spacing:
            line = luma.new_tensor(FOURTH).view(1, 1, *((1, 5) if axis == -1 else (5, 1)))
            steps = (1, spacing) if axis == -1 else (spacing, 1)
            found = functional.conv2d(luma, line, dilation=steps).square() / 2
            rim = 2 * spacing
            power += functional.pad(found, (rim, rim) if axis == -1 else (0, 0, rim, rim))
    side = [min(SQUARE, n) for n in luma.shape[-2:]]
    return functional.avg_pool2d(power, side, ceil_mode=True)


@lru_cache(maxsize=1)
def _ratios() -> np.ndarray:
    """Power of the finest detail in that of twice as coarse, by `WIDTHS`, falling."""
    omega = (np.arange(256) + 0.5) * np.pi / 256
    square = omega[:, None] ** 2 + omega**2
    fine, coarse = np.sin(omega / 2) ** 8, np.sin(omega) ** 8
    falls = (
        square ** (-FALL / 2) * np.exp(-(width**2 + OWN_WIDTH**2) * square) for width in WIDTHS
    )
    return np.array([(fall * fine).sum() / (fall * coarse).sum() for fall in falls])
