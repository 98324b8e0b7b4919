"""How soft a photo is, by the sharpest of its edges, and what made it so.

A whole spectrum cannot tell a soft lens from a smooth scene, a soft background from a soft photo,
or the phone's sharpener from sharpness. Edges can: the sharpest tenth of those that stand free
(`find_edges`) are steps of the scene, and the width that they have is the camera's.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gdp_lite.estimators.edge_profiles import Edges, find_edges
from gdp_lite.estimators.estimate import Estimate
from gdp_lite.estimators.finest import finest_detail
from gdp_lite.image import LUMA, check_one_photo

LEVELS = 3  # the photo, half and a quarter of its size: edges of up to 8 pixels
LEAST = 20  # edges of a photo; fewer are a chance
SHARPEST = 0.1  # quantile of the widths: the steps among the edges
CELL, CELL_LEAST = 256, 12  # pixels, edges: where a part of the photo is judged by itself
# Width that edges of good photos have at each level, in its pixels; benchmarks/softness.py --fit
# finds 0.45, 0.39 and 0.44, some of it the scene's softness. SPREAD, how much photos differ: --fit.
OWN = (0.41, 0.37, 0.40)
SPREAD = 0.2
HANDOVER = 1.2  # pixels of a level: wider edges are measured at the next, within `find_edges`' 2
SECTORS, SECTOR_LEAST = 8, 8  # directions of edges, and edges in each
# How far a movement stands out: its swing from the mean, from the scatter, in square pixels (a
# length of 3). What is less is as often the scene's: fur, and what lies at one distance. By
# benchmarks/estimator_constants.py one photo of 121 is taken for moved as it is, with half of SURE
# four, for more of the long movements; with half of SWING lengths of 3 are told, and no more in
# vain; ROUND could as well be 0.
ROUND, SURE, SWING = 0.5, 2.5, 0.4
# Probability of being seen, a logistic function of the width, and the share of photos that are
# misjudged at any width, soft scenes above all: benchmarks/softness.py --fit.
SEEN_AT, SEEN_SLOPE, LAPSE = 0.83, 21.0, 0.08
# Whether it is the camera's, and undone unasked. Of few edges even the sharpest may be soft things:
# so many there must be, where their width was measured at full, half, a quarter of the size. And
# `finest_detail`, as a share of the width: above, the phone took the details and sharpened what was
# left, and deblurring makes that worse. No movement is: one of 5 pixels, found as 8, lost 5.9 dB to
# streaks. benchmarks/soft_photos.py --tune prints all of it.
TELLING = (180, 180, 100)
FINEST = 0.95
# Pixels: the widest blur of the tables, found as such. In a photo of a soft scene 4.6 were found,
# and undoing them lost 8 dB.
WIDEST = 3.0


class Softness(NamedTuple):
    """What `estimate_softness` found.

    Parameters
    ----------
    width : standard deviation in pixels of the Gaussian that makes steps as soft, beyond what they
        are in a good photo; of a movement, across it. ``width.std`` is infinite where nothing is
        known.
    kind : "gaussian", "motion", or "none" where no edge tells.
    length, angle : of the movement, in pixels and in degrees counter-clockwise from the right.
    overshoot : the halo of the phone's sharpener, as a share of an edge's height.
    edges : how many told.
    visible : the probability that a person sees it at 100%.
    line : all of it in plain words.
    cells : (rows, columns) widths of the parts of `CELL` pixels, nan where too few edges are.
    doubt : why undoing it may make the photo worse, in plain words; empty where nothing says so.
    present : the share that is undone, of the change that it asks for.

    Examples
    --------
    >>> found = estimate_softness(torch.full((1, 3, 64, 64), 0.5))
    >>> found.kind, found.width.std, found.line
    ('none', inf, 'no edge stands free and clear enough to tell how soft the photo is')
    """

    width: Estimate
    kind: str
    length: float
    angle: float
    overshoot: float
    edges: int
    visible: float
    line: str
    cells: Tensor
    doubt: str = ""
    present: float = 1.0

    def numbers(self) -> dict[str, Any]:
        """Phi, and the share of it that is undone, for a report."""
        kept = ("width", "kind", "length", "angle", "overshoot", "present")
        return {name: getattr(self, name) for name in kept}


def estimate_softness(photo: Tensor, noise: float = 0.0) -> Softness:
    """How soft the sharpest edges of a photo are.

    Of a photo with a sharp subject before a soft background the subject's. A disc, of a lens out
    of focus, gives edges that no photo tells from a Gaussian's of the same steepness.

    Parameters
    ----------
    photo : (1, 3, H, W), display range.
    noise : standard deviation of the noise of its luma, display range; steps of less than ten
        times as much are not looked at.

    Returns
    -------
    A `Softness`.

    Raises
    ------
    ValueError : for anything but one photo.

    Examples
    --------
    >>> from gdp_lite.degradations import GaussianBlur
    >>> rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    >>> disc = 0.2 + 0.5 * ((rows - 64) ** 2 + (columns - 64) ** 2 < 40**2).float()
    >>> found = estimate_softness(GaussianBlur(13, 1.5)(disc.expand(1, 3, 128, 128)))
    >>> round(found.width, 1), found.kind
    (1.4, 'gaussian')
    """
    check_one_photo(photo)
    red, green, blue = photo[0].detach()
    grey = (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
    luma = grey.float().cpu().numpy()
    shape, smaller = luma.shape, [luma]
    for _ in range(LEVELS - 1):
        smaller.append(_halved(smaller[-1]))
    with ThreadPoolExecutor(LEVELS) as beside:  # seconds each, on a core of its own where there is
        levels = list(beside.map(find_edges, smaller, (noise / 2**k for k in range(LEVELS))))
    parts = _cells(levels, shape)
    width, count, level = _sharpest(levels, LEAST)
    if not count:
        line = "no edge stands free and clear enough to tell how soft the photo is"
        return Softness(Estimate(0, math.inf), "none", 0.0, 0.0, 0.0, 0, 0.0, line, parts)
    known = np.sort(parts[parts.isfinite()].numpy())
    if len(known) > 1:  # a sharp subject is small: some cells of many, and more than one
        width = min(width, float(known[max(1, round(0.05 * len(known)))]))
    edges = levels[level]
    sharp = edges.width <= np.quantile(edges.width, 3 * SHARPEST)
    overshoot = float(np.median(edges.overshoot[sharp]))
    std = math.hypot(SPREAD, width * (1.25 / count) ** 0.5)
    length, angle, across = _movement(levels)
    kind = "motion" if length else "gaussian"
    width = across if length else width
    total = math.hypot(width, length / 24**0.5)  # root mean square over all directions
    seen = 1 / (1 + math.exp(-SEEN_SLOPE * (total - SEEN_AT)))
    visible = LAPSE + (1 - 2 * LAPSE) * seen
    line = _in_words(width, std, length, angle, overshoot, count)
    doubt = ""
    if visible >= 0.5:
        long = "how long the movement was is not known well enough"
        doubt = long if length else _doubt(luma, total, noise, count, level)
    return Softness(
        Estimate(width, std), kind, length, angle, overshoot, count, visible, line, parts, doubt
    )


def _doubt(luma: np.ndarray, width: float, noise: float, count: int, level: int) -> str:
    """Why a blur that is seen may not be the camera's, or no longer there to be undone."""
    if width > WIDEST:
        return "of so wide a blur too much would be invented"
    if count < TELLING[level]:
        return "so few edges may be of soft things"
    if finest_detail(luma, width, noise) > FINEST:
        return "the camera took the fine details and sharpened what is left"
    return ""


