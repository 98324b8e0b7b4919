"""A phone's whole chain on 12 Kodak crops: what restores it, and what each stage is worth.

    python benchmarks/phone_jpegs.py --shared ../shared

128 x 128 centre crops of every second Kodak photo. Each goes through a lens blur (width 1 to 2
pixels), too little light (gain 0.4 to 0.8), a lamp's cast (gains within 30%), white noise (6 to 14
of 255), a white date stamp and a JPEG of quality 92 with halved chroma, all seeded. Restored with
8 steps: with Phi known; with Phi found in the file (`diagnose`, as in the chapter); with Phi
known but a stage left out of F, or hardly any noise assumed. A chain of classical tools is told
the same: Phi and noise, known or found; and once more the found ones, but grey world for the lamp.
The chain's knobs and our strength are searched on the same four photos of train/val, which go
through such a camera of their own, for Phi known and found apart. One row tests a reason: Phi
known, from a start of 1 / f the noise level, which leaving the exposure out comes to. Then a
coarser file with less noise (quality 50, 3 of 255), with Phi known, with JPEG in F and with its
error counted as noise. PSNR, the same after the best gain for each
channel ("scaled"), and HaarPSI after it.
Writes gdp_lite/book/results/phone_jpegs.csv, a row a photo and way; phone_jpegs_phi.csv: Phi,
true and found; phone_jpegs_knobs.csv: what the search chose; phone_jpegs.jpg: file, chain and ours,
both with Phi found, and scene, for the photos with the median and the least gain over the chain.
--photos N: only N photos, to try. About 20 minutes on one core.
"""

import argparse
import copy
import io
import itertools
import math

import numpy as np
import torch
from common import as_image, centre_crops
from PIL import Image
from skimage import restoration

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.masks import text_mask
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import FOLDER, save_results
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
from gdp_lite.policy import POLICY
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

repair_torchvision()
import piq  # noqa: E402 - it imports torchvision

LUMA = torch.tensor([0.299, 0.587, 0.114])
SIZE, STEPS, TOLERANCE = 128, 8, 14 / 255
STAGES = ("blur", "exposure", "cast", "overlay", "JPEG")
HELD_BACK = 47  # every 47th of the 186 photos of train/val: four
STRENGTHS = (1.0, 2.0, 3.0, 5.0)
KNOBS = {
    "h": (0.4, 0.55, 0.7, 0.85, 1.0),
    "share": (0.5, 0.75, 1.0),
    "to_file": (0.0, 0.15, 0.5),
    "rho": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}
