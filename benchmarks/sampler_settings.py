"""The practical sampler's settings, one at a time, over tasks and photos.

    python benchmarks/sampler_settings.py --shared ../shared [--only TASK ...]

96 x 96 centre crops of every third Kodak photo, simulated degradations, the bundled prior,
fixed seeds. Around the defaults (`gdp_lite.policy.POLICY`) it varies zeta (share of the
noise added again), strength (trust in the photo) and steps. Writes
gdp_lite/book/results/sampler_settings.csv: PSNR in dB, mean over photos, its difference from the
default, with the standard error of that paired difference. About 5 minutes on two cores; --only
makes the rows of these tasks anew.
"""

import torch
from common import arguments, kodak, mean_and_error, save_anew, show

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import (
    BlockAverage,
    BlockAverageSameSize,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    random_mask,
)
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE = 96
DEFAULT = {"zeta": None, "strength": 1.0, "steps": None}
VARIED = {
    "zeta": (0.0, 0.25, 0.5, 1.0),
    "strength": (0.1, 0.3, 0.5, 2.0, 3.0),
    "steps": (1, 4, 8, 20, 40),
}


def tasks(generator):
    """By name."""
    mask = random_mask(SIZE, SIZE, generator=generator)
    return {
        "denoise, sigma 25": GaussianNoise(25 / 255),
        "blur 1.5 px, sigma 5": GaussianBlur(9, 1.5, 5 / 255),
        "block average 4, sigma 2": BlockAverage(4, sigma=2 / 255),
        "same size average 2, sigma 2": BlockAverageSameSize(2, sigma=2 / 255),
        "25% missing, sigma 1": Inpainting(mask, 1 / 255),
    }


def main():
    every, parser = tasks(torch.Generator().manual_seed(0)), arguments(__doc__)
    parser.add_argument("--only", nargs="*", choices=every, help="these tasks alone")
    args = parser.parse_args()
    x, prior, rows = torch.cat(kodak(args.shared, SIZE, every=3)), load_prior(), []
    for task in args.only or every:
        degradation = every[task]
        y = degradation.simulate(x, torch.Generator().manual_seed(1))

        def score(settings, degradation=degradation, y=y):
            generator = torch.Generator().manual_seed(2)
            result = restore(y, degradation, prior, generator=generator, **settings)
            return psnr(result.image, x).numpy()

        usual = score(DEFAULT)
        start = psnr(degradation.start(y), x).numpy()
        found = [("start", "", start), ("default", "", usual)]
        for name, values in VARIED.items():
            found += [(name, value, score(DEFAULT | {name: value})) for value in values]
        for name, value, scores in found:
            row = {"task": task, "setting": name, "value": value, "psnr": float(scores.mean())}
            row["minus_default"], row["standard_error"] = mean_and_error(scores - usual)
            rows.append(row)
            show(row)
    if args.only:
        save_anew("sampler_settings", rows, "task")
    else:
        save_results("sampler_settings", rows)


if __name__ == "__main__":
    main()
