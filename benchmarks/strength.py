"""Is the best strength the same for every degradation and at every size?

    python benchmarks/strength.py --shared ../shared

Simulated degradations, known, over centre crops of the Kodak photos: 128 x 128 of every second,
512 x 512 of two; 6 steps, fixed seeds, the bundled prior. For every strength of a log grid, two
values a decade, the mean PSNR in dB and its paired difference from the best of the grid, with
the standard error. Writes gdp_lite/book/results/strength.csv. About 15 minutes on one core.
"""

import argparse

import torch
from cost import operators
from first_restoration import centre_crops

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import ChannelMean
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

STEPS = 6
GRID = [10 ** (k / 2) for k in range(-1, 3)]
EVERY = {128: 2, 512: 12}  # of the 24 photos
NAMES = ("noise", "25% missing", "block average 4", "Gaussian blur", "JPEG", "channel mean")


def rows_of(size, name, x, prior):
    known = operators(size) | {"channel mean": ChannelMean(sigma=5 / 255)}
    degradation = known[name].requires_grad_(False)
    y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
    scores = {}
    for strength in GRID:
        generator = torch.Generator().manual_seed(1)
        result = restore(y, degradation, prior, STEPS, strength, generator=generator)
        scores[strength] = psnr(result.image, x).double()
    best = max(scores, key=lambda strength: float(scores[strength].mean()))
    for strength, score in scores.items():
        gap = score - scores[best]
        row = {"size": size, "operator": name, "strength": strength, "psnr": float(score.mean())}
        row["minus_best"] = float(gap.mean())
        row["se"] = float(gap.std() / len(gap) ** 0.5)
        print(row, flush=True)
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, rows = load_prior(), []
    for size, every in EVERY.items():
        crops = [x for _, x in centre_crops(f"{args.shared}/eval/kodak24", size)]
        for name in NAMES:
            rows += rows_of(size, name, torch.cat(crops[::every]), prior)
    save_results("strength", rows)


if __name__ == "__main__":
    main()
