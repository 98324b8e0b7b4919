"""Fits `estimate_noise_spectrum` to simulated captures, and tells how well it does on others.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/noise_spectrum.py --shared ../shared --fit
    python benchmarks/noise_spectrum.py --shared ../shared

With --fit: 256 x 256 captures of train/large (12 draws of each large scene, 4 of the others) and of
train/photos (4), each with and without noise, a part of the noise made of octaves at random levels
instead of a sensor's; train/photos as they are; and downscaled and coded, as people send them (2).
A network with two hidden layers learns the logarithms of the levels and the presence of at least 1
of 255. Writes gdp_lite/estimators/noise_spectrum.npz, and into
gdp_lite/book/results/noise_spectrum_fit.csv how well it does on the same made of train/val, beside
a linear fit and a fit to half of the captures: share of pairs of a noisy photo and one without in
which the noisy one has the higher odds, and cross-entropy in nats. About 45 minutes on two cores.

Without: the held-back captures (Kodak, scikit-image), whole, with and without their noise, and
Kodak's photos themselves. Writes gdp_lite/book/results/noise_spectrum.csv. With --other: those of
other_camera.py, and noise_spectrum_other.csv.
"""

import csv
import io
import zlib
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from common import arguments, photos, show
from PIL import Image
from torch import nn
from torch.nn import functional

import gdp_lite.estimators
from gdp_lite.book.phone import Capture, draw_capture, field, parameters, photograph
from gdp_lite.book.results import save_results
from gdp_lite.estimators import estimate_noise_spectrum
from gdp_lite.estimators.noise_spectrum import OFFSET, network_output
from gdp_lite.estimators.noise_statistics import (
    SHARES,
    noise_statistics,
    octave_levels,
    octaves,
    of_colours,
)
from gdp_lite.image import from_uint8, to_uint8

SIDE, LEAST = 256, 1.0  # pixels; of 255: what is less nobody sees
# By cross-entropy on captures of train/val alone, 0.19 nats: half the width, one layer less, twice
# the jitter are 0.01 worse; twice the width, one layer more, 0.3 dropped as good within 0.006.
HIDDEN, DROPPED, JITTER, RATE, EPOCHS = (128, 128), 0.2, 0.1, 1e-3, 40
GREY = 0.1  # share of the examples


def examples(shared, folders):
    """(statistics, levels of 255) of every capture: (n, k), (n, 8); two processes."""
    paths = [p for name in folders for p in sorted(Path(shared, "train", name).glob("*.jpg"))]
    found = []
    with get_context("spawn").Pool(2) as pool:
        for n, rows in enumerate(pool.imap(of_scene, paths, chunksize=4)):
            found += rows
            if n % 100 == 0:
                print(n, len(found), flush=True)
    return tuple(torch.tensor(rows) for rows in zip(*found, strict=True))


def of_scene(path):
    """The rows of one file, as lists: thousands of small tensors keep the memory around them."""
    torch.set_num_threads(1)
    found = []

    def add(photo, noise):
        statistics = noise_statistics(photo)
        if statistics is not None:
            found.append((statistics.tolist(), (255 * octave_levels(noise)).flatten().tolist()))

    with Image.open(path) as file:
        photo = np.asarray(file.convert("RGB"))
    for draw in range(12 if min(photo.shape[:2]) > 512 else 4):
        rng = np.random.default_rng(zlib.crc32(f"{path.stem} {draw}".encode()))
        noisy, quiet = capture(photo, rng)
        if draw % 3 == 2:
            noise = random_noise(quiet.shape, rng)
            noisy = through_jpeg(quiet + noise, int(rng.integers(80, 98)))
        add(noisy, noisy - quiet)
        add(quiet, torch.zeros_like(quiet))
    if min(photo.shape[:2]) < 512:  # of train/photos: downscaled, with detail as fine as a pixel
        clean = from_uint8(photo)[..., :SIDE, :SIDE]
        add(clean, torch.zeros_like(clean))
        for draw in range(2):
            sent = sent_on(photo, np.random.default_rng([zlib.crc32(path.stem.encode()), draw]))
            add(sent, torch.zeros_like(sent))
    return found


