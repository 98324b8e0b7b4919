"""Photos in bad light: `estimate_light` against autocontrast with gamma, and against CLAHE.

    python benchmarks/light.py --shared ../shared
    python benchmarks/light.py --shared ../shared --fit

Good photos at half size are put into bad light, in linear light, by no model of the package (fields
of light, lamps, haze, veils, gamma), and taken by `gdp_lite.book.phone`: Bayer noise, demosaicking,
denoising, sharpening, a tone curve, JPEG 4:2:0. 24 Kodak photos and four of scikit-image's, each
once with every fault and once without. Scored against the good photo: PSNR in dB, HaarPSI,
CIEDE2000 (mean over the pixels). The settings of the two tools are the best of a grid, by mean PSNR
on 22 large scenes; `where seen`: the tool is used where `estimate_light` sees a fault only.
Writes gdp_lite/book/results/light.csv. `ours_nearer`: share of photos in which ours has the smaller
CIEDE2000. `veiled`: clipped parts left white no more, or black raised by 10% of the range above
both photo and scene; `darkened`: a dark photo got darker. `left`: share left bit for bit. About
8 minutes.

--fit makes gdp_lite/estimators/light.json anew, from train/photos at half size: features and
simulations without mosaic. About 3 minutes. --check prints how often faults are seen in the 186
photos of train/val, as they are and in bad light. --develop is the table for those large scenes.
--alone: CIEDE2000 of every second photo of train/val in which a fault is seen, if the scene is
expected by that fault alone, or by the mixture of all; about five minutes.
--shares: CIEDE2000 of small pictures of large scenes and of train/val, by how much of the change is
made, given the chance of a fault. About half an hour.
--constants: CIEDE2000 of small pictures of every eighth photo of train/val in which that fault is
seen that is there, with other constants of `estimators.light`: half and twice as much of one at a
time. About eight minutes.
--range: of models fitted to every second photo of train/photos, with features cut off at other
distances (`light_statistics.RANGE`), on all of train/val: the cross-entropy of the faults, in nats,
weighted as in the fit, and the error of the scene's numbers given the fault, root mean square,
luma's quantiles and parts and all of it. Writes gdp_lite/book/results/light_constants.csv. About
three minutes.
"""

import io
import json
from functools import partial
from itertools import islice
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from common import arguments, as_image, haarpsi, mean_and_error, photos, save_parts, show
from PIL import Image, ImageOps
from skimage import color, data

import gdp_lite.estimators
from gdp_lite.book import phone
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.curve import Tone
from gdp_lite.degradations import ToneMap
from gdp_lite.estimators import estimate_light, light_statistics
from gdp_lite.estimators import light as estimator
from gdp_lite.estimators.light import SEEN, SPREAD, fitted
from gdp_lite.estimators.light_statistics import (
    FAULTS,
    expected,
    features,
    luma,
    small,
    summary,
    terms,
)
from gdp_lite.image import from_uint8, to_uint8

# In the fit: how often a photo has no fault, or each of them.
CHANCES = (0.53, 0.13, 0.13, 0.13, 0.08)
RANGES = (1.5, 2.0, 3.0, 4.0, 6.0, np.inf)


