"""The marks of a coarse JPEG, blocks and ringing: whether a person sees them, and without them.

Phi, the quantisation steps, stands in the file, or is read from the pixels of a later copy. The
photo names an interval for each cosine coefficient; of all pictures in these intervals the prior
takes the most likely one.
"""

import math

from torch import Tensor

from gdp_lite.degradations import JPEG
from gdp_lite.estimators import Estimate
from gdp_lite.estimators.coding import BLOCK, Coding, estimate_coding, quality_of
from gdp_lite.estimators.jpeg_tables import SAMPLING
from gdp_lite.findings import SEEN, Finding
from gdp_lite.policy import POLICY
from gdp_lite.repairs.cells import Cells, Mark

LOWEST = 3  # along each axis: frequencies whose luma steps say how coarse a JPEG is
# From that mean step on (quality 40 of libjpeg's tables) blocks and ringing are seen at 100%: by
# eye, on four captures of the development scenes; HaarPSI is then below 0.93 on half of the scenes
# (benchmarks/jpeg_marks.py). The steepness in its logarithm leaves quality 50 alone.
STEP_SEEN, STEP_SLOPE = 16.0, 0.07


def of_coding(photo: Tensor, stored: Coding | None) -> Finding:
    """The finding about a photo whose file is coded like that; None where it is no JPEG.

    Examples
    --------
    >>> import torch
    >>> of_coding(torch.rand(1, 3, 64, 64), None).line
    'no coarse JPEG'
    """
    earlier = None
    if stored is None or coarseness(stored.luma) < STEP_SEEN:
        earlier = estimate_coding(photo, None if stored is None else stored.luma)
    coding = stored if earlier is None else earlier
    if coding is None:
        return Finding("jpeg", Estimate(0.0, math.inf), "of 255", 0.0, "no coarse JPEG", None)
    step, quality = coarseness(coding.luma), quality_of(coding.luma)
    strength = math.log(max(step, 1e-6) / STEP_SEEN) / STEP_SLOPE
    visible = 1 / (1 + math.exp(-max(min(strength, 30.0), -30.0)))
    what = "a JPEG" if coding.stored else "once a JPEG"
    line = f"{what} of quality {quality:.0f}"
    line += ", with blocks and ringing" if visible >= SEEN else ", too fine to be seen"
    return Finding(
        "jpeg", Estimate(step, 0.0 if coding.stored else 1.0), "of 255", visible, line, coding
    )


def coarseness(luma: Tensor) -> float:
    """Mean of the luma steps of the lowest frequencies, of 255.

    Examples
    --------
    >>> import torch
    >>> coarseness(torch.full((8, 8), 12.0))
    12.0
    """
    return float(luma[:LOWEST, :LOWEST].mean())


def degradation_of(coding: Coding, sigma: float = 0.0) -> JPEG:
    """Its F_Phi; sigma: noise that was there before, display range."""
    return JPEG(coding.luma, coding.chroma, coding.subsampling, sigma=sigma, offset=coding.offset)


def mark_of(coding: Coding) -> Mark:
    """Its blocks, of luma or of the coarser chroma, and what was done in each.

    Examples
    --------
    >>> from gdp_lite.estimators.coding import tables_of_quality
    >>> mark_of(Coding(*tables_of_quality(20), (0, 3), True)).cells
    Cells(height=16, width=16, top=0, left=3)
    """
    height, width = (BLOCK * n for n in SAMPLING[coding.subsampling])

    def at(offset: tuple[int, int]) -> JPEG:
        return degradation_of(coding._replace(offset=offset))

    return Mark(Cells(height, width, *coding.offset), at, POLICY["jpeg"])
