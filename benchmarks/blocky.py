"""Is a photo made of blocks? What superres would take away, in all and where it is most.

    python benchmarks/blocky.py

Every ninth development scene of benchmarks/captures.py, 512 pixels, by blocks of 2 and 4: averaged
over blocks and stored as JPEG (quality 75 and 85 with 4:2:0, 92 and 95 with 4:4:4), which superres
should accept; as it is; and blurred by 4 pixels but for a sharp corner of 64, which it should not.
mean: root mean square of what block averages take away, of 255; square: of the square of 32 pixels
that loses most, as `tasks.detail_in_blocks`. Writes gdp_lite/book/results/blocky.csv. A minute.
"""

import argparse
import io

import numpy as np
import torch
from common import CAPTURES, photos, show
from PIL import Image

from gdp_lite.book.results import save_results
from gdp_lite.degradations import BlockAverageSameSize, GaussianBlur
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.tasks import detail_in_blocks

STORED = ((75, 2), (85, 2), (92, 0), (95, 0))  # quality, subsampling


def jpeg(x, quality, subsampling):
    file = io.BytesIO()
    picture = Image.fromarray(to_uint8(x))
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return from_uint8(np.asarray(Image.open(file)))


def versions(x, factor):
    """(name, photo)."""
    blocks = BlockAverageSameSize(factor).A(x)
    for quality, subsampling in STORED:
        yield f"blocks, JPEG {quality}", jpeg(blocks, quality, subsampling)
    yield "as it is", x
    corner = GaussianBlur(25, 4.0)(x)
    corner[..., :64, :64] = x[..., :64, :64]
    yield "sharp corner", corner


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", default=str(CAPTURES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    scenes = [(n, x) for n, x in photos(args.captures) if n.endswith("-scene")]
    rows = []
    for name, x in [s for s in scenes if s[0].startswith("large-")][::9]:
        for factor in (2, 4):
            for kind, y in versions(x, factor):
                lost = y - BlockAverageSameSize(factor).A(y)
                rows.append({
                    "scene": name, "factor": factor, "photo": kind,
                    "mean": 255 * float(lost.square().mean().sqrt()),
                    "square": 255 * detail_in_blocks(y, factor),
                })  # fmt: skip
                show(rows[-1])
    save_results("blocky", rows)


if __name__ == "__main__":
    main()
