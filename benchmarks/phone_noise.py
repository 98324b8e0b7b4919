"""Noise that a phone's denoiser and JPEG made coarse: found in the photo, and taken away.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/phone_noise.py --shared ../shared

192 x 192 centre crops of the held-back captures (Kodak, scikit-image): gain in PSNR over the file,
against the same capture without noise, of white noise told the best of three levels by the truth,
of white noise told once, 1.5 times and twice the rms that is found, and of completed noise
(`gdp_lite.denoise`) with the spectrum found in the whole photo and with the true one; with the
true one also from one of its two guesses alone. What is found is taken away by the share that it is
likely to be noise; "all or nothing": wholly, where it is more likely than not. Then captures
without noise and Kodak's photos through the same: PSNR against themselves. Writes
gdp_lite/book/results/phone_noise.csv. With --other: captures of other_camera.py, and
phone_noise_other.csv. With --develop the same on every sixth capture of the large scenes, and no
table. About ten minutes on one core.

With --brightness: nine of these, and what it would gain if the dark, the middle and the bright
third of a crop had each the best of five multiples of the true spectrum, chosen by the truth.
With --constants: these nine with other values of `denoise.ALLOWED` and `denoise.LOUDER`, and once
more with the noise of colour twice as strong.
"""

import math
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from common import arguments, centre, mean_and_error, photos, show, spectrum_of
from PIL import Image
from torch.nn.functional import avg_pool2d

import gdp_lite.denoise as denoising
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import GaussianNoise
from gdp_lite.denoise import completion, denoise
from gdp_lite.estimators import Estimate, NoiseSpectrum, estimate_noise_spectrum
from gdp_lite.findings import ASKED, SEEN
from gdp_lite.image import from_uint8
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIDE = 192


