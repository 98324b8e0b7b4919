"""Noise as phones leave it, made white, so that the photo is a state of the diffusion.

A phone's own denoiser and its JPEG have smoothed the noise: what is left is coarse and coloured,
and to a prior that was trained on white noise it is detail. So the noise is completed. To
y = x + n, n Gaussian with covariance C, add nu with covariance sigma^2 I - C: the sum is x with
white noise of level sigma, and the prior's guess from it is exact, E[x | y + nu]. What nu hid is
told again by -nu, which is as likely: the two guesses are averaged.

Whether n is noise, and not fine texture, is itself known with a probability p only. By the law of
total expectation E[x | y] = p E[x | y, noise] + (1 - p) y: so much of the noise is taken away.
"""

import math
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations import GaussianNoise
from gdp_lite.estimators.noise_spectrum import NoiseSpectrum
from gdp_lite.estimators.noise_statistics import ENDS, PLANES
from gdp_lite.image import LUMA
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore

LEAST = 0.5 / 255  # display range: less is rounding, and no call is spent on it
# Times the level, of what may be taken away: neither 1.3 nor 1.6 changes the captures' gain; it is
# for photos that were taken for noisy (benchmarks/phone_noise.py).
ALLOWED = 1.3
# Noise in colour that is stronger than that of luma by this has a level of its own
# (benchmarks/phone_noise.py --constants).
LOUDER = 1.2
PERIOD = 576  # pixels after which what is added repeats itself; even, and more than tiles share
# Pixels: where the change is compared with the noise. With 7, 31 and all of a crop photos come out
# the same to 0.01 dB, noisy, and sharp but taken for noisy (benchmarks/package_constants.py).
BOX = 15
# Frequencies at which the octaves' levels hold; between them the logarithms are lines.
CENTRES = tuple(math.sqrt(low * min(high, 0.5)) for high, low in pairwise(ENDS[:5]))


def denoise(
    y: Tensor,
    noise: NoiseSpectrum,
    prior: Denoiser,
    strength: float = 1.0,
    seed: int = 0,
    corner: tuple[int, int] = (0, 0),
) -> Tensor:
    """y without its noise, by two calls of the prior; by one where the noise is white.

    Where colour is noisier than brightness it is asked for at its own level, by two more.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    noise : what y has, as `estimate_noise_spectrum` found it; of the change that this asks for, the
        share ``noise.present`` is made.
    prior : see `Denoiser`.
    strength : trust in the photo: its noise has 1 / strength of the variance.
    seed : of what completes the noise.
    corner : top and left of y in a larger photo; neighbours then share what is added.

    Returns
    -------
    Shaped like y; y itself where the noise is less than rounding.

    Examples
    --------
    >>> from gdp_lite.estimators import Estimate
    >>> noise = NoiseSpectrum(torch.full((2, 4), 0.1), Estimate(0.1, math.inf), 1.0)
    >>> y = 0.5 + 0.1 * torch.randn(1, 3, 64, 64)
    >>> smooth = lambda x, sigma: x.mean((2, 3), keepdim=True).expand_as(x)
    >>> bool(denoise(y, noise, smooth).std() < 0.03)
    True
    """
    bands = noise.bands / strength**0.5
    luma, chroma = (float(row.max()) for row in bands)
    if max(luma, chroma) < LEAST:
        return y
    x = y if luma < LEAST else _asked(y, bands, luma, prior, seed, corner)
    if chroma > LOUDER * luma:
        x = _with_colour(x, _asked(y, bands, chroma, prior, seed + 1, corner))
    x = limit_change(y, x, ALLOWED * float(noise.rms) / strength**0.5)
    return x if noise.present == 1 else y + noise.present * (x - y)


def denoising_calls(noise: NoiseSpectrum) -> int:
    """How many calls of the prior `denoise` takes.

    Examples
    --------
    >>> from gdp_lite.estimators import Estimate
    >>> denoising_calls(NoiseSpectrum(torch.full((2, 4), 0.1), Estimate(0.1, math.inf), 1.0))
    1
    """
    luma, chroma = (float(row.max()) for row in noise.bands)
    loud = chroma > LOUDER * luma
    return sum(
        1 + bool((noise.bands < level).any()) for level in ((luma, chroma) if loud else (luma,))
    )


def _asked(
    y: Tensor,
    bands: Tensor,
    level: float,
    prior: Denoiser,
    seed: int,
    corner: tuple[int, int],
) -> Tensor:
    """The mean of the guesses from y + nu and y - nu, white noise of that level in both."""
    rows, columns = (
        (torch.arange(n) + first) % PERIOD for n, first in zip(y.shape[-2:], corner, strict=True)
    )
    nu = completion(bands, level, seed)[..., rows[:, None], columns].to(y)
    signs = (1, -1) if bool((bands < level).any()) else (1,)
    degradation = GaussianNoise(level)
    guesses = [restore(y + sign * nu, degradation, prior, steps=1).image for sign in signs]
    return torch.stack(guesses).mean(0)


def _with_colour(x: Tensor, other: Tensor) -> Tensor:
    """x with the chroma planes of another image."""
    luma = x.new_tensor(PLANES[0])
    grey = torch.einsum("c,bchw->bhw", luma, x - other)[:, None]
    return other + luma.view(3, 1, 1) * grey


def completion(bands: Tensor, level: float, seed: int = 0) -> Tensor:
    """Noise that, added to noise with those octaves, makes it white.

    Parameters
    ----------
    bands : (2, 4), display range, as in `NoiseSpectrum`.
    level : of the white noise, display range; where a band exceeds it, nothing is added.
    seed : of the noise.

    Returns
    -------
    (1, 3, 576, 576), which goes on without a seam where it is repeated.

    Examples
    --------
    >>> white = torch.full((2, 4), 0.1)
    >>> bool(completion(white, 0.1).abs().max() < 0.001)
    True
    """
    fresh = torch.randn((3, PERIOD, PERIOD), generator=Generator().manual_seed(seed))
    radius = torch.hypot(torch.fft.fftfreq(PERIOD)[:, None], torch.fft.rfftfreq(PERIOD))
    there = torch.stack([_between(row, radius) for row in bands.float().cpu()])[[0, 1, 1]]
    missing = (level**2 - there.square()).clamp(min=0).sqrt()
    planes = torch.fft.irfft2(torch.fft.rfft2(fresh) * missing, s=(PERIOD, PERIOD))
    return torch.einsum("ji,jhw->ihw", torch.tensor(PLANES), planes)[None]


def _between(levels: Tensor, radius: Tensor) -> Tensor:
    """Levels of four octaves at any frequency; beyond the outer two theirs."""
    logs = levels.clamp(min=1e-6).log()
    at = radius.clamp(CENTRES[3], CENTRES[0]).log()
    out = torch.zeros_like(at)
    for k in range(3):
        high, low = math.log(CENTRES[k]), math.log(CENTRES[k + 1])
        share = (at - low) / (high - low)
        inside = (share >= 0) & (share <= 1)
        out = torch.where(inside, logs[k + 1] + share * (logs[k] - logs[k + 1]), out)
    return out.exp()


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
