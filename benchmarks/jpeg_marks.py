"""Blocks and ringing: from which quality on they are seen, and what undoing them gains.

    python benchmarks/jpeg_marks.py

On captures of benchmarks/captures.py, coded once more by libjpeg with halved chroma. First, on the
development scenes and their noiseless captures: HaarPSI of the coded against the uncoded picture
(1: no difference), which `gdp_lite.repairs.jpeg.STEP_SEEN` was set by; then the sampler's settings
and the strengths of two simple tools, for luma steps of 1, PSNR in dB on 96 x 96 of six; to
gdp_lite/book/results/jpeg_seen.csv and jpeg_settings.csv. Then 128 x 128 of ten held-back scenes:
gain in PSNR and HaarPSI over the file, mean, standard error and worst; to jpeg_marks.csv.
Ten minutes.
"""

import io

import numpy as np
import torch
from common import CAPTURES, arguments, as_image, centre, haarpsi, mean_and_error, photos, show
from PIL import Image
from skimage import restoration

from gdp_lite import load_prior, restore
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import JPEG
from gdp_lite.estimators.coding import Coding, tables_of_quality
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.repairs.cells import unmarked
from gdp_lite.repairs.jpeg import coarseness, mark_of
from gdp_lite.restoring import OVERLAP, TILE

QUALITIES = (10, 20, 30, 50, 70, 90)
SETTINGS = ((8, 0.25, 0.25), (5, 0.1, 0.25), (5, 0.1, 0.0), (5, 0.05, 0.0), (1, 0.05, 0.0))
SIMPLE = {"non-local means": (0.1, 0.2, 0.4, 0.8), "total variation": (0.1, 0.2, 0.4, 0.8)}


def coded(x, quality):
    """x after libjpeg with halved chroma."""
    file = io.BytesIO()
    Image.fromarray(to_uint8(x)).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return from_uint8(np.asarray(Image.open(file)))


def simple(tool, strength, y, quality):
    """One of the simple tools, as strong as the file is coarse."""
    level = strength * coarseness(tables_of_quality(quality)[0]) / 255
    array = y[0].permute(1, 2, 0).numpy()
    if tool == "total variation":
        return as_image(restoration.denoise_tv_chambolle(array, level, channel_axis=2))
    return as_image(restoration.denoise_nl_means(array, 5, 7, level, channel_axis=2))


def seen(pictures):
    """A row a quality: quantiles of HaarPSI."""
    rows = []
    for quality in (10, 20, 30, 40, 50, 60, 70, 80, 90):
        row = {"quality": quality, "step": coarseness(tables_of_quality(quality)[0])}
        for end in ("scene", "quiet"):
            some = [x for n, x in pictures.items() if n.startswith("large") and n.endswith(end)]
            found = np.array([float(haarpsi(coded(x, quality), x)) for x in some[::3]])
            row |= {f"{end} {p}%": float(np.percentile(found, p)) for p in (10, 50, 90)}
        show(row)
        rows.append(row)
    return rows


def settings(pictures, prior):
    """A row a setting: mean gain at three qualities."""
    names = sorted(n for n in pictures if n.startswith("large") and n.endswith("-scene"))[::7]
    gains: dict = {}
    for name in names[:6]:
        x = pictures[name][..., 192:288, 192:288]
        for quality in (10, 30, 60):
            y, degradation = coded(x, quality), JPEG.from_quality(quality)
            for steps, start, zeta in SETTINGS:
                generator = torch.Generator().manual_seed(0)
                z = restore(
                    y, degradation, prior, steps, start_sigma=start, zeta=zeta, generator=generator
                ).image
                key = f"{steps} steps from {start}, zeta {zeta}"
                gains.setdefault(key, {}).setdefault(quality, []).append(gain(z, y, x))
            for tool, strengths in SIMPLE.items():
                for strength in strengths:
                    z = simple(tool, strength, y, quality)
                    key = f"{tool} {strength}"
                    gains.setdefault(key, {}).setdefault(quality, []).append(gain(z, y, x))
    rows = []
    for key, found in gains.items():
        rows.append({"setting": key, **{str(q): float(np.mean(v)) for q, v in found.items()}})
        rows[-1]["mean"] = float(np.mean([v for k, v in rows[-1].items() if k != "setting"]))
        show(rows[-1])
    return rows


def gain(z, y, x):
    """In decibels."""
    return float(psnr(z.clamp(0, 1), x) - psnr(y, x))


def best(rows, tool):
    """The strength of a simple tool that gains most."""
    some = [row for row in rows if row["setting"].startswith(tool)]
    return float(max(some, key=lambda row: row["mean"])["setting"].split()[-1])


def main():
    parser = arguments(__doc__)
    parser.add_argument("--captures", default=str(CAPTURES), help="folder of captures.py")
    folder = parser.parse_args().captures
    pictures = {n: x for n, x in photos(folder) if n.endswith(("-scene", "-quiet"))}
    save_results("jpeg_seen", seen(pictures))
    prior = load_prior()
    tuned = settings(pictures, prior)
    save_results("jpeg_settings", tuned)
    strengths = {tool: best(tuned, tool) for tool in SIMPLE}
    held = [n for n in pictures if n.startswith(("kodak", "skimage")) and n.endswith("-scene")]
    rows = []
    for quality in QUALITIES:
        found: dict = {"file": [], "restored": [], **{tool: [] for tool in SIMPLE}}
        coding = Coding(*tables_of_quality(quality), (0, 0), True)
        for name in [*held[:24:4], *held[24:]]:
            x = centre(pictures[name], 128)
            y = coded(x, quality)
            results = {"file": y, "restored": unmarked(y, mark_of(coding), prior, TILE, OVERLAP)}
            results |= {tool: simple(tool, s, y, quality) for tool, s in strengths.items()}
            for way, z in results.items():
                found[way].append((float(psnr(z.clamp(0, 1), x)), float(haarpsi(z, x))))
        file = np.array(found.pop("file"))
        for way, scores in found.items():
            more = np.array(scores) - file
            (db, db_error), (haar, haar_error) = (mean_and_error(more[:, n]) for n in (0, 1))
            row = {"quality": quality, "method": way, "photos": len(more)}
            row |= {"file_psnr": float(file[:, 0].mean())}
            row |= {"file_haarpsi": float(file[:, 1].mean())}
            row |= {"gain_db": db, "error_db": db_error, "worst_db": float(more[:, 0].min())}
            row |= {"gain_haarpsi": haar, "error_haarpsi": haar_error}
            rows.append(row | {"worst_haarpsi": float(more[:, 1].min())})
            show(rows[-1])
    save_results("jpeg_marks", rows)


if __name__ == "__main__":
    main()
