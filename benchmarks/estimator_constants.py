"""Constants of the estimators, and of the tasks that have a name: what others would have given.

    python benchmarks/estimator_constants.py --shared ../shared

- Edges (`estimators.edge_profiles`): every 42nd photo of train/photos, blurred in linear light
  by a Gaussian of 0.5, 1 and 1.5 pixels, noise of 2 of 255, JPEG of quality 90. One constant at a
  time, half and twice as much or the like; the error of the sharpest tenth's width in pixels,
  beyond that of the photo as it is, and how many edges there are: fewest, median.
- CAST (`estimators.anchors`): every fifth photo of train/val with casts in linear light, log gains
  of standard deviation 0.1, 0.2 and 0.3; root mean square error of the posterior's mean.
- CODING_NOISE (`tasks`): `--task denoise` and `--task deblur` of a JPEG of quality 75, crops of
  128 x 128 of train/val: with noise of 5 of 255, that is coarse, and without any; blurred by a
  Gaussian of 1.2 pixels. Gain in PSNR over the file, dB, and paired with today's.
- Log odds of noise (`estimators.noise_spectrum`): every third capture of train/large, with its
  noise (of more than 2 of 255, which is seen), without it, and the scene: of each the share from
  which noise would be taken away. Constants that depend on the ISO with the capture's, which is
  the same with noise and without; others with none, the one for photos without colour in grey.
  --captures is the folder of benchmarks/captures.py.
- Loud noise (`estimators.noise_spectrum`): 256 x 256 of every 24th photo of train/val with white
  noise of 25 and 50 of 255, as it is and as a JPEG of quality 85, and by `gdp_lite.book.phone` at
  ISO 6400 and 12800: by how much octaves and rms are off, in the median; what the found spectrum
  gains in PSNR by `denoise`, and by how much that is less than what the true one gains. LOUDEST inf
  looks once.
- Movement (`estimators.softness`): every 16th square photo of train/large, blurred in linear light
  by movements of 3, 5 and 8 pixels, by other kernels and by none, noise of 3 of 255, JPEG of
  quality 90; and every second of the larger ones and of train/val as it is, 768 x 768 at most: the
  shares in which a movement is told, and the median errors of its length, where it has 5 or 8
  pixels, and of its angle.
- An earlier JPEG (`estimators.coding`): 320 x 320 of every second of the larger photos of
  train/large, at half size, so that their own files leave no mark, as a JPEG of quality 20, 40 or
  60, from its fourth row and sixth column on, and as a PNG or once more as a JPEG of quality 92:
  the shares in which grid and steps are found; and "in vain", of the photos without that first
  JPEG.
- Contrast (`degradations.light`), crops of 256 x 256: of each statistic the median over every
  fifth photo of train/photos, where the contrast is 1 ("usual"), and what it tells of the contrast
  of train/val's: the median of found over true, and the root mean square of its logarithm. The
  standard deviation; the distance of black from white as levels take it, of means over the
  channels; quantiles of the distance from 1/2; and that together with the standard deviation, a
  Gaussian posterior of their logarithms. Then crops of 96 x 96 of every eighth restored with the
  contrast found and held, and learned from there on: gain in PSNR over the photo.

Writes gdp_lite/book/results/estimator_constants.csv. About half an hour on one core; --part makes
the rows of one part anew, and leaves the others as they are.
"""

import csv
import io
from itertools import chain, islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common import CAPTURES, arguments, centre, mean_and_error, photos, save_parts, spectrum_of
from PIL import Image
from scipy import ndimage
from torch.nn.functional import avg_pool2d

from gdp_lite import tasks
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.book.phone import draw_capture, field, photograph
from gdp_lite.degradations import (
    Blur,
    Contrast,
    GaussianBlur,
    LinearLight,
    defocus_kernel,
    light,
    motion_kernel,
)
from gdp_lite.denoise import denoise
from gdp_lite.estimators import (
    anchors,
    cast_posterior,
    coding,
    edge_profiles,
    estimate_noise_spectrum,
    estimate_softness,
    noise_spectrum,
    softness,
)
from gdp_lite.findings import ASKED
from gdp_lite.image import LUMA, from_uint8, linear_to_srgb, srgb_to_linear
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

