"""Colours that twelve strokes tell a grey photo: by their neighbours alone, and with the prior.

    python benchmarks/strokes.py --shared ../shared [--constants | --joined | --copies]

Kodak's photos at half their size, grey by luma; strokes of the true colours at random places. PSNR
in dB; the grey is the true one for all. Writes gdp_lite/book/results/strokes.csv, ten minutes. On
photos of train/large, printed alone: --constants compares settings of the sampler, --joined how
colours of an eighth of the size are joined to the grey, --copies what a JPEG of the painted copy
makes of the strokes.
"""

import io
from pathlib import Path

import numpy as np
import torch
from common import arguments, photos, show
from PIL import Image
from torch.nn import functional

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.book.strokes import strokes
from gdp_lite.degradations import Strokes
from gdp_lite.degradations.strokes import grey, spread
from gdp_lite.files.strokes import painted
from gdp_lite.image import LUMA, from_uint8, to_uint8
from gdp_lite.prior import load_prior
from gdp_lite.repairs import grey as kind
from gdp_lite.repairs.grey import NOISE, coloured, joined, of_strokes
from gdp_lite.sampler import restore

SETTINGS = {"8 calls": (8, 0.25, 0.25), "5 calls": (5, 0.1, 0.25), "3 calls": (3, 0.05, 0.0)}


def development(shared, side):
    """Ten squares of the large photos."""
    for number, path in enumerate(sorted(Path(shared, "train/large").glob("*.jpg"))[::20][:10]):
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((side, side), Image.Resampling.BOX)
        yield number, from_uint8(np.asarray(small))


def marked(x, number):
    """Strokes over all of a photo, (H, W)."""
    mask = strokes(min(x.shape[-2:]), number)[None, None]
    return functional.interpolate(mask, x.shape[-2:], mode="nearest")[0, 0]


def table(shared):
    """Every photo of Kodak's, grey, by neighbours alone, restored."""
    prior, rows = load_prior(), []
    for number, (name, photo) in enumerate(photos(f"{shared}/eval/kodak24")):
        x = functional.avg_pool2d(photo, 2)
        y, mask = grey(x, LUMA), marked(x, number)
        images = {"grey": y, "neighbours": spread(y, mask, mask * x, LUMA)}
        layer = torch.cat([x, mask.expand_as(x[:, :1])], 1)
        images["restored"] = coloured(y, of_strokes(layer, y).detail, prior)
        scores = {way: round(float(psnr(image, x)), 3) for way, image in images.items()}
        rows.append({"photo": name, "told": round(float(mask.mean()), 4), **scores})
        show(rows[-1])
    save_results("strokes", rows)


def constants(shared):
    """Settings of the sampler."""
    prior = load_prior()
    for number, x in development(shared, 256):
        y, mask = grey(x, LUMA), marked(x, number)
        scores = {"neighbours": float(psnr(spread(y, mask, mask * x, LUMA), x))}
        for name, (steps, start_sigma, zeta) in SETTINGS.items():
            z = restore(
                torch.cat([y, mask * x], -2),
                Strokes(mask, NOISE, LUMA),
                prior,
                steps,
                start_sigma=start_sigma,
                zeta=zeta,
                generator=torch.Generator().manual_seed(0),
            ).image
            scores[name] = float(psnr(joined(y[:, :1], z), x))
        show({"photo": number, **scores})


def joining(shared):
    """Squares and least contrasts of the filter that joins colours to the grey."""
    for reach in (3, 5, 7):
        for flat in (0.005, 0.01, 0.02, 0.04, 0.08):
            kind.REACH, kind.FLAT = reach, flat
            found = []
            for _, x in development(shared, 512):
                small = functional.adaptive_avg_pool2d(x, (64, 64))
                found.append(float(psnr(joined(grey(x, LUMA)[:, :1], small), x)))
            show({"reach": reach, "flat": flat, "psnr": sum(found) / len(found)})


def copies(shared):
    """Strokes of the true colours in copies that were stored as JPEG."""
    for quality in (40, 60, 75, 90):
        wrong, found = [], []
        for number, x in development(shared, 512):
            y, mask = grey(x, LUMA), marked(x, number)
            image = Image.fromarray(to_uint8(mask * x + (1 - mask) * y))
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality)
            there = painted(from_uint8(np.asarray(Image.open(file))), y, lossy=True)
            seen = (x.amax(1) - x.amin(1))[0].numpy() > 48 / 255  # paler ones are JPEG's as well
            inside = mask.numpy() > 0
            wrong.append(100 * float(there[~inside].mean()))
            found.append(100 * float(there[inside & seen].mean() if (inside & seen).any() else 1))
        show({"quality": quality, "elsewhere, %": max(wrong), "strokes, %": sum(found) / 10})


def main():
    parser = arguments(__doc__, "train/large, eval/kodak24")
    for option in ("constants", "joined", "copies"):
        parser.add_argument(f"--{option}", action="store_true")
    args = parser.parse_args()
    work = constants if args.constants else joining if args.joined else None
    (work or (copies if args.copies else table))(args.shared)


if __name__ == "__main__":
    with torch.no_grad():
        main()
