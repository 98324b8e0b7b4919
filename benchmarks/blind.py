"""What is found in a photo without being told, and what it is worth, over 24 Kodak photos.

    python benchmarks/blind.py --shared ../shared [--steps 8]

128 x 128 centre crops, simulated, fixed seeds; noise 2/255 but where it is what is sought. Φ found
by `initialise` and held; for each kind the error of Φ, how many of the 24 are within 10%, and the
restored photo with Φ found, with Φ known, with a simple way (a width of 1 or 2 pixels, a Gaussian
of the width found for a movement, the median mean of these very crops for exposure, grey world for
casts), and the photo itself; for movements once more after each picture was moved onto the scene,
since where a kernel has its middle is a convention, and on crops of 256 x 256 as well; for the
noise level the wavelets' estimate over the photo, and the same where the photo is flattest. PSNR in
dB, paired differences with standard errors. Writes gdp_lite/book/results/blind.csv.
About 35 minutes on one core.
"""

import argparse
import math

import numpy as np
import torch
from common import centre_crops, save_anew
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from gdp_lite.book.metrics import psnr, similarity
from gdp_lite.book.results import save_results
from gdp_lite.degradations import (
    BlindBlur,
    BlindGaussianBlur,
    Blur,
    ColourCast,
    GaussianBlur,
    SmoothExposure,
    gaussian_kernel,
    random_motion_kernel,
)
from gdp_lite.estimators import estimate_flat_noise, estimate_noise, estimate_noise_level
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIGMA = 2 / 255


def known(degradation):
    return degradation.requires_grad_(False)


def noise_rows(crops, prior):
    for level in (2, 5, 10, 25, 50):
        errors = {"found": [], "wavelets": [], "flat wavelets": []}
        for number, x in enumerate(crops):
            generator = torch.Generator().manual_seed(1000 * level + number)
            y = x + level / 255 * torch.randn(x.shape, generator=generator)
            errors["found"].append(255 * estimate_noise_level(y, prior) / level - 1)
            errors["wavelets"].append(255 * estimate_noise(y) / level - 1)
            errors["flat wavelets"].append(255 * estimate_flat_noise(y) / level - 1)
        for by, e in errors.items():
            yield summary(f"noise {level}", by, np.abs(e), within=np.abs(e) <= 0.1)


def summary(what, by, error, within=None, found=None, against=None, other=None):
    """A row: mean error of Phi, photos within the bar, PSNR and its paired difference."""
    row = {"what": what, "by": by, "error": float(np.mean(error))}
    row["within"] = "" if within is None else int(np.sum(within))
    row["psnr"] = "" if found is None else float(np.mean(found))
    row["than"] = "" if against is None else against
    gap = None if other is None else np.asarray(found) - np.asarray(other)
    row["difference"] = "" if gap is None else float(gap.mean())
    row["se"] = "" if gap is None else float(gap.std(ddof=1) / len(gap) ** 0.5)
    print(row, flush=True)
    return row


def aligned(image, x, margin=8):
    """PSNR after moving the image onto x, by parts of a pixel; without the margin."""
    image, x = image.clamp(0, 1)[0].numpy(), x[0].numpy()
    shift = phase_cross_correlation(x.mean(0), image.mean(0), upsample_factor=20)[0]
    moved = torch.tensor(ndimage.shift(image, (0, *shift), order=3, mode="mirror"))
    inside = (..., slice(margin, -margin), slice(margin, -margin))
    return psnr(moved[inside][None], torch.tensor(x)[inside][None])


def compared(what, crops, truths, blind, simple, error, bar, prior, steps, move=False):
    """Rows for one kind. truths: degradations with the true Phi; blind(): one to be found; simple:
    name -> function of y that returns a degradation; move: also `aligned`."""
    metrics = {what: psnr} | ({f"{what}, aligned": aligned} if move else {})
    scores = {
        m: {"found": [], "known": [], **{n: [] for n in simple}, "photo": []} for m in metrics
    }
    errors = []
    for number, (x, truth) in enumerate(zip(crops, truths, strict=True)):
        y = truth.simulate(x, torch.Generator().manual_seed(number)).detach()
        found = blind().initialise(y)
        errors.append(error(found, truth))
        ways = {"found": found, "known": truth, **{n: f(y) for n, f in simple.items()}}
        for name, degradation in ways.items():
            generator = torch.Generator().manual_seed(number)
            image = restore(y, known(degradation), prior, steps, generator=generator).image
            for metric, function in metrics.items():
                scores[metric][name].append(float(function(image, x)))
        for metric, function in metrics.items():
            scores[metric]["photo"].append(float(function(y, x)))
    rows = []
    for metric, by in scores.items():
        for other in ("known", *simple, "photo"):
            within = [bar(e) for e in errors]
            rows.append(summary(metric, "found", errors, within, by["found"], other, by[other]))
        rows.append(summary(metric, "known", [0.0], None, by["known"]))
    return rows


