"""Noise that a phone's denoiser and JPEG made coarse: found in the photo, and taken away.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/phone_noise.py --shared ../shared

192 x 192 centre crops of the held-back captures (Kodak, scikit-image): gain in PSNR over the file,
against the same capture without noise, of white noise told the best of three levels by the truth,
of white noise told once, 1.5 times and twice the rms that is found, and of completed noise
(`gdp_lite.denoise`) with the spectrum found in the whole photo and with the true one; with the
true one also from one of its two guesses alone. Then captures without noise and Kodak's photos
through the same: PSNR against themselves. Writes
gdp_lite/book/results/phone_noise.csv. With --develop the same on every sixth capture of the large
scenes, and no table. About ten minutes on one core.
"""

import math
from pathlib import Path

import numpy as np
import torch
from common import arguments, centre, mean_and_error, photos, show
from PIL import Image

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import GaussianNoise
from gdp_lite.denoise import completion, denoise
from gdp_lite.estimators import Estimate, NoiseSpectrum, estimate_noise_spectrum
from gdp_lite.estimators.noise_statistics import SHARES, octave_levels
from gdp_lite.image import from_uint8
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIDE = 192


def main():
    parser = arguments(__doc__)
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--develop", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, folder = load_prior(), Path(args.captures).expanduser()
    names = sorted(p.stem for p in folder.glob("*.jpg") if not p.stem.endswith("-quiet"))
    names = [n for n in names if n.startswith("large") == args.develop]
    gains: dict[str, list[float]] = {}
    for name in names[:: 6 if args.develop else 1]:
        row = capture(read(folder / f"{name}.jpg"), read(folder / f"{name}-quiet.jpg"), prior)
        show({"photo": name} | row)
        for key, value in row.items():
            gains.setdefault(key, []).append(value)
    if not args.develop:
        for _, x in list(photos(f"{args.shared}/eval/kodak24"))[::2]:
            y = centre(x, SIDE)
            unchanged = float(psnr(as_found(y, estimate_noise_spectrum(x), prior), y))
            gains.setdefault("Kodak, unchanged", []).append(min(unchanged, 60.0))
        save_results("phone_noise", [summary(key, values) for key, values in gains.items()])
    for key, values in gains.items():
        show(summary(key, values))


def capture(photo, quiet, prior):
    """Gains in dB of each way."""
    y, x = centre(photo, SIDE), centre(quiet, SIDE)
    bands, found = octave_levels(photo - quiet), estimate_noise_spectrum(photo)
    rms = float((bands[0].square() * torch.tensor(SHARES)).sum().sqrt())
    truth = NoiseSpectrum(bands, Estimate(rms, math.inf), 1.0)
    before = float(psnr(y, x))

    def gain(image):
        return float(psnr(image.clamp(0, 1), x)) - before

    white = [
        restore(y, GaussianNoise(max(m * rms, 1e-3), coded=True), prior).image for m in (1, 1.5, 2)
    ]
    return {
        "input": before,
        "white, best of three": max(map(gain, white)),
        **{f"white, found, {m} times": gain(as_white(y, found, prior, m)) for m in (1, 1.5, 2)},
        "true spectrum": gain(denoise(y, truth, prior)),
        "true spectrum, one guess": gain(one_guess(y, truth, prior)),
        "found spectrum": gain(as_found(y, found, prior)),
        "without noise, unchanged": min(
            float(psnr(as_found(x, estimate_noise_spectrum(quiet), prior), x)), 60.0
        ),
    }


def as_found(y, noise, prior):
    """The package's way, where it thinks that there is noise."""
    return y if noise.present < 0.5 else denoise(y, noise, prior)


def as_white(y, noise, prior, times):
    """Where there is thought to be noise, as if it were white."""
    if noise.present < 0.5:
        return y
    return restore(y, GaussianNoise(max(times * float(noise.rms), 1e-3), coded=True), prior).image


def one_guess(y, noise, prior):
    """From y + nu alone, at the level of luma."""
    level = max(float(noise.bands[0].max()), 1e-3)
    nu = completion(noise.bands, level)[..., :SIDE, :SIDE]
    return restore(y + nu, GaussianNoise(level), prior, steps=1).image


def read(path):
    return from_uint8(np.asarray(Image.open(path).convert("RGB")))


def summary(key, values):
    mean, error = mean_and_error(values)
    values = torch.tensor(values)
    row = {"what": key, "photos": len(values), "mean": mean, "error": error}
    return row | {"median": float(values.median()), "worst": float(values.min())}


if __name__ == "__main__":
    main()