EDGES = {
    "EACH": (15, 30, 60),
    "PRE": (0.3, 0.6, 1.2),
    "STEP": (0.05, 0.1, 0.2),
    "TAIL": (0.04, 0.08, 0.16),
    "UNEVEN": (0.07, 0.15, 0.3),
    "HALO": (0.25, 0.5, 1.0),
    "STRAIGHT": (0.5, 0.75, 0.9),
}
WIDTHS = (0.5, 1.0, 1.5)
CASTS, TRIED = (0.1, 0.2, 0.3), (0.11, 0.22, 0.44)
# (times today's, in grey, told the ISO)
ODDS = {
    "PER_ISO": ((0, 0.5, 1, 2), False, True),
    "MIDDLE_ISO": ((0.5, 1, 2), False, True),
    "TOO_MUCH": ((0, 0.5, 1, 2), False, False),
    "USUAL": ((0.5, 1, 2), False, False),
    "PER_BLOTCH": ((0, 0.5, 1, 2), False, False),
    "WITHOUT_COLOUR": ((0, 0.5, 1, 2), True, False),
}
LOUDEST = (15, 20, 25, float("inf"))  # of 255
# (what, of 255 or ISO, quality)
LOUD = [("white", level, quality) for level in (25, 50) for quality in (None, 85)]
LOUD += [("phone", iso, None) for iso in (6400, 12800)]
CODING = {"CODING_NOISE": (1, 2, 3, 4, 6), "CODING_NOISE_DEBLUR": (3, 5, 8)}  # of 255
MOVEMENT = {
    "ROUND": (0, 0.25, 0.5, 1.0),
    "SURE": (0, 1.25, 2.5, 5.0),
    "SWING": (0, 0.2, 0.4, 0.8),
}
LENGTHS = (3.0, 5.0, 8.0)  # pixels, of a movement
# 7 is the highest row of a block; of what agrees, half and twice as far from each other.
EARLIER = {"HIGHEST": (3, 4, 6, 7), "READ": (3, 6, 12), "AGREE": (1.12, 1.25, 1.5)}
FIRST, CORNER = (20, 40, 60), (3, 5)  # qualities; rows and columns that were cut away
SECOND = {"PNG": None, "JPEG 92": 92}
FARTHEST = ((2, 0.9995), (4, 0.99), (4, 0.999), (4, 0.9995), (4, 1.0), (8, 0.9995))
# (contrast, noise of 255, side, how); without noise rounded to 8 bits
CONTRASTS = [(c, 2, 256, "") for c in (0.2, 0.35, 0.5, 0.75, 1.0, 1.5)]
CONTRASTS += [(c, 10, 256, "") for c in (0.2, 0.35, 0.5)] + [(0.35, 2, 128, "")]
CONTRASTS += [(c, 0, 256, "") for c in (0.35, 1.0)]
CONTRASTS += [(1.5, 0, 256, "clipped"), (0.5, 2, 256, "in light")]


def blurred(x, width):
    """In linear light; x itself for 0."""
    if not width:
        return x
    return linear_to_srgb(GaussianBlur(2 * int(4 * width + 1) + 1, width)(srgb_to_linear(x)))


def filed(x, noise, quality, coarse=0.0, seed=0):
    """x with noise, of a grain as coarse as `coarse` pixels, as a JPEG."""
    grain = np.random.default_rng(seed).normal(size=x.shape)
    grain = ndimage.gaussian_filter(grain, (0, 0, coarse, coarse))
    return through_jpeg(x + noise / grain.std() * torch.from_numpy(grain).float(), quality)


