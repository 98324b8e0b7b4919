"""Tone curves that keep black black and white white, with a closed form of their inverse.

All are made of one map, u -> e u / (1 + (e - 1) u): slope e at black, 1 / e at white, and the
logit of u moves by log e. Its inverse has 1 / e for e, and two in a row multiply. In linear light
it is an exposure in which white stays white; in two halves about a middle it is a contrast.
Outside of [0, 1] it goes on straight, so that every curve can be inverted everywhere.

Each function returns the value and the slope, which says how noise grows.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gdp_lite.image import linear_to_srgb, srgb_to_linear

# sRGB-encoded, 0.17 in linear light: about it contrast turns, and there cameras put the mean. Good
# photos have 0.43 in the median, with a spread of 0.14 (benchmarks/package_constants.py).
MIDDLE = 0.45


class Tone(NamedTuple):
    """What light did to a scene, from the scene on: contrast, exposure, veil, white.

    Parameters
    ----------
    stops : exposure, black and white kept; a number, or (1, H, W), a map.
    white : stops by which the scene's white was missed.
    veil : light added everywhere, a share of the white, below 1.
    contrast : stops by which the slope at the middle changed.

    Examples
    --------
    >>> dark = Tone(*(torch.tensor(v) for v in (-2.0, -0.5, 0.01, 0.3)))
    >>> x = torch.linspace(-0.1, 1.1, 5, dtype=torch.float64)
    >>> bool(torch.allclose(inverted(applied(x, dark)[0], dark), x))
    True
    """

    stops: Tensor
    white: Tensor
    veil: Tensor
    contrast: Tensor


def applied(x: Tensor, tone: Tone) -> tuple[Tensor, Tensor]:
    """The photo of a scene x, encoded display range, and its slope dy/dx, the size of x."""
    bent, slope = _bent(x, tone.contrast)
    light, slope_2 = srgb_to_linear(bent), _decoding(bent)
    light, slope_3 = lifted(light, tone.stops)
    white = tone.white.exp2()
    light = white * (tone.veil + (1 - tone.veil) * light)
    y = linear_to_srgb(light)
    return y, slope * slope_2 * slope_3 * white * (1 - tone.veil) / _decoding(y)


def inverted(y: Tensor, tone: Tone) -> Tensor:
    """The scene of a photo y, encoded display range: the exact inverse of `applied`."""
    light = srgb_to_linear(y) * (-tone.white).exp2()
    light = (light - tone.veil) / (1 - tone.veil)
    return _bent(linear_to_srgb(lifted(light, -tone.stops)[0]), -tone.contrast)[0]


def lifted(u: Tensor, stops: Tensor) -> tuple[Tensor, Tensor]:
    """e u / (1 + (e - 1) u) with e = 2^stops, straight outside of [0, 1], and its slope."""
    e = stops.to(u).exp2()
    inside = u.clamp(0, 1)
    scale = 1 + (e - 1) * inside
    slope = e / scale.square()
    return e * inside / scale + slope * (u - inside), slope


def _bent(x: Tensor, stops: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast: `lifted` by -stops below the middle and by stops above, where slopes meet."""
    dark, slope = lifted(x / MIDDLE, -stops)
    bright, slope_2 = lifted((x - MIDDLE) / (1 - MIDDLE), stops)
    below = x < MIDDLE
    value = torch.where(below, MIDDLE * dark, MIDDLE + (1 - MIDDLE) * bright)
    return value, torch.where(below, slope, slope_2)


def _decoding(x: Tensor) -> Tensor:
    """The slope of `srgb_to_linear`."""
    bent = 2.4 / 1.055 * ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 1.4
    return torch.where(x > 0.04045, bent, 1 / 12.92)


def spread_over(tone: Tone, photo: Tensor) -> Tone:
    """The tone with its map, (n, m) control points, spread over a photo's (H, W)."""
    rows, columns = (
        splines(size, count, photo)
        for size, count in zip(photo.shape[-2:], tone.stops.shape, strict=True)
    )
    return tone._replace(stops=rows @ tone.stops.to(photo) @ columns.T)


def splines(length: int, count: int, like: Tensor) -> Tensor:
    """Uniform cubic B-splines, (length, count): rows non-negative with sum 1."""
    from scipy.interpolate import BSpline

    place = (np.arange(length) + 0.5) / length * (count - 3)
    matrix = BSpline.design_matrix(place, np.arange(-3.0, count + 1), 3).toarray()
    return torch.from_numpy(matrix).to(like)
