"""Fits `estimate_noise_spectrum` to simulated captures, and tells how well it does on others.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/noise_spectrum.py --shared ../shared --fit
    python benchmarks/noise_spectrum.py --shared ../shared

With --fit: 256 x 256 captures of train/large (12 draws of each large scene, 4 of the others), each
with and without noise, a third of the noise made of octaves at random levels instead of a sensor's;
and photos of train/photos as they are. Ridge regression of the
logarithms of the levels, logistic regression of the presence of at least 1 of 255. Writes
gdp_lite/estimators/noise_spectrum.json; about ten minutes on one core.

Without: the held-back captures (Kodak, scikit-image), whole, with and without their noise, and
Kodak's photos themselves. Writes gdp_lite/book/results/noise_spectrum.csv.
"""

import csv
import io
import json
import zlib
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
from gdp_lite.estimators.noise_spectrum import OFFSET
from gdp_lite.estimators.noise_statistics import SHARES, noise_statistics, octave_levels, octaves
from gdp_lite.image import from_uint8, to_uint8

SIDE, LEAST = 256, 1.0  # pixels; of 255: what is less nobody sees


def examples(shared):
    """(statistics, levels of 255) of every capture: (n, k), (n, 8)."""
    found, levels = [], []

    def add(photo, noise):
        statistics = noise_statistics(photo)
        if statistics is not None:
            found.append(statistics)
            # A list: thousands of small tensors keep the memory around them.
            levels.append((255 * octave_levels(noise)).flatten().tolist())

    for path in sorted(Path(shared, "train/large").glob("*.jpg")):
        with Image.open(path) as file:
            photo = np.asarray(file.convert("RGB"))
        for draw in range(12 if min(photo.shape[:2]) > 512 else 4):
            rng = np.random.default_rng(zlib.crc32(f"{path.stem} {draw}".encode()))
            noisy, quiet = capture(photo, rng)
            if draw % 3 == 0:
                noisy = through_jpeg(quiet + random_noise(quiet.shape, rng), rng)
            add(noisy, noisy - quiet)
            add(quiet, torch.zeros_like(quiet))
        print(path.stem, len(found), flush=True)
    for path in sorted(Path(shared, "train/photos").glob("*.jpg"))[::3]:
        photo = from_uint8(np.asarray(Image.open(path).convert("RGB")))[..., :SIDE, :SIDE]
        add(photo, torch.zeros_like(photo))
    return torch.stack(found), torch.tensor(levels)


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


def through_jpeg(photo, rng):
    file = io.BytesIO()
    Image.fromarray(to_uint8(photo)).save(file, "JPEG", quality=int(rng.integers(80, 98)))
    return decoded(file)


def decoded(file):
    return from_uint8(np.asarray(Image.open(file).convert("RGB")))


def rms(levels):
    """(n, 8) -> of the luma, (n,)."""
    return (levels[:, :4].square() * levels.new_tensor(SHARES)).sum(1).sqrt()


def fit(x, levels):
    """What noise_spectrum.json holds."""
    torch.manual_seed(0)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    z = ((x - mean) / spread).clamp(-4, 4)
    wanted = torch.cat([levels, rms(levels)[:, None]], 1)
    noisy, present = wanted[:, 8] > 0, wanted[:, 8] > LEAST
    sure = present | ~noisy
    wanted = (wanted + OFFSET).log()
    linear = nn.Linear(x.shape[1], 10)
    optimiser = torch.optim.AdamW(linear.parameters(), 3e-3, weight_decay=0.1)
    epochs = 200
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = 3e-3 * (1 - epoch / epochs) + 1e-5
        for part in torch.randperm(len(z)).split(128):
            told = linear(z[part] + 0.1 * torch.randn_like(z[part]))
            which, use = noisy[part], sure[part]
            loss = functional.smooth_l1_loss(told[which, :9], wanted[part][which], beta=0.2)
            loss = loss + functional.binary_cross_entropy_with_logits(
                told[use, 9], present[part][use].float()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    weights, offset = linear.weight.detach().T, linear.bias.detach()
    return {"mean": mean, "spread": spread, "weights": weights, "offset": offset}


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
    parser.add_argument("--fit", action="store_true", help="make noise_spectrum.json anew")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.fit:
        found = {k: v.tolist() for k, v in fit(*examples(args.shared)).items()}
        target = Path(gdp_lite.estimators.__file__).with_name("noise_spectrum.json")
        text = json.dumps(found)
        target.write_text(
            json.dumps(json.loads(text, parse_float=lambda t: float(f"{float(t):.4g}"))) + "\n"
        )
        return
    rows = report(args.shared, Path(args.captures).expanduser())
    for row in rows:
        show(row)
    save_results("noise_spectrum", rows)


if __name__ == "__main__":
    main()