def sharpest(luma):
    """(width, how many): the tenth percentile of the edges' widths, nan where there is none."""
    found = edge_profiles.find_edges(luma, 2 / 255)
    width = float(np.quantile(found.width, 0.1)) if len(found.width) else float("nan")
    return width, len(found.width)


def edges(every):
    lumas = [
        [
            np.einsum("chw,c->hw", filed(blurred(x, width), 2 / 255, 90)[0].numpy(), LUMA)
            for width in (0.0, *WIDTHS)
        ]
        for _, x in every
    ]
    for name, values in EDGES.items():
        today = getattr(edge_profiles, name)
        for value in values:
            with patch.object(edge_profiles, name, value):
                found = np.array([[sharpest(luma) for luma in photo] for photo in lumas])
            added = np.sqrt(np.maximum(found[:, 1:, 0] ** 2 - found[:, :1, 0] ** 2, 0))
            wrong = (added - WIDTHS)[np.isfinite(added)]
            yield {
                "constant": name, "on": f"{len(lumas)} photos, 3 blurs", "value": value,
                "today": value == today, "bias": float(wrong.mean()),
                "error": float(np.abs(wrong).mean()), "fewest": int(found[..., 1].min()),
                "median": float(np.median(found[..., 1])),
            }  # fmt: skip


def casts(every):
    pictures = [x for _, x in every]
    for spread in CASTS:
        logs = torch.randn(len(pictures), 3, generator=torch.Generator().manual_seed(0))
        logs = spread * (logs - logs.mean(1, keepdim=True))
        for value in TRIED:
            wrong = []
            with patch.object(anchors, "CAST", value):
                for x, log in zip(pictures, logs, strict=True):
                    light = srgb_to_linear(x) * log.exp().view(1, 3, 1, 1)
                    y = srgb_to_linear((255 * linear_to_srgb(light.clamp(0, 1))).round() / 255)
                    found = cast_posterior(y, linear=True).log().mean(0)
                    left = log - (found - found.mean())
                    wrong.append(float(left.square().mean()))
            yield {
                "constant": "CAST", "on": f"{len(pictures)} photos, casts of {spread}",
                "value": value, "today": value == anchors.CAST,
                "error": float(np.mean(wrong)) ** 0.5,
            }  # fmt: skip


def coding_noise(crops, prior):
    cases = {
        "coarse noise": ("CODING_NOISE", "denoise", lambda x: filed(x, 5 / 255, 75, 0.7)),
        "no noise": ("CODING_NOISE", "denoise", lambda x: filed(x, 0.0, 75)),
        "blur": ("CODING_NOISE_DEBLUR", "deblur", lambda x: filed(blurred(x, 1.2), 1 / 255, 75)),
    }
    for case, (name, task, made) in cases.items():
        today, scores = getattr(tasks, name), {}
        for value in CODING[name]:
            found = []
            with patch.object(tasks, name, value / 255):
                for x in crops:
                    y = made(x)
                    seed = torch.Generator().manual_seed(0)
                    degradation = tasks.degradation_for(task, y)
                    z = restore(y, degradation, prior, generator=seed).image
                    found.append(float(psnr(z, x) - psnr(y, x)))
            scores[value / 255] = torch.tensor(found).double()
        for value, gains in scores.items():
            gap, error = mean_and_error(gains - scores[today])
            yield {
                "constant": name, "on": f"{len(crops)} crops, {case}",
                "value": round(255 * value), "today": value == today,
                "gain": float(gains.mean()), "worst": float(gains.min()),
                "difference": gap, "standard error": error,
            }  # fmt: skip


