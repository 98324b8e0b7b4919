"""Constants of the package that no other benchmark chooses.

    python benchmarks/package_constants.py --shared ../shared

- What photos are: mean and standard deviation of their numbers (`degradations.light`), and of
  the fall of their spectra with the width that lens and scaling leave, by least squares of the
  logarithm (`estimators.blur`); every fifth photo of train/photos.
- HALF: how far coefficients of a JPEG are held from the ends of their intervals
  (`degradations.jpeg`); 64 x 64 crops of train/val, PSNR in dB.
- What tells photos from masks (`files.masks`): the share of a photo's pixels that are neither black
  nor white; the least, the next and the median of Kodak's and of train/val.

Writes gdp_lite/book/results/package_constants.csv. About 2 minutes on one core.
"""

from itertools import islice
from pathlib import Path
from unittest.mock import patch

import torch
from common import arguments, centre, mean_and_error, photos, save_parts

from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import JPEG, jpeg
from gdp_lite.estimators.blur import radial_spectrum
from gdp_lite.files import masks
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore


def good_photos(every):
    """Their mean, spread and spectra, a row each."""
    numbers = {"mean": [], "standard deviation": [], "fall": [], "own width": []}
    for _, x in every:
        numbers["mean"].append(float(x.mean()))
        numbers["standard deviation"].append(float(x.std()))
        omega, power, count = radial_spectrum(x)
        design = torch.stack([torch.ones_like(omega), -omega.log(), -(omega**2)], 1)
        weight = count.sqrt()[:, None]
        found = torch.linalg.lstsq(design * weight, power.log()[:, None] * weight).solution
        numbers["fall"].append(float(found[1]))
        numbers["own width"].append(max(float(found[2]), 0) ** 0.5)
    for name, values in numbers.items():
        values = torch.tensor(values)
        yield {
            "constant": name, "on": f"{len(values)} photos", "value": float(values.median()),
            "spread": float(values.std()),
        }  # fmt: skip


def rounding(crops, prior):
    x = torch.cat(crops)
    for quality in (15, 50):
        scores = {}
        for half in (0.5, 0.4, 0.3, 0.2, 0.1):
            with patch.object(jpeg, "HALF", half):
                found = []
                for one in x.split(1):
                    file = JPEG.from_quality(quality)
                    y = file.simulate(one)
                    seed = torch.Generator().manual_seed(0)
                    found.append(restore(y, file, prior, generator=seed).image)
            scores[half] = psnr(torch.cat(found), x).double()
            gap, error = mean_and_error(scores[half] - scores[0.5])
            yield {
                "constant": "HALF", "on": f"JPEG of quality {quality}", "value": half,
                "psnr": float(scores[half].mean()), "difference": gap, "error": error,
            }  # fmt: skip


def neither(folders):
    """How little of a photo is neither black nor white."""
    for folder in folders:
        shares = []
        for _, x in photos(folder):
            values = 255 * x[0]
            between = (values > masks.BLACK).any(0) & (values < masks.WHITE).any(0)
            shares.append(float(between.double().mean()))
        least, following = sorted(shares)[:2]
        yield {
            "constant": "BETWEEN", "on": f"{len(shares)} of {folder.name}",
            "value": masks.BETWEEN, "least": least, "next": following,
            "median": float(torch.tensor(shares).median()),
        }  # fmt: skip


def main():
    args = arguments(__doc__, "train/photos, train/val and eval/kodak24").parse_args()
    torch.set_num_threads(1)
    trained = islice(photos(f"{args.shared}/train/photos"), 0, None, 5)
    held = [x for _, x in islice(photos(f"{args.shared}/train/val"), 0, None, 24)]
    crops = [centre(x, 64) for x in held]
    folders = [Path(args.shared, name) for name in ("train/val", "eval/kodak24")]
    parts = good_photos(trained), rounding(crops, load_prior()), neither(folders)
    save_parts("package_constants", parts)


if __name__ == "__main__":
    main()
