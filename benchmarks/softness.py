"""How well edges tell a photo's softness, and what undoing it gains.

    python benchmarks/softness.py --shared ../shared

softness.csv: widths in pixels found by the old estimator (the whole spectrum) and the new one (the
sharpest edges), on the held-back captures of benchmarks/captures.py, whose true width is that of a
sharp disc sent through the same lens, sensor, denoiser, sharpener and file; and on every other of
Kodak's photos, halved: blurred in linear light, noise of 3 of 255 smoothed by 0.6 pixels, JPEG of
quality 90.
"seen": above `SEEN` pixels a person sees it, from just noticeable blur: edges some 4 pixels wide
(Ferzli and Karam 2009: 3 at high contrast, 5 at low), 4 standard deviations and a pixel.

softness_restored.csv: crops of 128 x 128, PSNR and HaarPSI less those of the file; the restored
one with and without `limit_overshoot`; unsharp masking and Richardson-Lucy with the same width, at
the settings that were best on crops of train/large that no table uses. "halo": how far,
in levels, the result leaves the scene's values within 2 pixels, the 99th percentile. "wrong width":
sharp captures for which 1 pixel is assumed. Both about 6 minutes. --fit prints what the constants
of estimators/softness.py were chosen by, --tune gains by setting, from train/large alone.
"""

import csv
import io
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from common import (
    RL_STEPS,
    USM_AMOUNT,
    USM_RADIUS,
    arguments,
    haarpsi,
    photos,
    richardson_lucy,
    show,
    unsharp,
)
from PIL import Image
from scipy import ndimage
from torch.nn import functional

from gdp_lite.book.phone import LUMA, Capture, ideal, photograph
from gdp_lite.book.results import save_results
from gdp_lite.degradations import Blur, GaussianBlur, defocus_kernel, motion_kernel
from gdp_lite.degradations.softness import softness_degradation
from gdp_lite.estimators import estimate_blur_width, estimate_noise, estimate_softness
from gdp_lite.estimators.edge_profiles import find_edges
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear, to_uint8
from gdp_lite.overshoot import limit_overshoot
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SEEN = 0.75
NOISE = 3 / 255
CASES = [("none", 0.0)]
CASES += [("gaussian", w) for w in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)]
CASES += [("defocus", r) for r in (1.5, 2.5, 4.0)]
CASES += [("motion", length) for length in (3.0, 5.0, 8.0)]
SIDE, MARGIN = 128, 8
START = 0.1  # noise level of the first step


def degraded(x, kind, size, rng):
    """A good photo, blurred in linear light, noisy, as JPEG; and the angle of its movement."""
    angle, light = float(rng.uniform(0, 180)), srgb_to_linear(x)
    if kind == "gaussian":
        light = GaussianBlur(2 * math.ceil(4 * size) + 1, size)(light)
    elif kind != "none":
        kernel = defocus_kernel(size) if kind == "defocus" else motion_kernel(size, angle)
        light = Blur(kernel)(light)
    noise = ndimage.gaussian_filter(rng.normal(size=x.shape), (0, 0, 0.6, 0.6))
    y = linear_to_srgb(light.clamp(0, 1)) + NOISE / noise.std() * torch.from_numpy(noise).float()
    file = io.BytesIO()
    Image.fromarray(to_uint8(y)).save(file, "JPEG", quality=90)
    return from_uint8(np.asarray(Image.open(file))), angle


def true_width(kind, size):
    """Standard deviation of the kernel across an edge; of a movement over all directions."""
    return size * {"none": 0, "gaussian": 1, "defocus": 1 / 2, "motion": 1 / 24**0.5}[kind]