def light_rows(crops, common):
    generator = torch.Generator().manual_seed(5)
    gains = [math.exp(math.log(0.25) * float(torch.rand(1, generator=generator))) for _ in crops]
    mean = float(np.median([float(x.mean()) for x in crops]))
    rows = compared(
        "exposure", crops, [SmoothExposure(f, sigma=SIGMA) for f in gains],
        lambda: SmoothExposure(sigma=SIGMA),
        {"median mean": lambda y: SmoothExposure(float(y.mean()) / mean, sigma=SIGMA)},
        lambda a, b: abs(math.log(float(a.gain) / float(b.gain))), lambda e: e <= 0.05, *common,
    )  # fmt: skip

    casts = 1 + 0.6 * (torch.rand(24, 3, generator=generator) - 0.5)
    casts = casts / casts.mean(1, keepdim=True)

    def grey_world(y):
        means = y.mean((0, 2, 3)).clamp(min=1e-3)
        return ColourCast(means / means.mean(), SIGMA)

    def degrees(found, truth):
        cosine = torch.cosine_similarity(found.gains, truth.gains, dim=0).clamp(-1, 1)
        return math.degrees(math.acos(float(cosine)))

    rows += compared(
        "colour cast", crops, [ColourCast(c, SIGMA) for c in casts],
        lambda: ColourCast(sigma=SIGMA), {"grey world": grey_world}, degrees, lambda e: e <= 2.0,
        *common,
    )  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument(
        "--light", action="store_true", help="exposure and casts alone, the rest kept"
    )
    args = parser.parse_args()
    prior = load_prior()
    crops = [x for _, x in centre_crops(f"{args.shared}/eval/kodak24", 128)]
    common = (prior, args.steps)
    if args.light:
        save_anew("blind", light_rows(crops, common), "what")
        return
    rows = list(noise_rows(crops, prior))
    for width in (1.0, 2.0, 3.0):

        def error(found, truth, width=width):
            return abs(float(found.width) / width - 1)

        truths = [GaussianBlur(25, width, SIGMA) for _ in crops]
        rows += compared(
            f"Gaussian blur {width:.0f} px", crops, truths,
            lambda: BlindGaussianBlur(25, sigma=SIGMA),
            {
                "width 1": lambda y: GaussianBlur(25, 1.0, SIGMA),
                "width 2": lambda y: GaussianBlur(25, 2.0, SIGMA),
            },
            error, lambda e: e <= 0.1, *common,
        )  # fmt: skip

    # A movement is spread over many pixels, and asks for more of them: also on 256 x 256.
    larger = [x for _, x in centre_crops(f"{args.shared}/eval/kodak24", 256)]
    kernels = [
        random_motion_kernel((9, 11, 13, 15)[i % 4], torch.Generator().manual_seed(100 + i)).float()
        for i in range(24)
    ]
    nearest = {}
    for kernel in kernels:
        fits = [similarity(gaussian_kernel(17, w / 4), kernel) for w in range(1, 18)]
        nearest[id(kernel)] = max(fits)
    truths = [Blur(kernel, SIGMA) for kernel in kernels]
    best = {id(t): nearest[id(k)] for t, k in zip(truths, kernels, strict=True)}

    def margin(found, truth):
        """Similarity of the kernel found less that of the best Gaussian."""
        return similarity(found.kernel.detach(), truth.kernel) - best[id(truth)]

    for what, photos in (("motion", crops), ("motion, 256 x 256", larger)):
        rows += compared(
            what, photos, truths,
            lambda: BlindBlur(17, sigma=SIGMA),
            {"Gaussian of its width": lambda y: BlindGaussianBlur(25, sigma=SIGMA).initialise(y)},
            margin, lambda e: e > 0, *common, move=True,
        )  # fmt: skip

    rows += light_rows(crops, common)
    save_results("blind", rows)


if __name__ == "__main__":
    main()