NLM = {"patch_size": 5, "patch_distance": 6, "channel_axis": -1}


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
    """F_Phi in capture order, a stage left out; code: a `JPEG` without noise."""
    stages = {
        "blur": GaussianBlur(2 * math.ceil(3 * phi["width"]) + 1, phi["width"]),
        "exposure": SmoothExposure(phi["gain"]),
        "cast": ColourCast(phi["gains"]),
        "overlay": Occlusion(phi["mask"], phi["colour"]),
        "JPEG": copy.deepcopy(code),  # each model has a noise of its own
    }
    stages = {name: stage for name, stage in stages.items() if name != without}
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
    gain, rounds = 1.0, []
    for _ in range(3):
        gains = cast_posterior(whole / gain, sigma=sigma / gain).mean(0).float()
        posterior = exposure_posterior(whole / gains.view(3, 1, 1), sigma=sigma)
        gain = float(posterior.median())
        rounds.append(gains)
    return {
        "interval": posterior.quantile(torch.tensor([0.05, 0.95]).double()).tolist(),
        "once": rounds[0],
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
    """Biharmonic filling, (1, 3, H, W)."""
    array, hole = y[0].permute(1, 2, 0).numpy(), (mask == 0).numpy()
    return as_image(restoration.inpaint_biharmonic(array, hole, channel_axis=-1))


def smoothed(image, sigma, h, share):
    """Non-local means, told `share` of the noise sigma, as strong as h times it."""
    array = image[0].permute(1, 2, 0).numpy()
    return as_image(restoration.denoise_nl_means(array, h=h * sigma, sigma=share * sigma, **NLM))


def classical(y, phi, code, knobs, grey_world=False):
    """(setting, image) of the chain for all combinations of knobs; each stage is told its Phi.

    Filling; non-local means; `to_file` of the way to the nearest image that the encoder would
    make the file of; division by exposure and gains; Wiener's division by the blur, balance rho.
    """
    whole, seen, code = filled(y, phi["mask"]), phi["mask"], copy.deepcopy(code)
    code.sigma, blur = phi["sigma"], GaussianBlur(13, phi["width"])
    for h, share in itertools.product(knobs["h"], knobs["share"]):
        smooth = smoothed(whole, phi["sigma"], h, share)
        agreeing = code.prox(seen * smooth + (1 - seen) * y, y, 0)
        for to_file, rho in itertools.product(knobs["to_file"], knobs["rho"]):
            image = smooth + to_file * seen * (agreeing - smooth)
            means = image.mean((0, 2, 3))
            gains = means / means.mean() if grey_world else phi["gains"]
            image = image / (phi["gain"] * gains.view(3, 1, 1))
            yield (h, share, to_file, rho), blur.prox(image, image, rho)


def best(table):
    """The setting with the best mean: {setting: scores}."""
    return max(table, key=lambda setting: np.mean(table[setting]))


def search(photos, prior):
    """On photos held back: {"ours" or "classical", "known" or "found": setting}."""
    table = {}
    for number, x in enumerate(photos, 50):
        phi = draw(number)
        y, code = photo_and_code(take(x, phi, 92, seeded(100 + number)))
        for which, told in (("known", phi), ("found", diagnose(y))):
            for setting, image in classical(y, told, code, KNOBS):
                note(table, ("classical", which), setting, image, x)
            for strength in STRENGTHS:
                image = ours(y, camera(told, code), prior, number, strength)
                note(table, ("ours", which), (strength,), image, x)
    for key, settings in table.items():
        top = sorted(settings, key=lambda s: -np.mean(settings[s]))[:4]
        print(*key, {s: round(float(np.mean(settings[s])), 2) for s in top}, flush=True)
    return {key: best(settings) for key, settings in table.items()}


def note(table, key, setting, image, x):
    score = float(psnr(with_gains(image, x), x))
    table.setdefault(key, {}).setdefault(setting, []).append(score)


def ours(y, model, prior, number, strength, start=None):
    options = {"start_sigma": start, "generator": seeded(number)}
    return restore(y, model, prior, STEPS, strength, **options).image


def seeded(number):
    return torch.Generator().manual_seed(number)


def photo_and_code(file):
    return from_uint8(np.asarray(Image.open(file))), JPEG.from_file(file)


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


def ways(x, number, prior, settings):
    """(Phi, true and found; {way: image}) of one photo."""
    phi = draw(number)
    y, code = photo_and_code(take(x, phi, 92, seeded(100 + number)))
    found, images = diagnose(y), {"photo": y}
    (strength,), (strength_found,) = settings["ours", "known"], settings["ours", "found"]
    images["known"] = ours(y, camera(phi, code), prior, number, strength)
    images["found"] = ours(y, camera(found, code), prior, number, strength_found)
    for left_out in (*STAGES, "noise"):
        model = camera(phi, code, left_out)
        images[f"without {left_out}"] = ours(y, model, prior, number, strength)
    known = camera(phi, code)
    start = POLICY["general"].start_sigma / phi["gain"]
    images["known, higher start"] = ours(y, known, prior, number, strength, start)
    for name, told, which, grey_world in (
        ("classical", found, "found", False),
        ("classical, known", phi, "known", False),
        ("classical, grey world", found, "found", True),
    ):
        knobs = dict(zip(KNOBS, ([v] for v in settings["classical", which]), strict=True))
        images[name] = next(classical(y, told, code, knobs, grey_world))[1]
    return phi, found, images


def coarse(x, number, prior, strength):
    """{way: image} of a file of quality 50 with a noise of 3 of 255."""
    phi = draw(number) | {"sigma": 3 / 255}
    y, code = photo_and_code(take(x, phi, 50, seeded(200 + number)))
    models = {"known": camera(phi, code), "without JPEG": camera(phi, code, "JPEG")}
    # Without JPEG in F its error counts as noise, of the strength that it really has.
    without = models["without JPEG"]
    without.stages[-1].sigma = float(without.residual(x, y))
    images = {by: ours(y, model, prior, number, strength) for by, model in models.items()}
    return {f"quality 50: {by}": image for by, image in {"photo": y, **images}.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24, train/val")
    parser.add_argument("--photos", type=int, default=12, help="fewer, to try")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, rows, phis, pictures, gains = load_prior(), [], [], {}, {}
    held_back = [x for _, x in centre_crops(f"{args.shared}/train/val", SIZE)][::HELD_BACK]
    settings = search(held_back, prior)
    save_results("phone_jpegs_knobs", knob_rows(settings))
    crops = list(centre_crops(f"{args.shared}/eval/kodak24", SIZE))[::2]
    for number, (name, x) in enumerate(crops[: args.photos]):
        phi, found, images = ways(x, number, prior, settings)
        images |= coarse(x, number, prior, settings["ours", "known"][0])
        phis.append(compared(name, phi, found))
        rows += [{"photo": name, "by": by, **scores(image, x)} for by, image in images.items()]
        scaled = {row["by"]: row["scaled"] for row in rows if row["photo"] == name}
        gains[name] = scaled["found"] - scaled["classical"]
        pictures[name] = [images["photo"], images["classical"], images["found"], x]
        print(name, phis[-1], {by: round(v, 2) for by, v in scaled.items()}, flush=True)
    rows.sort(key=lambda row: list(scaled).index(row["by"]))
    save_results("phone_jpegs", rows)
    save_results("phone_jpegs_phi", phis)
    ranked = sorted(gains, key=gains.get)
    median, worst = ranked[len(ranked) // 2], ranked[0]
    print("median", median, gains[median], "worst", worst, gains[worst])
    sheet = torch.cat([torch.cat(pictures[name], -1) for name in (median, worst)], -2)
    Image.fromarray(to_uint8(sheet)).save(FOLDER / "phone_jpegs.jpg", quality=92, subsampling=0)


def knob_rows(settings):
    rows = []
    for (who, which), values in settings.items():
        names = KNOBS if who == "classical" else ("strength",)
        rows += [
            {"way": f"{who}, {which}", "knob": knob, "value": float(value)}
            for knob, value in zip(names, values, strict=True)
        ]
    return rows


def compared(name, phi, found):
    hole = phi["mask"] == 0
    taken = (found["mask"] == 0).float()
    row = {"photo": name}
    for key, unit in (("width", 1), ("gain", 1), ("sigma", 255)):
        row |= {key: unit * phi[key], f"{key}_found": unit * found[key]}
    row["gain_low"], row["gain_high"] = found["interval"]
    row["cast"] = degrees(phi["gains"], torch.ones(3))
    row["cast_error"] = degrees(phi["gains"], found["gains"])
    row["cast_error_once"] = degrees(phi["gains"], found["once"])
    return row | {"stamp": float(taken[hole].mean()), "too_much": float(taken[~hole].mean())}


if __name__ == "__main__":
    main()