def true_step(row):
    """(width, halo): what the camera of a manifest's row makes of a sharp disc, without noise.

    By least squares over Gaussians of the same disc, half way from the frame's centre to a corner.
    """
    drawn = {f.name: type(f.default)(float(row[f.name])) for f in fields(Capture)}
    capture = Capture(**(drawn | {"exposure": 0.0, "uneven": 0.0, "vignetting": 0.0}))
    r = np.hypot(*(np.mgrid[:192, :192] - 95.5))
    scene = np.repeat((0.25 + 0.4 * np.clip(60.5 - r, 0, 1))[..., None], 3, 2).astype(np.float32)
    at = np.full((192, 192), 0.5, np.float32), np.zeros((192, 192), np.float32)  # half way out
    file = Image.open(io.BytesIO(photograph(scene, capture, None, at)))
    seen, whole = np.asarray(file, np.float32) / 255 @ LUMA, ideal(scene, capture, at) @ LUMA

    def level(image):
        low, high = np.median(image[r > 75]), np.median(image[r < 45])
        return (image - low) / (high - low)

    seen, whole, ring = level(seen), level(whole), abs(r - 60) < 12
    widths = np.arange(0.05, 3.5, 0.05)
    errors = [((ndimage.gaussian_filter(whole, w) - seen)[ring] ** 2).mean() for w in widths]
    bins = np.round(2 * (r - 60)).astype(int)
    across = [seen[bins == k].mean() for k in range(-16, 17)]
    return float(widths[np.argmin(errors)]), (max(across) - 1 - min(across)) / 2


