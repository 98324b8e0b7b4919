"""How often a cast is seen in good photos, and whether undoing one that is there helps.

    python benchmarks/casts.py --shared ../shared

Every other of train/val's photos, and the scenes of train/large that benchmarks/captures.py cuts,
512 pixels, many of them without anything white; by both the share was chosen. Kodak's photos are
held back. Each as it is and with a random cast in linear
light (log gains of standard deviation 0.22): `findings.of_colour`. Writes
gdp_lite/book/results/casts.csv: the share of good photos in which a cast is seen; of casts above
0.25 the share that is seen, and of these the share that undoing makes smaller. Then, for what is
undone of a cast that is seen: the mean squared error of the log gains over that of doing nothing,
where one photo in five has a cast. A minute.
"""

import math

import torch
from common import CAPTURES, arguments, photos, show

from gdp_lite.book.results import save_results
from gdp_lite.findings import CAST_SHARE, of_colour
from gdp_lite.image import linear_to_srgb, srgb_to_linear

SPREAD, LARGE, OFTEN = 0.22, 0.25, 0.2
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def found_in(x):
    """(seen, log gains that are found, all of them, mean 0)."""
    found = of_colour(x, 0.0)
    logs = found.detail.double().log()
    logs = (logs - logs.mean()) / (CAST_SHARE if found.seen else 1.0)
    return found.seen, logs


def tried(pictures, generator):
    """(true log gains, seen, found), of good photos and with casts."""
    good, cast = [], []
    for x in pictures:
        good.append((torch.zeros(3).double(), *found_in(x)))
        logs = SPREAD * torch.randn(3, generator=generator).double()
        logs = logs - logs.mean()
        light = srgb_to_linear(x) * logs.exp().float().view(1, 3, 1, 1)
        y = (255 * linear_to_srgb(light.clamp(0, 1))).round() / 255
        cast.append((logs, *found_in(y)))
    return good, cast


def left(cases, share):
    """Mean squared error of the log gains where so much of what is seen is undone."""
    return float(
        torch.stack(
            [(true - seen * share * found).square().sum() for true, seen, found in cases]
        ).mean()
    )


def main():
    args = arguments(__doc__, "eval/kodak24, train/val").parse_args()
    generator, rows = torch.Generator().manual_seed(0), []
    groups = {
        "val": [x for _, x in photos(f"{args.shared}/train/val")][::2],
        "large": [x for name, x in photos(CAPTURES) if name.startswith("large-")
                  and name.endswith("-scene")],
        "Kodak": [x for _, x in photos(f"{args.shared}/eval/kodak24")],
    }  # fmt: skip
    for group, pictures in groups.items():
        good, cast = tried(pictures, generator)
        strong = [case for case in cast if float(case[0].abs().max()) > LARGE]
        seen = [case for case in strong if case[1]]
        smaller = [
            float((true - CAST_SHARE * found).abs().max()) < float(true.abs().max())
            for true, _, found in seen
        ]
        count = {"good photos, seen": (len(good), sum(c[1] for c in good) / len(good))}
        count["cast above 0.25, seen"] = len(strong), len(seen) / len(strong)
        count["made smaller"] = len(seen), sum(smaller) / len(seen) if seen else math.nan
        nothing = OFTEN * left(cast, 0.0)
        for share in SHARES:
            error = (1 - OFTEN) * left(good, share) + OFTEN * left(cast, share)
            count[f"error, undone by {share:g}"] = len(good) + len(cast), error / nothing
        for what, (photos_of, value) in count.items():
            rows.append({"group": group, "what": what, "photos": photos_of, "share": value})
            show(rows[-1])
    save_results("casts", rows)


if __name__ == "__main__":
    main()
