"""Constants of the estimators, and of the tasks that have a name: what others would have given.

    python benchmarks/estimator_constants.py --shared ../shared

- Edges (`estimators.edge_profiles`): every 42nd photo of train/photos, blurred in linear light
  by a Gaussian of 0.5, 1 and 1.5 pixels, noise of 2 of 255, JPEG of quality 90. One constant at a
  time, half and twice as much or the like; the error of the sharpest tenth's width in pixels,
  beyond that of the photo as it is, and how many edges there are: fewest, median.
- CAST (`estimators.anchors`): every fifth photo of train/val with casts in linear light, log gains
  of standard deviation 0.1, 0.2 and 0.3; root mean square error of the posterior's mean.
- CODING_NOISE (`tasks`): `--task denoise` and `--task deblur` of a JPEG of quality 75, crops of
  128 x 128 of train/val: with noise of 5 of 255, that is coarse, and without any; blurred by a
  Gaussian of 1.2 pixels. Gain in PSNR over the file, dB, and paired with today's.
- Log odds of noise (`estimators.noise_spectrum`): every third capture of train/large, with its
  noise (of more than 2 of 255, which is seen), without it, and the scene: of each the share from
  which noise would be taken away. Constants that depend on the ISO with the capture's, which is
  the same with noise and without; others with none, the one for photos without colour in grey.
  --captures is the folder of benchmarks/captures.py.

Writes gdp_lite/book/results/estimator_constants.csv. About 9 minutes on one core; --part makes one
part of it and writes nothing.
"""

import csv
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common import CAPTURES, arguments, centre, mean_and_error, photos, save_parts, show
from PIL import Image
from scipy import ndimage

from gdp_lite import tasks
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import GaussianBlur
from gdp_lite.estimators import (
    anchors,
    cast_posterior,
    edge_profiles,
    estimate_noise_spectrum,
    noise_spectrum,
)
from gdp_lite.findings import ASKED
from gdp_lite.image import LUMA, from_uint8, linear_to_srgb, srgb_to_linear
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

EDGES = {
    "EACH": (15, 30, 60),
    "PRE": (0.3, 0.6, 1.2),
    "STEP": (0.05, 0.1, 0.2),
    "TAIL": (0.04, 0.08, 0.16),
    "UNEVEN": (0.07, 0.15, 0.3),
    "HALO": (0.25, 0.5, 1.0),
    "STRAIGHT": (0.5, 0.75, 0.9),
}
WIDTHS = (0.5, 1.0, 1.5)
CASTS, TRIED = (0.1, 0.2, 0.3), (0.11, 0.22, 0.44)
# (times today's, in grey, told the ISO)
ODDS = {
    "PER_ISO": ((0, 0.5, 1, 2), False, True),
    "MIDDLE_ISO": ((0.5, 1, 2), False, True),
    "TOO_MUCH": ((0, 0.5, 1, 2), False, False),
    "USUAL": ((0.5, 1, 2), False, False),
    "PER_BLOTCH": ((0, 0.5, 1, 2), False, False),
    "WITHOUT_COLOUR": ((0, 0.5, 1, 2), True, False),
}
CODING = {"CODING_NOISE": (1, 2, 3, 4, 6), "CODING_NOISE_DEBLUR": (3, 5, 8)}  # of 255


def blurred(x, width):
    """In linear light; x itself for 0."""
    if not width:
        return x
    return linear_to_srgb(GaussianBlur(2 * int(4 * width + 1) + 1, width)(srgb_to_linear(x)))


def filed(x, noise, quality, coarse=0.0, seed=0):
    """x with noise, of a grain as coarse as `coarse` pixels, as a JPEG."""
    grain = np.random.default_rng(seed).normal(size=x.shape)
    grain = ndimage.gaussian_filter(grain, (0, 0, coarse, coarse))
    return through_jpeg(x + noise / grain.std() * torch.from_numpy(grain).float(), quality)


def sharpest(luma):
    """(width, how many): the tenth percentile of the edges' widths, nan where there is none."""
    found = edge_profiles.find_edges(luma, 2 / 255)
    width = float(np.quantile(found.width, 0.1)) if len(found.width) else float("nan")
    return width, len(found.width)


