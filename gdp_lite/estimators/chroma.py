"""Which colour cast suits all of a photo's colours: a convolution of their histograms.

In light a cast shifts the log chroma u = log G - log R and v = log G - log B of every pixel by the
same two numbers. So the score of a cast is a sum over pixels of a filter that is shifted by it:
convolutional colour constancy (Barron, ICCV 2015). Five histograms have a filter each: those of all
pixels, of the bright, the clipped, the dark ones, and of differences between neighbours. The
filters, in chroma.npz, are fitted to good photos with random casts, together with the brightest
value of each channel (`gdp_lite.estimators.anchors`): benchmarks/casts.py --fit.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

BINS, WIDTH = 64, 1 / 16  # each way; of a bin, in logarithms: up to 2 either side of grey
SIDE = 128  # pixels of the longer side, at most twice as many: histograms need no more
# In light: what is darker is mostly rounding, what is brighter may have been clipped. By hand.
DARK, CLIPPED = 0.002, 0.978
BRIGHT = 0.95  # the quantile of brightness from which a pixel counts as bright; by hand


def score(light: Tensor, clipped: bool = True) -> Tensor:
    """Log likelihood of each cast, by the histograms, up to a constant; (64, 64).

    Parameters
    ----------
    light : (B, 3, H, W), linear, white 1; one cast for all.
    clipped : whether values near white may have been clipped.

    Returns
    -------
    Its rows are the casts' u, its columns v, from -2 in steps of 1/16; `at` reads it.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> grey = 0.1 + 0.5 * torch.rand(1, 1, 64, 64, generator=generator).expand(1, 3, 64, 64)
    >>> gains = torch.tensor([[1.0, 1.0, 1.0], [1.2, 1.0, 0.8]])
    >>> none, its_own = at(score(grey * gains[1].view(3, 1, 1)), gains.log())
    >>> bool(its_own > none)
    True
    """
    filters, start = _model()
    return correlated(histograms(light, clipped).sqrt(), filters) + start


def correlated(roots: Tensor, filters: Tensor) -> Tensor:
    """Each histogram with its filter, shifted by every cast, summed: (..., 64, 64).

    roots: square roots of histograms; in the middle of the result nothing is shifted.
    """
    both = (torch.fft.rfft2(roots) * torch.fft.rfft2(filters).conj()).sum(-3)
    return torch.fft.irfft2(both, s=(BINS, BINS)).roll((BINS // 2, BINS // 2), (-2, -1))


def at(scores: Tensor, log_gains: Tensor) -> Tensor:
    """The score of casts, (n, 3) -> (n,), linear between the grid's; its border beyond."""
    u, v = log_gains[:, 1] - log_gains[:, 0], log_gains[:, 1] - log_gains[:, 2]
    place = torch.stack([v, u], -1).to(scores) / WIDTH + BINS // 2  # columns come first there
    place = 2 * place / (BINS - 1) - 1
    image = scores.view(1, 1, BINS, BINS)
    values = functional.grid_sample(
        image, place.view(1, -1, 1, 2), padding_mode="border", align_corners=True
    )
    return values.flatten().to(log_gains)


def histograms(light: Tensor, clipped: bool = True) -> Tensor:
    """Of all, bright, clipped and dark pixels and of differences, each of sum 1; (5, 64, 64).

    The clipped ones' counts for less where they are less than 2% of the photo. light, clipped: as
    in `score`.
    """
    light = light.detach().float().cpu()
    shrink = max(max(light.shape[-2:]) // SIDE, 1)
    c = functional.avg_pool2d(light, [min(shrink, n) for n in light.shape[-2:]]).transpose(0, 1)
    brightness = c.mean(0)
    white = (c >= CLIPPED).any(0) & clipped
    told = (c >= DARK).all(0)
    kept = brightness[~white] if bool((~white).any()) else brightness
    top, middle = torch.quantile(kept, kept.new_tensor([BRIGHT, 0.5]))
    here, right, below = c[..., 1:, 1:], c[..., 1:, :-1], c[..., :-1, 1:]
    between = (here - right).abs() + (here - below).abs()
    pixels = [
        c[:, told & ~white],
        c[:, told & ~white & (brightness >= top)],
        c[:, told & white],
        c[:, told & ~white & (brightness < middle)],
        between[:, (between >= DARK).all(0)],
    ]
    shares = c.new_ones(5)
    shares[2] = min(1.0, 50 * float(white.float().mean()))
    return torch.stack([_histogram(p) for p in pixels]) * shares.view(5, 1, 1)


def _histogram(colours: Tensor) -> Tensor:
    """(3, n) -> (64, 64), of sum 1 or, where there is none, 0."""
    r, g, b = colours.log()
    place = (torch.stack([g - r, g - b]) / WIDTH).round().long() + BINS // 2
    rows, columns = place[:, ((place >= 0) & (place < BINS)).all(0)]
    counts = torch.bincount(rows * BINS + columns, minlength=BINS**2).view(BINS, BINS).float()
    return counts / counts.sum().clamp(min=1)


@cache
def _model() -> tuple[Tensor, Tensor]:
    """The filters, (5, 64, 64), and what is added to every photo's score, (64, 64)."""
    with np.load(Path(__file__).parent / "chroma.npz") as file:
        filters, start = (torch.from_numpy(file[name]).float() for name in ("filters", "start"))
    return filters, start
