"""What several benchmarks share: options, photos, what they compare with, scores.

No benchmark imports another: what a second one needs moves here.
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data, restoration
from torch.nn.functional import avg_pool2d

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.classical import as_image as as_image  # for those who import it from here
from gdp_lite.book.results import FOLDER, save_results
from gdp_lite.degradations import (
    JPEG,
    BlockAverage,
    Blur,
    Clip,
    Compose,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    LinearLight,
    SmoothExposure,
    gaussian_kernel,
    motion_kernel,
    random_mask,
)
from gdp_lite.diffusion import predict_x0
from gdp_lite.estimators import Estimate, NoiseSpectrum
from gdp_lite.estimators.noise_statistics import SHARES, octave_levels
from gdp_lite.image import LUMA, from_uint8, to_display, to_model
from gdp_lite.prior import schedule_of
from gdp_lite.schedule import sigma_grid

PHOTOS = {".jpg", ".jpeg", ".png", ".webp"}
# By a trial on 12 crops of train/large, which softness.py --tune repeats on others: the unsharp
# mask's best on the 8 blurred ones (the 4 captures want none), Richardson-Lucy's a compromise.
USM_AMOUNT, USM_RADIUS, RL_STEPS = 1.0, 1.5, 5
CAPTURES = Path.home() / ".cache" / "gdp-lite" / "captures"  # of benchmarks/captures.py
NLM = {"patch_size": 5, "patch_distance": 6, "channel_axis": -1}


def arguments(doc, folders="eval/kodak24"):
    """The parser of a benchmark: the first line of its docstring, and --shared."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help=f"folder with {folders}")
    return parser


def photos(folder):
    """(name, photo) for every picture of a folder, by name."""
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in PHOTOS):
        yield path.stem, from_uint8(np.asarray(Image.open(path).convert("RGB")))


def held_back(shared):
    """(set and name, photo as an (H, W, 3) uint8 array) of what no estimator is fitted to."""
    for path in sorted(Path(shared, "eval/kodak24").iterdir()):
        if path.suffix in PHOTOS:
            with Image.open(path) as photo:
                yield f"kodak-{path.stem}", np.asarray(photo.convert("RGB"))
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        yield f"skimage-{name}", getattr(data, name)()


def centre(photo, size):
    """The centre size x size crop."""
    top, left = ((n - size) // 2 for n in photo.shape[-2:])
    return photo[..., top : top + size, left : left + size]


def centre_crops(folder, size):
    """(name, centre crop) for every picture of a folder, by name."""
    return ((name, centre(photo, size)) for name, photo in photos(folder))


def kodak(shared, size, every=1):
    """The centre crops of every `every`-th Kodak photo, a list."""
    return [x for _, x in centre_crops(f"{shared}/eval/kodak24", size)][::every]


def wiener(array, kernel, balance):
    """scikit-image's Wiener filter, channel by channel."""
    return np.dstack([restoration.wiener(array[..., c], kernel, balance) for c in range(3)])


def unsharp(y, width, amount, radius):
    """Unsharp mask, its radius in units of a blur's width."""
    radius = max(radius * width, 0.3)
    return y + amount * (y - GaussianBlur(2 * math.ceil(3 * radius) + 1, radius)(y))


def richardson_lucy(y, width, steps):
    """scikit-image's Richardson-Lucy with a Gaussian, channel by channel."""
    kernel = gaussian_kernel(2 * math.ceil(3 * width) + 1, width).numpy()
    array = y[0].permute(1, 2, 0).clamp(0, 1).numpy()
    parts = [restoration.richardson_lucy(array[..., c], kernel, num_iter=steps) for c in range(3)]
    return as_image(np.dstack(parts))


def one_call(y, sigma, prior):
    """The prior as a plain denoiser: y taken for an x_t."""
    t = prior.schedule.nearest_t(sigma)
    x_t = to_model(y) * float(prior.schedule.alpha_bar[t]) ** 0.5
    with torch.no_grad():
        return to_display(predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule))


