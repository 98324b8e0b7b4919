"""Photos of blocks: are they told from others, what would be lost, what is gained by undoing them?

    python benchmarks/blocky.py --shared ../shared

What superres would take away: every ninth development scene of benchmarks/captures.py, 512 pixels,
by blocks of 2 and 4: averaged over blocks and stored as JPEG (quality 75 and 85 with 4:2:0, 92 and
95 with 4:4:4), which superres should accept; as it is; and blurred by 4 pixels but for a sharp
corner of 64, which it should not. mean: root mean square of what block averages take away, of 255;
square: of the square of 32 pixels that loses most, as `tasks.detail_in_blocks`. Writes
gdp_lite/book/results/blocky.csv.

And what `diagnose` finds and `restore_image` makes of it, unasked: every third Kodak photo, 256 x
256 from its middle, by blocks of 2, 4 and 8, as a PNG and as JPEGs. placed: share in which the side
and the place of the blocks are right. Over those: gain in PSNR over the photo, standard error,
median and worst, HaarPSI, and what bicubic interpolation of the blocks' means gains. Kind "none":
Kodak, train/val and the phones' files as they are, and Kodak's as JPEGs of quality 3 and 10: in how
many blocks are found, and the greatest ratio (`estimators.blocks.RATIO`) and the largest share of
blocks of one colour. Writes gdp_lite/book/results/resolution.csv.

And what is drawn in photos and in drawings of blocks (`estimators.drawn`): the least and the most
share of all parts, and the share of pictures that `restore` leaves as they are. Photos: Kodak's,
and the phones' at a quarter of their side; drawings: a page of small text on a fifth, two fifths
and all of a Kodak photo's width, the photo dithered to black and white, and a code of random
squares; all by blocks of 2, 4 and 8, in colour and in grey, as a PNG and as a JPEG of quality 75.
Writes gdp_lite/book/results/drawn.csv. About seven minutes.
"""

import io
from functools import partial

import numpy as np
import torch
from common import (
    CAPTURES,
    arguments,
    centre_crops,
    haarpsi,
    photos,
    show,
)
from PIL import Image, ImageDraw
from torch.nn import functional

from gdp_lite import diagnose, load_prior
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import BlockAverage, BlockAverageSameSize, GaussianBlur
from gdp_lite.estimators import blocks
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.repairs.resolution import of_blocks
from gdp_lite.restoring import restore_image
from gdp_lite.tasks import detail_in_blocks

STORED = ((75, 2), (85, 2), (92, 0), (95, 0))  # quality, subsampling
SIDE, OFFSET = 256, (1, 3)  # pixels; of the photo in its blocks
LINE = 14  # pixels from one line of text to the next


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


def lost(captures):
    """Rows of blocky.csv."""
    scenes = [(n, x) for n, x in photos(captures) if n.endswith("-scene")]
    rows = []
    for name, x in [s for s in scenes if s[0].startswith("large-")][::9]:
        for factor in (2, 4):
            for kind, y in versions(x, factor):
                gone = y - BlockAverageSameSize(factor).A(y)
                rows.append({
                    "scene": name, "factor": factor, "photo": kind,
                    "mean": 255 * float(gone.square().mean().sqrt()),
                    "square": 255 * detail_in_blocks(y, factor),
                })  # fmt: skip
                show(rows[-1])
    return rows


def enlarged(y, factor, offset):
    """The blocks' means, bicubic, at the photo's size."""
    top, left = offset
    padded = functional.pad(y, (left, -left % factor, top, -top % factor), "replicate")
    small = BlockAverage(factor, tuple(padded.shape[-2:])).A(padded)
    size = [n * factor for n in small.shape[-2:]]
    large = functional.interpolate(small, size, mode="bicubic", align_corners=False).clamp(0, 1)
    return large[..., top : top + y.shape[-2], left : left + y.shape[-1]]


