"""One-step denoising of the bundled prior beside classical methods, paired by photo.

    python benchmarks/denoising.py --shared ../shared

Unclipped Gaussian noise of fixed seeds, sigma = 15, 25, 50 of 255, on the 24 centre 256 x 256
crops of Kodak; every method is given the true sigma. Non-local means (scikit-image) gets for
each sigma the h with the best mean PSNR; wavelets are scikit-image's BayesShrink; BM3D takes part
where the package bm3d is installed, which is not free for every use and so not required here.
Writes gdp_lite/book/results/denoising.csv. About 8 minutes on two cores, 30 with BM3D. With
--prior-only the table's other columns stay as they are: the noise is the same, to the last bit.
With --val the same on every twelfth of the photos held back from training, as denoising_val.csv.
"""

import numpy as np
import torch

try:
    import bm3d
except ImportError:
    bm3d = None
from common import arguments, as_image, centre_crops, mean_and_error, one_call
from skimage import restoration

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import load_results, save_results
from gdp_lite.prior import load_prior

SIGMAS = (15, 25, 50)
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # h as a multiple of sigma


def noisy_crops(shared, sigma, val=False):
    """(name, crop, noisy crop) for every photo; sigma of 255."""
    folder, every = ("train/val", 12) if val else ("eval/kodak24", 1)
    crops = list(centre_crops(f"{shared}/{folder}", 256))[::every]
    for number, (name, x) in enumerate(crops):
        generator = torch.Generator().manual_seed(1000 * sigma + number)
        yield name, x, x + sigma / 255 * torch.randn(x.shape, generator=generator)


def prior_scores(shared, prior):
    """PSNR of the prior's one call, and of the noisy crop, in the table's order."""
    for sigma in SIGMAS:
        for _, x, y in noisy_crops(shared, sigma):
            noisy = float(-10 * (y - x).square().mean().log10())
            yield float(psnr(one_call(y, sigma / 255, prior), x)), noisy


def main():
    parser = arguments(__doc__)
    parser.add_argument("--prior", help="another prior: folder or hub id")
    parser.add_argument("--prior-only", action="store_true", help="keep the other methods' scores")
    parser.add_argument("--val", action="store_true", help="on photos held back from training")
    args = parser.parse_args()
    prior, rows = load_prior(args.prior), []
    if args.prior_only:
        rows = load_results("denoising")
        for row, (score, noisy) in zip(rows, prior_scores(args.shared, prior), strict=True):
            assert round(noisy, 3) == row["noisy"], "the table was made with other noise"
            row["sigma"], row["name"], row["prior"] = int(row["sigma"]), int(row["name"]), score
        return save_results("denoising", rows)
    for sigma in SIGMAS:
        level, scores = sigma / 255, []
        for name, x, y in noisy_crops(args.shared, sigma, args.val):
            array = y[0].permute(1, 2, 0).numpy()
            row = {"name": name, "noisy": float(-10 * (y - x).square().mean().log10())}
            row["prior"] = float(psnr(one_call(y, level, prior), x))
            clean = restoration.denoise_wavelet(
                array, level, convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
            )
            row["wavelet"] = float(psnr(as_image(clean), x))
            if bm3d and not args.val:
                row["bm3d"] = float(psnr(as_image(bm3d.bm3d_rgb(array, level)), x))
            for h in STRENGTHS:
                clean = restoration.denoise_nl_means(
                    array, 5, 6, h * level, sigma=level, channel_axis=-1
                )
                row[h] = float(psnr(as_image(clean), x))
            scores.append(row)
        # The best must lie inside the grid, or it is not tuned: the assertion says so.
        best = max(STRENGTHS, key=lambda h: np.mean([row[h] for row in scores]))
        assert best not in (STRENGTHS[0], STRENGTHS[-1]), f"h = {best} sigma is at the edge"
        gap, error = mean_and_error([row["prior"] - row[best] for row in scores])
        mean = {k: np.mean([row[k] for row in scores]) for k in ("noisy", "prior", "wavelet", best)}
        print(
            f"sigma {sigma}: noisy {mean['noisy']:.2f}, prior {mean['prior']:.2f}, "
            f"wavelets {mean['wavelet']:.2f}, "
            f"non-local means {mean[best]:.2f} (h = {best} sigma), difference "
            f"{gap:+.2f} +- {error:.2f} dB",
            flush=True,
        )
        for row in scores:
            kept = {key: value for key, value in row.items() if key not in STRENGTHS}
            rows.append({"sigma": sigma} | kept | {"nlm": row[best], "nlm_h": best})
    save_results("denoising_val" if args.val else "denoising", rows)


if __name__ == "__main__":
    main()
