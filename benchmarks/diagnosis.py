"""How often `diagnose` is right: precision and recall of each kind, on captures held back.

    python benchmarks/diagnosis.py --shared ../shared --every 3

10 of the 28 captures (all without --every) of benchmarks/captures.py, Kodak's and scikit-image's
scenes, with their manifest for truth. A person is said to see: light, from 0.7 stops off; colour,
from a gain that is off by 0.18 in its logarithm; softness, from 1 pixel of blur, root mean square,
of lens, defocus and motion together; noise, from 2 of 255 in luma (none in the captures without
noise); a JPEG, up to quality 40; every stamp. What captures lack is added to them: two stops less
and one and a half more light, contrast squeezed to 0.4, gains of 1.3 and 0.75 for red and blue, a
second JPEG of quality 20 to 80 (read from the file, and from the pixels alone), a date or a name in
one colour. `found` counts the cases
found among `wrong`, `false` those found among `right`; recall = found / wrong, precision = found /
(found + false), as rare as the faults are here. Stamps also on 40 good photos of train/photos and
val.
Writes gdp_lite/book/results/diagnosis.csv. About 4 minutes.
"""

import csv
import io
import math
from pathlib import Path

import numpy as np
import torch
from common import CAPTURES, arguments, photos, show
from PIL import Image, ImageDraw, ImageFont

from gdp_lite import read_photo
from gdp_lite.book.results import save_results
from gdp_lite.diagnosis import SEEN, diagnose
from gdp_lite.estimators import estimate_light
from gdp_lite.findings import of_colour
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear, to_uint8
from gdp_lite.repairs.covered import of_overlay
from gdp_lite.repairs.jpeg import of_coding

STAMPS = {
    "date, orange": ("24.12.'98  17:05", "#ff8c14"),
    "name, white": ("(c) A. Studio", "white"),
}
FAULTS = {"too dark": -2.0, "too bright": 1.5}


def width(row):
    """Root mean square blur in pixels, of a row of the manifest."""
    lens, defocus, motion = (float(row[name]) for name in ("blur", "defocus", "motion"))
    return math.sqrt(lens**2 + defocus**2 / 4 + motion**2 / 24)


def off(row):
    """By how much a gain is off, in its logarithm."""
    logs = np.array([float(row["red_error"]), 0.0, float(row["blue_error"])])
    return float(np.abs(logs - logs.mean()).max())


def coded(y, quality, **options):
    """A JPEG file, its bytes."""
    file = io.BytesIO()
    Image.fromarray(to_uint8(y)).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def stamped(y, words, colour, height):
    """y with a line of text at its lower right, then coded at quality 92."""
    picture = Image.fromarray(to_uint8(y))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(height)
    right, lower = picture.width - 16, picture.height - 16
    draw.text((right, lower), words, colour, font, anchor="rs")
    return read_photo(coded(from_uint8(np.asarray(picture)), 92)).image


class Counts:
    """(kind, case) -> found and not, among wrong and right."""

    def __init__(self):
        self.seen = {}

    def add(self, kind, case, truth, found):
        self.seen.setdefault((kind, case), []).append((bool(truth), bool(found)))

    def rows(self):
        """Of what is right, every case of a kind is held against the same photos."""
        for (kind, case), pairs in self.seen.items():
            if case == "right":
                continue
            both = pairs + self.seen.get((kind, "right"), [])
            wrong, right = ([f for t, f in both if t is which] for which in (True, False))
            found, false = sum(wrong), sum(right)
            yield {
                **{"kind": kind, "case": case, "wrong": len(wrong), "found": found},
                **{"right": len(right), "false": false},
                "recall": found / len(wrong) if wrong else math.nan,
                "precision": found / (found + false) if found + false else math.nan,
            }


def of_captures(folder, counts, every):
    """Every kind on the captures, with their own faults and with those added."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if not r["name"].startswith("large")]
    for row in rows[::every]:
        photo, quiet = (read_photo(folder / f"{row['name']}{end}.jpg") for end in ("", "-quiet"))
        stops = float(row["exposure"])
        for one, level in ((photo, float(row["noise luma"])), (quiet, 0.0)):
            found = diagnose(one.image, one.iso, one.coding).findings
            counts.add("noise", "as captured", level > 2, found["noise"].seen)
            counts.add("softness", "as captured", width(row) > 1, found["softness"].seen)
            counts.add("jpeg", "right", False, found["jpeg"].seen)
            counts.add("overlay", "right", False, found["overlay"].visible >= SEEN)
            told, fault = found["light"].seen, found["light"].detail.fault
            right = "right" if abs(stops) <= 0.7 else "as captured"
            counts.add("light", right, abs(stops) > 0.7, told and fault != "none")
            right = "right" if off(row) <= 0.18 else "as captured"
            counts.add("colour", right, off(row) > 0.18, found["colour"].seen)
        y = quiet.image
        for fault, more in FAULTS.items():
            if abs(stops + more) > 0.7:
                bad = linear_to_srgb(srgb_to_linear(y) * 2**more).clamp(0, 1)
                light = estimate_light(bad, 0.0)
                counts.add("light", fault, True, light.fault != "none")
        light = estimate_light(0.3 + 0.4 * y, 0.0)
        counts.add("light", "flat", True, light.fault != "none")
        gains = torch.tensor([1.3, 1.0, 0.75]).view(1, 3, 1, 1)
        cast = linear_to_srgb(srgb_to_linear(y) * gains / gains.max()).clamp(0, 1)
        counts.add("colour", "cast added", True, of_colour(cast, 0.0).seen)
        for quality in (20, 40, 60, 80):
            again = read_photo(coded(photo.image, quality))
            for way, coding in (("file", again.coding), ("pixels", None)):
                seen = of_coding(again.image, coding).seen
                counts.add("jpeg", f"{quality}, by its {way}", quality <= 40, seen)
        for case, (words, colour) in STAMPS.items():
            for height in (20, 40):
                seen = of_overlay(stamped(photo.image, words, colour, height))
                counts.add("overlay", f"{case}, {height} pixels", True, seen.visible >= SEEN)
        show({"capture": row["name"]})


def main():
    parser = arguments(__doc__, "train/photos and train/val")
    parser.add_argument("--captures", default=str(CAPTURES), help="folder of captures.py")
    parser.add_argument("--every", type=int, default=1, help="only every n-th capture")
    args = parser.parse_args()
    counts = Counts()
    of_captures(Path(args.captures).expanduser(), counts, args.every)
    for folder, every in (("photos", 90), ("val", 9)):
        for _, y in list(photos(f"{args.shared}/train/{folder}"))[::every][:20]:
            seen = of_overlay(y).visible >= SEEN
            counts.add("overlay", "good photos, none", False, seen)
    rows = list(counts.rows())
    for row in rows:
        show(row)
    save_results("diagnosis", rows)


if __name__ == "__main__":
    main()
