"""What the sampler costs beside its bare network calls, and what more steps would buy.

    python benchmarks/cost.py --shared ../shared

Time and memory: 256 x 256, 5 steps, one thread, processor seconds of `restore` over those of as
many calls of the network, alternating, the median of five pairs; peak memory of a process that
restores over that of one that only calls the network. Then 20 against 100 steps, 96 x 96 crops
of every fourth Kodak photo: PSNR in dB and HaarPSI, paired differences with standard errors, and
beside HaarPSI's its spread over three seeds. Writes gdp_lite/book/results/cost.csv and steps.csv.
About 12 minutes on one core.
"""

import multiprocessing
import resource
import time

import numpy as np
import torch
from common import arguments, haarpsi, kodak, mean_and_error, operators

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE, STEPS = 256, 5


def photo(size):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")


def calls(prior, x):
    with torch.no_grad():
        for t in range(10, 10 * STEPS + 1, 10):
            prior.eps(x, t)


def restored(prior, degradation, y):
    known = degradation.requires_grad_(False)
    restore(y, known, prior, STEPS, generator=torch.Generator().manual_seed(0))


def seconds(function, *arguments):
    began = time.process_time()
    function(*arguments)
    return time.process_time() - began


def peak(name):
    """MiB of a fresh process; name: of an operator, None for the bare calls."""
    torch.set_num_threads(1)
    prior, x = load_prior(), photo(SIZE)
    if name is None:
        calls(prior, x)
    else:
        degradation = operators(SIZE)[name]
        restored(prior, degradation, degradation.simulate(x).detach())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def costs():
    prior, x, rows = load_prior(), photo(SIZE), []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        bare = pool.map(peak, [None])[0]
        for name, degradation in operators(SIZE).items():
            y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
            ratios = []
            for _ in range(5):
                whole = seconds(restored, prior, degradation, y)
                ratios.append(whole / seconds(calls, prior, x))
            row = {"operator": name, "time": float(np.median(ratios))}
            row["memory"] = pool.map(peak, [name])[0] / bare
            rows.append(row)
            print(row, flush=True)
    save_results("cost", rows)


def steps(shared):
    prior, rows = load_prior(), []
    x = torch.cat(kodak(shared, 96, every=4))
    for name in ("noise", "25% missing", "block average 4", "Gaussian blur"):
        degradation = operators(96)[name]
        y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()

        def scores(count, seed, degradation=degradation, y=y):
            generator = torch.Generator().manual_seed(seed)
            image = restore(y, degradation, prior, count, generator=generator).image
            return psnr(image, x).double(), haarpsi(image, x)

        few, many = [scores(20, seed) for seed in range(3)], scores(100, 0)
        row = {"operator": name}
        for number, kind in enumerate(("psnr", "haarpsi")):
            gap = few[0][number] - many[number]
            row[kind] = float(few[0][number].mean())
            row[f"{kind}_minus_100_steps"], row[f"{kind}_error"] = mean_and_error(gap)
            spread = torch.stack([scores[number] for scores in few]).std(0).mean()
            row[f"{kind}_spread"] = float(spread)
        rows.append(row)
        print(row, flush=True)
    save_results("steps", rows)


def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    costs()
    steps(args.shared)


if __name__ == "__main__":
    main()
