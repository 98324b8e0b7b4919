"""What the command line's tasks mean: which degradation is assumed, and from where to start."""

import math

import numpy as np
import torch

from gdp_lite.degradations import BlockAverageSameSize, GaussianBlur, GaussianNoise, Inpainting

# What JPEG, and a phone's own noise reduction and sharpening, leave behind: errors too coarse for
# the noise estimate to see. Chosen by eye on phone photos: with 2/255 blotches stay. Deblurring
# amplifies such errors, so it assumes more of them; with 3/255 text gets halos.
CODING_NOISE = 3 / 255
CODING_NOISE_DEBLUR = 5 / 255
ROUNDING_NOISE = 1 / (255 * math.sqrt(12))  # of a file with 8 bits: there is no less


def estimate_noise(image):
    """Standard deviation of white noise in `image`, (1, 3, H, W), display range; a float.

    The median of the finest diagonal wavelet coefficients (scikit-image, Donoho 1994), mean
    over the channels. Noise that JPEG has smoothed, or detail as fine as a pixel, misleads it.
    """
    from skimage.restoration import estimate_sigma

    array = image[0].permute(1, 2, 0).cpu().numpy()
    if min(array.shape[:2]) < 4:  # too small for a wavelet
        return 0.0
    estimate = float(np.mean(estimate_sigma(array, channel_axis=-1)))
    return estimate if math.isfinite(estimate) else 0.0


def degradation_for(task, image, noise=None, blur=0.6, factor=2, mask=None):
    """The degradation that `task` assumes of a photo, and the sampler's starting noise level.

    task: a key of `gdp_lite.cli.TASKS`. image: (1, 3, H, W), display range. noise: standard
    deviation in display range, None to estimate it. Returns (degradation, start_sigma).
    Raises ValueError for a mask that is missing or not asked for.
    """
    if (mask is None) == (task == "inpaint"):
        raise ValueError("--task inpaint and --mask belong together: give both or neither")
    if noise is None:
        coding = CODING_NOISE_DEBLUR if task == "deblur" else CODING_NOISE
        sigma = math.hypot(estimate_noise(image), coding)
    else:
        sigma = max(noise, ROUNDING_NOISE)
    if task == "denoise":
        return GaussianNoise(sigma), max(2 * sigma, 0.02)
    if task == "deblur":
        return GaussianBlur(2 * math.ceil(3 * blur) + 1, blur, sigma), 0.1
    if task == "superres":
        return BlockAverageSameSize(factor, sigma), 0.05 * factor
    if task == "inpaint":
        return Inpainting(mask, sigma), 1.0
    raise ValueError(f"unknown task {task!r}")


def pick_device(name):
    """The device of that name; for "auto" CUDA, Apple's MPS or the CPU. Raises ValueError."""
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"the device {name!r} is not available here") from error
    return name