def operators(size):
    """Known degradations of each kind, by name."""
    mask = random_mask(size, size, generator=torch.Generator().manual_seed(0))
    return {
        "noise": GaussianNoise(25 / 255),
        "25% missing": Inpainting(mask, 2 / 255),
        "block average 4": BlockAverage(4, sigma=2 / 255),
        "Gaussian blur": GaussianBlur(9, 1.5, 5 / 255),
        "motion blur": Blur(motion_kernel(9, 30), 5 / 255),
        "JPEG": JPEG.from_quality(50, sigma=5 / 255),
        "capture": Compose(
            GaussianBlur(9, 1.0),
            LinearLight(Compose(SmoothExposure(0.5), Clip())),
            JPEG.from_quality(80, sigma=5 / 255),
        ),
    }


def seeded(number=2):
    """A generator on the CPU."""
    return torch.Generator().manual_seed(number)


def noise(like, generator):
    """White, standard normal, where `like` is."""
    return torch.randn(like.shape, generator=generator).to(like)


def weight(F, trust):
    """rho of `Degradation.prox` for a guess whose error has this variance."""
    return max(F.sigma**2 / trust, 1e-8)


@torch.no_grad()
def diffpir(y, F, prior, share, zeta, steps=20):
    """Zhu et al. 2023: a proximal step, the noise computed again from its result."""
    generator, schedule = seeded(), schedule_of(prior)
    levels = sigma_grid(schedule, schedule.sigma_bar[-1], steps)
    x = F.start(y) + levels[0] * noise(F.start(y), generator)
    for sigma, sigma_next in zip(levels, [*levels[1:], 0.0], strict=True):
        x0 = F.prox(prior(x, sigma).clamp(0, 1), y, weight(F, sigma**2 / share))
        old, new = (x - x0) / sigma, noise(x, generator)
        x = x0 + sigma_next * ((1 - zeta) ** 0.5 * old + zeta**0.5 * new)
    return x0


def haarpsi(image, x):
    """HaarPSI (Reisenhofer et al. 2018) of each image, clipped, (B,), double."""
    repair_torchvision()
    import piq  # which imports torchvision

    return piq.haarpsi(image.clamp(0, 1), x, reduction="none").double()


def squares(images, side=8):
    """Means of luma in squares, (..., 3, H, W) -> (..., H / side, W / side)."""
    luma = torch.einsum("c,...chw->...hw", images.new_tensor(LUMA), images)
    means = avg_pool2d(luma.flatten(0, -3)[:, None], side)
    return means.view(*luma.shape[:-2], *means.shape[-2:])


def spectrum_of(noise):
    """The `NoiseSpectrum` of noise that is known."""
    bands = octave_levels(noise)
    rms = float((bands[0].square() * torch.tensor(SHARES)).sum().sqrt())
    return NoiseSpectrum(bands, Estimate(rms, math.inf), 1.0)


def mean_and_error(differences):
    """Mean of paired differences and its standard error, two floats."""
    gap = torch.as_tensor(differences, dtype=torch.float64)
    return float(gap.mean()), float(gap.std() / len(gap) ** 0.5)


def save_parts(name, parts, keep=False):
    """Rows of several kinds, as one table; each is printed as soon as it is known.

    keep: what the table has of other constants than these stays as it is.
    """
    rows = []
    for part in parts:
        for row in part:
            rows.append(row)
            show(row)
    if keep:
        measured = {row["constant"] for row in rows}
        with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
            others = [row for row in csv.DictReader(file) if row["constant"] not in measured]
        rows = others + rows
    keys = list(dict.fromkeys(key for row in rows for key in row))
    save_results(name, [{key: row.get(key, "") for key in keys} for row in rows])


def save_anew(name, rows, *keys):
    """The table with those rows replaced that agree with one of the new in these columns."""
    new = {}
    for row in rows:
        new.setdefault(tuple(str(row[key]) for key in keys), []).append(row)
    with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
        stored = list(csv.DictReader(file))
    table = []
    for row in stored:
        found = new.get(tuple(row[key] for key in keys))
        table += [row] if found is None else found
        if found:
            found.clear()
    save_results(name, table)


def show(row):
    """Print a row of a table as soon as it is known."""
    print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
