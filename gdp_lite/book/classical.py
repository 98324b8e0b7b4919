"""The classical chain for a phone's photo, told the same Phi as the restoration.

Non-local means of luma at full size and of chroma at a quarter, each told the noise of its plane;
then, where softness was found, Richardson-Lucy with its kernel. Light is undone before, by the same
function for both (`gdp_lite.restoring.relit`).
"""

import math

import numpy as np
import torch
from skimage import restoration
from skimage.color import rgb2ycbcr, ycbcr2rgb
from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations import gaussian_kernel
from gdp_lite.diagnosis import Diagnosis
from gdp_lite.estimators import NoiseSpectrum
from gdp_lite.restoring import amplified

# Multiples of a phone's noise as found: benchmarks/real_photos.py --tune.
NLM_LUMA, NLM_CHROMA, SMALL = 0.7, 0.2, 4
RL_STEPS = 5  # benchmarks/softness.py --tune: a compromise between blurred photos and captures


def as_image(array: np.ndarray) -> Tensor:
    """(H, W, 3) as scikit-image gives it -> (1, 3, H, W) float32."""
    return torch.tensor(np.asarray(array)).float().permute(2, 0, 1)[None]


def non_local(
    x: Tensor, noise: NoiseSpectrum, luma: float = NLM_LUMA, chroma: float = NLM_CHROMA
) -> Tensor:
    """Non-local means of luma at full size and of chroma at a quarter, h told by the noise.

    Parameters
    ----------
    x : (1, 3, H, W), display range.
    noise : its octaves.
    luma, chroma : h, as multiples of the plane's noise.

    Returns
    -------
    Shaped like x, in [0, 1].

    Examples
    --------
    >>> from gdp_lite.estimators import Estimate
    >>> noise = NoiseSpectrum(torch.full((2, 4), 0.05), Estimate(0.05, math.inf), 1.0)
    >>> y = 0.5 + 0.05 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> bool(non_local(y, noise).std() < y.std())
    True
    """
    ycc = rgb2ycbcr(x[0].permute(1, 2, 0).numpy())  # luma 16 to 235
    levels = (
        219 * float(noise.bands[0, :3].square().mean().sqrt()),
        224 * float(noise.bands[1].square().mean().sqrt()),
    )
    options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    if luma * levels[0] > 0.1:
        h = luma * levels[0]
        ycc[..., 0] = restoration.denoise_nl_means(ycc[..., 0], h=h, sigma=0, **options)
    if chroma * levels[1] > 0.1:
        full = torch.from_numpy(ycc[..., 1:]).permute(2, 0, 1)[None]
        size = [max(n // SMALL, 1) for n in full.shape[-2:]]
        small = functional.interpolate(full, size, mode="area")
        array = small[0].permute(1, 2, 0).numpy()
        quiet = restoration.denoise_nl_means(
            array, h=chroma * levels[1], sigma=0, channel_axis=-1, **options
        )
        change = torch.from_numpy(quiet).permute(2, 0, 1)[None] - small
        full = full + functional.interpolate(change, full.shape[-2:], mode="bicubic")
        ycc[..., 1:] = full[0].permute(1, 2, 0).numpy()
    return as_image(ycbcr2rgb(ycc)).clamp(0, 1)


def classical(z: Tensor, gain: Tensor, diagnosis: Diagnosis, kinds: list[str]) -> Tensor:
    """A photo in good light without its noise and softness, by classical tools.

    Of each the share ``present`` is undone, as the package does it.

    Parameters
    ----------
    z : (1, 3, H, W), display range, as `relit` gives it.
    gain : (1, 1, H, W), by how much the noise has grown in it, as well.
    diagnosis : of the photo.
    kinds : what is to be undone.

    Returns
    -------
    Shaped like z, in [0, 1].

    Examples
    --------
    >>> from gdp_lite.diagnosis import diagnose
    >>> z = torch.full((1, 3, 32, 32), 0.5)
    >>> bool(torch.equal(classical(z, torch.ones(1, 1, 32, 32), diagnose(z), []), z))
    True
    """
    x = z.clamp(0, 1)
    if "noise" in kinds:
        noise = amplified(diagnosis.noise, float(gain.mean()))
        x = x + noise.present * (non_local(x, noise) - x)
    if "softness" in kinds:
        width = max(float(diagnosis.findings["softness"].estimate), 0.3)
        kernel = gaussian_kernel(2 * math.ceil(3 * width) + 1, width).numpy()
        parts = [restoration.richardson_lucy(c.numpy(), kernel, num_iter=RL_STEPS) for c in x[0]]
        sharp = as_image(np.dstack(parts)).clamp(0, 1)
        x = x + diagnosis.softness.present * (sharp - x)
    return x
