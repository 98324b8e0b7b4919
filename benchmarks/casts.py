"""How often a cast is seen in good photos, and whether undoing one that is there helps.

    python benchmarks/casts.py --shared ../shared

Every third of train/val's photos, as it is and with a random cast in linear light (log gains of
standard deviation 0.22): `findings.of_colour`. Writes gdp_lite/book/results/casts.csv: the share of
photos in which a cast is seen, and of the casts that are seen the share that undoing makes
smaller. A minute.
"""

import torch
from common import arguments, photos, show

from gdp_lite.book.results import save_results
from gdp_lite.findings import of_colour
from gdp_lite.image import linear_to_srgb, srgb_to_linear


def main():
    args = arguments(__doc__, "train/val").parse_args()
    generator = torch.Generator().manual_seed(0)
    good, seen, smaller = [], [], []
    for _, x in list(photos(f"{args.shared}/train/val"))[::3]:
        good.append(of_colour(x, 0.0).seen)
        cast = 0.22 * torch.randn(3, generator=generator)
        cast = cast - cast.mean()
        gains = cast.exp().view(1, 3, 1, 1)
        y = (255 * linear_to_srgb(srgb_to_linear(x) * gains).clamp(0, 1)).round() / 255
        found = of_colour(y, 0.0)
        if float(cast.abs().max()) > 0.25:
            seen.append(found.seen)
            if found.seen:
                left = cast - found.detail.log()
                left = left - left.mean()
                smaller.append(bool(left.abs().max() < cast.abs().max()))
    rows = [
        {"what": "good photos, seen", "photos": len(good), "share": sum(good) / len(good)},
        {"what": "cast above 0.25, seen", "photos": len(seen), "share": sum(seen) / len(seen)},
        {"what": "made smaller", "photos": len(smaller), "share": sum(smaller) / len(smaller)},
    ]
    for row in rows:
        show(row)
    save_results("casts", rows)


if __name__ == "__main__":
    main()