def _halved(luma: np.ndarray) -> np.ndarray:
    """The means of 2 x 2 pixels; a last odd line is left out."""
    height, width = (n // 2 * 2 for n in luma.shape)
    rows = luma[:height:2, :width] + luma[1:height:2, :width]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def _sharpest(levels: list[Edges], least: int) -> tuple[float, int, int]:
    """Width of the sharpest edges in the photo's pixels, how many edges, and their level.

    The finest level at which edges are narrow enough to be measured; count 0 where all have fewer
    than `least`.
    """
    found = 0.0, 0, 0
    for level, edges in enumerate(levels):
        if len(edges.width) < least:
            continue
        seen = float(np.quantile(edges.width, SHARPEST))
        width = 2**level * max(seen**2 - OWN[level] ** 2, 0) ** 0.5
        found = width, len(edges.width), level
        if seen < HANDOVER:
            break
    return found


def _cells(levels: list[Edges], shape: tuple[int, ...]) -> Tensor:
    rows, columns = (-(-n // CELL) for n in shape)
    cells = torch.full((rows, columns), math.nan, dtype=torch.float64)
    where = [
        (e.row * 2**k // CELL).astype(int) * columns + (e.column * 2**k // CELL).astype(int)
        for k, e in enumerate(levels)
    ]
    for cell in np.unique(np.concatenate(where)):
        parts = [_select(e, w == cell) for e, w in zip(levels, where, strict=True)]
        width, count, _ = _sharpest(parts, CELL_LEAST)
        if count:
            cells.view(-1)[cell] = width
    return cells


def _select(edges: Edges, which: np.ndarray) -> Edges:
    return Edges(*(v[which] for v in edges))


def _movement(levels: list[Edges]) -> tuple[float, float, float]:
    """Length and angle of a movement, 0 where there is none, and the width across it.

    An edge is widened by the part of the movement along its normal: width^2 = across^2 + (l^2 / 12)
    cos^2(angle - movement), a line in cos and sin of twice the angle, through the sharpest edges
    of each direction.
    """
    design, squares = [], []
    for sector in range(SECTORS):
        parts = [
            _select(e, np.round(e.angle / np.pi * SECTORS).astype(int) % SECTORS == sector)
            for e in levels
        ]
        width, count, _ = _sharpest(parts, SECTOR_LEAST)
        if count:
            twice = 2 * np.pi * sector / SECTORS
            design.append([1, math.cos(twice), math.sin(twice)])
            squares.append(width**2)
    if len(squares) < 5:  # three numbers are fitted, and something must be left to check them
        return 0.0, 0.0, 0.0
    matrix, values = np.array(design), np.array(squares)
    mean, cos, sin = np.linalg.lstsq(matrix, values, rcond=None)[0]
    scatter = float((values - matrix @ (mean, cos, sin)).std())
    swing = math.hypot(cos, sin)
    if swing < max(ROUND * mean, SURE * scatter, SWING):
        return 0.0, 0.0, 0.0
    angle = math.degrees(math.atan2(sin, cos) / 2) % 180
    return (24 * swing) ** 0.5, angle, max(mean - swing, 0.0) ** 0.5


def _in_words(
    width: float, std: float, length: float, angle: float, overshoot: float, count: int
) -> str:
    if length:
        said = f"blurred by a movement of {length:.1f} pixels at {angle:.0f} degrees"
    elif width < 2 * std:
        said = "edges as sharp as in a good photo"
    else:
        said = f"edges soft, as from a blur of {width:.1f} pixels (± {std:.1f})"
    if overshoot > 0.05:
        said += f", with the phone's own halos of {100 * overshoot:.0f}%"
    return f"{said}; {count} edges"
