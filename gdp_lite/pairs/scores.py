"""How near a picture is to the true one: PSNR, SSIM, HaarPSI, and LPIPS where it can be had.

All of pictures with 8 bits, as a file would hold them, in display range.
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.image import from_uint8, to_model, to_uint8
from gdp_lite.prior_files.places import answers

NAMES = ("psnr", "ssim", "haarpsi", "lpips")
HEADS = {"psnr": "PSNR, dB", "ssim": "SSIM", "haarpsi": "HaarPSI", "lpips": "LPIPS (VGG)"}
LOWER = ("lpips",)  # is better
MOST = 100.0  # dB, for equal pictures: a mean over pictures should stay a number
_BACKBONE = "https://download.pytorch.org"
_SMALLEST = {"ssim": 11, "haarpsi": 16, "lpips": 16}  # pixels


class Scores:
    """The scores that can be computed here, for pictures (1, 3, H, W) of one size.

    Parameters
    ----------
    say : called with a line about each score that cannot.

    Examples
    --------
    >>> x = torch.zeros(1, 3, 8, 8)
    >>> round(Scores()(x + 51 / 255, x)["psnr"], 1)
    14.0
    """

    def __init__(self, say: Callable[[str], object] = lambda line: None):
        self._perceptual: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        for name, load in (("haarpsi", _haarpsi), ("lpips", _lpips)):
            try:
                self._perceptual[name] = load()
            except ImportError as error:
                package = "piq" if name == "haarpsi" else "lpips"
                say(f"{HEADS[name]} is left out: `pip install {package}` ({error})")
            except (OSError, RuntimeError, ValueError):
                say(f"{HEADS[name]} is left out: its weights are not here and cannot be fetched")

    @property
    def names(self) -> list[str]:
        """Of those that can be computed."""
        return [name for name in NAMES if name in (*self._perceptual, "psnr", "ssim")]

    def __call__(self, image: Tensor, truth: Tensor) -> dict[str, float]:
        """By name; a picture that is too small for one has none of it."""
        x, y = to_uint8(image), to_uint8(truth)
        error = float(np.mean((x.astype(np.float64) - y) ** 2)) / 255**2
        found = {"psnr": MOST if error == 0 else min(MOST, float(-10 * np.log10(error)))}
        least = min(x.shape[:2])
        if least >= _SMALLEST["ssim"]:
            # Wang et al. 2004: Gaussian windows of 1.5 pixels, each channel, the mean.
            found["ssim"] = float(
                structural_similarity(
                    *(x, y), channel_axis=2, gaussian_weights=True, use_sample_covariance=False
                )
            )
        for name, score in self._perceptual.items():
            if least >= _SMALLEST[name]:
                found[name] = float(score(from_uint8(x), from_uint8(y)))
        return found


def _haarpsi() -> Callable[[Tensor, Tensor], Tensor]:
    repair_torchvision()
    import piq

    return lambda x, y: piq.haarpsi(x, y, data_range=1.0)


def _lpips() -> Callable[[Tensor, Tensor], Tensor]:
    """A random backbone would give numbers without meaning, so that there is none instead."""
    repair_torchvision()
    import lpips

    here = Path(torch.hub.get_dir()) / "checkpoints"
    if not any(here.glob("vgg16-*.pth")) and not answers(_BACKBONE):
        raise OSError("no network")
    with redirect_stdout(sys.stderr):  # where torch tells of a download; stdout is the table's
        network = lpips.LPIPS(net="vgg", verbose=False).eval().requires_grad_(False)
    return lambda x, y: network(to_model(x), to_model(y))
