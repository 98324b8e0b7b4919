"""Edges that stand free in a photo, and how bright it is across each of them.

An edge is where luma is steepest along its own gradient. Its profile runs across it; one that a
neighbour, clipping, noise or a ring of JPEG has a part in is left out, so that what remains is
the step that lens, denoiser and sharpener made of a step in the scene.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

# What half or twice as much of those from EACH on gives: benchmarks/estimator_constants.py. Widths
# change by one to three hundredths of a pixel, so none of them is critical.
TILE = 128  # pixels: in each of these squares edges are looked for
TILES = 192  # at most, the steepest: 12 megapixels in seconds
MARGIN = 14  # pixels around a tile that profiles may reach into
REACH, FINE = 12.0, 0.25  # of a profile to each side, and its samples, pixels
T = np.arange(-REACH, REACH + FINE / 2, FINE)  # places on a profile, pixels
INDEX = np.arange(len(T))
EACH = 30  # edges of each of eight directions in a tile at most, the steepest
PRE = 0.6  # pixels: Gaussian along the profile before it is differentiated, taken out again
STEP = 0.1  # display range: what is lower may be a ring or a block of JPEG
TAIL = 0.08  # of the steepest slope: there a rise ends
UNEVEN = 0.15  # of the step: more change beside it, and it does not stand free
HALO = 0.5  # of the step: no sharpener of a phone draws more, a bright line beside it does
CLIPPED, BLACK = 0.985, 0.01  # display range: beyond, a level may have been cut off
STRAIGHT = 0.75  # share of the gradients around that agree; at corners and in noise it is less


class Edges(NamedTuple):
    """One number an edge, (n,) float64 arrays.

    Parameters
    ----------
    row, column : where, pixels.
    angle : of its normal, radians in [0, pi), counter-clockwise from the right.
    width : standard deviation of the Gaussian blur of a step that is as steep, pixels.
    overshoot : beyond the levels of both sides, mean of both, as a share of the step.

    Examples
    --------
    >>> Edges(*np.zeros((5, 3))).width.shape
    (3,)
    """

    row: np.ndarray
    column: np.ndarray
    angle: np.ndarray
    width: np.ndarray
    overshoot: np.ndarray


def find_edges(luma: np.ndarray, noise: float = 0.0) -> Edges:
    """The free edges of a photo, in the tiles that have the steepest ones.

    Widths up to 2 pixels come out right; wider edges seldom stand free within `REACH`, and belong
    to a smaller copy of the photo.

    Parameters
    ----------
    luma : (H, W) float32, display range.
    noise : its standard deviation, display range.

    Returns
    -------
    `Edges`, with n = 0 where there is none.

    Examples
    --------
    >>> luma = np.full((64, 64), 0.2, np.float32)
    >>> luma[:, 32:] = 0.7
    >>> found = find_edges(ndimage.gaussian_filter(luma, 1.5))
    >>> round(float(np.median(found.width)), 1)
    1.5
    """
    found = [np.zeros((5, 0))]
    for top, left in _steepest_tiles(luma):
        corner = np.array([max(top - MARGIN, 0), max(left - MARGIN, 0)])
        part = luma[corner[0] : top + TILE + MARGIN, corner[1] : left + TILE + MARGIN]
        places, normal = _crests(part, noise)
        inside = ((places + corner) // TILE == (top // TILE, left // TILE)).all(1)
        if inside.any():
            found.append(_measured(part, places[inside], normal[inside], noise, corner))
    return Edges(*np.concatenate(found, 1))


def _steepest_tiles(luma: np.ndarray) -> list[tuple[int, int]]:
    """(top, left) of the tiles with the largest differences of neighbours, their 99th percentile.

    Of every other line, which is enough to find them.
    """
    scored = []
    for top in range(0, luma.shape[0], TILE):
        for left in range(0, luma.shape[1], TILE):
            part = luma[top : top + TILE, left : left + TILE]
            if min(part.shape) > 2:
                steps = part[::2, 2:] - part[::2, :-2], part[2:, ::2] - part[:-2, ::2]
                score = max(float(np.quantile(np.abs(s), 0.99)) for s in steps)
                scored.append((score, top, left))
    scored.sort(reverse=True)
    return [(top, left) for score, top, left in scored[:TILES] if score > 0]


def _crests(luma: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels where the slope is greatest across a straight edge, (n, 2), and unit normals."""
    slope = np.stack([ndimage.gaussian_filter(luma, 1, order=o) for o in ((1, 0), (0, 1))])
    steep = np.hypot(*slope)
    # White noise has a fifth of its level in this slope. A step as low as `STEP` may be 3 wide.
    places = np.argwhere(steep > max(STEP / 12, noise))
    normal = (slope / np.maximum(steep, 1e-9))[:, places[:, 0], places[:, 1]].T
    ahead, behind = (
        ndimage.map_coordinates(steep, (places + s * normal).T, order=1) for s in (1, -1)
    )
    xx, yy, xy = (
        ndimage.gaussian_filter(v, 1.5) for v in (slope[1] ** 2, slope[0] ** 2, slope[0] * slope[1])
    )
    straight = np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-12)
    at = tuple(places.T)
    room = ((places >= 6) & (places <= np.array(luma.shape) - 7)).all(1)
    top = (steep[at] >= ahead) & (steep[at] > behind) & (straight[at] > STRAIGHT) & room
    places, normal, here = places[top], normal[top], steep[at][top]
    order = here.argsort()[::-1]
    sector = (np.arctan2(-normal[:, 0], normal[:, 1]) / np.pi * 8 % 8).astype(int)[order]
    # Of each direction alike, or a movement would show only the edges along it, the steep ones.
    order = np.concatenate([order[sector == k][:EACH] for k in range(8)])
    return places[order], normal[order]