def undone(shared):
    """Rows of resolution.csv about photos of blocks."""
    prior, rows = load_prior(), []
    scenes = [x for _, x in list(centre_crops(f"{shared}/eval/kodak24", SIDE))[::3]]
    stored = {"PNG": lambda x: x, **{f"JPEG {q}": partial(jpeg, quality=q, subsampling=s)
              for q, s in ((92, 0), (75, 2), (50, 2))}}  # fmt: skip
    for factor in (2, 4, 8):
        for name, store in stored.items():
            gains, cubic, haar, found = [], [], [], 0
            for x in scenes:
                offset = tuple(n % factor for n in OFFSET)
                y = store(from_uint8(to_uint8(BlockAverageSameSize(factor, offset=offset).A(x))))
                diagnosis = diagnose(y)
                finding = diagnosis.findings.get("resolution")
                if finding is None or finding.detail[:3] != (factor, *offset):
                    continue
                found += 1
                z = restore_image(y, diagnosis, prior, ["resolution"])
                before = float(psnr(y, x))
                gains.append(float(psnr(z, x)) - before)
                cubic.append(float(psnr(enlarged(y, factor, offset), x)) - before)
                haar.append(float(haarpsi(z, x)) - float(haarpsi(enlarged(y, factor, offset), x)))
            told = {"kind": f"blocks of {factor}", "stored": name, "photos": len(scenes)}
            told["placed"] = found / len(scenes)
            gain = np.array(gains)
            ahead = gain - np.array(cubic)
            rows.append(told if not gains else told | {
                "gain": gain.mean(),
                "gain_se": gain.std(ddof=1) / len(gain) ** 0.5, "gain_median": np.median(gain),
                "gain_worst": gain.min(), "bicubic": np.mean(cubic), "ahead": ahead.mean(),
                "ahead_se": ahead.std(ddof=1) / len(gain) ** 0.5, "ahead_worst": ahead.min(),
                "ahead_haarpsi": np.mean(haar),
            })  # fmt: skip
            show(rows[-1])
    return rows


def others(shared):
    """Rows about photos that are not made of blocks."""
    kodak = [x for _, x in photos(f"{shared}/eval/kodak24")]
    sets = {
        "Kodak": iter(kodak),
        "train/val": (x for _, x in photos(f"{shared}/train/val")),
        "phones": (x for _, x in photos(f"{shared}/eval/phones")),
        "Kodak, JPEG 10": (jpeg(x, 10, 2) for x in kodak),
        "Kodak, JPEG 3": (jpeg(x, 3, 2) for x in kodak),
    }
    for name, these in sets.items():
        found, ratios, same = [], [], []
        for y in these:
            found.append(blocks.estimate_blocks(y).side > 1)
            side, top, left, ratio = blocks.likeliest(y)
            ratios.append(ratio)
            same.append(blocks.within(y, side, top, left)[1])
        yield {
            "kind": "none", "stored": name, "photos": len(found), "placed": np.mean(found),
            "ratio": max(ratios), "same": max(same),
        }  # fmt: skip


def large(x, factor):
    """Every pixel as a block."""
    return x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def page(x, share):
    """The photo with text over so much of its width."""
    height, width = x.shape[-2:]
    text = Image.new("RGB", (round(share * width), height), "white")
    for top in range(2, height, LINE):
        ImageDraw.Draw(text).text((2, top), 9 * "a line of text ", fill="black")
    return torch.cat([from_uint8(np.asarray(text)), x[..., text.width :]], -1)


def dithered(x):
    return from_uint8(np.asarray(Image.fromarray(to_uint8(x)).convert("1").convert("RGB")))


def drawn(shared):
    """Rows of drawn.csv."""
    kodak = [x for _, x in photos(f"{shared}/eval/kodak24")]
    phones = [BlockAverage(4, x.shape[-2:]).A(x) for _, x in photos(f"{shared}/eval/phones")]
    code = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)) > 0.5
    few = kodak[::3]
    sets = {
        "photos, Kodak": kodak,
        "photos, phones": phones,
        **{f"text on {share:.0%}": [page(x, share) for x in few] for share in (0.2, 0.4, 1.0)},
        "dithered": [dithered(x) for x in few],
        "code": [code.float().expand(1, 3, -1, -1)],
    }
    for name, these in sets.items():
        for factor in (2, 4, 8):
            shares, left = [], []
            for x in these:
                # A drawing is of as many pixels as it has, and a photo loses some.
                small = x if "photos" not in name else BlockAverage(factor, x.shape[-2:]).A(x)
                for tones in (small, small.mean(1, keepdim=True).expand_as(small)):
                    for quality in (None, 75):
                        y = from_uint8(to_uint8(large(tones, factor)))
                        y = y if quality is None else jpeg(y, quality, 2)
                        found = blocks.estimate_blocks(y)
                        if found.side == factor:
                            shares.append(found.drawn)
                            left.append(not of_blocks(found).seen)
            yield {
                "kind": name, "factor": factor, "pictures": len(shares), "least": min(shares),
                "most": max(shares), "left": np.mean(left),
            }  # fmt: skip


def main():
    parser = arguments(__doc__, "eval/kodak24, eval/phones and train/val")
    parser.add_argument("--captures", default=str(CAPTURES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    save_results("blocky", lost(args.captures))
    save_results("drawn", list(drawn(args.shared)))
    rows = [*undone(args.shared), *others(args.shared)]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    save_results("resolution", [{key: row.get(key, "") for key in keys} for row in rows])


if __name__ == "__main__":
    main()
