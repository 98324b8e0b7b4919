"""From a scene to a phone's file, simulated, so that the truth is known. Used in every chapter.

Images (1, 3, H, W) in display range.
"""

import io

import numpy as np
import torch
from PIL import Image

from gdp_lite.image import from_uint8, to_uint8


def through_jpeg(image, quality=90):
    """Encode as a real JPEG (chroma halved, as phones do) and decode again.

    quality: 1..95, the encoder's setting. Clips to [0, 1] and rounds to 8 bits.
    """
    file = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(file, "JPEG", quality=quality, subsampling=2)
    return from_uint8(np.asarray(Image.open(file)))


def capture(scene, blur, sigma, quality, generator=None):
    """A phone's photo of `scene`: blurred by the lens, sensor noise added, saved as JPEG.

    blur: a degradation. sigma: noise, standard deviation in display range.
    """
    blurred = blur(scene)
    noise = torch.randn(scene.shape, generator=generator)
    return through_jpeg(blurred + sigma * noise, quality)