def edges(every):
    lumas = [
        [
            np.einsum("chw,c->hw", filed(blurred(x, width), 2 / 255, 90)[0].numpy(), LUMA)
            for width in (0.0, *WIDTHS)
        ]
        for _, x in every
    ]
    for name, values in EDGES.items():
        today = getattr(edge_profiles, name)
        for value in values:
            with patch.object(edge_profiles, name, value):
                found = np.array([[sharpest(luma) for luma in photo] for photo in lumas])
            added = np.sqrt(np.maximum(found[:, 1:, 0] ** 2 - found[:, :1, 0] ** 2, 0))
            wrong = (added - WIDTHS)[np.isfinite(added)]
            yield {
                "constant": name, "on": f"{len(lumas)} photos, 3 blurs", "value": value,
                "today": value == today, "bias": float(wrong.mean()),
                "error": float(np.abs(wrong).mean()), "fewest": int(found[..., 1].min()),
                "median": float(np.median(found[..., 1])),
            }  # fmt: skip


def casts(every):
    pictures = [x for _, x in every]
    for spread in CASTS:
        logs = torch.randn(len(pictures), 3, generator=torch.Generator().manual_seed(0))
        logs = spread * (logs - logs.mean(1, keepdim=True))
        for value in TRIED:
            wrong = []
            with patch.object(anchors, "CAST", value):
                for x, log in zip(pictures, logs, strict=True):
                    light = srgb_to_linear(x) * log.exp().view(1, 3, 1, 1)
                    y = srgb_to_linear((255 * linear_to_srgb(light.clamp(0, 1))).round() / 255)
                    found = cast_posterior(y, linear=True).log().mean(0)
                    left = log - (found - found.mean())
                    wrong.append(float(left.square().mean()))
            yield {
                "constant": "CAST", "on": f"{len(pictures)} photos, casts of {spread}",
                "value": value, "today": value == anchors.CAST,
                "error": float(np.mean(wrong)) ** 0.5,
            }  # fmt: skip


def coding(crops, prior):
    cases = {
        "coarse noise": ("CODING_NOISE", "denoise", lambda x: filed(x, 5 / 255, 75, 0.7)),
        "no noise": ("CODING_NOISE", "denoise", lambda x: filed(x, 0.0, 75)),
        "blur": ("CODING_NOISE_DEBLUR", "deblur", lambda x: filed(blurred(x, 1.2), 1 / 255, 75)),
    }
    for case, (name, task, made) in cases.items():
        today, scores = getattr(tasks, name), {}
        for value in CODING[name]:
            found = []
            with patch.object(tasks, name, value / 255):
                for x in crops:
                    y = made(x)
                    seed = torch.Generator().manual_seed(0)
                    degradation = tasks.degradation_for(task, y)
                    z = restore(y, degradation, prior, generator=seed).image
                    found.append(float(psnr(z, x) - psnr(y, x)))
            scores[value / 255] = torch.tensor(found).double()
        for value, gains in scores.items():
            gap, error = mean_and_error(gains - scores[today])
            yield {
                "constant": name, "on": f"{len(crops)} crops, {case}",
                "value": round(255 * value), "today": value == today,
                "gain": float(gains.mean()), "worst": float(gains.min()),
                "difference": gap, "standard error": error,
            }  # fmt: skip


def noise_odds(captures):
    with open(captures / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"].startswith("large")][::3]
    ends = {
        ".jpg": [row for row in rows if float(row["noise luma"]) > 2],
        "-quiet.jpg": rows,
        "-scene.png": rows,
    }
    for name, (values, grey, told) in ODDS.items():
        today = getattr(noise_spectrum, name)
        for value in (factor * today for factor in values):
            row = {"constant": name, "value": value, "today": value == today}
            for what, (end, of) in zip(("noise", "no noise", "scene"), ends.items(), strict=True):
                found = []
                for one in of:
                    with Image.open(captures / f"{one['name']}{end}") as picture:
                        y = from_uint8(np.asarray(picture.convert("RGB")))
                    if grey:
                        y = y.mean(1, keepdim=True).expand_as(y)
                    with patch.object(noise_spectrum, name, value):
                        iso = float(one["iso"]) if told else None
                        found.append(estimate_noise_spectrum(y, iso).present >= ASKED["noise"])
                row |= {f"photos, {what}": len(found), f"noisy, {what}": float(np.mean(found))}
            yield row


def main():
    parser = arguments(__doc__, "train/photos and train/val")
    parser.add_argument("--captures", default=str(CAPTURES))
    parser.add_argument("--part", choices=("edges", "casts", "coding", "noise odds"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    trained = islice(photos(f"{args.shared}/train/photos"), 0, None, 42)
    held = list(islice(photos(f"{args.shared}/train/val"), 0, None, 5))
    crops = [centre(x, 128) for _, x in held[::2]]
    parts = {
        "edges": edges(trained),
        "casts": casts(held),
        "coding": coding(crops, load_prior()),
        "noise odds": noise_odds(Path(args.captures)),
    }
    if args.part is None:
        save_parts("estimator_constants", parts.values())
        return
    for row in parts[args.part]:
        show(row)


if __name__ == "__main__":
    main()
