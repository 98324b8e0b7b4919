"""How small a difference does the two-sample test see? The power curves of *The reverse step*.

    python benchmarks/power.py

The three clouds of the chapter against themselves with less variance: all of them drawn
together towards their common mean, or each one narrower around its own. For 250 and 1000 points
a sample and every share of the variance that is missing, 400 pairs of fresh samples, 99 shuffles,
level 5%: the share of trials that reject. Writes gdp_lite/book/results/power.csv. About 4 minutes
on one core.
"""

import torch

from gdp_lite.book.metrics import energy_distance_test
from gdp_lite.book.mixture import GaussianMixture
from gdp_lite.book.results import save_results

TRIALS = 400
MISSING = {  # percent
    "all together": (0, 5, 10, 15, 20, 30),
    "each cloud": (0, 10, 20, 30, 40, 50, 60, 70),
}
CLOUDS = GaussianMixture(
    [0.6, 0.2, 0.2],
    [[0.0, -0.3], [0.8, 0.6], [-0.8, 0.6]],
    [[[0.02, 0.0], [0.0, 0.01]], [[0.02, 0.01], [0.01, 0.02]], [[0.02, -0.01], [-0.01, 0.02]]],
)


def narrowed(kind, percent):
    """The clouds without so many percent of their variance."""
    kept, means = 1 - percent / 100, CLOUDS.means
    if kind == "all together":
        centre = CLOUDS.moments()[0]
        means = centre + kept**0.5 * (means - centre)
    return GaussianMixture(CLOUDS.weights, means, kept * CLOUDS.covs)


def main():
    draw, rows = torch.Generator().manual_seed(0), []
    for kind, missing in MISSING.items():
        for points in (250, 1000):
            for percent in missing:
                other, rejected = narrowed(kind, percent), 0
                for _ in range(TRIALS):
                    pair = (m.sample(points, draw).float() for m in (CLOUDS, other))
                    rejected += energy_distance_test(*pair, 99, draw)[1] <= 0.0501
                row = {"kind": kind, "points": points, "missing_percent": percent}
                rows.append(row | {"trials": TRIALS, "rejected": rejected / TRIALS})
                print(rows[-1], flush=True)
    save_results("power", rows)


if __name__ == "__main__":
    main()
