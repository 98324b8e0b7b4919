"""Is the best strength the same for every degradation and at every size?

    python benchmarks/strength.py --shared ../shared [--only NAME ...]

Simulated degradations, known, over centre crops of the Kodak photos: 128 x 128 of every third,
256 x 256 of two; the default steps, fixed seeds, the bundled prior. For every strength of a log
grid, two values a decade, the mean PSNR in dB and its paired difference from the best of the grid,
with the standard error. Writes gdp_lite/book/results/strength.csv. About 30 minutes on one core;
--only makes the rows of these degradations anew.
"""

import torch
from common import arguments, kodak, mean_and_error, operators, save_anew, show

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import ChannelMean
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

GRID = [10 ** (k / 2) for k in range(-1, 3)]
EVERY = {128: 3, 256: 12}  # of the 24 photos
NAMES = (
    *("noise", "25% missing", "block average 4", "Gaussian blur", "motion blur", "JPEG"),
    "channel mean",
)


def rows_of(size, name, x, prior):
    known = operators(size) | {"channel mean": ChannelMean(sigma=5 / 255)}
    degradation = known[name].requires_grad_(False)
    y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
    scores = {}
    for strength in GRID:
        generator = torch.Generator().manual_seed(1)
        result = restore(y, degradation, prior, None, strength, generator=generator)
        scores[strength] = psnr(result.image, x).double()
    best = max(scores, key=lambda strength: float(scores[strength].mean()))
    for strength, score in scores.items():
        row = {"size": size, "operator": name, "strength": strength, "psnr": float(score.mean())}
        row["minus_best"], row["se"] = mean_and_error(score - scores[best])
        show(row)
        yield row


def main():
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="*", choices=NAMES, help="these degradations alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, rows = load_prior(), []
    for size, every in EVERY.items():
        x = torch.cat(kodak(args.shared, size, every))
        for name in args.only or NAMES:
            rows += rows_of(size, name, x, prior)
    if args.only:
        save_anew("strength", rows, "size", "operator")
    else:
        save_results("strength", rows)


if __name__ == "__main__":
    main()