def bad_light(scene, fault, rng):
    """The good photo, (H, W, 3) uint8, and what `taken` needs to take it in bad light.

    scene: uint8. Some have a lamp in them, or a bright window, which are white in the good photo.
    """
    u, where = rng.uniform, phone.field(*scene.shape[:2])
    x, y = where
    light, extra, curve = phone.to_linear(scene / np.float32(255)), 0.0, None
    if rng.random() < 0.15:
        extra = window(x, y, rng)
    stops, uneven, vignetting = rng.normal(0, 0.2), u(0, 0.5), u(0, 0.4)
    kind = rng.integers(3)
    if fault == "too dark":
        if kind == 2:
            curve = _gamma(u(1.5, 2.8))
        else:
            stops = -u(1, 3.5)
        if kind == 1 or rng.random() < 0.4:
            extra = extra + lamp(x, y, rng)
    elif fault == "too bright":
        stops = u(0.7, 2.5)
    elif fault == "low contrast" and kind == 0:  # haze, more of it far away
        far = np.clip(0.8 - u(0, 1) * y + u(-0.3, 0.3) * x, 0, 1.3)[..., None]
        through = np.exp(-u(0.4, 1.6) * far)
        light = light * through + (u(0.5, 1) + rng.normal(0, 0.02, 3)) * (1 - through)
    elif fault == "low contrast" and kind == 1:
        curve = _flat(u(0.35, 0.7), u(0.35, 0.65))
    elif fault == "low contrast":  # stray light
        light = light * u(0.8, 1) + u(0.02, 0.12) * (1 + rng.normal(0, 0.05, 3))
    elif fault == "uneven light" and kind == 0:
        uneven = u(2, 4.5)
    elif fault == "uneven light" and kind == 1:
        vignetting = u(1.5, 3)
    elif fault == "uneven light":  # something in the shade
        distance = (x - u(-0.5, 0.5)) ** 2 + (y - u(-0.3, 0.5)) ** 2
        shade = u(1.5, 3.5) * np.exp(-distance / u(0.3, 0.6) ** 2 / 2)
        light = light * np.exp2(u(0, 0.7) - shade)[..., None]
    iso = round(100 * 32 ** rng.random())
    shot = 0.012 * iso / 3200
    capture = phone.Capture(
        iso=iso,
        exposure=stops,
        uneven=uneven,
        uneven_angle=u(0, 360),
        vignetting=vignetting,
        contrast=u(0, 0.3),
        quality=int(rng.integers(85, 98)),
        shot=shot,
        read=float(np.exp(2.18 * np.log(shot) + 1.2)),
        red_gain=2.1,
        blue_gain=1.7,
        crosstalk=0.2,
        luma_denoise=2.0,
        chroma_denoise=10.0,
        luma_octaves=2,
        chroma_octaves=3,
        sharpen=0.5,
    )
    light = phone.expose(light.astype(np.float32), where, capture) + extra
    good = scene
    if np.ndim(extra):
        good = phone.encode((phone.to_linear(scene / np.float32(255)) + extra).astype(np.float32))
        good = (255 * good).round().astype(np.uint8)
    return good, (light.astype(np.float32), curve, capture)


def lamp(x, y, rng):
    """Light of a lamp with its glow, clipped by any exposure, (H, W, 1)."""
    radius = rng.uniform(0.02, 0.1)
    distance = np.hypot(x - rng.choice(x.ravel()), y - rng.choice(y.ravel()))
    glow = rng.uniform(0.02, 0.15) * np.exp(-distance / (3 * radius))
    return (8 * np.clip((radius - distance) / (0.15 * radius) + 0.5, 0, 1) + glow)[..., None]


def window(x, y, rng):
    """Light of a bright window or sky that a good photo, too, has clipped, (H, W, 1)."""
    u, (right, bottom) = rng.uniform, (x.max(), y.max())
    middle, width, height = u(-right, right), u(0.4, 1.3) * right, u(0.4, 1.2) * bottom
    edges = np.minimum(width - np.abs(x - middle), height - (y + bottom)) / u(0.01, 0.04)
    return u(2, 6) * np.clip(edges + 0.5, 0, 1)[..., None]


def _gamma(exponent):
    return lambda image: image**exponent


def _flat(contrast, level):
    return lambda image: level + contrast * (image - 0.5)


def taken(light, curve, capture, rng, mosaic=True):
    """The capture as an (H, W, 3) uint8 array; quicker without the sensor's mosaic."""
    if mosaic:
        raw = np.minimum(phone.mosaic(phone.to_sensor(light, capture)), 1)
        image = phone.demosaic(phone.add_sensor_noise(raw, capture, rng))
        image = phone.encode(phone.balance(image, capture))
        image = phone.sharpen(phone.denoise(image, capture), capture)
    else:
        var = capture.shot * np.clip(light, 0, 1) + capture.read
        noise = 0.5 * rng.normal(0, 1, light.shape) * np.sqrt(var)
        image = phone.encode((light + noise).astype(np.float32))
    image = phone.tone(image, capture)
    file = phone.jpeg(curve(image) if curve else image, capture)
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def half(photo):
    """(H, W, 3) uint8, at half size."""
    return cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def examples(folder, rng, every=1):
    """Features, what the scene can be given, and the fault's number, of each photo six times."""
    found, told, label = [], [], []
    for _, photo in islice(photos(folder), 0, None, every):
        scene = half(to_uint8(photo))
        for n, fault in enumerate(("good", "none", *FAULTS)):
            good = y = scene
            if fault != "good":
                good, light = bad_light(scene, fault, rng)
                y = taken(*light, rng, mosaic=False)
            found.append(features(small(from_uint8(y))))
            # What is clipped stays white, whatever is done: the scene as it can be had.
            kept = np.where(y >= 252, np.uint8(255), good)
            told.append(summary(small(from_uint8(kept))).numpy())
            label.append(max(n - 1, 0))
    return np.array(found), np.array(told), np.array(label)