def noise_odds(captures):
    with open(captures / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"].startswith("large")][::3]
    ends = {
        ".jpg": [row for row in rows if float(row["noise luma"]) > 2],
        "-quiet.jpg": rows,
        "-scene.png": rows,
    }
    for name, (values, grey, told) in ODDS.items():
        today = getattr(noise_spectrum, name)
        for value in (factor * today for factor in values):
            row = {"constant": name, "value": value, "today": value == today}
            for what, (end, of) in zip(("noise", "no noise", "scene"), ends.items(), strict=True):
                found = []
                for one in of:
                    with Image.open(captures / f"{one['name']}{end}") as picture:
                        y = from_uint8(np.asarray(picture.convert("RGB")))
                    if grey:
                        y = y.mean(1, keepdim=True).expand_as(y)
                    with patch.object(noise_spectrum, name, value):
                        iso = float(one["iso"]) if told else None
                        found.append(estimate_noise_spectrum(y, iso).present >= ASKED["noise"])
                row |= {f"photos, {what}": len(found), f"noisy, {what}": float(np.mean(found))}
            yield row


def loud_noise(every, prior):
    for what, level, quality in LOUD:
        pairs = []
        for number, x in enumerate(every):
            rng = np.random.default_rng(number)
            if what == "white":
                y = x + level / 255 * torch.from_numpy(rng.normal(size=x.shape)).float()
                y, quiet = (v if quality is None else through_jpeg(v, quality) for v in (y, x))
                y = y.clamp(0, 1)
            else:
                scene, where = x[0].permute(1, 2, 0).numpy(), field(*x.shape[-2:])
                drawn = draw_capture(rng, level)
                y, quiet = (file_of(photograph(scene, drawn, some, where)) for some in (rng, None))
            pairs.append((y, quiet))
        told = [spectrum_of(y - quiet) for y, quiet in pairs]
        best = [
            psnr(denoise(y, true, prior), quiet)
            for (y, quiet), true in zip(pairs, told, strict=True)
        ]
        for value in LOUDEST:
            off, wrong, gains, less = [], [], [], []
            with patch.object(noise_spectrum, "LOUDEST", value / 255):
                for (y, quiet), true, most in zip(pairs, told, best, strict=True):
                    found = estimate_noise_spectrum(y)
                    off.append(float(((found.bands - true.bands).abs() / true.bands).mean()))
                    wrong.append(abs(float(found.rms / true.rms) - 1))
                    after = psnr(denoise(y, found._replace(present=1.0), prior), quiet)
                    gains.append(float(after - psnr(y, quiet)))
                    less.append(float(most - after))
            case = f"{what} {level}" + ("" if quality is None else f", JPEG {quality}")
            gap, error = mean_and_error(less)
            yield {
                "constant": "LOUDEST", "on": f"{len(pairs)} photos, {case}", "value": value,
                "today": value / 255 == noise_spectrum.LOUDEST,
                "octaves off": float(np.median(off)), "rms off": float(np.median(wrong)),
                "gain": float(np.mean(gains)), "worst": min(gains),
                "less than told": gap, "standard error": error,
            }  # fmt: skip


def file_of(content):
    return from_uint8(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def movements(shared):
    """The edges of a photo are the same for all constants, and found once."""
    every = (x for _, x in photos(f"{shared}/train/large"))
    every = [centre(x, min(768, *x.shape[-2:])).clone() for x in every]
    square, larger = ([x for x in every if x.shape[-1] == side] for side in (512, 768))
    as_they_are = larger[::2] + [x for _, x in photos(f"{shared}/train/val")][::2]
    edges = {}

    def found(luma, noise):
        key = hash(luma.tobytes())
        if key not in edges:
            edges[key] = edge_profiles.find_edges(luma, noise)
        return edges[key]

    rng, photographed = np.random.default_rng(0), []
    for x in square[::16]:
        light, angle = srgb_to_linear(x), float(rng.uniform(0, 180))
        cases = {f"{length:g} pixels": motion_kernel(length, angle) for length in LENGTHS}
        cases |= {"defocus": defocus_kernel(2.5), "Gaussian": None, "sharp": None}
        for case, kernel in cases.items():
            y = x if kernel is None else linear_to_srgb(Blur(kernel)(light).clamp(0, 1))
            y = blurred(x, 1.5) if case == "Gaussian" else y
            photographed.append((case, angle, filed(y, 3 / 255, 90, 0.6, len(photographed))))
    photographed += [("as it is", 0.0, y) for y in as_they_are]
    for name, values in MOVEMENT.items():
        today = getattr(softness, name)
        for value in values:
            told = {}
            with patch.multiple(softness, **{name: value, "find_edges": found}):
                for case, angle, y in photographed:
                    told.setdefault(case, []).append((angle, estimate_softness(y, 3 / 255)))
            row = {"constant": name, "value": value, "today": value == today}
            for case, some in told.items():
                row[f"movement, {case}"] = float(np.mean([one.length > 0 for _, one in some]))
            long = [
                (angle, one.length - length, one.angle)
                for length in LENGTHS[1:]
                for angle, one in told[f"{length:g} pixels"]
                if one.length
            ]
            truth, off, at = np.array(long).T
            row["length error"] = float(np.median(np.abs(off)))
            row["angle error"] = float(np.median(np.abs((at - truth + 90) % 180 - 90)))
            yield row | {"on": f"{len(told['sharp'])} photos, {len(told['as it is'])} as they are"}


def earlier(every):
    down, right = CORNER
    files = []
    for x in (centre(avg_pool2d(x, 2), 320) for x in every):
        for quality in (None, *FIRST):
            first = (x if quality is None else through_jpeg(x, quality))[..., down:, right:]
            files += [
                (quality, name, first if again is None else through_jpeg(first, again))
                for name, again in SECOND.items()
            ]
    for name, values in EARLIER.items():
        today = getattr(coding, name)
        for value in values:
            told = {}
            with patch.object(coding, name, value):
                for quality, again, y in files:
                    kept = SECOND[again]
                    finest = None if kept is None else coding.tables_of_quality(kept)[0]
                    found = coding.estimate_coding(y, finest)
                    case = "in vain" if quality is None else f"{quality}, then"
                    is_so = found is not None and (quality is None or right_one(found, quality))
                    told.setdefault(f"{case} {again}", []).append(is_so)
            row = {"constant": name, "on": f"{len(files) // 8} photos", "value": value}
            yield row | {"today": value == today} | {k: float(np.mean(v)) for k, v in told.items()}


def right_one(found, quality):
    """Whether its grid is that of the first JPEG, and its steps to a tenth, in the median."""
    shares = found.luma / coding.tables_of_quality(quality)[0]
    offset = [n % coding.BLOCK for n in found.offset]
    return offset == list(CORNER) and abs(float(shares.median()) - 1) < 0.1


def farthest(means, quantile):
    def statistic(y):
        with patch.multiple(light, MEANS=means, FARTHEST=quantile):
            return light.reach(y)

    return statistic


def black_to_white(y):
    grey = avg_pool2d(y, 2).mean(1).numpy()
    return float(np.ptp(np.quantile(grey, (0.001, 0.999))))


def contrasts(trained, held):
    trained, held = list(trained), list(held)
    rules = {"standard deviation": lambda y: float(y.std()), "levels": black_to_white}
    rules |= {f"{n} x {n}, {q}": farthest(n, q) for n, q in FARTHEST}
    today, both = f"{light.MEANS} x {light.MEANS}, {light.FARTHEST}", "both"

    def logs(photos):
        table = np.array([[rule(y) for rule in rules.values()] for y in photos])
        return dict(zip(rules, np.log(np.maximum(table, 1e-4)).T, strict=True))

    def crops(photos, side):
        return [centre(x, min(side, *x.shape[-2:])) for x in photos]

    good = logs(crops(trained, 256))
    usual = {name: float(np.median(values)) for name, values in good.items()}
    pair = ["standard deviation", today]
    weights = np.linalg.solve(np.cov([good[name] for name in pair]), (1, 1))
    weights /= weights.sum()
    for contrast, noise, side, how in CONTRASTS:
        F = Contrast(contrast)
        F = (LinearLight(F) if how == "in light" else F).requires_grad_(False)
        F.sigma, ys = noise / 255, []
        for number, x in enumerate(crops(held, side)):
            y = F.simulate(x, torch.Generator().manual_seed(number))
            y = y if noise else (255 * y).round() / 255
            y = y.clamp(0, 1) if how == "clipped" else y
            ys.append(srgb_to_linear(y) if how == "in light" else y)
        found = {name: values - usual[name] for name, values in logs(ys).items()}
        found[both] = weights @ [found[name] for name in pair]
        for name, values in found.items():
            wrong = values - np.log(contrast)
            case = f"{len(ys)} photos, {contrast}, noise {noise}, {side} pixels, {how}"
            yield {
                "constant": "REACH", "on": case.removesuffix(", "), "value": name,
                "today": name == today, "usual": float(np.exp(usual[name])) if name != both else "",
                "found over true": float(np.exp(np.median(wrong))),
                "error": float(np.sqrt(np.mean(wrong**2))),
            }  # fmt: skip


def contrast_learned(crops, prior):
    for contrast in (0.35, 0.6, 1.0):
        scores = {"held": [], "learned": []}
        for number, x in enumerate(crops):
            F = Contrast(contrast, 2 / 255)
            y = F.simulate(x, torch.Generator().manual_seed(number)).detach()
            for way, found in scores.items():
                F.initialise(y).requires_grad_(way == "learned")
                seed = torch.Generator().manual_seed(1)
                z = restore(y, F, prior, initial="given", generator=seed).image
                found.append(float(psnr(z, x) - psnr(y, x)))
        held, learned = (torch.tensor(found).double() for found in scores.values())
        for way, gains in (("held", held), ("learned", learned)):
            gap, error = mean_and_error(gains - held)
            yield {
                "constant": "REACH", "on": f"{len(gains)} crops, {contrast}, restored",
                "value": way, "today": way == "held", "gain": float(gains.mean()),
                "worst": float(gains.min()), "difference": gap, "standard error": error,
            }  # fmt: skip


def main():
    parser = arguments(__doc__, "train/photos, train/val and train/large")
    parser.add_argument("--captures", default=str(CAPTURES))
    kinds = (
        "edges",
        "casts",
        "coding",
        "noise odds",
        "loud noise",
        "movement",
        "earlier JPEG",
        "contrast",
    )
    parser.add_argument("--part", choices=kinds)
    args = parser.parse_args()
    torch.set_num_threads(1)
    trained = islice(photos(f"{args.shared}/train/photos"), 0, None, 42)
    held = list(islice(photos(f"{args.shared}/train/val"), 0, None, 5))
    crops = [centre(x, 128) for _, x in held[::2]]
    eighth = islice(photos(f"{args.shared}/train/val"), 3, None, 8)
    some = islice(photos(f"{args.shared}/train/val"), 5, None, 24)
    loud = [centre(x, min(256, *x.shape[-2:])) for _, x in some]
    large = (x for _, x in photos(f"{args.shared}/train/large") if min(x.shape[-2:]) > 768)
    parts = {
        "edges": edges(trained),
        "casts": casts(held),
        "coding": coding_noise(crops, load_prior()),
        "noise odds": noise_odds(Path(args.captures)),
        "loud noise": loud_noise(loud, load_prior()),
        "movement": movements(args.shared),
        "earlier JPEG": earlier(islice(large, 0, None, 2)),
        "contrast": chain(
            contrasts(
                (x for _, x in islice(photos(f"{args.shared}/train/photos"), 0, None, 5)),
                (x for _, x in photos(f"{args.shared}/train/val")),
            ),
            contrast_learned([centre(x, 96) for _, x in eighth], load_prior()),
        ),
    }
    some = parts.values() if args.part is None else [parts[args.part]]
    save_parts("estimator_constants", some, keep=args.part is not None)


if __name__ == "__main__":
    main()
