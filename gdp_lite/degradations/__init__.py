"""Degradations F_Phi, Eq. (1) and Table 1: one class for each way in which a photo goes wrong.

`base` says what a degradation is; `noise`, `blur`, `resolution`, `occlusion`, `colour`, `strokes`,
`light`, `tone` and `jpeg` hold the kinds, `compose` puts them in a row; `phi` keeps learnable
parameters in their ranges, `solvers` undo any map one step at a time.
"""

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.blur import (
    BlindBlur,
    BlindGaussianBlur,
    Blur,
    GaussianBlur,
    defocus_kernel,
    gaussian_kernel,
    motion_kernel,
    random_motion_kernel,
)
from gdp_lite.degradations.colour import ChannelMean, ColourCast, ColourMatrix
from gdp_lite.degradations.compose import Compose
from gdp_lite.degradations.jpeg import JPEG
from gdp_lite.degradations.light import (
    Clip,
    Contrast,
    Exposure,
    Gamma,
    LinearLight,
    SmoothExposure,
)
from gdp_lite.degradations.noise import GaussianNoise, PoissonGaussianNoise
from gdp_lite.degradations.occlusion import (
    BlindOcclusion,
    Inpainting,
    Occlusion,
    random_mask,
)
from gdp_lite.degradations.phi import assign, learn
from gdp_lite.degradations.resolution import (
    BicubicDownsampling,
    BlockAverage,
    BlockAverageSameSize,
)
from gdp_lite.degradations.softness import softness_degradation
from gdp_lite.degradations.strokes import Strokes
from gdp_lite.degradations.tone import ToneMap

__all__ = [
    "JPEG",
    "BicubicDownsampling",
    "BlindBlur",
    "BlindGaussianBlur",
    "BlindOcclusion",
    "BlockAverage",
    "BlockAverageSameSize",
    "Blur",
    "ChannelMean",
    "Clip",
    "ColourCast",
    "ColourMatrix",
    "Compose",
    "Contrast",
    "Degradation",
    "Exposure",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "Inpainting",
    "LinearLight",
    "Occlusion",
    "PoissonGaussianNoise",
    "SmoothExposure",
    "Strokes",
    "ToneMap",
    "assign",
    "defocus_kernel",
    "gaussian_kernel",
    "learn",
    "motion_kernel",
    "random_mask",
    "random_motion_kernel",
    "softness_degradation",
]
