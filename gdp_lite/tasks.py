"""What the command line's tasks mean: which degradation is assumed, and from where to start."""

import math

import numpy as np
import torch

from gdp_lite.blur import estimate_blur_width
from gdp_lite.degradations import BlockAverageSameSize, GaussianBlur, GaussianNoise, Inpainting
from gdp_lite.sampler import usual_steps

# What JPEG, and a phone's own noise reduction and sharpening, leave behind: errors too coarse for
# the noise estimate to see. Chosen by eye on phone photos: with 2/255 blotches stay. Deblurring
# amplifies such errors, so it assumes more of them; with 3/255 text gets halos.
CODING_NOISE = 3 / 255
CODING_NOISE_DEBLUR = 5 / 255
SHARP = 0.7  # pixels: what is less may be the scene's softness, and sharpening would be harm
BLOCKY = 2.5 / 255  # detail inside blocks that rounding and JPEG may have left: 40 dB
# What `estimate_flat_noise` finds in photos that have none, at most: fine texture, in quadrature.
# Chosen so that clean photos come back to 40 dB (benchmarks/do_no_harm.py).
TEXTURE = 6.75 / 255
# JPEG leaves the coarse part of the noise, which the finest wavelets do not see. Such noise is not
# white, and a few steps from a little above it take away more of it (benchmarks/noise_steps.py).
LOSSY, LOSSLESS = 1.9, 1.1
LOSSY_STEPS = 5
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


def estimate_flat_noise(image, tile=16, quantile=0.1):
    """`estimate_noise` where a photo has the least detail: fine texture misleads it less.

    The median in every square of `tile` x `tile` coefficients, then the quantile over the squares;
    it is a few percent low for that, and from 20 of 255 a seventh.
    """
    if min(image.shape[-2:]) < 3 * tile:
        return estimate_noise(image)
    import pywt

    detail = pywt.dwt2(image[0].cpu().numpy(), "db2")[1][2]
    rows, columns = (n // tile for n in detail.shape[-2:])
    squares = np.abs(detail[:, : rows * tile, : columns * tile])
    squares = squares.reshape(3, rows, tile, columns, tile).swapaxes(2, 3).reshape(3, -1, tile**2)
    level = np.quantile(np.median(squares, -1), quantile, -1).mean() / 0.6745
    return float(level) if math.isfinite(level) else 0.0


def degradation_for(task, image, noise=None, blur=None, factor=2, mask=None, lossy=True):
    """The degradation that `task` assumes of a photo.

    task: a key of `gdp_lite.cli.TASKS`. image: (1, 3, H, W), display range. noise: standard
    deviation in display range, blur: width in pixels; None to estimate them. lossy: whether the
    file was a JPEG or the like. A photo that is sharp already is assumed to be only noisy. The
    ``start_sigma`` suits the task.
    Raises ValueError for a mask that is missing or not asked for, and for superres on a photo
    that has detail inside its blocks, which would be lost.
    """
    if (mask is None) == (task == "inpaint"):
        raise ValueError("--task inpaint and --mask belong together: give both or neither")
    if noise is None and task == "denoise":
        noise_alone = max(estimate_flat_noise(image) ** 2 - TEXTURE**2, 0) ** 0.5
        sigma = math.hypot(noise_alone * (LOSSY if lossy else LOSSLESS), CODING_NOISE)
    elif noise is None:
        coding = CODING_NOISE_DEBLUR if task == "deblur" else CODING_NOISE
        sigma = math.hypot(estimate_noise(image), coding)
    else:
        sigma = max(noise, ROUNDING_NOISE)
    if task == "denoise":
        return GaussianNoise(sigma)
    if task == "deblur":
        if blur is None:
            blur = _width(image)
            if blur < SHARP:
                return degradation_for("denoise", image, noise, lossy=lossy)
        degradation, start_sigma = GaussianBlur(2 * math.ceil(3 * blur) + 1, blur, sigma), 0.1
    elif task == "superres":
        degradation, start_sigma = BlockAverageSameSize(factor, sigma), 0.05 * factor
        detail = float((image - degradation.A(image)).square().mean().sqrt())
        if detail > max(BLOCKY, 1.5 * (noise or 0)):
            raise ValueError(
                f"this photo is not made of {factor} x {factor} blocks: detail of "
                f"{255 * detail:.1f} of 255 inside them would be lost; use --task deblur, or "
                "--noise if it is noise"
            )
    elif task == "inpaint":
        degradation, start_sigma = Inpainting(mask, sigma), 1.0
    else:
        raise ValueError(f"unknown task {task!r}")
    degradation.start_sigma = start_sigma
    return degradation


def steps_for(degradation, lossy=True):
    """How many steps `restore` is to take; `usual_steps`, but five for a JPEG that is noisy."""
    if lossy and isinstance(degradation, GaussianNoise):
        return LOSSY_STEPS
    return usual_steps(degradation)


def _width(image):
    """The blur of the photo in pixels; 0 for one that is too small to tell."""
    if min(image.shape[-2:]) < 16:
        return 0.0
    return estimate_blur_width(image, estimate_noise(image))


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
