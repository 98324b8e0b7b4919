"""Lost colour: a person paints strokes over a copy of the photo, and they are carried to the rest.

Which colours a grey photo had, no prior over patches knows. The strokes are a second measurement.
Colour has little detail of its own, so it is found on the photo made small, by the strokes, by
where the grey is alike and by the prior, and joined to the grey, which stays what it is.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations import ChannelMean, Degradation, Strokes
from gdp_lite.degradations.strokes import grey
from gdp_lite.estimators import Estimate
from gdp_lite.findings import Finding
from gdp_lite.image import LUMA
from gdp_lite.kept_colour import NEARLY, is_grey
from gdp_lite.prior import Denoiser
from gdp_lite.sampler import restore

SMALL = 512  # pixels of the longer side on which colours are carried: a linear system of all
NOISE = 2 / 255  # display range: of the grey and of the strokes, as in the gallery
# Share of a small pixel from which a stroke counts there: with 0.5 colours are 0.1 dB worse, with
# 0.125 the same (benchmarks/package_constants.py).
FULL = 0.25
# Display range: on white and black a stroke tells the colour it has this far from them. With 0 the
# colours of a bright photo are 0.3 dB worse, with 0.4 the same (there).
ROOM = 0.2
# Pixels of a square in which colour goes with grey, and the contrast, display range, that it needs:
# of 3, 5, 7 and 0.005 to 0.04 these are nearest to the truth (benchmarks/strokes.py --joined).
REACH, FLAT = 3, 0.04
ROWS = 256  # of a photo at a time, for memory
MOST_TOLD = 20  # strokes whose colour a report names


class Hints(NamedTuple):
    """Strokes on a photo made small.

    Parameters
    ----------
    strokes : (h, w), 1 where a colour is told, else 0.
    colours : (1, 3, h, w), display range.
    share : of the photo's pixels under strokes.

    Examples
    --------
    >>> Hints(torch.zeros(2, 4), torch.zeros(1, 3, 2, 4), 0.0).numbers()
    {'share': 0.0, 'strokes': 0, 'colours': []}
    """

    strokes: Tensor
    colours: Tensor
    share: float

    def numbers(self) -> dict[str, Any]:
        """Share of the photo, how many strokes, the mean colour of the largest, for a report."""
        labels, count = ndimage.label(self.strokes.numpy(), np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        largest = 1 + np.argsort(-sizes, kind="stable")[:MOST_TOLD]
        means = [self.colours[0][:, torch.from_numpy(labels == n)].mean(1) for n in largest]
        colours = [[round(value, 4) for value in mean.tolist()] for mean in means]
        return {"share": round(self.share, 6), "strokes": count, "colours": colours}

    def degradation(self) -> Degradation:
        """F_Phi of the photo alone; the strokes are a measurement beside it, see `Strokes`."""
        return ChannelMean()


def of_strokes(layer: Tensor, photo: Tensor) -> Finding:
    """The finding that a person's strokes are: (1, 4, H, W), colours and where they are told.

    Examples
    --------
    >>> layer = torch.zeros(1, 4, 8, 8)
    >>> layer[..., 2:4, 2:6] = 1
    >>> of_strokes(layer, torch.full((1, 3, 8, 8), 0.5)).line
    '1 stroke of colour on 12.5% of the photo: carried to the rest of it'
    """
    height, width = photo.shape[-2:]
    shrink = max(-(-max(height, width) // SMALL), 1)
    size = (-(-height // shrink), -(-width // shrink))
    there = layer[:, 3:]
    told = functional.adaptive_avg_pool2d(there, size)
    mean = functional.adaptive_avg_pool2d(there * layer[:, :3], size) / told.clamp(min=1e-6)
    most = functional.max_pool2d(told, 3, 1, 1)  # a thin line counts where there is most of it
    marked = (told > 0) & ((told >= FULL) | (told == most))
    share = float(there.mean(dtype=torch.float64))
    hints = Hints(marked[0, 0].float(), marked * mean, share)
    count = hints.numbers()["strokes"]
    line = f"{count} stroke{'s' if count > 1 else ''} of colour on {100 * share:.1f}% of the photo"
    line += ": carried to the rest of it"
    if not is_grey(photo, NEARLY):
        line += ", whose own colours go"
    return Finding("grey", Estimate(share, 0.0), "share", 1.0, line, hints)


def coloured(
    y: Tensor, hints: Hints, prior: Denoiser, strength: float = 1.0, seed: int = 0
) -> Tensor:
    """y in the strokes' colours; its brightness, `LUMA`, stays.

    Parameters
    ----------
    y : (1, 3, H, W), display range; only its brightness is looked at.
    hints : of the finding.
    prior, strength, seed : as in `restore_image`.

    Returns
    -------
    (1, 3, H, W) in [0, 1]. Where a colour cannot be that bright or dark there is less of it.

    Examples
    --------
    >>> strokes = torch.zeros(8, 8)
    >>> strokes[4, 2:6] = 1
    >>> red = torch.tensor([0.8, 0.4, 0.3]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    >>> y = torch.full((1, 3, 8, 8), 0.5)
    >>> prior = lambda x, sigma: x.mean((2, 3), keepdim=True).expand_as(x)
    >>> x = coloured(y, Hints(strokes, red, 0.1), prior)
    >>> bool((x[:, 0] - x[:, 2]).min() > 0.4), bool((grey(x, LUMA) - y).abs().max() < 1e-6)
    (True, True)
    """
    y = y.clamp(0, 1)
    luma = y[:, :1] if is_grey(y) else grey(y, LUMA)[:, :1]
    height, width = hints.strokes.shape
    small = functional.adaptive_avg_pool2d(luma, (height, width)).expand(-1, 3, -1, -1)
    colour = hints.colours - grey(hints.colours, LUMA)
    told = hints.strokes * (small + colour * room(small.clamp(ROOM, 1 - ROOM), colour))
    found = restore(
        torch.cat([small, told], -2),
        Strokes(hints.strokes, NOISE, LUMA),
        prior,
        strength=strength,
        generator=Generator().manual_seed(seed),
    ).image.to(y)
    return joined(luma, found)


def joined(luma: Tensor, small: Tensor) -> Tensor:
    """A brightness with the colours of a smaller picture.

    Between the small picture's pixels colour goes with brightness, by the line that fits both best
    around each of them (the guided filter, He, Sun and Tang 2013).

    Parameters
    ----------
    luma : (1, 1, H, W), display range.
    small : (1, 3, h, w), display range.

    Returns
    -------
    (1, 3, H, W) in [0, 1].

    Examples
    --------
    >>> small = torch.tensor([0.6, 0.4, 0.3]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    >>> x = joined(torch.full((1, 1, 8, 8), 0.2), small)
    >>> bool((grey(x, LUMA) - 0.2).abs().max() < 1e-6)
    True
    """
    size, (height, width) = tuple(luma.shape[-2:]), small.shape[-2:]
    there = functional.adaptive_avg_pool2d(luma, (height, width))
    colour = small - grey(small, LUMA)

    def mean(z: Tensor) -> Tensor:
        return functional.avg_pool2d(z, REACH, 1, REACH // 2, count_include_pad=False)

    middle = mean(there)
    slope = mean(there * colour) - middle * mean(colour)
    slope = mean(slope / (mean(there.square()) - middle.square() + FLAT**2))

    def large(z: Tensor) -> Tensor:
        if tuple(z.shape[-2:]) == size:
            return z
        return functional.interpolate(z, size, mode="bilinear")

    detail = luma - large(there)
    x = torch.empty(1, 3, *size, dtype=luma.dtype)
    for channel in (0, 2):  # one at a time, for memory
        one = slice(channel, channel + 1)
        x[:, one] = large(colour[:, one]) + large(slope[:, one]) * detail
    x[:, 1] = -(LUMA[0] * x[:, 0] + LUMA[2] * x[:, 2]) / LUMA[1]
    for strip, light in zip(x.split(ROWS, -2), luma.split(ROWS, -2), strict=True):
        strip.copy_((light + strip * room(light, strip)).clamp(0, 1))
    return x


def room(luma: Tensor, colour: Tensor) -> Tensor:
    """The share of a colour, 1 at most, that fits between black and white at that brightness."""
    least = torch.where(colour > 0, 1 - luma, luma) / colour.abs().clamp(min=1e-6)
    return least.amin(1, keepdim=True).clamp(max=1)
