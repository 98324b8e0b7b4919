"""A phone's whole chain on 12 Kodak crops: what restores it, and what each stage is worth.

    python benchmarks/phone_jpegs.py --shared ../shared

128 x 128 centre crops of every second Kodak photo. Each goes through a lens blur (width 1 to 2
pixels), too little light (gain 0.4 to 0.8), a lamp's cast (gains within 30%), white noise (6 to 14
of 255), a white date stamp and a JPEG of quality 92 with halved chroma, all seeded. Restored with
10 steps: with Phi known; with Phi found in the file (`diagnose`, as in the chapter); with Phi
known but one stage left out of F, or hardly any noise assumed; and by classical tools, once with
the Phi found but grey world for the cast, once with Phi known. Their two settings are the best for
the mean over these very crops. Then a coarser file with less noise (quality 50, 3 of 255), with Phi
known, with JPEG in F and with its error counted as noise. PSNR, the same after the best gain for
each channel ("scaled"), and HaarPSI after it.
Writes gdp_lite/book/results/phone_jpegs.csv, a row for each photo and way, and phone_jpegs_phi.csv:
Phi, true and found. About 12 minutes on one core.
"""

import argparse
import copy
import io
import math

import numpy as np
import torch
from common import as_image, centre_crops
from PIL import Image
from skimage import restoration

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.masks import text_mask
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import (
    JPEG,
    ColourCast,
    Compose,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    Occlusion,
    SmoothExposure,
)
from gdp_lite.estimators import (
    cast_posterior,
    estimate_blur_width,
    estimate_flat_noise,
    exposure_posterior,
    find_overlay,
)
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

repair_torchvision()
import piq  # noqa: E402 - it imports torchvision

LUMA = torch.tensor([0.299, 0.587, 0.114])
SIZE, STEPS, TOLERANCE = 128, 10, 14 / 255
STAGES = ("blur", "exposure", "cast", "overlay", "JPEG")


def draw(number):
    """A random Phi, by name, from a seed."""
    u = torch.rand(6, generator=torch.Generator().manual_seed(number)).tolist()
    gains = 1 + 0.6 * (torch.tensor(u[1:4]) - 0.5)
    letters = text_mask(SIZE, SIZE, "26.11", 36, (SIZE - 108, SIZE - 45))
    return {
        "width": 1 + u[4], "gain": 0.4 + 0.4 * u[0], "gains": gains / gains.mean(),
        "sigma": (6 + 8 * u[5]) / 255, "mask": letters, "colour": torch.ones(3),
    }  # fmt: skip


def camera(phi, code, without=None):
    """F_Phi in capture order, one stage left out; code: a `JPEG` without noise."""
    stages = {
        "blur": GaussianBlur(2 * math.ceil(3 * phi["width"]) + 1, phi["width"]),
        "exposure": SmoothExposure(phi["gain"]),
        "cast": ColourCast(phi["gains"]),
        "overlay": Occlusion(phi["mask"], phi["colour"]),
        "JPEG": copy.deepcopy(code),  # each model has a noise of its own
    }
    stages.pop(without, None)
    sigma = 1 / 255 if without == "noise" else phi["sigma"]
    if without == "JPEG":
        stages["end"] = GaussianNoise()
    list(stages.values())[-1].sigma = sigma
    return Compose(*stages.values()).requires_grad_(False)


def take(x, phi, quality, generator):
    """The JPEG file of a photo, its bytes: in capture order, noise before the stamp."""
    light = GaussianBlur(13, phi["width"])(x) * phi["gain"] * phi["gains"].view(3, 1, 1)
    light = light + phi["sigma"] * torch.randn(x.shape, generator=generator)
    stamped = Occlusion(phi["mask"], phi["colour"])(light)
    file = io.BytesIO()
    Image.fromarray(to_uint8(stamped)).save(file, "JPEG", quality=quality, subsampling=2)
    return file


def diagnose(y):
    """Phi found in y, from the last stage to the first."""
    mask, _ = find_overlay(y, TOLERANCE)
    whole = Inpainting(mask).start(y)
    clear = _clear(whole, mask)
    luma = torch.einsum("c,bchw->bhw", LUMA, clear)[:, None].expand(-1, 3, -1, -1)
    sigma = max(estimate_flat_noise(luma) / float(LUMA.norm()), 1 / 255)
    gain = 1.0
    for _ in range(3):
        gains = cast_posterior(whole / gain, sigma=sigma / gain).mean(0).float()
        undone = whole / gains.view(3, 1, 1)
        gain = float(exposure_posterior(undone, sigma=sigma).median())
    return {
        "width": max(estimate_blur_width(clear, sigma), 0.25), "gain": gain, "gains": gains,
        "sigma": sigma, "mask": mask,
        "colour": y[0],  # what lies in the holes is what the file shows there
    }  # fmt: skip


def _clear(y, mask):
    """The largest rectangle over the full width whose rows hold no overlay; y itself without."""
    best, start = (0, 0), 0
    free = [*(mask > 0).all(1).tolist(), False]
    for row, is_free in enumerate(free):
        if not is_free:
            best, start = max(best, (row - start, start)), row + 1
    length, start = best
    return y[..., start : start + length, :] if length >= 48 else y


