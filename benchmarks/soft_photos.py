"""Whether softness is undone where that helps, and left alone where it would harm.

    python benchmarks/soft_photos.py --shared ../shared --every 2

Whole photos are diagnosed; then 144 x 144 of each, where its gradients are strongest, are restored
as `restore photo.jpg` does, noise and softness alone, and held against the sharp scene. Gains are
those of undoing softness: PSNR in dB and HaarPSI, less those of the same without it; "harmed"
counts what lost more than 0.1 dB. Scenes held back (Kodak's, scikit-image's), in groups:

    blurred     a good photo: Gaussian, defocus, movement in linear light, or enlarged by bicubic;
                noise of 0 to 4 of 255, smoothed by 0.6 pixels; JPEG of quality 75 to 95
    soft phone  blurred before the simulated phone, which denoises and sharpens, half without noise
    zoomed      captured at half the size, enlarged by bicubic
    captures    those of benchmarks/captures.py as they are, with noise and without
    good        their scenes; truth is the photo itself

"rule": what the package does; "seen, whole": all of it wherever `visible` is half or more, without
doubts; then, with the width and where the rule acts, unsharp mask and Richardson-Lucy. Writes
gdp_lite/book/results/soft_photos.csv. Ten minutes. --tune prints, of train/large, a line a photo:
what the rule looks at, and the gains of shares of 0.5 to 1, and of 8 calls instead of 5. --finest
prints, of the same, what undoing all of it gains where the other rules allow that, by what
`estimators.finest` would say with other constants: half and twice as much of one at a time. Eight
minutes with --every 5.
"""

import csv
import io
import math
import zlib
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from common import (
    CAPTURES,
    RL_STEPS,
    USM_AMOUNT,
    USM_RADIUS,
    arguments,
    haarpsi,
    richardson_lucy,
    show,
    unsharp,
)
from PIL import Image
from scipy import ndimage
from torch.nn import functional

from gdp_lite import diagnose, load_prior, restoring
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.phone import LUMA, Capture, ideal, jpeg, photograph
from gdp_lite.book.results import save_results
from gdp_lite.degradations import Blur, GaussianBlur, defocus_kernel, motion_kernel
from gdp_lite.diagnosis import SEEN
from gdp_lite.estimators import finest
from gdp_lite.estimators.finest import finest_detail
from gdp_lite.estimators.softness import FINEST, TELLING, WIDEST
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear, to_uint8
from gdp_lite.restoring import restore_image

SIDE, MARGIN = 144, 8
CASES = [("gaussian", w) for w in (1.0, 1.5, 2.2, 3.0)]
CASES += [("defocus", 2.0), ("defocus", 3.5), ("motion", 5.0), ("motion", 9.0), ("bicubic", 2.0)]
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DETAILS = {"today": {"GRAIN": finest.GRAIN}}
DETAILS |= {
    f"{name}, times {factor:g}": {name: factor * getattr(finest, name)}
    for name in ("GRAIN", "STEEP", "NOISY", "FINE", "LEAST")
    for factor in (0.5, 2)
}


def read(path):
    with Image.open(path) as picture:
        return from_uint8(np.asarray(picture.convert("RGB")))


