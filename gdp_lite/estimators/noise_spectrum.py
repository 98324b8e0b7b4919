"""The spectrum of a photo's noise, octave by octave, of luma and of chroma, and if it is any.

Noise that a phone's denoiser and JPEG have passed is coarse: the finest wavelets hold none. Where
a photo is flattest the octaves still tell its level; whether it is noise at all, and not fine
texture, is told by the shape over scales, chroma against luma, how even and how directed the
flattest tiles are, and how the octaves go along with each other. A small network tells both from
such numbers (`noise_statistics`); benchmarks/noise_spectrum.py fitted it to simulated captures
(`gdp_lite.book.phone`) and to photos without noise, to no photo that a table reports.
"""

import math
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.estimators.estimate import Estimate
from gdp_lite.estimators.noise import estimate_flat_noise, tails
from gdp_lite.estimators.noise_statistics import PLANES, SHARES, noise_statistics, of_colours
from gdp_lite.image import check_one_photo
from gdp_lite.kept_colour import NEARLY, is_grey

WINDOW, ACROSS = 256, 4  # pixels; windows along each axis at most
# The quantile of the windows' levels that is noise alone, and by how much the noise of others may
# be stronger, as they are brighter or darker; what is more is texture.
QUIETEST, BRIGHTER = 0.2, 1.5
LEAST = 1 / 255  # display range: what is less nobody sees
# Log odds of noise: per logarithm of the ISO, from one at which both are as likely; and, where the
# ISO is not known, less for each level of 255 above what phones leave (real pairs have 3 to 7).
# Set by hand, with the ten phone files in view. What others do to captures of train/large, whose
# scenes the network has seen, is in benchmarks/estimator_constants.py: their ISO is the same with
# noise and without, so PER_ISO can only cost: of 17 noisy ones 15 are found, 17 with 0.
PER_ISO, MIDDLE_ISO, TOO_MUCH, USUAL = 1.2, 400, 0.25, 7.0
# More for each level of 255 by which coarse noise is stronger in colour than in brightness: detail
# is not, where a photo is quietest.
PER_BLOTCH = 0.5
# Less in a photo without colour, which cannot tell. Of 19 scenes of train/large in grey, without
# noise, 3 are then taken for noisy, by a share, without this 5; of 17 noisy captures 9 are found,
# without this 17 (benchmarks/estimator_constants.py).
WITHOUT_COLOUR = 2.0
# White noise, looked for in the middle: where the finest wavelets are least, photos without it
# have 6.75 of 255 at most (`tasks.TEXTURE`, benchmarks/do_no_harm.py), phone files hardly 1.5.
WHITE, MIDDLE = 7 / 255, 1024
# Most that `tails` of such noise has. Photos of train/val with white noise have less than 1.25, in
# JPEGs too; pages of print, no square of which is empty, more than 1.6 (tests/test_phone_noise.py).
GAUSSIAN = 1.4
# Display range: what is louder the network is shown with half of the contrast, or a quarter, as it
# has seen hardly more. Looked at once, white noise of 50 of 255 in a JPEG is worth 0.6 dB less than
# if its spectrum were told, and a phone's at ISO 12800 1.0, with 20 of 255 0.1 and 0.5; 15 and 25
# are much the same (benchmarks/estimator_constants.py).
LOUDEST, FAINTEST = 20 / 255, 0.25
OFFSET = 0.4  # of 255, added to a level before its logarithm: what is below is rounding


class NoiseSpectrum(NamedTuple):
    """What `estimate_noise_spectrum` found.

    Parameters
    ----------
    bands : (2, 4), display range, of luma and of each of two chroma planes, orthonormal, from the
        finest octave (1/4 cycle a pixel and more) to the coarsest (1/32 to 1/16): white noise of
        standard deviation s reads s in all.
    rms : of the luma, in units of one channel, all four octaves; ``std``: between the windows.
    present : the probability that this is noise, and at least 1 of 255.

    Examples
    --------
    >>> white = NoiseSpectrum(torch.full((2, 4), 0.02), Estimate(0.02, math.inf), 1.0)
    >>> round(white.level(slice(0, 4)), 3)
    0.02
    """

    bands: Tensor
    rms: Estimate
    present: float

    def numbers(self) -> dict[str, Any]:
        """What it holds, for a report."""
        return {"bands": self.bands.tolist(), "present": self.present}

    def level(self, octaves: slice) -> float:
        """Standard deviation of the luma's noise in those octaves alone."""
        shares = torch.tensor(SHARES)[octaves]
        return float((self.bands[0, octaves].square() * shares).sum().sqrt())


