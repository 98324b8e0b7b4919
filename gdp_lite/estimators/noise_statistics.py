"""The numbers of a photo that tell its noise: levels of octaves where it is flattest, and more.

All of them are of luma and of two chroma planes, orthonormal, in five octaves of the radial
frequency, in tiles of 16 x 16 pixels that are neither black nor clipped.
"""

import math
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

# Ends of the octaves, cycles a pixel, finest first, and the share of all frequencies in each of
# the first four, which turns the rms of an octave into the white noise that has as much there.
ENDS = (0.75, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
SHARES = tuple(
    float(torch.pi * (high**2 - low**2)) if high < 0.5 else 1 - float(torch.pi * low**2)
    for high, low in pairwise(ENDS[:5])
)
TILE, LEAST = 16, 16  # pixels; tiles
QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.9)  # of the tiles' levels
FLATTEST = (0.02, 0.1, 0.5)  # shares of the tiles, by luma in the two octaves below the finest
# Rows: luma and two planes of chroma in red, green and blue, of length 1.
PLANES = tuple(
    tuple(c / math.hypot(*row) for c in row) for row in ((1, 1, 1), (1, 0, -1), (1, -2, 1))
)
ROUNDING = 0.05  # of 255, added before a logarithm
BLACK, WHITE = 3 / 255, 252 / 255
# Black pixels are the noise's where means of so many along each axis are not black, and no more
# than so much of a tile is: of a drawing in black and white all is clipped.
AROUND, SCATTERED = 5, 0.4


def noise_statistics(y: Tensor, scattered: bool = False, contrast: float = 1.0) -> Tensor | None:
    """(1, 3, H, W), display range -> the numbers, (n,); None with too few tiles to tell.

    scattered : look at tiles with black pixels, too, where their surroundings are not black.
    contrast : what the differences between pixels are multiplied by.
    """
    if min(y.shape[-2:]) < 4 * TILE:
        return None
    planes = 255 * contrast * octaves(y)
    outside, light = _share((y < BLACK) | (y > WHITE)), functional.avg_pool2d(y.mean(1), TILE)[0]
    good = (outside <= 0.02) & (light > 0.04)
    if scattered:
        around = functional.avg_pool2d(y, AROUND, 1, AROUND // 2, count_include_pad=False)
        good = (outside <= SCATTERED) & (light > 0.04)
        good &= _share((around < BLACK) | (y > WHITE)) <= 0.02
    if int(good.sum()) < LEAST:
        return None
    light = light[good]
    power = functional.avg_pool2d(planes.square(), TILE)[..., good]  # (octaves, 3, tiles)
    power = torch.stack([power[:, 0], power[:, 1:].mean(1)])
    level = (power.sqrt() + ROUNDING).log()
    order = power[0, 1:3].sum(0).argsort()

    def flattest(share: float, least: int) -> Tensor:
        return order[: max(int(len(order) * share), least)]

    quarter, half = flattest(0.25, 8), flattest(0.5, LEAST)
    flat = [power[..., flattest(share, 4)].mean(-1).sqrt() for share in FLATTEST]
    mean = functional.avg_pool2d(planes[:, 0].abs(), TILE)[:, good]
    peaked = ((power[0].sqrt() + ROUNDING) / (mean + 0.8 * ROUNDING)).log()
    directed = _directed(planes[1:3, 0].sum(0))[good]
    together = torch.cat([level[:, :, half].flatten(0, 1), light[half].log()[None]])
    together = _correlations(together)
    return torch.cat(
        [
            level.quantile(level.new_tensor(QUANTILES), dim=2).permute(1, 2, 0).flatten(),
            (torch.stack(flat) + ROUNDING).log().flatten(),
            peaked[:, quarter].mean(1),
            level[:, :, quarter].std(2).flatten(),
            torch.stack([directed[quarter].mean(), directed.mean()]),
            together / 2,
            torch.stack([light.mean(), light[quarter].mean(), light.std()]),
        ]
    )


def _share(which: Tensor) -> Tensor:
    """Of each tile, (1, 3, H, W) -> (H / 16, W / 16)."""
    return functional.avg_pool2d(which.float().mean(1), TILE)[0]


@cache
def of_colours() -> Tensor:
    """Which of the numbers are of chroma, alone or with luma; (n,), in their order.

    Examples
    --------
    >>> of_colours().shape == noise_statistics(0.2 + 0.6 * torch.rand(1, 3, 96, 96)).shape
    True
    """
    bands = len(ENDS) - 1
    chroma = torch.tensor([False, True]).repeat_interleave(bands)  # a level for each band
    rows = torch.cat([chroma, chroma[:1]])  # of `_correlations`, light last
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    return torch.cat(
        [
            chroma.repeat_interleave(len(QUANTILES)),
            chroma.repeat(len(FLATTEST)),
            chroma[:bands],  # peaked
            chroma,
            chroma[:2],  # directed
            rows[first] | rows[second],
            chroma[:3],  # light
        ]
    )


def octaves(y: Tensor) -> Tensor:
    """(1, 3, H, W) -> (octaves, 3, H, W): luma and chroma of the mirrored photo, band by band."""
    planes = torch.einsum("ij,jhw->ihw", y.new_tensor(PLANES), y[0])
    height, width = y.shape[-2:]
    planes = torch.cat([planes, planes.flip(-1)], -1)
    planes = torch.cat([planes, planes.flip(-2)], -2)
    bands = torch.fft.rfft2(planes) * _pass(height, width)[:, None]
    return torch.fft.irfft2(bands, s=planes.shape[-2:])[..., :height, :width]


def octave_levels(noise: Tensor) -> Tensor:
    """Of noise (1, 3, H, W) that is known: (2, 4), the bands of `NoiseSpectrum`."""
    power = octaves(noise)[:4].square().mean((2, 3))
    power = torch.stack([power[:, 0], power[:, 1:].mean(1)])
    return (power / power.new_tensor(SHARES)).sqrt()


def _directed(band: Tensor) -> Tensor:
    """How much the gradients of each tile agree in direction, 0 to 1 (structure tensor)."""
    dx = functional.pad(band[:, 1:] - band[:, :-1], (0, 1))
    dy = functional.pad(band[1:] - band[:-1], (0, 0, 0, 1))
    products = torch.stack([dx * dx, dy * dy, dx * dy])
    xx, yy, xy = functional.avg_pool2d(products, TILE)
    return ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy + 1e-3)


def _correlations(rows: Tensor) -> Tensor:
    """Between each two rows, (n (n - 1) / 2,); 0 where one does not vary."""
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-3)
    above = torch.triu_indices(len(rows), len(rows), 1)
    return (rows @ rows.T)[above[0], above[1]]


@cache
def _pass(height: int, width: int) -> Tensor:
    rows = torch.fft.fftfreq(2 * height)
    radius = torch.hypot(rows[:, None], torch.fft.rfftfreq(2 * width))
    return torch.stack([((radius < a) & (radius >= b)).float() for a, b in pairwise(ENDS)])
