"""Noise as phones leave it, taken away at two sizes.

A phone's own denoiser and its JPEG have smoothed the noise: little is left that is finer than a
few pixels, and what is left is not white, so that the photo is no state x_t of the diffusion. At a
quarter of its size it nearly is: the coarse octaves become the fine ones there, and their level is
what `estimate_noise_spectrum` found, divided by four. So the coarse noise, colour blotches above
all, is taken away there, and the fine noise at full size.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations import GaussianNoise
from gdp_lite.estimators.noise_spectrum import NoiseSpectrum
from gdp_lite.image import LUMA
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore

# Times the levels that were found: noise that is not white is seen through only from above its
# rms. Chosen on nine captures of the development scenes; no script repeats that choice yet, and
# benchmarks/phone_noise.py reports others.
COARSE, FINE = 0.7, 1.5
LEAST = 0.5 / 255  # display range: less is rounding, and no call is spent on it
SMALL = 4  # how much smaller the coarse noise is looked at
ALLOWED = 1.3  # times the level, of what may be taken away; 1.0 costs 0.05 dB
BOX = 15  # pixels: where the change is compared with the noise


def denoise_coarse(
    y: Tensor, noise: NoiseSpectrum, prior: Denoiser, strength: float = 1.0
) -> Tensor:
    """y without the noise of its coarse octaves, by five calls at a quarter of its size.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    noise : what y has, as `estimate_noise_spectrum` found it.
    prior : see `Denoiser`.
    strength : trust in the photo, see `restore`.

    Returns
    -------
    Shaped like y.

    Examples
    --------
    >>> import math
    >>> from gdp_lite.estimators import Estimate
    >>> bands = torch.tensor([[0.01, 0.02, 0.05, 0.1]] * 2)
    >>> noise = NoiseSpectrum(bands, Estimate(0.02, math.inf), 1.0)
    >>> y = 0.5 + 0.1 * torch.randn(1, 3, 16, 16).repeat_interleave(4, 2).repeat_interleave(4, 3)
    >>> smooth = lambda x, sigma: x.mean((2, 3), keepdim=True).expand_as(x)
    >>> bool(denoise_coarse(y, noise, smooth).std() < y.std())
    True
    """
    height, width = y.shape[-2:]
    level = COARSE / SMALL * float(noise.bands[:, 2:].square().mean(1).amax().sqrt())
    if level < LEAST or min(height, width) < 2 * SMALL:
        return y
    size = [max(round(n / SMALL), 1) for n in (height, width)]
    small = functional.interpolate(y, size, mode="bicubic", antialias=True)
    change = (
        restore(small, GaussianNoise(level, coded=True), prior, strength=strength).image - small
    )
    return y + functional.interpolate(change, (height, width), mode="bicubic")


def denoise_fine(
    y: Tensor,
    noise: NoiseSpectrum,
    prior: Denoiser,
    strength: float = 1.0,
    generator: Generator | None = None,
) -> Tensor:
    """y without the noise of its two fine octaves, by five calls at its own size.

    Parameters and result are those of `denoise_coarse`.

    Examples
    --------
    >>> import math
    >>> from gdp_lite.estimators import Estimate
    >>> noise = NoiseSpectrum(torch.full((2, 4), 0.1), Estimate(0.1, math.inf), 1.0)
    >>> y = 0.5 + 0.1 * torch.randn(1, 3, 64, 64)
    >>> smooth = lambda x, sigma: x.mean((2, 3), keepdim=True).expand_as(x)
    >>> bool(denoise_fine(y, noise, smooth).std() < 0.03)
    True
    """
    level = FINE * noise.level(slice(0, 2))
    if level < LEAST:
        return y
    degradation = GaussianNoise(level, coded=True)
    x = restore(y, degradation, prior, strength=strength, generator=generator).image
    return limit_change(y, x, ALLOWED * noise.level(slice(0, 2)) / strength**0.5)


def limit_change(y: Tensor, x: Tensor, level: float) -> Tensor:
    """x, drawn towards y where their difference is stronger than noise of that level.

    What is taken away cannot have been all noise there (Morozov's discrepancy principle, in
    squares of `BOX` pixels): texture that the prior does not know comes back in part.

    Parameters
    ----------
    y, x : (1, 3, H, W), display range: the photo and the restored one.
    level : standard deviation of the noise in luma, in units of one channel.

    Returns
    -------
    Shaped like y.

    Examples
    --------
    >>> noise = 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> gone = noise - limit_change(noise, torch.zeros_like(noise), 0.05)
    >>> round(float(gone.std()), 2)
    0.05
    """
    difference = x - y
    weights = y.new_tensor(LUMA)
    luma = torch.einsum("c,bchw->bhw", weights / weights.norm(), difference)[:, None]
    reach = min(BOX, *(n - 1 + n % 2 for n in y.shape[-2:]))  # odd
    power = functional.avg_pool2d(luma.square(), reach, 1, reach // 2, count_include_pad=False)
    return y + (level / power.sqrt().clamp(min=1e-6)).clamp(max=1) * difference