def estimate_noise_spectrum(y: Tensor, iso: float | None = None) -> NoiseSpectrum:
    """How much noise a photo has in each octave, and whether it is noise.

    Parameters
    ----------
    y : (1, 3, H, W), display range. Of a large one 16 windows are looked at, about a second.
    iso : the sensitivity that the file states, a hint of whether there is noise.

    Returns
    -------
    A `NoiseSpectrum`; nothing, with probability 0, where the photo is too small, black or clipped
    nearly everywhere.

    Raises
    ------
    ValueError : for anything but one photo.

    Examples
    --------
    >>> noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    >>> found = estimate_noise_spectrum(0.5 + 0.1 * noise)
    >>> tuple(found.bands.shape), found.present > 0.5
    ((2, 4), True)
    """
    check_one_photo(y)
    grey = is_grey(y, NEARLY)
    windows = _windows(y.detach().float().cpu())
    for scattered in (False, True):  # of dark and very noisy photos no tile is free of black pixels
        if (told := _told(windows, grey, scattered)) is not None:
            break
    else:
        return NoiseSpectrum(torch.zeros(2, 4), Estimate(0.0, math.inf), 0.0)
    levels, spread, odds = told
    if iso is not None and iso > 0:
        odds += PER_ISO * math.log(min(max(iso, 25), 6400) / MIDDLE_ISO)
    else:
        odds -= TOO_MUCH * max(255 * float(levels[8]) - USUAL, 0)
    luma, chroma = (255 * levels[k : k + 2].square().mean().sqrt() for k in (2, 6))
    odds += PER_BLOTCH * max(float(chroma - luma), 0)
    odds -= WITHOUT_COLOUR * grey
    present = 1 / (1 + math.exp(min(-odds, 500)))
    contrast = 1.0
    while contrast * levels[8] > LOUDEST and contrast > FAINTEST:
        contrast /= 2
        louder = _told(windows, grey, scattered, contrast)
        assert louder is not None  # the same tiles tell
        levels, spread = louder[0] / contrast, louder[1]
    bands, rms, middle = levels[:8].view(2, 4), float(levels[8]), _middle(y)
    # Of a sensor or a scanner: no phone's denoiser saw it. Print is as fine, but not Gaussian.
    if estimate_flat_noise(middle) > WHITE and tails(middle) < GAUSSIAN:
        planes = torch.einsum("ij,bjhw->bihw", middle.new_tensor(PLANES), middle)
        least, in_colour = (float(estimate_flat_noise(part)) for part in planes.split((1, 2), 1))
        # Each for itself: a JPEG has taken the finest octaves of colour.
        bands = bands.maximum(torch.tensor([[least], [0.0 if grey else in_colour]]))
        rms, present = max(rms, least), 1.0
    std = spread * rms if spread < math.inf else math.inf
    return NoiseSpectrum(bands, Estimate(rms, std), present)


def _told(
    windows: list[Tensor], grey: bool, scattered: bool, contrast: float = 1.0
) -> tuple[Tensor, float, float] | None:
    """What the network says: the nine levels, the share by which the last one varies, log odds.

    None where no window has tiles that tell. The rest is as in `noise_statistics`.
    """
    seen = [noise_statistics(window, scattered, contrast) for window in windows]
    known = [statistics for statistics in seen if statistics is not None]
    if not known:
        return None
    fitted = _fitted()
    z = (torch.stack(known) - fitted["mean"]) / fitted["spread"]
    if grey:  # it has no colours that would tell noise from detail: as if they were the usual ones
        z[:, of_colours()] = 0.0
    told = network_output(fitted, z)  # (windows, 10)
    # Texture adds to what it is told, noise is alike everywhere: the windows with least tell it.
    quiet = told[:, 8] <= told[:, 8].quantile(QUIETEST) + math.log(BRIGHTER)
    levels = (told[quiet, :9].mean(0).exp() - OFFSET).clamp(min=0) / 255
    if grey:
        levels[4:8] = 0.0
    spread = float(told[quiet, 8].std()) if int(quiet.sum()) > 1 else math.inf
    return levels, spread, float(told[quiet, 9].mean()) if levels[8] >= LEAST else -math.inf


def _middle(y: Tensor) -> Tensor:
    top, left = (max(n - MIDDLE, 0) // 2 for n in y.shape[-2:])
    return y[..., top : top + MIDDLE, left : left + MIDDLE]


def _windows(y: Tensor) -> list[Tensor]:
    height, width = y.shape[-2:]
    tops, lefts = (
        torch.linspace(0, max(n - WINDOW, 0), min(-(-n // WINDOW), ACROSS)).long().unique()
        for n in (height, width)
    )
    return [y[..., t : t + WINDOW, u : u + WINDOW] for t in tops for u in lefts]


def network_output(arrays: dict[str, Tensor], z: Tensor) -> Tensor:
    """Logarithms of the nine levels, each of 255 and `OFFSET` more, and log odds of noise.

    arrays: of noise_spectrum.npz; z: `noise_statistics` in standard deviations, (n, k) -> (n, 10).
    """
    layers = sum(name.startswith("weight") for name in arrays)
    z = z.clamp(-4, 4)
    for n in range(layers):
        z = functional.linear(functional.gelu(z) if n else z, *_layer(arrays, n))
    return z


def _layer(arrays: dict[str, Tensor], n: int) -> tuple[Tensor, Tensor]:
    return arrays[f"weight_{n}"], arrays[f"bias_{n}"]


@cache
def _fitted() -> dict[str, Tensor]:
    with files("gdp_lite.estimators").joinpath("noise_spectrum.npz").open("rb") as file:
        return {k: torch.from_numpy(v).float() for k, v in np.load(file).items()}