def _measured(
    luma: np.ndarray, places: np.ndarray, normal: np.ndarray, noise: float, corner: np.ndarray
) -> np.ndarray:
    """The free edges among these pixels, (5, n) as in `Edges`."""
    profile = _profiles(luma, places, normal)
    slope = ndimage.gaussian_filter1d(profile, PRE / FINE, axis=1, order=1) / FINE
    rows, near = np.arange(len(profile)), np.abs(T) <= 1.5
    summit = slope[:, near].argmax(1) + near.argmax()
    peak = np.maximum(slope[rows, summit], 1e-9)
    low = slope < TAIL * peak[:, None]
    right = np.where(low & (summit[:, None] < INDEX), INDEX, len(T) - 1).min(1)
    left = np.where(low & (summit[:, None] > INDEX), INDEX, 0).max(1)
    rise = profile[rows, right] - profile[rows, left]
    reach = rise / (np.sqrt(2 * np.pi) * peak) / FINE  # the Gaussian's width, in samples
    high, over, free_above = _side(profile, right, reach, 1)
    floor, under, free_below = _side(profile, left, reach, -1)
    height = high - floor
    free = free_above & free_below & (left > 0) & (right < len(T) - 1) & (summit > near.argmax())
    free &= (height > max(STEP, 10 * noise)) & (high < CLIPPED) & (floor > BLACK)
    free &= np.maximum(over, under) < HALO * height
    # A sharpener makes the rise both steeper and higher: their ratio it hardly changes.
    width = np.maximum(rise, height) / (np.sqrt(2 * np.pi) * peak)
    width = np.sqrt(np.maximum(width**2 - PRE**2, 0))
    overshoot = (over + under) / 2 / np.where(free, height, 1)
    angle = np.arctan2(-normal[:, 0], normal[:, 1]) % np.pi
    return np.stack([*(places + corner).T, angle, width, overshoot])[:, free]


def _profiles(luma: np.ndarray, places: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Luma across each edge at the distances `T`, (n, len(T)): three lines' mean, less noise."""
    tangent = normal[:, ::-1] * (1, -1)
    smooth = ndimage.spline_filter(luma, 3)
    lines = []
    for k in (-1, 0, 1):
        at = places[:, :, None] + normal[:, :, None] * T + k * tangent[:, :, None]
        at = at.transpose(1, 0, 2)
        lines.append(ndimage.map_coordinates(smooth, at, prefilter=False, mode="nearest"))
    return np.mean(lines, 0)


def _side(
    profile: np.ndarray, end: np.ndarray, reach: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One side of the edges: its level, beyond any halo; the halo above it; whether it is even."""
    gap = np.maximum(1.5 / FINE, reach)[:, None]
    span = gap + np.maximum(2.0 / FINE, reach)[:, None]
    away = sign * (INDEX - end[:, None])
    level_here, all_here = (away >= gap) & (away <= span), (away >= 0) & (away <= span)
    level = np.where(level_here, profile, 0).sum(1) / np.maximum(level_here.sum(1), 1)
    beyond = sign * (profile - level[:, None])
    spread = np.where(level_here, np.abs(beyond), 0).max(1)
    most, least = np.where(all_here, beyond, 0).max(1), np.where(all_here, beyond, 0).min(1)
    # The step is not known yet; the rise is, halo and all.
    rows = np.arange(len(profile))
    step = np.abs(profile[rows, end] - profile[rows, len(T) // 2]) * 2
    inside = (end + sign * span[:, 0] >= 0) & (end + sign * span[:, 0] < len(T))
    return level, most, inside & (np.maximum(spread, -least) < UNEVEN * step)