def captures(folder, sets):
    """(row, capture, ideal) of the captures whose name begins so."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"].startswith(sets)]
    for row in rows:
        pair = (folder / f"{row['name']}{end}" for end in (".jpg", "-ideal.png"))
        y, x = (from_uint8(np.asarray(Image.open(p).convert("RGB"))) for p in pair)
        yield row, y, x


def good_photos(shared, tuning):
    """Kodak halved; or, to tune on, the 512 x 512 photos of train/large."""
    if tuning:
        found = (x for _, x in photos(f"{shared}/train/large") if min(x.shape[-2:]) == 512)
        return [x for n, x in enumerate(found) if n % 16 == 5]
    return [
        functional.avg_pool2d(x, 2)
        for x in list(dict(photos(f"{shared}/eval/kodak24")).values())[::2]
    ]


def measured(shared, folder, tuning):
    """One dict a photo: truth, what both estimators find."""
    rng, out = np.random.default_rng(0), []
    for x in good_photos(shared, tuning):
        for kind, size in CASES:
            y, angle = degraded(x, kind, size, rng)
            truth = true_width(kind, size)
            out.append(
                {"case": f"{kind} {size:g}", "truth": truth, "angle": angle, "halo": math.nan}
            )
            out[-1]["new"] = estimate_softness(y, NOISE)
            out[-1]["old"] = math.nan if tuning else estimate_blur_width(y, NOISE)
    for row, y, _ in captures(folder, "large" if tuning else ("kodak", "skimage")):
        width, halo = true_step(row)
        found = estimate_softness(y, float(row["noise luma"]) / 255)
        out.append({"case": "captures", "truth": width, "angle": 0.0, "halo": halo, "new": found})
        out[-1]["old"] = math.nan if tuning else estimate_blur_width(y, estimate_noise(y))
    return out


def total(found):
    """Root mean square width in all directions."""
    return math.hypot(found.width, found.length / 24**0.5)


def table(rows):
    """A row a case, and one for what is seen."""
    out = []
    for case in dict.fromkeys(row["case"] for row in rows):
        some = [row for row in rows if row["case"] == case]
        told = [row for row in some if row["new"].kind != "none"]
        gaps = {
            name: np.array([value(row) - row["truth"] for row in told])
            for name, value in (("old", lambda r: r["old"]), ("new", lambda r: total(r["new"])))
        }
        turned = [row for row in told if row["new"].kind == "motion"]
        off = [abs((row["new"].angle - row["angle"] + 90) % 180 - 90) for row in turned]
        out.append({"case": case, "photos": len(some), "told": len(told)})
        out[-1]["truth"] = float(np.median([row["truth"] for row in some]))
        for name, gap in gaps.items():
            out[-1][f"{name} bias"] = float(np.median(gap))
            out[-1][f"{name} error"] = float(np.median(abs(gap)))
            out[-1][f"{name} worst"] = float(abs(gap).max())
        out[-1]["motion"] = len(turned)
        is_motion = case.startswith("motion") and bool(turned)
        out[-1]["angle error"] = float(np.median(off)) if is_motion else math.nan
        halo = [abs(row["new"].overshoot - row["halo"]) for row in told]
        out[-1]["halo error"] = float(np.median(halo))
        out[-1]["called seen"] = sum(row["new"].visible > 0.5 for row in some)
        out[-1]["acted on"] = sum(softness_degradation(row["new"]) is not None for row in some)
        show(out[-1])
    return out


def precision_recall(rows):
    """Of `visible` above a half, against the truth above `SEEN`."""
    truth = np.array([row["truth"] > SEEN for row in rows])
    said = np.array([row["new"].visible > 0.5 for row in rows])
    both = (truth & said).sum()
    return float(both / max(said.sum(), 1)), float(both / max(truth.sum(), 1))


def fit(rows):
    """The logistic function of `visible`, by maximum likelihood; the own width of good photos."""
    from scipy.optimize import minimize

    told = [row for row in rows if row["new"].kind != "none"]
    x = np.array([total(row["new"]) for row in told])
    seen = np.array([row["truth"] > SEEN for row in told])

    def minus_log(p):
        z, lapse = p[1] * (x - p[0]) * np.where(seen, 1, -1), 0.5 / (1 + math.exp(-p[2]))
        return -np.log(lapse + (1 - 2 * lapse) / (1 + np.exp(-z.clip(-50, 50)))).sum()

    at, slope, lapse = minimize(minus_log, (0.7, 5.0, -2.0), method="Nelder-Mead").x
    for case in dict.fromkeys(row["case"] for row in told):
        gaps = [total(row["new"]) - row["truth"] for row in told if row["case"] == case]
        show({"case": case, "bias": float(np.median(gaps)), "spread": float(np.std(gaps))})
    gaps = [total(row["new"]) - row["truth"] for row in told]
    spread = 1.4826 * float(np.median(np.abs(gaps)))
    show({"SEEN_AT": float(at), "SEEN_SLOPE": float(slope), "SPREAD": spread})
    show({"LAPSE": 0.5 / (1 + math.exp(-lapse))})


def own_widths(shared):
    """What edges of good photos have at each size: the median photo's sharpest tenth."""
    for level in range(3):
        widths = []
        for x in good_photos(shared, tuning=True):
            luma = (x[0].permute(1, 2, 0).numpy() @ LUMA).astype(np.float32)
            for _ in range(level):
                luma = luma.reshape(len(luma) // 2, 2, -1, 2).mean((1, 3))
            if len(found := find_edges(luma, 0.002).width) >= 20:
                widths.append(np.quantile(found, 0.1))
        show({"level": level, "OWN": float(np.median(widths)), "spread": float(np.std(widths))})


def window(y):
    """The corner of the square with the most free edges, room for the margin around it."""
    luma = (y[0].permute(1, 2, 0).numpy() @ LUMA).astype(np.float32)
    edges = find_edges(luma, 0.01)
    best = (-1, MARGIN, MARGIN)
    for top in range(MARGIN, luma.shape[0] - SIDE - MARGIN + 1, 16):
        for left in range(MARGIN, luma.shape[1] - SIDE - MARGIN + 1, 16):
            inside = (abs(edges.row - top - SIDE / 2) < SIDE / 2).astype(bool)
            inside &= abs(edges.column - left - SIDE / 2) < SIDE / 2
            best = max(best, (int(inside.sum()), top, left))
    return best[1:]


def cut(image, top, left, margin):
    rows = slice(top - margin, top + SIDE + margin)
    return image[..., rows, left - margin : left + SIDE + margin]


def scores(result, x):
    """PSNR, HaarPSI and halo of a crop with its margin."""
    result = result[..., MARGIN:-MARGIN, MARGIN:-MARGIN].clamp(0, 1)
    high, low = functional.max_pool2d(x, 5, 1, 2), -functional.max_pool2d(-x, 5, 1, 2)
    beyond = (result - high).clamp(min=0) + (low - result).clamp(min=0)
    psnr = -10 * math.log10(float((result - x).square().mean()))
    return psnr, float(haarpsi(result, x)), 255 * float(beyond.quantile(0.99))


def crops(shared, folder, tuning):
    """(case, y with margin, x, degradation, width, noise) of what is to be restored."""
    rng = np.random.default_rng(1)
    for x in good_photos(shared, tuning)[::3]:
        for size in (0.8, 1.5):
            y, _ = degraded(x, "gaussian", size, rng)
            found = estimate_softness(y, NOISE)
            top, left = window(y)
            pair = cut(y, top, left, MARGIN), cut(x, top, left, 0)
            yield f"gaussian {size}", *pair, softness_degradation(found, NOISE), found, NOISE
    sharp = 0
    for row, y, x in captures(folder, "large" if tuning else ("kodak", "skimage")):
        noise = float(row["noise luma"]) / 255
        found = estimate_softness(y, noise)
        degradation, case = softness_degradation(found, noise), "captures"
        if degradation is None:
            if sharp >= 4 or found.kind == "none" or found.width > 0.3:
                continue
            sharp += 1
            degradation = GaussianBlur(7, 1.0, max(5 / 255, noise))
            case = "wrong width"
        top, left = window(y)
        yield case, cut(y, top, left, MARGIN), cut(x, top, left, 0), degradation, found, noise


def restored(shared, folder):
    """A row a case and a method: mean, median, worst of each gain; halo in levels."""
    prior, gains = load_prior(), {}
    for case, y, x, degradation, found, noise in crops(shared, folder, tuning=False):
        if degradation is None:
            gains.setdefault((case, "file, left alone"), []).append((0, 0, scores(y, x)[2]))
            continue
        width = 1.0 if case == "wrong width" else max(total(found), 0.3)
        generator = torch.Generator().manual_seed(0)
        image = restore(y, degradation, prior, start_sigma=START, generator=generator).image
        image = image.reshape(y.shape)
        results = {
            "file": y,
            "restored": image,
            "restored, capped": limit_overshoot(image, y, width, noise),
            "unsharp mask": unsharp(y, width, USM_AMOUNT, USM_RADIUS),
            "Richardson-Lucy": richardson_lucy(y, width, RL_STEPS),
        }
        before = scores(y, x)
        for method, result in results.items():
            after = scores(result, x)
            gain = after[0] - before[0], after[1] - before[1], after[2]
            gains.setdefault((case, method), []).append(gain)
    rows = []
    for (case, method), values in gains.items():
        psnr, similar, halo = np.array(values, float).T
        rows.append({"case": case, "method": method, "crops": len(values)})
        for name, gain in (("PSNR", psnr), ("HaarPSI", similar)):
            rows[-1] |= {
                f"{name} mean": float(gain.mean()),
                f"{name} median": float(np.median(gain)),
            }
            rows[-1][f"{name} worst"] = float(gain.min())
        rows[-1] |= {"halo": float(np.median(halo)), "halo worst": float(halo.max())}
        show(rows[-1])
    return rows


def tune(shared, folder):
    """Mean and worst PSNR gained by each setting of the baselines, and by each assumed noise."""
    prior, found_gains = load_prior(), {}
    for case, y, x, degradation, found, noise in crops(shared, folder, tuning=True):
        if degradation is None or case == "wrong width":
            continue
        width, before = max(total(found), 0.3), scores(y, x)[0]
        tried = {("rl", n): richardson_lucy(y, width, n) for n in (2, 3, 5, 8, 12, 20)}
        for amount in (0.25, 0.5, 1.0, 1.5, 2.0):
            tried |= {("usm", amount, r): unsharp(y, width, amount, r) for r in (0.7, 1.0, 1.5)}
        for floor, coarse in ((2, 1.0), (5, 1.0), (5, 2.5), (8, 3.0)):
            degradation.sigma = max(floor / 255, coarse * noise)
            seed = torch.Generator().manual_seed(0)
            image = restore(y, degradation, prior, start_sigma=START, generator=seed).image
            tried["noise", floor, coarse] = image.reshape(y.shape)
        for name, result in tried.items():
            gain = scores(result, x)[0] - before
            found_gains.setdefault((case.split()[0], *name), []).append(gain)
    for name, gain in found_gains.items():
        show({"what": name, "mean": float(np.mean(gain)), "worst": min(gain), "crops": len(gain)})


def main():
    parser = arguments(__doc__, "train/large and eval/kodak24")
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--only", choices=("widths", "restored"), help="one of the two tables")
    parser.add_argument("--fit", action="store_true", help="print what the constants come from")
    parser.add_argument("--tune", action="store_true", help="print gains by setting")
    args = parser.parse_args()
    folder = Path(args.captures).expanduser()
    if args.fit:
        own_widths(args.shared)
        fit(measured(args.shared, folder, tuning=True))
        return
    if args.tune:
        tune(args.shared, folder)
        return
    if args.only != "restored":
        rows = measured(args.shared, folder, tuning=False)
        found = table(rows)
        precision, recall = precision_recall(rows)
        show({"precision": precision, "recall": recall})
        save_results(
            "softness", [row | {"precision": precision, "recall": recall} for row in found]
        )
    if args.only != "widths":
        save_results("softness_restored", restored(args.shared, folder))


if __name__ == "__main__":
    main()