def sent_on(photo, rng):
    """A good photo as people send it: downscaled and coded."""
    scale = rng.uniform(0.5, 1)
    size = [round(n * scale) for n in photo.shape[1::-1]]
    small = Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS)
    part = from_uint8(np.asarray(small))[..., :SIDE, :SIDE]
    return through_jpeg(part, int(rng.integers(70, 98)))


def capture(photo, rng):
    """A crop with and without noise, the rest of the capture alike."""
    height, width = photo.shape[:2]
    top, left = (int(rng.integers(0, n - SIDE + 1)) for n in (height, width))
    part = np.s_[top : top + SIDE, left : left + SIDE]
    where = tuple(axis[part] for axis in field(height, width))
    scene = photo[part].astype(np.float32) / 255
    drawn = Capture(**parameters(draw_capture(rng)))
    files = (photograph(scene, drawn, noise, where) for noise in (rng, None))
    return tuple(decoded(io.BytesIO(file)) for file in files)


def random_noise(shape, rng):
    """Octaves at levels that wander from one to the next, of 255 from 0.3 to 30."""
    white = torch.from_numpy(rng.standard_normal(shape)).float()
    log_levels = rng.uniform(0, 2) + np.cumsum(rng.normal(0.4, 0.6, 5))
    levels = np.exp(np.clip(log_levels - 0.4, -1.2, 3.4)) / 255
    chroma = np.exp(rng.uniform(-2, 1.5))
    weights = (
        torch.tensor([[1, chroma, chroma]]).float() * torch.from_numpy(levels).float()[:, None]
    )
    planes = (octaves(white) * weights[..., None, None]).sum(0)
    rows = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    return torch.einsum("ij,ihw->jhw", rows / rows.norm(dim=1, keepdim=True), planes)[None]


def through_jpeg(photo, quality):
    file = io.BytesIO()
    Image.fromarray(to_uint8(photo)).save(file, "JPEG", quality=quality)
    return decoded(file)


def decoded(file):
    return from_uint8(np.asarray(Image.open(file).convert("RGB")))


def rms(levels):
    """(n, 8) -> of the luma, (n,)."""
    return (levels[:, :4].square() * levels.new_tensor(SHARES)).sum(1).sqrt()


def wanted(levels):
    """(n, 9) of 255: the octaves and the rms; (n,) if it is there; (n,) if that is beyond doubt."""
    all_levels = torch.cat([levels, rms(levels)[:, None]], 1)
    present = all_levels[:, 8] > LEAST
    return all_levels, present, present | (all_levels[:, 8] == 0)


