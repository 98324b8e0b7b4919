"""What one photo tells of its Phi: noise level, blur, kernel, exposure, cast, light, overlay,
JPEG tables.

Each takes a photo, (1, 3, H, W) in display range, and answers with a value and how sure it is of
it: an `Estimate`, or samples of a posterior. None needs the sampler; `estimate_noise_level` alone
asks the prior.
"""

from gdp_lite.estimators.anchors import (
    Cast,
    Reference,
    cast_posterior,
    estimate_cast,
    exposure_posterior,
)
from gdp_lite.estimators.blocks import Blocks, estimate_blocks
from gdp_lite.estimators.blur import estimate_blur_width
from gdp_lite.estimators.coding import Coding, estimate_coding
from gdp_lite.estimators.estimate import Estimate
from gdp_lite.estimators.jpeg_tables import JpegTables, read_jpeg_tables
from gdp_lite.estimators.kernel import coarse_to_fine_kernel
from gdp_lite.estimators.light import Light, estimate_light
from gdp_lite.estimators.noise import (
    estimate_flat_noise,
    estimate_noise,
    estimate_noise_curve,
    estimate_noise_level,
)
from gdp_lite.estimators.noise_spectrum import NoiseSpectrum, estimate_noise_spectrum
from gdp_lite.estimators.overlay import find_overlay
from gdp_lite.estimators.softness import Softness, estimate_softness
from gdp_lite.estimators.stamp import find_stamp

__all__ = [
    "Blocks",
    "Cast",
    "Coding",
    "Estimate",
    "JpegTables",
    "Light",
    "NoiseSpectrum",
    "Reference",
    "Softness",
    "cast_posterior",
    "coarse_to_fine_kernel",
    "estimate_blocks",
    "estimate_blur_width",
    "estimate_cast",
    "estimate_coding",
    "estimate_flat_noise",
    "estimate_light",
    "estimate_noise",
    "estimate_noise_curve",
    "estimate_noise_level",
    "estimate_noise_spectrum",
    "estimate_softness",
    "exposure_posterior",
    "find_overlay",
    "find_stamp",
    "read_jpeg_tables",
]
