"""How much noise a photo has: by its wavelets, by its smoothest squares, by what the prior finds.

Levels are standard deviations in display range. Wavelets are quick and take fine texture for
noise; the prior knows which detail a scene may have, and sees white noise only.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.estimators.estimate import Estimate
from gdp_lite.image import LUMA, check_photo
from gdp_lite.prior import Denoiser, schedule_of


def estimate_noise(image: Tensor, coded: bool = False) -> Estimate:
    """Standard deviation of white noise, by the finest diagonal wavelet coefficients.

    Their median, mean over the channels; scikit-image, Donoho 1994. Noise that JPEG has smoothed,
    or detail as fine as a pixel, misleads it.

    Parameters
    ----------
    image : (1, 3, H, W), display range.
    coded : the noise has passed a JPEG, which halves the chroma and rounds it coarsely: by the
        luma alone, in units of one channel, and only where no channel is black or clipped.

    Returns
    -------
    Display range; 0, with no idea of it, below 4 pixels and where all is black or clipped.

    Examples
    --------
    >>> noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> round(estimate_noise(0.5 + 0.1 * noise), 2)
    0.1
    >>> round(estimate_noise(0.5 + 0.1 * noise, coded=True), 2)
    0.1
    """
    if min(image.shape[-2:]) < 4:  # too small for a wavelet
        return Estimate(0.0, math.inf)
    if coded:
        return _luma_noise(image)
    from skimage.restoration import estimate_sigma

    array = image[0].permute(1, 2, 0).cpu().numpy()
    estimate = float(np.mean(estimate_sigma(array, channel_axis=-1)))
    # A median of n absolute normals errs by the share 1.17 / sqrt(n); n is a quarter of them.
    error = 1.17 / (0.25 * array.size) ** 0.5
    return Estimate(estimate, error * estimate) if math.isfinite(estimate) else Estimate(0, 0)


def _luma_noise(image: Tensor) -> Estimate:
    import pywt

    weights = image.new_tensor(LUMA)
    luma = torch.einsum("c,bchw->bhw", weights / weights.norm(), image)[0]
    outside = ((image <= 2 / 255) | (image >= 253 / 255)).any(1)[None].float()
    detail = np.abs(pywt.dwt2(luma.cpu().numpy(), "db2")[1][2])
    # Four pixels along each axis make a coefficient, the first two of them beyond the border.
    outside = functional.max_pool2d(functional.pad(outside, (2, 3, 2, 3)), 4, 2)[0, 0]
    found = detail[(outside.cpu().numpy() == 0) & (detail > 0)]
    if len(found) == 0:
        return Estimate(0.0, math.inf)
    estimate = float(np.median(found)) / 0.6745
    return Estimate(estimate, 1.17 * estimate / len(found) ** 0.5)


def estimate_flat_noise(image: Tensor, tile: int = 16, quantile: float = 0.1) -> Estimate:
    """`estimate_noise` where a photo has the least detail: fine texture misleads it less.

    It is a few percent low for that, and from 20 of 255 a seventh.

    Parameters
    ----------
    image : (1, C, H, W), display range.
    tile : side of the squares of coefficients in each of which a median is taken.
    quantile : of these medians, which is returned.

    Returns
    -------
    Display range. ``std``: how much the squares around that quantile differ.

    Examples
    --------
    >>> noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    >>> 0.08 < estimate_flat_noise(0.5 + 0.1 * noise) < 0.1
    True
    """
    if min(image.shape[-2:]) < 3 * tile:
        return estimate_noise(image)
    medians = np.median(_squares(image, tile), -1) / 0.6745
    level = float(np.quantile(medians, quantile, -1).mean())
    low, high = np.quantile(medians, [quantile / 2, 1.5 * quantile], -1).mean(-1)
    return Estimate(level, (high - low) / 2) if math.isfinite(level) else Estimate(0, 0)


def tails(image: Tensor, tile: int = 16, quantile: float = 0.2) -> float:
    """Root mean square over `estimate_flat_noise`'s level, in the smoothest squares.

    1 for Gaussian noise; of lines and letters, few of which are in a square, more.

    Parameters
    ----------
    image, tile : as there.
    quantile : the share of squares that is looked at, of which the median is returned.

    Examples
    --------
    >>> noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    >>> round(tails(0.5 + 0.1 * noise), 1)
    1.1
    """
    if min(image.shape[-2:]) < 3 * tile:
        return 1.0  # too few to tell
    squares = _squares(image, tile)
    medians = np.median(squares, -1) / 0.6745
    smooth = medians <= np.quantile(medians, quantile, -1)[:, None]
    ratios = np.sqrt((squares**2).mean(-1)) / np.maximum(medians, 1e-6)
    return float(np.median(ratios[smooth]))


def _squares(image: Tensor, tile: int) -> np.ndarray:
    """Magnitudes of the finest diagonal coefficients, (C, squares, tile^2)."""
    import pywt

    detail = pywt.dwt2(image[0].cpu().numpy(), "db2")[1][2]
    rows, columns = (n // tile for n in detail.shape[-2:])
    squares = np.abs(detail[:, : rows * tile, : columns * tile])
    squares = squares.reshape(-1, rows, tile, columns, tile).swapaxes(2, 3)
    return squares.reshape(len(detail), -1, tile**2)


def estimate_noise_curve(y: Tensor, bins: int = 16) -> tuple[Estimate, Estimate]:
    """How the variance of the noise grows with the light: var = gain x + read_sigma^2.

    Squares of 2 x 2 pixels: their mean tells the value, their diagonal difference, which smooth
    picture cancels, the noise. Robust levels in bins of the value, then a line through the
    variances. Fine texture adds to it, so only the smoothest quarter of each bin is used.

    Parameters
    ----------
    y : (B, 3, H, W), display range.
    bins : of the value.

    Returns
    -------
    (gain, read_sigma), display range, as in `PoissonGaussianNoise`; ``std`` of each: what the
    medians' own scatter makes of the line, without what texture adds.

    Raises
    ------
    ValueError : below 16 x 16 pixels and where nearly all of the photo is black or white.

    Examples
    --------
    >>> from gdp_lite.degradations import PoissonGaussianNoise
    >>> light = torch.linspace(0.1, 0.9, 256).expand(1, 3, 256, 256)
    >>> y = PoissonGaussianNoise(0.01, 0.01).simulate(light, torch.Generator().manual_seed(0))
    >>> gain, read_sigma = estimate_noise_curve(y)
    >>> round(gain, 2)
    0.01
    """
    check_photo(y)
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    height, width = (n - n % 2 for n in y.shape[-2:])
    y = y.detach().double()[..., :height, :width]
    a, b, c, d = (y[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    mean, diagonal = (a + b + c + d) / 4, (a - b - c + d) / 2
    slope = mean.new_zeros(mean.shape)
    for axis in (-2, -1):  # of the means, which are independent of the diagonals
        slope += torch.gradient(mean, dim=axis)[0].abs()
    inside = (mean > 0.02) & (mean < 0.98)
    mean, diagonal, slope = mean[inside], diagonal[inside], slope[inside]
    if len(mean) < 16 * bins:
        raise ValueError("the photo is clipped almost everywhere: no noise to be seen")
    binned, counts = [], []
    for part in mean.argsort().tensor_split(bins):
        part = part[slope[part].argsort()[: max(len(part) // 4, 8)]]
        level = diagonal[part].abs().median() / 0.67449
        binned.append(torch.stack([mean[part].mean(), level.square()]))
        counts.append(len(part))
    values, variances = torch.stack(binned).unbind(1)
    variances = variances.clamp(min=1e-10)
    # The error of a variance is proportional to it: weights 1 / variance, from a first fit.
    weights = 1 / variances
    for _ in range(5):
        design = torch.stack([values, torch.ones_like(values)], 1) * weights[:, None]
        gain, var = torch.linalg.lstsq(design, variances * weights).solution.tolist()
        if gain < 0:
            gain, var = 0.0, float((weights**2 @ variances) / (weights**2).sum())
        elif var < 0:
            gain, var = float((variances / values).median()), 0.0
        weights = 1 / (gain * values + var).clamp(min=1e-10)
    # A variance by a median of n errs by the share 2 x 1.17 / sqrt(n), see `estimate_noise`.
    error = 2 * 1.17 / torch.tensor(counts).double().sqrt()
    design = (
        torch.stack([values, torch.ones_like(values)], 1) * (weights / error.to(values))[:, None]
    )
    gain_std, var_std = torch.linalg.inv(design.T @ design).diagonal().sqrt().tolist()
    read_std = var_std / (2 * max(var, var_std) ** 0.5)  # of a root, also where it is near 0
    return Estimate(gain, gain_std), Estimate(var**0.5, read_std)


def estimate_noise_level(y: Tensor, prior: Denoiser) -> Estimate:
    """Standard deviation of white Gaussian noise, by what the prior finds.

    Maximum likelihood under the prior, which knows which detail a scene may have: with y taken
    for the noisy image at time t, the derivative of log p_t(y) by the noise level vanishes where
    Stein's two estimates of the denoiser's error agree,

        mean(eps_hat^2) = 1 - div(x0_hat) / N,

    the divergence by one random probe and a finite difference (Ramani, Blu and Unser 2008).
    Bisection over t. Of a photo above 256 x 256 four windows of 128 x 128 are used.

    Parameters
    ----------
    y : (B, 3, H, W), display range.
    prior : see `Denoiser`.

    Returns
    -------
    Display range, at least sigma_bar[1], 0.005 for the bundled prior: less the network cannot
    tell. Of a JPEG with halved chroma that is what it returns, whatever the noise: too little of
    it is white. ``std``: that of the difference between squares of the photo, over its slope in
    the level.

    Raises
    ------
    ValueError : below 8 x 8 pixels.

    Examples
    --------
    >>> wiener = lambda x, sigma: 0.5 + (x - 0.5) * 0.04 / (0.04 + sigma**2)
    >>> scene = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    >>> 0.07 < estimate_noise_level(0.5 + 0.2 * scene + 0.1 * noise, wiener) < 0.13
    True
    """
    check_photo(y)
    if min(y.shape[-2:]) < 8:
        raise ValueError(f"at least 8 x 8 pixels are needed, got {tuple(y.shape[-2:])}")
    x, levels = _windows(y), schedule_of(prior).sigma_bar
    generator = torch.Generator().manual_seed(0)
    probe = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
    seen: dict[int, tuple[float, float]] = {}

    @torch.no_grad()
    def excess(t: int) -> float:
        """Above 0 where y has more noise than t."""
        sigma = float(levels[t])
        step = 0.1 * sigma
        eps_hat, moved = ((z - prior(z, sigma)) / sigma for z in (x, x + step * probe))
        difference = eps_hat.square() - sigma / step * probe * (moved - eps_hat)
        seen[t] = float(difference.mean()), _standard_error(difference)
        return seen[t][0]

    low, high, at_low = 1, int(schedule_of(prior).nearest_t(0.1)), excess(1)
    at_high = excess(high) if at_low > 0 else -1.0
    while at_high > 0 and high < len(levels) - 1:
        low, at_low, high = high, at_high, min(2 * high, len(levels) - 1)
        at_high = excess(high)
    if at_low <= 0 or at_high > 0:
        end = float(levels[low if at_low <= 0 else high])
        return Estimate(end, end)  # a bound: anything beyond is as likely
    while high - low > 1:
        middle = round((low * high) ** 0.5)
        middle = min(max(middle, low + 1), high - 1)
        at_middle = excess(middle)
        if at_middle > 0:
            low, at_low = middle, at_middle
        else:
            high, at_high = middle, at_middle
    share = at_low / (at_low - at_high)
    found = float((1 - share) * levels[low] + share * levels[high])
    # The slope between the two nearest levels that are far enough apart to show one.
    near = sorted(seen, key=lambda t: abs(math.log(float(levels[t]) / found)))
    other = next(t for t in near if abs(math.log(float(levels[t]) / found)) > 0.1)
    slope = seen[other][0] / (float(levels[other]) - found)
    return Estimate(found, abs(seen[near[0]][1] / slope))


def _standard_error(values: Tensor, side: int = 8) -> float:
    """Of a mean of values that depend on their neighbours: squares of `side` pixels do not."""
    squares = functional.avg_pool2d(values, min(side, *values.shape[-2:])).mean(1).flatten()
    return float(squares.std() / len(squares) ** 0.5) if len(squares) > 1 else math.inf


def _windows(y: Tensor, side: int = 128) -> Tensor:
    """y itself, or four windows in a square grid where it is large."""
    height, width = y.shape[-2:]
    if height * width <= 4 * side * side or min(height, width) < side:
        return y
    tops, lefts = ([round((n - side) * share) for share in (0.2, 0.8)] for n in (height, width))
    return torch.cat([y[..., a : a + side, b : b + side] for a in tops for b in lefts])
