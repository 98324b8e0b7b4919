"""The prior on tiles against the prior on the whole image.

    python benchmarks/tiles.py --shared ../shared

The clean estimate x_{0|t} of 512 x 512 crops of every fourth Kodak photo, from one call on the
whole crop and from tiles of 256 pixels that share 64 or more; their PSNR against each other in
dB, mean and least over the photos. Writes gdp_lite/book/results/tiles.csv. About 4 minutes.
"""

import torch
from common import arguments, kodak, show

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.diffusion import add_noise, predict_x0
from gdp_lite.image import to_display, to_model
from gdp_lite.prior import load_prior
from gdp_lite.tiling import TiledPrior

TIMES = (10, 50, 100, 200, 300, 600)


@torch.no_grad()
def clean_estimate(prior, x_t, t):
    """x_{0|t} in display range, Eq. (5)."""
    return to_display(predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule)).clamp(0, 1)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--prior", help="another prior: folder or hub id")
    args = parser.parse_args()
    whole = load_prior(args.prior)
    tiled, rows = TiledPrior(whole, tile=256, overlap=64), []
    crops = kodak(args.shared, 512, every=4)
    for t in TIMES:
        found = []
        for seed, x in enumerate(crops):
            eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
            x_t = add_noise(to_model(x), t, eps, whole.schedule)
            pair = clean_estimate(tiled, x_t, t), clean_estimate(whole, x_t, t)
            found.append(float(psnr(*pair)))
        rows.append({"t": t, "agreement": sum(found) / len(found), "least": min(found)})
        show(rows[-1])
    save_results("tiles", rows)


if __name__ == "__main__":
    main()
