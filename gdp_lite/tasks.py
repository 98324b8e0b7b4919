"""What the command line's tasks mean: which degradation is assumed, and from where to start."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations import (
    BlockAverageSameSize,
    Degradation,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
)
from gdp_lite.estimators import estimate_blur_width, estimate_flat_noise, estimate_noise
from gdp_lite.estimators.blur import sharpest_width

# What JPEG, and a phone's own noise reduction and sharpening, leave behind: errors too coarse for
# the noise estimate to see. With 4/255 photos with coarse noise gain 0.35 dB more
# (benchmarks/estimator_constants.py), but one clean photo comes back to 39.6 dB and no longer to 40
# (benchmarks/do_no_harm.py). Deblurring amplifies such errors, so it assumes more of them: with
# 3/255 it gains as much, and by eye text gets halos; with 8/255 it gains less.
CODING_NOISE = 3 / 255
CODING_NOISE_DEBLUR = 5 / 255
# The same in the square that has most. Blocks in a JPEG that passes the other leave up to 6.4; a
# sharp corner of a smooth photo has 8 to 50, or nothing that could be lost (benchmarks/blocky.py).
BLOCKY_HERE = 7 / 255
SQUARE = 32  # pixels, a multiple of every factor
SHARP = 0.7  # pixels: what is less may be the scene's softness, and sharpening would be harm
BLOCKY = 2.5 / 255  # detail inside blocks that rounding and JPEG may have left: 40 dB
# What `estimate_flat_noise` finds in photos that have none, at most: fine texture, in quadrature.
# Chosen so that clean photos come back to 40 dB (benchmarks/do_no_harm.py).
TEXTURE = 6.75 / 255
# JPEG leaves the coarse part of the noise, which the finest wavelets do not see. Such noise is not
# white, and a few steps from a little above it take away more of it (benchmarks/noise_steps.py).
LOSSY, LOSSLESS = 1.9, 1.1
ROUNDING_NOISE = 1 / (255 * math.sqrt(12))  # of a file with 8 bits: there is no less


def degradation_for(
    task: str,
    image: Tensor,
    noise: float | None = None,
    blur: float | None = None,
    factor: int = 2,
    mask: Tensor | None = None,
    lossy: bool = True,
) -> Degradation:
    """The degradation that `task` assumes of a photo.

    task: a key of `gdp_lite.cli.TASKS`. image: (1, 3, H, W), display range. noise: standard
    deviation in display range, blur: width in pixels; None to estimate them. lossy: whether the
    file was a JPEG or the like. A photo that is sharp already, or has a part that is, is assumed
    to be only noisy.
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
        sigma = math.hypot(estimate_noise(image, coded=lossy), coding)
    else:
        sigma = max(noise, ROUNDING_NOISE)
    if task == "denoise":
        return GaussianNoise(sigma, coded=lossy)
    if task == "deblur":
        if blur is None:
            blur = _width(image, lossy, noise or 0.0)
            if blur < SHARP:
                return degradation_for("denoise", image, noise, lossy=lossy)
        return GaussianBlur(2 * math.ceil(3 * blur) + 1, blur, sigma)
    if task == "superres":
        degradation = BlockAverageSameSize(factor, sigma)
        detail = float((image - degradation.A(image)).square().mean().sqrt())
        here = detail_in_blocks(image, factor)
        if detail > max(BLOCKY, 1.5 * (noise or 0)) or here > max(BLOCKY_HERE, 2 * (noise or 0)):
            raise ValueError(
                f"this photo is not made of {factor} x {factor} blocks: detail of "
                f"{255 * here:.1f} of 255 inside them would be lost at worst; use --task "
                "deblur, or --noise if it is noise"
            )
        return degradation
    if mask is not None:
        return Inpainting(mask, sigma)
    raise ValueError(f"unknown task {task!r}")


def detail_in_blocks(image: Tensor, factor: int) -> float:
    """What block averages take away, root mean square, in the square of `SQUARE` that loses most.

    One number for all of a photo would let a sharp corner pass where the rest is smooth.

    Examples
    --------
    >>> smooth = torch.full((1, 3, 256, 256), 0.5)
    >>> smooth[..., :8, :8] = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    >>> detail_in_blocks(smooth, 2) > 10 / 255
    True
    """
    most = 0.0
    for strip in image.split(SQUARE, -2):  # some rows at a time, for memory; whole blocks
        lost = (strip - BlockAverageSameSize(factor).A(strip)).square().mean(1, keepdim=True)
        side = [min(SQUARE, n) for n in lost.shape[-2:]]
        power = functional.avg_pool2d(lost, side, ceil_mode=True)
        most = max(most, float(power.max().sqrt()))
    return most


def _width(image: Tensor, lossy: bool, noise: float) -> float:
    """The blur of the photo in pixels, of its sharpest part; 0 for one too small to tell.

    What is sharp already would get halos (benchmarks/sharp_parts.py).
    """
    if min(image.shape[-2:]) < 16:
        return 0.0
    sigma = estimate_noise(image, coded=lossy)
    part = sharpest_width(image, math.hypot(max(sigma, noise), CODING_NOISE))
    return min(estimate_blur_width(image, sigma), part)


def pick_device(name: str) -> str:
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