def main():
    parser = arguments(__doc__)
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--other", action="store_true")
    parser.add_argument("--develop", action="store_true")
    parser.add_argument("--brightness", action="store_true")
    parser.add_argument("--constants", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, folder = load_prior(), Path(args.captures).expanduser()
    if args.other:
        folder = folder.with_name("other_captures")
    names = sorted(p.stem for p in folder.glob("*.jpg") if not p.stem.endswith("-quiet"))
    if args.brightness or args.constants:
        paths = [folder / n for n in names if n.startswith("large")][2::6]
        (brightness if args.brightness else constants)(paths, prior)
        return
    names = [n for n in names if n.startswith("large") == args.develop]
    gains: dict[str, list[float]] = {}
    for name in names[:: 6 if args.develop else 1]:
        row = capture(read(folder / f"{name}.jpg"), read(folder / f"{name}-quiet.jpg"), prior)
        show({"photo": name} | row)
        for key, value in row.items():
            gains.setdefault(key, []).append(value)
    whites = [what for what in gains if what.startswith("white, found")]
    best = max(whites, key=lambda what: sum(gains[what]))
    pairs = zip(gains["found spectrum"], gains[best], strict=True)
    gains["found spectrum, less the best of these"] = [ours - white for ours, white in pairs]
    if not args.develop and not args.other:
        for _, x in list(photos(f"{args.shared}/eval/kodak24"))[::2]:
            y = centre(x, SIDE)
            for way, image in as_found(y, estimate_noise_spectrum(x), prior).items():
                gains.setdefault(f"Kodak, unchanged{way}", []).append(unchanged(image, y))
    rows = [summary(key, values) for key, values in gains.items()]
    for row in rows:
        show(row)
    if not args.develop:
        save_results("phone_noise_other" if args.other else "phone_noise", rows)


def capture(photo, quiet, prior):
    """Gains in dB of each way."""
    y, x = centre(photo, SIDE), centre(quiet, SIDE)
    truth, found = spectrum_of(photo - quiet), estimate_noise_spectrum(photo)
    before = float(psnr(y, x))

    def gain(image):
        return float(psnr(image.clamp(0, 1), x)) - before

    white = [
        restore(y, GaussianNoise(max(m * truth.rms, 1e-3), coded=True), prior).image
        for m in (1, 1.5, 2)
    ]
    return {
        "input": before,
        "white, best of three": max(map(gain, white)),
        **{f"white, found, {m} times": gain(as_white(y, found, prior, m)) for m in (1, 1.5, 2)},
        "true spectrum": gain(denoise(y, truth, prior)),
        "true spectrum, one guess": gain(one_guess(y, truth, prior)),
        **{f"found spectrum{way}": gain(image) for way, image in as_found(y, found, prior).items()},
        **{
            f"without noise, unchanged{way}": unchanged(image, x)
            for way, image in as_found(x, estimate_noise_spectrum(quiet), prior).items()
        },
    }


def as_found(y, noise, prior):
    """The package's way; and, from the same calls, the whole of the change or nothing of it."""
    share = denoise(y, noise, prior) if noise.present >= ASKED["noise"] else y
    whole = y + (share - y) / noise.present if noise.present >= SEEN else y
    return {"": share, ", all or nothing": whole}


def brightness(paths, prior):
    """Gain in dB of one spectrum for all of a crop, and of one for each third by brightness."""
    gains, factors = {}, (0.5, 0.7, 1, 1.4, 2)
    for path in paths:
        photo, quiet = (read(path.with_name(f"{path.name}{end}.jpg")) for end in ("", "-quiet"))
        y, x = centre(photo, SIDE), centre(quiet, SIDE)
        light = avg_pool2d(x.mean(1, keepdim=True), 9, 1, 4, count_include_pad=False)
        third = torch.bucketize(light, light.flatten().quantile(torch.tensor([1 / 3, 2 / 3])))
        truth, errors = spectrum_of(photo - quiet), []
        for factor in factors:
            told = NoiseSpectrum(factor * truth.bands, Estimate(factor * truth.rms, 0.0), 1.0)
            error = (denoise(y, told, prior) - x).square().mean(1, keepdim=True)
            errors.append([float(error[third == k].sum()) for k in range(3)])
        errors, before = torch.tensor(errors), (y - x).square().mean(1).sum()
        for name, value in {
            "the true spectrum": errors[factors.index(1)].sum(),
            "its best multiple": errors.sum(1).min(),
            "the best in each third": errors.min(0).values.sum(),
        }.items():
            gains.setdefault(name, []).append(10 * float((before / value).log10()))
    for name, values in gains.items():
        show(summary(name, values))


def constants(paths, prior):
    """Gain in dB with the true spectrum, by the two constants of `denoise`."""
    gains = {}
    for path in paths:
        photo, quiet = (read(path.with_name(f"{path.name}{end}.jpg")) for end in ("", "-quiet"))
        noise = photo - quiet
        for louder in (1, 2):
            there = noise + (louder - 1) * (noise - noise.mean(1, keepdim=True))
            y, x = centre(quiet + there, SIDE), centre(quiet, SIDE)
            for name, value in (
                *(("ALLOWED", value) for value in (1.0, denoising.ALLOWED, 1.6, math.inf)),
                *(("LOUDER", value) for value in (1.0, denoising.LOUDER, math.inf)),
            ):
                with mock.patch.object(denoising, name, value):
                    image = denoise(y, spectrum_of(there), prior)
                gain = float(psnr(image, x) - psnr(y, x))
                gains.setdefault(f"{name} {value}, colour times {louder}", []).append(gain)
    for name, values in gains.items():
        show(summary(name, values))


def unchanged(image, x):
    """PSNR of what should have been left as it was, at most 60 dB."""
    return min(float(psnr(image, x)), 60.0)


def as_white(y, noise, prior, times):
    """As if it were white, by the same share."""
    if noise.present < ASKED["noise"]:
        return y
    white = GaussianNoise(max(times * float(noise.rms), 1e-3), coded=True)
    return y + noise.present * (restore(y, white, prior).image - y)


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
