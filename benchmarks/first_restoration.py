"""The first chapter's capture and restoration on the Kodak crops, beside classical methods.

    python benchmarks/first_restoration.py --shared ../shared

Writes gdp_lite/book/results/first_restoration.csv: a row a photo, PSNR in dB. Each method's setting
is the one with the best mean over all photos, chosen with the truth in hand; that of the
ablations (one call of the prior, the loop without the blur) is how many times the estimated
noise they are told. Ours runs with its defaults, which benchmarks/sampler_settings.py compared
on smaller crops of eight of these photos, on other degradations. About 15 minutes on two cores.
"""

import argparse
import itertools

import numpy as np
import torch
from common import as_image, centre_crops, one_call, wiener
from skimage import restoration

from gdp_lite.book.capture import capture
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import load_results, save_results
from gdp_lite.degradations import GaussianBlur
from gdp_lite.estimators import estimate_noise
from gdp_lite.image import to_uint8
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

RHOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
PEERS = ("one_call", "one_call_deblurred", "no_blur", "nlm", "nlm_deblurred", "tv", "wiener")


def classical(array, levels, blur, kernel):
    """Every classical method at every setting of its grid: name and setting -> image.

    levels: the noise by luma and by the mean of the channels, by name; NLM may have either.
    """
    found = {}
    for (name, sigma), h in itertools.product(levels.items(), (0.2, 0.3, 0.5, 0.7, 0.9, 1.2)):
        smooth = as_image(
            restoration.denoise_nl_means(array, 5, 6, h * sigma, sigma=sigma, channel_axis=-1)
        )
        found[f"nlm {name} {h}"] = smooth
        for rho in RHOS:
            found[f"nlm_deblurred {name} {h} {rho}"] = blur.prox(smooth, smooth, rho)
    for weight in (0.01, 0.02, 0.03, 0.04, 0.06, 0.08):
        smooth = restoration.denoise_tv_chambolle(array, weight, channel_axis=-1)
        found[f"tv {weight}"] = as_image(smooth)
    for balance in (0.025, 0.05, 0.1, 0.2, 0.4, 0.8):
        found[f"wiener {balance}"] = as_image(wiener(array, kernel, balance))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    parser.add_argument("--size", type=int, default=192, help="side of the crops in pixels")
    parser.add_argument("--ours", action="store_true", help="keep the other methods' scores")
    args = parser.parse_args()
    stored = {row["name"]: row for row in load_results("first_restoration")} if args.ours else {}
    prior, blur, rows = load_prior(), GaussianBlur(9, 1.0), []
    kernel = torch.outer(blur.kernel, blur.kernel).numpy()
    for number, (name, x) in enumerate(centre_crops(f"{args.shared}/eval/kodak24", args.size)):
        generator = torch.Generator().manual_seed(number)
        y = capture(x, blur, 15 / 255, 92, generator)
        array, sigma = to_uint8(y) / 255.0, estimate_noise(y, coded=True)
        levels = {"luma": sigma, "channels": estimate_noise(y)}
        row = {"photo": y} | ({} if stored else classical(array, levels, blur, kernel))
        row["restore"] = restore(y, GaussianBlur(9, 1.0, sigma), prior, generator=generator).image
        by_channels = GaussianBlur(9, 1.0, levels["channels"])  # too low: see the chapter
        row["restore_channels"] = restore(y, by_channels, prior, generator=generator).image
        for k in () if stored else (0.7, 0.85, 1.0, 1.25, 1.5):
            called = one_call(y, k * sigma, prior)
            row[f"one_call {k}"] = called
            for rho in RHOS:
                row[f"one_call_deblurred {k} {rho}"] = blur.prox(called, called, rho)
        for k in (0.7, 1.0, 1.5):
            # The same loop, as in the chapter: `GaussianNoise` would take a route of its own.
            no_blur = GaussianBlur(1, 1.0, k * sigma)
            row[f"no_blur {k}"] = restore(y, no_blur, prior, generator=generator).image
        scores = {method: float(psnr(image, x)) for method, image in row.items()}
        rows.append({"name": name, "sigma": 255 * sigma} | scores)
        print(name, {k: round(v, 2) for k, v in scores.items() if " " not in k}, flush=True)
    means = {k: np.mean([row[k] for row in rows]) for k in rows[0] if k != "name"}
    peers = ("no_blur",) if stored else PEERS
    best = {m: max((k for k in means if k.startswith(m + " ")), key=means.get) for m in peers}
    print("settings:", best)
    ours = ("name", "sigma", "photo", "restore", "restore_channels")
    kept = {m: m for m in ours} | best
    new = [{k: row[v] for k, v in kept.items()} for row in rows]
    if stored:
        new = [stored[float(row["name"])] | row for row in new]
    save_results("first_restoration", new)


if __name__ == "__main__":
    main()