def blurred(x, kind, size, rng):
    """A good photo, blurred; its file read again."""
    light, height, width = srgb_to_linear(x), *x.shape[-2:]
    if kind == "bicubic":
        picture = Image.fromarray(to_uint8(x)).resize((width // 2, height // 2), Image.BICUBIC)
        y = from_uint8(np.asarray(picture.resize((width, height), Image.BICUBIC)))
    elif kind == "gaussian":
        y = linear_to_srgb(GaussianBlur(2 * math.ceil(4 * size) + 1, size)(light).clamp(0, 1))
    else:
        angle = float(rng.uniform(0, 180))
        kernel = defocus_kernel(size) if kind == "defocus" else motion_kernel(size, angle)
        y = linear_to_srgb(Blur(kernel)(light).clamp(0, 1))
    noise = ndimage.gaussian_filter(rng.normal(size=x.shape), (0, 0, 0.6, 0.6))
    level = (0, 1, 2, 4)[int(rng.integers(4))] / 255
    y = y + level / noise.std() * torch.from_numpy(noise).float()
    return through_jpeg(y, int(rng.integers(75, 96)))


def soft_captures(scene, capture, turn, rng):
    """(case, capture, ideal) of a scene, with a capture's own phone, blurred before it."""
    capture = replace(capture, defocus=0.0, motion=0.0)
    cases = {
        "defocus": {"defocus": float(rng.uniform(1, 4))},
        "motion": {"motion": float(rng.uniform(4, 12)), "motion_angle": float(rng.uniform(0, 180))},
        "gaussian": {"blur": float(rng.uniform(1.2, 3))},
    }
    for k, (case, change) in enumerate(cases.items()):
        worse = replace(capture, **change)
        file = photograph(scene, worse, None if (turn + k) % 2 else rng)
        yield case, read(io.BytesIO(file)), as_photo(ideal(scene, worse))
    height, width = (n // 2 for n in scene.shape[:2])
    half = cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA)
    file = photograph(half, replace(capture, quality=97), rng if turn % 2 else None)
    with Image.open(io.BytesIO(file)) as picture:
        large = np.asarray(picture.resize((2 * width, 2 * height), Image.BICUBIC), np.float32) / 255
    sharp = as_photo(ideal(scene, capture))[..., : 2 * height, : 2 * width]
    yield "zoomed", read(io.BytesIO(jpeg(large, capture))), sharp


def as_photo(array):
    return from_uint8((array * 255).round().astype(np.uint8))


def pairs(folder, tuning, every):
    """(group, name, photo, scene), a few of all cases of each scene in turn."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["name"].startswith("large") == tuning]
    for turn, row in enumerate(rows[::every]):
        name = row["name"]
        scene = read(folder / f"{name}-scene.png")
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        for kind, size in CASES[turn % 4 :: 4]:
            yield "blurred", f"{name} {kind} {size:g}", blurred(scene, kind, size, rng), scene
        drawn = Capture(**{f.name: type(f.default)(float(row[f.name])) for f in fields(Capture)})
        array = scene[0].permute(1, 2, 0).numpy()
        soft = list(soft_captures(array, drawn, turn, rng))
        for case, y, x in (soft[turn % 3], soft[3]):
            group = case if case == "zoomed" else "soft phone"
            yield group, f"{name} {case}", y, x
        for end in ("", "-quiet"):
            yield (
                "captures",
                name + end,
                read(folder / f"{name}{end}.jpg"),
                read(folder / f"{name}-ideal.png"),
            )
        yield "good", name, scene, scene


def window(y):
    """Where gradients are strongest."""
    slope = (y.diff(dim=-1)[..., 1:, :] ** 2 + y.diff(dim=-2)[..., 1:] ** 2).mean(1, True).sqrt()
    side = min(SIDE, *slope.shape[-2:])
    mean = functional.avg_pool2d(slope, side, 16)[0, 0]
    top, left = (16 * int(n) for n in np.unravel_index(int(mean.argmax()), mean.shape))
    return (..., slice(top, top + side), slice(left, left + side))


def scores(image, x):
    inside = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    image, x = image[inside].clamp(0, 1), x[inside]
    error = float((image - x).square().mean())
    return -10 * math.log10(max(error, 1e-8)), float(haarpsi(image, x))


def total(found):
    """Root mean square width in all directions."""
    return math.hypot(found.width, found.length / 24**0.5)


def restored(photo, scene, prior):
    """By method (PSNR, HaarPSI) gained; whether the rule acts."""
    diagnosis = diagnose(photo)
    finding, noisy = diagnosis.findings["softness"], "noise" in diagnosis.seen
    if finding.visible < SEEN:
        return {}, False
    place = window(photo)
    y, x, noise = photo[place], scene[place], ["noise"] if noisy else []
    base = restore_image(y, diagnosis, prior, noise)
    images = {"seen, whole": changed(y, diagnosis, prior, noise, 1.0)}
    if finding.seen:
        width = total(finding.detail)
        share = finding.detail.present  # what `restoring.cleaned` makes of it
        images["rule"] = base + share * (images["seen, whole"] - base)
        images["unsharp mask"] = unsharp(base, width, USM_AMOUNT, USM_RADIUS)
        images["Richardson-Lucy"] = richardson_lucy(base, width, RL_STEPS)
    before = scores(base, x)
    gains = {k: tuple(np.subtract(scores(image, x), before)) for k, image in images.items()}
    return gains, finding.seen


def changed(y, diagnosis, prior, noise, share):
    """y restored with that share of the softness undone."""
    finding = diagnosis.findings["softness"]
    sure = replace(finding, detail=finding.detail._replace(present=share))
    told = replace(diagnosis, findings={**diagnosis.findings, "softness": sure})
    return restore_image(y, told, prior, ["softness", *noise])


def table(folder, prior, every):
    gains, counts = {}, {}
    for group, name, photo, scene in pairs(folder, False, every):
        found, acts = restored(photo, scene, prior)
        counts.setdefault(group, []).append(acts)
        for method, gain in found.items():
            gains.setdefault((group, method), []).append(gain)
        if found:
            show(
                {"group": group, "name": name}
                | {k: round(float(v[0]), 2) for k, v in found.items()}
            )
    rows = []
    for (group, method), values in sorted(gains.items()):
        psnr, similar = np.array(values).T
        row = {"group": group, "method": method, "photos": len(counts[group]), "acted": len(psnr)}
        row |= {"PSNR mean": psnr.mean(), "PSNR std": psnr.std(), "PSNR median": np.median(psnr)}
        row |= {"PSNR worst": psnr.min(), "harmed": int((psnr < -0.1).sum())}
        row |= {"HaarPSI mean": similar.mean(), "HaarPSI worst": similar.min()}
        rows.append({k: float(v) if isinstance(v, np.floating) else v for k, v in row.items()})
        show(rows[-1])
    for group, acts in counts.items():
        show({"group": group, "photos": len(acts), "the rule acts on": sum(acts)})
    return rows


def tune(folder, prior, every):
    """What the rule looks at, and what each share and more calls would gain."""
    for group, name, photo, scene in pairs(folder, True, every):
        diagnosis = diagnose(photo)
        finding = diagnosis.findings["softness"]
        if finding.visible < SEEN:
            continue
        noise, place = ["noise"] if "noise" in diagnosis.seen else [], window(photo)
        y, x = photo[place], scene[place]
        base = restore_image(y, diagnosis, prior, noise)
        before = scores(base, x)[0]
        row = {"group": group, "name": name, "width": total(finding.detail)}
        luma, level = looked_at(photo, diagnosis)
        row |= {
            "kind": finding.detail.kind,
            "edges": finding.detail.edges,
            "finest": finest_detail(luma, row["width"], level),
        }
        whole = changed(y, diagnosis, prior, noise, 1.0)
        for share in SHARES:
            row[f"{share:g}"] = scores(base + share * (whole - base), x)[0] - before
        usual, restoring.SOFT_STEPS = restoring.SOFT_STEPS, 8
        row["8 calls"] = scores(changed(y, diagnosis, prior, noise, 1.0), x)[0] - before
        restoring.SOFT_STEPS = usual
        show(row | {"rule": finding.seen})


def details(folder, prior, every):
    """Gains of the photos that would be restored, with each of `DETAILS`."""
    gains, told = [], {name: [] for name in DETAILS}
    for _, name, photo, scene in pairs(folder, True, every):
        diagnosis = diagnose(photo)
        found = diagnosis.findings["softness"]
        soft, width = found.detail, total(found.detail)
        if found.visible < SEEN or soft.length or width > WIDEST or soft.edges < min(TELLING):
            continue
        noise, place = ["noise"] if "noise" in diagnosis.seen else [], window(photo)
        y, x = photo[place], scene[place]
        before = scores(restore_image(y, diagnosis, prior, noise), x)[0]
        gains.append(scores(changed(y, diagnosis, prior, noise, 1.0), x)[0] - before)
        luma, level = looked_at(photo, diagnosis)
        for constants, others in DETAILS.items():
            with patch.multiple(finest, **others):
                told[constants].append(finest_detail(luma, width, level))
        show({"name": name, "gain": gains[-1], "finest": told["today"][-1]})
    gain = np.array(gains)
    for constants, shares in told.items():
        acted = gain[~(np.array(shares) > FINEST)]
        show({"with": constants, "photos": len(gain), "restored": len(acted),
              "gain": float(acted.sum() / len(gain)), "worst": float(acted.min()),
              "harmed": int((acted < -0.1).sum())})  # fmt: skip


def looked_at(photo, diagnosis):
    """Its luma, and its noise where there is some."""
    spectrum = diagnosis.findings["noise"].detail
    luma = (photo[0].permute(1, 2, 0).numpy() @ LUMA).astype(np.float32)
    return luma, float(spectrum.rms) if spectrum.present >= SEEN else 0.0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--captures", default=str(CAPTURES), help="folder of captures.py")
    parser.add_argument("--tune", action="store_true", help="print gains by share, of train/large")
    parser.add_argument("--finest", action="store_true", help="its constants, of train/large")
    parser.add_argument("--every", type=int, default=1, help="only every n-th scene")
    args = parser.parse_args()
    folder, prior = Path(args.captures).expanduser(), load_prior()
    if args.finest:
        details(folder, prior, args.every)
    elif args.tune:
        tune(folder, prior, args.every)
    else:
        save_results("soft_photos", table(folder, prior, args.every))


if __name__ == "__main__":
    main()