def fit(x, levels, hidden=HIDDEN):
    """The arrays of noise_spectrum.npz; hidden: widths of the hidden layers, () for linear ones."""
    torch.manual_seed(0)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    z = ((x - mean) / spread).clamp(-4, 4)
    levels, present, sure = wanted(levels)
    noisy, logs, colours = levels[:, 8] > 0, (levels + OFFSET).log(), of_colours()
    layers = [nn.Linear(a, b) for a, b in pairwise((x.shape[1], *hidden, logs.shape[1] + 1))]
    inner = [m for layer in layers[:-1] for m in (layer, nn.GELU(), nn.Dropout(DROPPED))]
    network = nn.Sequential(*inner, layers[-1])
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.1)
    for epoch in range(EPOCHS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - epoch / EPOCHS) + 1e-5
        for part in torch.randperm(len(z)).split(128):
            numbers = z[part] + JITTER * torch.randn_like(z[part])
            grey = torch.rand(len(part), 1) < GREY  # as if the photo had no colours to tell by
            told = network(torch.where(grey & colours, 0.0, numbers))
            which, use = noisy[part], sure[part]
            loss = functional.smooth_l1_loss(told[which, :9], logs[part][which], beta=0.2)
            loss = loss + functional.binary_cross_entropy_with_logits(
                told[use, 9], present[part][use].float()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    arrays = {"mean": mean, "spread": spread}
    for n, layer in enumerate(layers):
        arrays |= {f"weight_{n}": layer.weight.detach(), f"bias_{n}": layer.bias.detach()}
    return arrays


def judged(arrays, x, levels):
    """How well it does on captures of scenes that it has not seen."""
    told = network_output(arrays, (x - arrays["mean"]) / arrays["spread"])
    levels, present, sure = wanted(levels)
    truth = levels[present, 8]
    error = ((told[present, 8].exp() - OFFSET).clamp(min=0) / truth - 1).abs()
    odds, label = told[sure, 9], present[sure]
    above = (odds[label][:, None] > odds[~label]).double().mean()
    return {
        "captures": len(x),
        "error of the rms, median": float(error.median()),
        "error of the rms, 90%": float(error.quantile(0.9)),
        "noisy above quiet": float(above),  # in so many of all pairs: the area under the ROC curve
        "cross-entropy": float(functional.binary_cross_entropy_with_logits(odds, label.float())),
    }


def fit_all(shared):
    """Writes the network, and what it is worth beside a linear fit and fewer captures."""
    given, held = examples(shared, ("large", "photos")), examples(shared, ("val",))
    half = torch.rand(len(given[0]), generator=torch.Generator().manual_seed(0)) < 0.5
    arrays = fit(*given)
    fits = {
        "linear": fit(*given, hidden=()),
        "network, half of the captures": fit(*(v[half] for v in given)),
        "network": arrays,
    }
    save_results(
        "noise_spectrum_fit", [{"fit": name} | judged(a, *held) for name, a in fits.items()]
    )
    target = Path(gdp_lite.estimators.__file__).with_name("noise_spectrum.npz")
    np.savez_compressed(target, **{k: v.numpy().astype(np.float16) for k, v in arrays.items()})


def report(shared, folder):
    """Rows of the table."""
    gaps, rms_gaps, chances = [], [], {"noisy": [], "noisy 3": [], "quiet": [], "clean": []}
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        iso = {row["name"]: float(row["iso"]) for row in csv.DictReader(file)}
    names = sorted(p.stem for p in folder.glob("*.jpg") if not p.stem.startswith("large"))
    for name in [n for n in names if not n.endswith("-quiet")]:
        noisy, quiet = (decoded(folder / f"{name}{end}.jpg") for end in ("", "-quiet"))
        truth, found = octave_levels(noisy - quiet), estimate_noise_spectrum(noisy, iso[name])
        true_rms = float(rms(truth.view(1, 8)))
        gaps.append((found.bands / truth).log())
        rms_gaps.append(found.rms / true_rms)
        chances["noisy"].append(found.present)
        if true_rms > 3 / 255:
            chances["noisy 3"].append(found.present)
        chances["quiet"].append(estimate_noise_spectrum(quiet, iso[name]).present)
        show(
            {"photo": name, "true": 255 * true_rms, "found": 255 * found.rms}
            | {"present": found.present, "quiet": chances["quiet"][-1]}
        )
    for _, photo in photos(f"{shared}/eval/kodak24"):
        chances["clean"].append(estimate_noise_spectrum(photo).present)
    gap, ratio = torch.stack(gaps), torch.tensor(rms_gaps).double()
    rows = [
        {
            "what": f"error of octave {octave}, {plane}",
            "median": float(v.median()),
            "90%": float(v.quantile(0.9)),
        }
        for p, plane in enumerate(("luma", "chroma"))
        for octave, v in zip(
            ("1/4", "1/8", "1/16", "1/32"), gap[:, p].exp().sub(1).abs().T, strict=True
        )
    ]
    all_gaps = gap.exp().sub(1).abs().flatten()
    rows.append(
        {
            "what": "error of all octaves",
            "median": float(all_gaps.median()),
            "90%": float(all_gaps.quantile(0.9)),
        }
    )
    error = (ratio - 1).abs()
    rows.append(
        {
            "what": "error of the rms",
            "median": float(error.median()),
            "90%": float(error.quantile(0.9)),
        }
    )
    for name, values in chances.items():
        value = torch.tensor(values)
        rows.append(
            {
                "what": f"said to be noise, {name}",
                "median": float((value > 0.5).double().mean()),
                "90%": float(value.double().quantile(0.9)),
            }
        )
    return rows


def main():
    parser = arguments(__doc__, "train/large, train/photos and eval/kodak24")
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--fit", action="store_true", help="make noise_spectrum.npz anew")
    parser.add_argument("--other", action="store_true", help="captures of another camera")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.fit:
        fit_all(args.shared)
        return
    folder, table = Path(args.captures).expanduser(), "noise_spectrum"
    if args.other:
        folder, table = folder.with_name("other_captures"), "noise_spectrum_other"
    rows = report(args.shared, folder)
    for row in rows:
        show(row)
    save_results(table, rows)


if __name__ == "__main__":
    main()
