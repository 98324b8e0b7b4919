"""A small picture of what each class of degradation does, for the reference page.

    python benchmarks/degradation_pictures.py

Scikit-image's coffee cup (CC0), 288 x 216 pixels, through every class of `gdp_lite.degradations`.
Writes book/kinds/CLASS.webp and the scene, a quarter of a megabyte in all. Seconds.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from gdp_lite.book.masks import text_mask
from gdp_lite.book.strokes import strokes
from gdp_lite.degradations import (
    JPEG,
    BicubicDownsampling,
    BlindBlur,
    BlindGaussianBlur,
    BlindOcclusion,
    BlockAverage,
    BlockAverageSameSize,
    Blur,
    ChannelMean,
    Clip,
    ColourCast,
    ColourMatrix,
    Compose,
    Contrast,
    Exposure,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    LinearLight,
    Occlusion,
    PoissonGaussianNoise,
    SmoothExposure,
    Strokes,
    ToneMap,
    assign,
    motion_kernel,
    random_mask,
    random_motion_kernel,
)
from gdp_lite.image import from_uint8, to_uint8

FOLDER = Path(__file__).parents[1] / "book" / "kinds"
ROWS, COLUMNS = 216, 288


def kinds():
    """Class name -> an instance that shows what it does."""
    generator = torch.Generator().manual_seed(0)
    letters = text_mask(ROWS, COLUMNS, "26.11", 48, (150, 140))
    overlay = BlindOcclusion((ROWS, COLUMNS))
    assign(overlay, "mask", letters.clamp(0.02, 0.98))
    assign(overlay, "colour", torch.tensor([0.95, 0.85, 0.2]))
    uneven = SmoothExposure(1.0)
    assign(uneven, "offset", torch.linspace(-0.45, 0.1, 4).expand_as(uneven.offset))
    shaken = random_motion_kernel(15, generator=generator)
    every = [
        GaussianNoise(0.12),
        PoissonGaussianNoise(0.03, 0.02),
        GaussianBlur(15, 3.0),
        BlindGaussianBlur(25, 3.0),
        Blur(motion_kernel(13, 30.0)),
        BlindBlur(shaken.shape[0], shaken),
        BlockAverage(6),
        BlockAverageSameSize(6),
        BicubicDownsampling(4),
        Inpainting(random_mask(ROWS, COLUMNS, 0.25, generator=generator)),
        Occlusion(letters, (1.0, 1.0, 1.0)),
        overlay,
        ChannelMean(),
        Strokes(strokes(COLUMNS, 1)[:ROWS]),
        ColourCast((1.25, 1.0, 0.75)),
        ColourMatrix((1.1, 1.0, 0.9), 0.18),
        Exposure(0.45, 0.1),
        uneven,
        ToneMap(stops=4 * [[-2.5, -1.5, -0.5, 0.5]], veil=0.1),
        Clip(),
        Gamma(2.2),
        Contrast(0.4),
        LinearLight(Exposure(0.25)),
        JPEG.from_quality(5),
        Compose(GaussianBlur(9, 2.0), ColourCast((1.2, 1.0, 0.8)), GaussianNoise(0.06)),
    ]
    names = [type(one).__name__ for one in every]
    kinds = dict(zip(names, every, strict=True))
    # Nothing is seen of a clip, but of a picture that was made too bright first.
    return kinds | {"Clip": Compose(Exposure(1.7), Clip())}


def enlarged(y):
    """A smaller photo at the scene's size, its pixels shown as they are."""
    if y.shape[-2:] == (ROWS, COLUMNS):
        return y
    return torch.nn.functional.interpolate(y, (ROWS, COLUMNS), mode="nearest")


def save(name, image):
    """As small WebP."""
    FOLDER.mkdir(exist_ok=True)
    picture = Image.fromarray(to_uint8(image.clamp(0, 1)))
    picture.save(FOLDER / f"{name}.webp", quality=72, method=6)


def main():
    """One picture after the other."""
    photo = from_uint8(np.ascontiguousarray(data.coffee()[60:348, 130:514]))
    x = torch.nn.functional.interpolate(photo, (ROWS, COLUMNS), mode="area")
    save("scene", x)
    for name, degradation in kinds().items():
        y = degradation.simulate(x, torch.Generator().manual_seed(1))
        if name == "Strokes":  # two photos: the second is painted over the first
            above, below = y.chunk(2, -2)
            y = torch.where(degradation.strokes == 1, below, above)
        save(name, enlarged(y.detach()))
        print(name)


if __name__ == "__main__":
    main()
