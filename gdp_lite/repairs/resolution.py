"""Low resolution: a photo of few, large pixels, and the same with detail within them."""

import math
from dataclasses import replace

from gdp_lite.degradations import BlockAverageSameSize
from gdp_lite.estimators import Estimate
from gdp_lite.estimators.blocks import Blocks
from gdp_lite.findings import Finding
from gdp_lite.policy import POLICY
from gdp_lite.repairs.cells import Cells, Mark
from gdp_lite.tasks import ROUNDING_NOISE

TOLD_BY_BLOCKS = ("softness", "noise", "overlay", "jpeg")
# Of neighbouring blocks with one colour: Kodak's photos have up to a half (benchmarks/blocky.py).
FLAT = 0.75
DRAWN = 0.15  # of the parts, see `estimators.drawn.FEW`: what is drawn would lose its edges
# Noise of what blocks tell, in the detail that a JPEG has left within them. With 1 photos gain 0.01
# to 0.08 dB more, with 4 they gain 0.05 to 0.5 less (benchmarks/package_constants.py).
PER_INSIDE = 2.0


def of_blocks(found: Blocks) -> Finding:
    """The finding that a photo is made of blocks.

    Examples
    --------
    >>> of_blocks(Blocks(4, 0, 0, 0.0, 0.2)).line
    'made of blocks of 4 x 4 pixels'
    """
    side = Estimate(float(found.side), 0.0)
    line, doubt = f"made of blocks of {found.side} x {found.side} pixels", ""
    if found.same > FLAT or found.drawn > DRAWN:
        doubt = "of few colours, as in what is drawn"
        line += f"; left as it is: {doubt}"
    return Finding("resolution", side, "pixels", 1.0, line, found, doubt)


def left_to_blocks(finding: Finding) -> Finding:
    """Another finding about a photo of blocks: its edges, noise and marks are those of blocks.

    Examples
    --------
    >>> noise = Finding("noise", Estimate(5.0, 0.0), "of 255", 1.0, "noise of 5", None)
    >>> left_to_blocks(noise).line
    'noise of 5; left as it is: the photo is made of blocks'
    """
    if finding.kind not in TOLD_BY_BLOCKS or not finding.seen:
        return finding
    doubt = "the photo is made of blocks"
    return replace(finding, doubt=doubt, line=f"{finding.line}; left as it is: {doubt}")


def degradation_of(found: Blocks, offset: tuple[int, int] | None = None) -> BlockAverageSameSize:
    """Its F_Phi; offset: of a part of the photo.

    Examples
    --------
    >>> degradation_of(Blocks(4, 0, 1, 0.0, 0.2)).offset
    (0, 1)
    """
    sigma = math.hypot(PER_INSIDE * found.inside, ROUNDING_NOISE)
    return BlockAverageSameSize(found.side, sigma, offset or (found.top, found.left))


def mark_of(found: Blocks) -> Mark:
    """Its blocks, each of which keeps its mean.

    Examples
    --------
    >>> mark_of(Blocks(4, 0, 1, 0.0, 0.2)).cells
    Cells(height=4, width=4, top=0, left=1)
    """
    cells = Cells(found.side, found.side, found.top, found.left)
    return Mark(cells, lambda offset: degradation_of(found, offset), POLICY["general"])
