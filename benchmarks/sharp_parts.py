"""Is any part of a soft photo sharp already? What deblurring would then draw halos around.

    python benchmarks/sharp_parts.py

Every ninth development scene of benchmarks/captures.py, 512 pixels: blurred by 0.8 to 2.5 pixels,
blurred by 1 or 2 but for a sharp square of 64 (the one with most detail), and as it is; stored as
JPEG. whole: the width by the spectrum of all of it; part: of the sharpest part, by
`estimators.blur.sharpest_width`, infinite where none tells; deblurs: the width that `--task deblur`
undoes, 0 for none. Writes gdp_lite/book/results/sharp_parts.csv. Two minutes.
"""

import argparse

import torch
from common import CAPTURES, photos, show
from torch.nn import functional

from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.results import save_results
from gdp_lite.degradations import GaussianBlur
from gdp_lite.estimators import estimate_blur_width, estimate_noise
from gdp_lite.estimators.blur import sharpest_width
from gdp_lite.tasks import CODING_NOISE, SHARP

SIDE = 64  # pixels of the sharp square


def versions(x):
    """(name, photo)."""
    yield "sharp", x
    for width in (0.8, 1.0, 1.5, 2.5):
        yield f"blur {width}", GaussianBlur(2 * round(3 * width) + 1, width)(x)
    for width in (1.0, 2.0):
        soft = GaussianBlur(13, width)(x)
        lost = functional.avg_pool2d((x - soft).square().mean(1, keepdim=True), SIDE)[0, 0]
        top, left = divmod(int(lost.argmax()), lost.shape[1])
        there = (..., slice(SIDE * top, SIDE * (top + 1)), slice(SIDE * left, SIDE * (left + 1)))
        soft[there] = x[there]
        yield f"sharp part, {width}", soft


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", default=str(CAPTURES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    scenes = [(n, x) for n, x in photos(args.captures) if n.endswith("-scene")]
    rows = []
    for name, x in [s for s in scenes if s[0].startswith("large-")][::9]:
        for kind, y in versions(x):
            for quality in (60, 85, 95):
                z = through_jpeg(y, quality)
                sigma = float(estimate_noise(z, coded=True))
                whole = float(estimate_blur_width(z, sigma))
                part = sharpest_width(z, (sigma**2 + CODING_NOISE**2) ** 0.5)
                told = min(whole, part)
                row = {"photo": name.removesuffix("-scene"), "kind": kind, "quality": quality}
                row |= {"whole": round(whole, 2), "part": round(part, 2)}
                rows.append({**row, "deblurs": round(told, 2) if told >= SHARP else 0})
                show(rows[-1])
    save_results("sharp_parts", rows)


if __name__ == "__main__":
    main()