def fitted_to(found, told, label):
    """The coefficients of `expected`: logistic and linear regressions."""
    centre, scale = found.mean(0).round(4), found.std(0).round(4)
    rows = terms(found, centre, scale)
    model = {"centre": centre, "scale": scale, "logistic": logistic(rows, label)}
    regressions = [regression(rows[label == k], told[label == k]) for k in range(1, 5)]
    model["regression"], model["cov"] = (np.stack(p) for p in zip(*regressions, strict=True))
    return model


def fit(shared):
    """They are written as JSON."""
    model = fitted_to(*examples(f"{shared}/train/photos", np.random.default_rng(0)))
    text = json.dumps({k: _brief(v.tolist()) for k, v in model.items()}, separators=(",", ":"))
    place = Path(gdp_lite.estimators.__file__).with_name("light.json")
    place.write_text(text.replace("],", "],\n") + "\n", encoding="utf-8")


def ranges(shared):
    """A row for each of `RANGES`: errors on photos that the fit has not seen."""
    given = examples(f"{shared}/train/photos", np.random.default_rng(0), every=2)
    found, told, label = examples(f"{shared}/train/val", np.random.default_rng(2))
    weights = (np.array(CHANCES) / np.bincount(label))[label]
    for value in RANGES:
        with mock.patch.object(light_statistics, "RANGE", value):
            model = fitted_to(*given)
            rows = terms(found, model["centre"], model["scale"])
        score = rows @ model["logistic"]
        score -= score.max(1, keepdims=True)
        chance = score[range(len(label)), label] - np.log(np.exp(score).sum(1))
        wrong = [
            rows[label == k] @ model["regression"][k - 1] - told[label == k] for k in range(1, 5)
        ]
        wrong = np.concatenate(wrong)
        yield {
            "constant": "RANGE", "on": f"{len(label) // 6} photos", "value": value,
            "today": value == light_statistics.RANGE,
            "cross-entropy": float(-(weights * chance).sum() / weights.sum()),
            "error, luma": float((wrong[:, :16] ** 2).mean() ** 0.5),
            "error, all": float((wrong**2).mean() ** 0.5),
        }  # fmt: skip


def _brief(value):
    return [_brief(v) for v in value] if isinstance(value, list) else float(f"{value:.4g}")


