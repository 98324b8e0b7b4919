"""Constants of the package that no other benchmark chooses.

    python benchmarks/package_constants.py --shared ../shared

- What photos are: mean and standard deviation of their numbers (`degradations.light`), and of
  the fall of their spectra with the width that lens and scaling leave, by least squares of the
  logarithm (`estimators.blur`); every fifth photo of train/photos.
- HALF: how far coefficients of a JPEG are held from the ends of their intervals
  (`degradations.jpeg`); 64 x 64 crops of train/val, PSNR in dB.
- CODING_NOISE: what is added to the noise that a task finds in a file (`tasks`); 128 x 128 crops
  of captures of the development scenes (benchmarks/captures.py), PSNR to the same capture
  without noise and blur, HaarPSI to it, in the mean and the worst change.

Writes gdp_lite/book/results/package_constants.csv. About 5 minutes on one core.
"""

from pathlib import Path
from unittest.mock import patch

import torch
from common import arguments, centre, haarpsi, mean_and_error, photos, show

from gdp_lite import tasks
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import JPEG, jpeg
from gdp_lite.estimators.blur import radial_spectrum
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

CAPTURES = Path.home() / ".cache" / "gdp-lite" / "captures"


def good_photos(every):
    """Their mean, spread and spectra, a row each."""
    numbers = {"mean": [], "standard deviation": [], "fall": [], "own width": []}
    for x in every:
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


def coding(pairs, prior):
    for task, name in (("denoise", "CODING_NOISE"), ("deblur", "CODING_NOISE_DEBLUR")):
        before = torch.cat([psnr(y, x) for y, x in pairs]).double()
        for level in (0, 2, 3, 5):
            found = []
            with patch.object(tasks, name, level / 255):
                for y, x in pairs:
                    F, seed = tasks.degradation_for(task, y), torch.Generator().manual_seed(0)
                    image = restore(y, F, prior, generator=seed).image
                    found.append((float(psnr(image, x)), float(haarpsi(image, x))))
            scores, perceived = torch.tensor(found).double().unbind(1)
            gap, error = mean_and_error(scores - before)
            yield {
                "constant": name, "on": f"{len(pairs)} captures", "value": level,
                "psnr": float(scores.mean()), "difference": gap, "error": error,
                "haarpsi": float(perceived.mean()), "worst": float((scores - before).min()),
            }  # fmt: skip


def main():
    parser = arguments(__doc__, "train/photos and train/val")
    parser.add_argument("--captures", default=CAPTURES, help="folder of benchmarks/captures.py")
    args = parser.parse_args()
    torch.set_num_threads(1)
    pictures = dict(photos(args.captures))
    names = [n for n in pictures if n.startswith("large-") and f"{n}-ideal" in pictures][::5]
    pairs = [tuple(centre(pictures[n], 128) for n in (name, f"{name}-ideal")) for name in names]
    trained = [x for n, (_, x) in enumerate(photos(f"{args.shared}/train/photos")) if n % 5 == 0]
    held = [x for n, (_, x) in enumerate(photos(f"{args.shared}/train/val")) if n % 24 == 0]
    prior, rows = load_prior(), []
    for part in (
        good_photos(trained),
        rounding([centre(x, 64) for x in held], prior),
        coding(pairs, prior),
    ):
        for row in part:
            rows.append(row)
            show(row)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    save_results("package_constants", [{key: row.get(key, "") for key in keys} for row in rows])


if __name__ == "__main__":
    main()