def filled(y, mask):
    """Biharmonic filling, (H, W, 3)."""
    array = y[0].permute(1, 2, 0).numpy()
    return restoration.inpaint_biharmonic(array, (mask == 0).numpy(), channel_axis=-1)


def denoised(array, h):
    """By non-local means, h in units of the noise in this file, chroma halved."""
    sigma = float(np.mean(restoration.estimate_sigma(array, channel_axis=-1)))
    options = {"patch_size": 5, "patch_distance": 6, "channel_axis": -1}
    return as_image(restoration.denoise_nl_means(array, h=h * sigma, sigma=sigma, **options))


def classical(image, phi, rho, grey_world):
    """Of the filled and denoised photo: gains, then Wiener's division."""
    gains = phi["gains"]
    if grey_world:
        means = image.mean((0, 2, 3))
        gains = means / means.mean()
    image = image / (phi["gain"] * gains.view(3, 1, 1))
    return GaussianBlur(13, phi["width"]).prox(image, image, rho)


def with_gains(image, x):
    """image (clipped) times the gain for each channel that brings it nearest to x."""
    image = image.clamp(0, 1)
    gains = (image * x).sum((2, 3), keepdim=True) / image.square().sum((2, 3), keepdim=True)
    return (gains * image).clamp(0, 1)


def scores(image, x):
    image, scaled = image.clamp(0, 1), with_gains(image, x)
    haar = piq.haarpsi(scaled, x, reduction="none")
    return {
        "psnr": float(psnr(image, x)), "scaled": float(psnr(scaled, x)), "haarpsi": float(haar)
    }  # fmt: skip


def degrees(a, b):
    return math.degrees(math.acos(min(float(torch.cosine_similarity(a, b, dim=0)), 1.0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, results, phis = load_prior(), {}, []
    crops = list(centre_crops(f"{args.shared}/eval/kodak24", SIZE))[::2]
    settings = [(h, rho) for h in (0.4, 0.7, 1.0) for rho in (0.03, 0.1, 0.3, 1.0)]
    for number, (name, x) in enumerate(crops):
        phi = draw(number)
        file = take(x, phi, 92, torch.Generator().manual_seed(100 + number))
        y, code = from_uint8(np.asarray(Image.open(file))), JPEG.from_file(file)
        found = diagnose(y)
        phis.append(compared(name, phi, found))
        print(phis[-1], flush=True)
        images = {"photo": y}
        models = {"known": camera(phi, code), "found": camera(found, code)}
        models |= {f"without {s}": camera(phi, code, s) for s in (*STAGES, "noise")}
        for by, model in models.items():
            generator = torch.Generator().manual_seed(number)
            images[by] = restore(y, model, prior, STEPS, generator=generator).image
        for kind, numbers in (("classical", found), ("classical, known", phi)):
            array = filled(y, numbers["mask"])
            smooth = {h: denoised(array, h) for h, _ in settings}
            for h, rho in settings:
                images[kind, h, rho] = classical(smooth[h], numbers, rho, kind == "classical")
        phi["sigma"] = 3 / 255
        file = take(x, phi, 50, torch.Generator().manual_seed(200 + number))
        y, code = from_uint8(np.asarray(Image.open(file))), JPEG.from_file(file)
        images["quality 50: photo"] = y
        models = {"known": camera(phi, code), "without JPEG": camera(phi, code, "JPEG")}
        # Without JPEG in F its error counts as noise, of the strength that it really has.
        without = models["without JPEG"]
        without.stages[-1].sigma = float(without.residual(x, y))
        for by, model in models.items():
            generator = torch.Generator().manual_seed(number)
            image = restore(y, model, prior, STEPS, generator=generator).image
            images[f"quality 50: {by}"] = image
        for by, image in images.items():
            results.setdefault(by, {})[name] = scores(image, x)
        print({k: round(v[name]["scaled"], 2) for k, v in results.items()}, flush=True)
    for kind in ("classical", "classical, known"):
        means = {
            s: np.mean([row["scaled"] for row in results[(kind, *s)].values()]) for s in settings
        }
        best = max(means, key=means.get)
        print(kind, best)
        results[kind] = results[(kind, *best)]
    rows = [
        {"photo": name, "by": by, **row}
        for by, photos in results.items()
        if isinstance(by, str)
        for name, row in photos.items()
    ]
    save_results("phone_jpegs", rows)
    save_results("phone_jpegs_phi", phis)


def compared(name, phi, found):
    hole = phi["mask"] == 0
    taken = (found["mask"] == 0).float()
    row = {"photo": name}
    for key, unit in (("width", 1), ("gain", 1), ("sigma", 255)):
        row |= {key: unit * phi[key], f"{key}_found": unit * found[key]}
    row["cast"] = degrees(phi["gains"], torch.ones(3))
    row["cast_error"] = degrees(phi["gains"], found["gains"])
    return row | {"stamp": float(taken[hole].mean()), "too_much": float(taken[~hole].mean())}


if __name__ == "__main__":
    main()