def logistic(rows, label, penalty=3e-4):
    """Multinomial logistic regression, (terms, 5); every fault with its share of `CHANCES`."""
    rows, label = torch.tensor(rows), torch.tensor(label)
    weights = torch.tensor(CHANCES).double() / label.bincount()
    beta = torch.zeros(rows.shape[1], 5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([beta], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(rows @ beta, label, weight=weights)
        loss = loss + penalty * beta[1:].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return beta.detach().numpy()


def regression(rows, truth, penalty=3.0, folds=5):
    """(coefficients, covariance of the error on photos left out) of a ridge regression."""

    def solve(rows, truth):
        ridge = penalty * np.eye(rows.shape[1])
        ridge[0, 0] = 0
        return np.linalg.solve(rows.T @ rows + ridge, rows.T @ truth)

    error, fold = np.zeros_like(truth), np.arange(len(rows)) % folds
    for k in range(folds):
        beta = solve(rows[fold != k], truth[fold != k])
        error[fold == k] = truth[fold == k] - rows[fold == k] @ beta
    return solve(rows, truth), error.T @ error / len(error)


def auto(y, cutoff, target, amount):
    """Pillow's autocontrast, then a gamma towards a mean luma; amount 1 reaches it."""
    image = np.asarray(ImageOps.autocontrast(Image.fromarray(y), cutoff=cutoff)) / 255
    mean = np.clip((image @ phone.LUMA).mean(), 0.01, 0.99)
    return as_image(image ** (amount * np.log(target) / np.log(mean) + 1 - amount))


def clahe(y, limit, tiles):
    """OpenCV's CLAHE of L in CIELAB."""
    lab = cv2.cvtColor(y, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(limit, (tiles, tiles)).apply(lab[..., 0])
    return from_uint8(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


TOOLS = {
    "autocontrast, gamma": [
        partial(auto, cutoff=c, target=t, amount=a)
        for c in (0.1, 0.5, 2)
        for t in (0.36, 0.4, 0.45)
        for a in (0.4, 0.7, 1)
    ],
    "CLAHE": [partial(clahe, limit=c, tiles=n) for c in (0.5, 1, 2, 4) for n in (2, 4, 8)],
}


def scenes(shared, large):
    """(name, good photo) at half size, (H, W, 3) uint8."""
    if large:
        for path in sorted(Path(shared, "train/large").glob("*.jpg"))[::10]:
            with Image.open(path) as photo:
                photo.thumbnail((384, 384), Image.Resampling.BOX)
                yield path.stem, np.asarray(photo.convert("RGB"))
        return
    for name, photo in photos(f"{shared}/eval/kodak24"):
        yield name, half(to_uint8(photo))
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        yield name, half(getattr(data, name)())


def captures(shared, large):
    """(name, fault, good photo, capture), every scene with every fault."""
    for n, (name, scene) in enumerate(scenes(shared, large)):
        for k, fault in enumerate(("none", *FAULTS)):
            rng = np.random.default_rng([n, k, int(large)])
            good, light = bad_light(scene, fault, rng)
            yield name, fault, good, taken(*light, rng)


def tuned(shared):
    """The setting of each tool that is best on the large scenes, by mean PSNR over the faults."""
    scores = {name: np.zeros(len(grid)) for name, grid in TOOLS.items()}
    for _, fault, scene, y in captures(shared, True):
        for name, grid in TOOLS.items():
            if fault != "none":
                scores[name] += [float(psnr(tool(y), from_uint8(scene))) for tool in grid]
    best = {name: grid[int(scores[name].argmax())] for name, grid in TOOLS.items()}
    for name, tool in best.items():
        show({"tool": name, **tool.keywords})
    return best


def scored(image, scene, y):
    """The scores of one result."""
    image, truth, y = image.clamp(0, 1).float(), from_uint8(scene), from_uint8(y)
    labs = [color.rgb2lab(v[0].permute(1, 2, 0).numpy()) for v in (image, truth)]
    lights = [luma(v) for v in (y, image, truth)]
    was_white = y.amax(1) >= 0.998
    greyed = was_white.double().mean() > 1e-3 and image.amax(1)[was_white].quantile(0.05) < 0.97
    black = [float(v.quantile(0.01)) for v in lights]
    dark = float(lights[0].mean()) < float(lights[2].mean()) - 0.02
    return {
        "psnr": float(psnr(image, truth)),
        "haarpsi": float(haarpsi(image, truth)),
        "dE": float(color.deltaE_ciede2000(*labs).mean()),
        "veiled": int(bool(greyed) or black[1] > max(black[0], black[2]) + 0.1),
        "darkened": int(dark and float(lights[1].mean()) < float(lights[0].mean()) - 0.01),
        "left": int(torch.equal(image, y)),
    }


def table(shared, large):
    """A row a fault and method."""
    tools, rows = tuned(shared), {}
    for name, fault, scene, y in captures(shared, large):
        found = estimate_light(from_uint8(y), 2 / 255)
        results = {
            "the photo": from_uint8(y),
            "ours": ToneMap.held(found.tone).inverse(from_uint8(y)),
        }
        for tool, function in tools.items():
            results[tool] = function(y)
            seen = found.fault != "none"
            results[f"{tool}, where seen"] = results[tool] if seen else results["the photo"]
        scores = {method: scored(image, scene, y) for method, image in results.items()}
        show({"name": name, "fault": fault, "found": found.fault, "visible": found.visible}
             | {m: s["psnr"] for m, s in scores.items() if "seen" not in m})  # fmt: skip
        for method, score in scores.items():
            score["ours_nearer"] = float(scores["ours"]["dE"] < score["dE"])
            rows.setdefault((fault, method), []).append(score)
    return [row_of(fault, method, scores) for (fault, method), scores in rows.items()]


def row_of(fault, method, scores):
    values = {key: np.array([s[key] for s in scores]) for key in scores[0]}
    return {
        "fault": fault,
        "method": method,
        "photos": len(scores),
        "psnr": float(values["psnr"].mean()),
        "psnr_sd": float(values["psnr"].std()),
        "psnr_median": float(np.median(values["psnr"])),
        "psnr_worst": float(values["psnr"].min()),
        "haarpsi": float(values["haarpsi"].mean()),
        "dE": float(values["dE"].mean()),
        "dE_worst": float(values["dE"].max()),
        "ours_nearer": "" if method == "ours" else float(values["ours_nearer"].mean()),
        "veiled": int(values["veiled"].sum()),
        "darkened": int(values["darkened"].sum()),
        "left": float(values["left"].mean()),
    }


def check(shared):
    """How often a fault is seen in photos of train/val: as they are, and in bad light."""
    rng, chances = np.random.default_rng(1), {}
    for _, photo in photos(f"{shared}/train/val"):
        scene = half(to_uint8(photo))
        for fault in ("good", "none", *FAULTS):
            y = scene
            if fault != "good":
                y = taken(*bad_light(scene, fault, rng)[1], rng)
            chances.setdefault(fault, []).append(1 - expected(small(from_uint8(y))).none)
    for fault, p in chances.items():
        show({"fault": fault} | {f"above {t}": float((np.array(p) > t).mean())
                                 for t in (0.5, 0.6, 0.65, 0.7, 0.8)})  # fmt: skip


def alone(shared):
    """Mean distance from the good photo by what is seen in it, and whether that is so."""
    found = {}
    for n, (_, photo) in enumerate(list(photos(f"{shared}/train/val"))[::2]):
        scene = half(to_uint8(photo))
        for k, fault in enumerate(("good", "none", *FAULTS)):
            rng, good, y = np.random.default_rng([n, k, 9]), scene, scene
            if fault != "good":
                good, light = bad_light(scene, fault, rng)
                y = taken(*light, rng)
            told = expected(y := small(from_uint8(y)))
            likely = max(told.faults, key=lambda name: told.faults[name])
            if 1 - told.none < SEEN[likely]:
                continue
            at = [scored(y, to_uint8(small(from_uint8(good))), to_uint8(y))["dE"]]
            for faults in ((), FAULTS):
                with mock.patch.object(light_statistics, "ALONE", faults):
                    tone = fitted(y, expected(y), 2 / 255)
                x = ToneMap.held(Tone(*(v.float() for v in tone))).inverse(y)
                at.append(scored(x, to_uint8(small(from_uint8(good))), to_uint8(y))["dE"])
            truth = "so" if fault == likely else "good" if k < 2 else "another fault"
            found.setdefault((likely, truth), []).append(at)
    for (likely, truth), at in sorted(found.items()):
        mean = dict(zip(("the photo", "mixture", "alone"), np.mean(at, 0).tolist(), strict=True))
        show({"seen": likely, "it is": truth, "photos": len(at)} | mean)


# Another SPREAD has one of its columns changed.
COLUMNS = ("mean stops", "map", "white", "contrast", "veil")
LIGHT = {
    "today": {"STEPS": estimator.STEPS},
    **{
        f"spread of {column}, times {factor:g}": {
            "SPREAD": {
                fault: tuple(v * factor if k == n else v for k, v in enumerate(row))
                for fault, row in SPREAD.items()
            }
        }
        for n, column in enumerate(COLUMNS)
        for factor in (0.5, 2)
    },
    "one spread for all faults": {
        "SPREAD": dict.fromkeys(FAULTS, tuple(np.exp(np.log([*SPREAD.values()]).mean(0)).tolist()))
    },
    **{
        f"{name}, times {factor:g}": {name: factor * getattr(estimator, name)}
        for name in ("FLOOR", "VISIBLE", "NOISE_WEIGHT")
        for factor in (0.5, 2)
    },
    "40 steps": {"STEPS": 40},
}


def constants(shared):
    """Mean distance from the good photo, by fault, with each of `LIGHT`."""
    found = {}
    for n, (_, photo) in enumerate(list(photos(f"{shared}/train/val"))[::8]):
        scene = half(to_uint8(photo))
        for k, fault in enumerate(FAULTS):
            rng = np.random.default_rng([n, k, 11])
            good, dimmed = bad_light(scene, fault, rng)
            y, good = (small(from_uint8(v)) for v in (taken(*dimmed, rng, mosaic=False), good))
            told = expected(y)
            if 1 - told.none < SEEN[fault] or max(told.faults, key=told.faults.get) != fault:
                continue
            at = [scored(y, to_uint8(good), to_uint8(y))["dE"]]
            for others in LIGHT.values():
                with mock.patch.multiple(estimator, **others):
                    tone = fitted(y, told, 2 / 255)
                x = ToneMap.held(Tone(*(v.float() for v in tone))).inverse(y)
                at.append(scored(x, to_uint8(good), to_uint8(y))["dE"])
            found.setdefault(fault, []).append(at)
    for fault, rows in found.items():
        if len(rows) < 2:  # of uneven light one in 24 is seen as that
            continue
        for name, values in zip(("the photo", *LIGHT), np.transpose(rows), strict=True):
            gap, error = mean_and_error(values - np.transpose(rows)[1])
            show({"fault": fault, "with": name, "photos": len(rows), "dE": float(values.mean()),
                  "over today": gap, "standard error": error})  # fmt: skip


RAMPS = {"never": (1.1, 1.2), "from 0.5 on, all": (0.5, 0.5001), "from 0.6 on, all": (0.6, 0.6001)}
RAMPS |= {f"some from {a}, all from {b}": (a, b) for a, b in ((0.4, 0.7), (0.5, 0.7), (0.5, 0.8))}


def shares(shared):
    """Mean distance from the good photo for each of `RAMPS`, and how often it grew by 1."""
    some = [scene for _, scene in scenes(shared, True)]
    some += [half(to_uint8(photo)) for _, photo in list(photos(f"{shared}/train/val"))[::4]]
    found = {}
    for n, scene in enumerate(some):
        for k, fault in enumerate(("good", "none", *FAULTS)):
            rng, good, y = np.random.default_rng([n, k, 7]), scene, scene
            if fault != "good":
                good, light = bad_light(scene, fault, rng)
                y = taken(*light, rng, mosaic=False)
            y, good = (small(from_uint8(v)) for v in (y, good))
            told, at = expected(y), []
            tone = fitted(y, told, 2 / 255)
            for share in (0, 0.25, 0.5, 0.75, 1):
                part = Tone(*(share * v.float() for v in tone))
                at.append(scored(ToneMap.held(part).inverse(y), to_uint8(good), to_uint8(y))["dE"])
            found.setdefault(fault, []).append((1 - told.none, at))
    for fault, rows in found.items():
        chance, at = (np.array(v) for v in zip(*rows, strict=True))
        for name, (a, b) in RAMPS.items():
            share = 4 * np.clip((chance - a) / (b - a), 0, 1)
            made = np.array([np.interp(s, range(5), row) for s, row in zip(share, at, strict=True)])
            worse = float((made > at[:, 0] + 1).mean())
            show({"fault": fault, "made": name, "dE": float(made.mean()), "worse by 1": worse})


def main():
    parser = arguments(__doc__, "train/photos, train/large, train/val and eval/kodak24")
    for option in ("fit", "check", "alone", "shares", "constants", "range", "develop"):
        parser.add_argument(f"--{option}", action="store_true")
    args = parser.parse_args()
    if args.fit:
        fit(args.shared)
    elif args.check:
        check(args.shared)
    elif args.alone:
        alone(args.shared)
    elif args.shares:
        shares(args.shared)
    elif args.constants:
        constants(args.shared)
    elif args.range:
        save_parts("light_constants", [ranges(args.shared)])
    elif args.develop:
        for row in table(args.shared, True):
            show(row)
    else:
        rows = table(args.shared, False)
        for row in rows:
            show(row)
        save_results("light", rows)


if __name__ == "__main__":
    main()
