"""Constants of the package that no other benchmark chooses.

    python benchmarks/package_constants.py --shared ../shared

- What photos are: mean and standard deviation of their numbers (`degradations.light`), and of
  the fall of their spectra with the width that lens and scaling leave, by least squares of the
  logarithm (`estimators.blur`); every fifth photo of train/photos.
- HALF: how far coefficients of a JPEG are held from the ends of their intervals
  (`degradations.jpeg`); 64 x 64 crops of train/val, PSNR in dB.
- What tells photos from masks (`files.masks`): the share of a photo's pixels that are neither black
  nor white; the least, the next and the median of Kodak's and of train/val.

- SMOOTHING (`degradations.occlusion`): crops of train/val with a quarter or nine tenths of the
  pixels missing, or under lines of 3 and of 9 pixels, or a box; PSNR in dB within the holes, of the
  first image.
- BOX (`denoise`): crops of train/val with the noise that a phone leaves, JPEG of quality 90: gain
  in PSNR over the file, told the true spectrum; and with the sharp crop told the same: its PSNR.
- HALO_NOISE (`restoring`): crops of train/val blurred in linear light by 0.8 and 1.5 pixels, noise
  of 2 of 255, JPEG of quality 90; and sharp ones that are taken for blurred by 1 pixel. Gain in
  PSNR over the file, and how far the result leaves the scene's values within 2 pixels, the 99th
  percentile, of 255. 255: no limit.
- WHITE (`restoring`): photos of train/val in 0.8, 1 and 1.5 times their light, with casts (log
  gains of 0.2), clipped; the casts are undone by the true gains. Root mean square error, of 255, of
  all and of what is above 0.9 in all channels. 1: white is like all else.
- FULL and ROOM (`repairs.grey`): squares of train/large at 512 pixels, grey, told twelve strokes of
  their colours, carried at 128 pixels; of 12 pixels, and of 3, thinner than a small pixel; ROOM
  with the grey half as bright again, clipped. PSNR in dB.
- PER_INSIDE (`repairs.resolution`): crops of train/large by blocks of 2 and 4, as JPEGs of quality
  92 and 75: gain in PSNR over the file.

"difference" is from the value of today, paired, with its standard error; "worst" the least PSNR or
the greatest error of a photo. Writes gdp_lite/book/results/package_constants.csv. About 15 minutes
on one core; --part makes the rows of one part anew, and leaves the others as they are.
"""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
from common import arguments, centre, mean_and_error, photos, save_parts, spectrum_of
from scipy import ndimage
from torch.nn import functional

from gdp_lite import denoise, diagnose, restoring
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.gallery import box as covered
from gdp_lite.book.metrics import psnr
from gdp_lite.book.strokes import strokes
from gdp_lite.degradations import (
    JPEG,
    BlockAverageSameSize,
    GaussianBlur,
    Inpainting,
    jpeg,
    occlusion,
    random_mask,
)
from gdp_lite.degradations.strokes import grey
from gdp_lite.estimators.blur import radial_spectrum
from gdp_lite.files import masks
from gdp_lite.image import LUMA, linear_to_srgb, srgb_to_linear
from gdp_lite.overshoot import limit_overshoot
from gdp_lite.prior import load_prior
from gdp_lite.repairs import grey as kind
from gdp_lite.repairs import resolution
from gdp_lite.sampler import restore

SMOOTHED, BOXES = (2, 4, 8, 15, 30, 60), (7, 15, 31, 255)
HALOS = (0, 1, 2, 4, 255)  # of 255
WHITES = (0.8, 0.9, 0.95, 0.975, 1.0)
FULLS, ROOMS = (0.125, 0.25, 0.5), (0.0, 0.1, 0.2, 0.4)
PER_INSIDE = (1.0, 2.0, 4.0)


def good_photos(every):
    """Their mean, spread and spectra, a row each."""
    numbers = {"mean": [], "standard deviation": [], "fall": [], "own width": []}
    for _, x in every:
        numbers["mean"].append(float(x.mean()))
        numbers["standard deviation"].append(float(x.std()))
        omega, power, count = radial_spectrum(x)
        design = torch.stack([torch.ones_like(omega), -omega.log(), -(omega**2)], 1)
        weight = count.sqrt()[:, None]
        found = torch.linalg.lstsq(design * weight, power.log()[:, None] * weight).solution
        numbers["fall"].append(float(found[1]))
        numbers["own width"].append(max(float(found[2]), 0) ** 0.5)
    for name, values in numbers.items():
        values = torch.tensor(values)
        yield {
            "constant": name, "on": f"{len(values)} photos", "value": float(values.median()),
            "spread": float(values.std()),
        }  # fmt: skip


def rounding(crops, prior):
    x = torch.cat(crops)
    for quality in (15, 50):
        scores = {}
        for half in (0.5, 0.4, 0.3, 0.2, 0.1):
            with patch.object(jpeg, "HALF", half):
                found = []
                for one in x.split(1):
                    file = JPEG.from_quality(quality)
                    y = file.simulate(one)
                    seed = torch.Generator().manual_seed(0)
                    found.append(restore(y, file, prior, generator=seed).image)
            scores[half] = psnr(torch.cat(found), x).double()
            gap, error = mean_and_error(scores[half] - scores[0.5])
            yield {
                "constant": "HALF", "on": f"JPEG of quality {quality}", "value": half,
                "psnr": float(scores[half].mean()), "difference": gap, "error": error,
            }  # fmt: skip


def neither(folders):
    """How little of a photo is neither black nor white."""
    for folder in folders:
        shares = []
        for _, x in photos(folder):
            values = 255 * x[0]
            between = (values > masks.BLACK).any(0) & (values < masks.WHITE).any(0)
            shares.append(float(between.double().mean()))
        least, following = sorted(shares)[:2]
        yield {
            "constant": "BETWEEN", "on": f"{len(shares)} of {folder.name}",
            "value": masks.BETWEEN, "least": least, "next": following,
            "median": float(torch.tensor(shares).median()),
        }  # fmt: skip


def compared(constant, scores, today):
    """A row for each case and value of scores[case, value], a list over the same photos."""
    for (case, value), found in scores.items():
        found, usual = (torch.tensor(v).double() for v in (found, scores[case, today]))
        gap, error = mean_and_error(found - usual)
        yield {
            "constant": constant, "on": f"{len(found)} photos, {case}", "value": value,
            "today": value == today, "psnr": float(found.mean()), "difference": gap,
            "error": error, "worst": float(found.min()),
        }  # fmt: skip


def seed():
    return torch.Generator().manual_seed(0)


def filed(x, noise, smooth, number):
    """A JPEG of x with noise, smoothed by some pixels."""
    fresh = np.random.default_rng(number).normal(size=x.shape)
    fresh = ndimage.gaussian_filter(fresh, (0, 0, smooth, smooth))
    return through_jpeg(x + noise / fresh.std() * torch.from_numpy(fresh).float(), 90)


def blurred(x, width):
    """In linear light."""
    return linear_to_srgb(GaussianBlur(2 * int(4 * width + 1) + 1, width)(srgb_to_linear(x)))


def smoothing(crops):
    side, lines = crops[0].shape[-1], torch.zeros(2, *crops[0].shape[-2:])
    for mask, thick in zip(lines, (3, 9), strict=True):
        for row in range(thick, side - thick, 32):
            mask[row : row + thick] = 1
    holes = {
        "a quarter missing": random_mask(side, side, generator=seed()),
        "lines of 3": 1 - lines[0],
        "lines of 9": 1 - lines[1],
        "nine tenths missing": random_mask(side, side, 0.9, generator=seed()),
        "a box": covered(side),
    }
    scores = {}
    for case, mask in holes.items():
        there, hidden = Inpainting(mask), mask == 0
        for value in SMOOTHED:
            with patch.object(occlusion, "SMOOTHING", value):
                for x in crops:
                    first = there.start(there.simulate(x))
                    found = psnr(first[..., hidden], x[..., hidden])
                    scores.setdefault((f"{case}, first image", value), []).append(float(found))
    yield from compared("SMOOTHING", scores, occlusion.SMOOTHING)


def box(crops, prior):
    scores = {}
    for number, x in enumerate(crops):
        y = filed(x, 6 / 255, 0.7, number)
        noise = spectrum_of(y - through_jpeg(x, 90))
        for value in BOXES:
            with patch.object(denoise, "BOX", value):
                z, sharp = (denoise.denoise(photo, noise, prior) for photo in (y, x))
            scores.setdefault(("noisy", value), []).append(float(psnr(z, x) - psnr(y, x)))
            scores.setdefault(("sharp", value), []).append(float(psnr(sharp, x)))
    yield from compared("BOX", scores, denoise.BOX)


def beyond(image, x):
    """How far it leaves the scene's values within 2 pixels, the 99th percentile, of 255."""
    high, low = functional.max_pool2d(x, 5, 1, 2), -functional.max_pool2d(-x, 5, 1, 2)
    out = (image - high).clamp(min=0) + (low - image).clamp(min=0)
    return 255 * float(out.flatten().quantile(0.99))


def halo(crops, prior):
    scores, halos = {}, {}
    for case, width, told in (("0.8 px", 0.8, 0.8), ("1.5 px", 1.5, 1.5), ("sharp", 0.0, 1.0)):
        for number, x in enumerate(crops):
            y = filed(blurred(x, width) if width else x, 2 / 255, 0.6, number)
            blur = GaussianBlur(2 * int(3 * told + 1) + 1, told, 5 / 255)
            z = restore(y, blur, prior, restoring.SOFT_STEPS, generator=seed()).image
            for value in HALOS:
                limited = limit_overshoot(z, y, told, value / 255).clamp(0, 1)
                gain = float(psnr(limited, x) - psnr(y, x))
                scores.setdefault((case, value), []).append(gain)
                halos.setdefault((case, value), []).append(beyond(limited, x))
    rows = compared("HALO_NOISE", scores, round(255 * restoring.HALO_NOISE))
    for row, found in zip(rows, halos.values(), strict=True):
        yield row | {"halo": float(np.median(found))}


def white(every):
    pictures = [x for _, x in every]
    logs = 0.2 * torch.randn(len(pictures), 3, 1, 1, generator=seed())
    scores = {}
    for value in WHITES:
        # At 1 what is not quite white: of 8 bits no value is between.
        with patch.object(restoring, "WHITE", min(value, 0.9999)):
            for x, log in zip(pictures, logs, strict=True):
                gains = (log - log.mean()).exp()
                found = SimpleNamespace(findings={"colour": SimpleNamespace(detail=gains)})
                for exposure in (0.8, 1.0, 1.5):
                    light = exposure * srgb_to_linear(x)
                    good, y = (linear_to_srgb(v.clamp(0, 1)) for v in (light, gains * light))
                    y = (255 * y).round() / 255
                    z = restoring.relit(y, found, ["colour"])[0].clamp(0, 1)
                    wrong, bright = (z - good).square().mean(1), y.amin(1) > 0.9
                    for part, where in (("all", bright >= 0), ("bright", bright)):
                        if where.sum() > 100:
                            error = 255 * float(wrong[where].mean()) ** 0.5
                            case = f"{part} in {exposure} times the light"
                            scores.setdefault((case, value), []).append(error)
    for row in compared("WHITE", scores, restoring.WHITE):
        row["worst"] = max(scores[row["on"].split(", ")[1], row["value"]])
        yield row | {"rms": row.pop("psnr")}


def strokes_told(squares, prior):
    scores = {"FULL": {}, "ROOM": {}}
    for number, x in enumerate(squares):
        thick = strokes(x.shape[-1], number)
        thin = thick * (1 - thick.roll(3, 0))  # the first three rows of each
        y = grey(x, LUMA)
        light = (1.5 * y).clamp(0, 1)
        colour = x - y
        bright = light + colour * kind.room(light, colour)
        cases = [("FULL", v, f"{w} strokes", x, y, m) for v in FULLS for w, m in
                 (("thick", thick), ("thin", thin))]  # fmt: skip
        cases += [("ROOM", v, "bright grey", bright, light, thick) for v in ROOMS]
        for name, value, case, truth, photo, mask in cases:
            with patch.multiple(kind, **{name: value, "SMALL": 128}):
                layer = torch.cat([x, mask.expand_as(x[:, :1])], 1)
                z = kind.coloured(photo, kind.of_strokes(layer, photo).detail, prior)
            scores[name].setdefault((case, value), []).append(float(psnr(z, truth)))
    for name, found in scores.items():
        yield from compared(name, found, getattr(kind, name))


def noise_of_blocks(crops, prior):
    """By what errors within blocks are taken to tell of those of their means."""
    scores = {}
    for factor in (2, 4):
        for quality in (92, 75):
            for x in crops:
                y = through_jpeg(BlockAverageSameSize(factor).A(x), quality)
                diagnosis = diagnose(y)
                if "resolution" not in diagnosis.findings:
                    continue
                for value in PER_INSIDE:
                    with patch.object(resolution, "PER_INSIDE", value):
                        z = restoring.restore_image(y, diagnosis, prior, ["resolution"])
                    case = f"blocks of {factor}, JPEG {quality}", value
                    scores.setdefault(case, []).append(float(psnr(z, x) - psnr(y, x)))
    yield from compared("PER_INSIDE", scores, resolution.PER_INSIDE)


def main():
    parser = arguments(__doc__, "train/photos, train/val, train/large and eval/kodak24")
    kinds = (
        "photos",
        "rounding",
        "masks",
        "smoothing",
        "box",
        "halo",
        "white",
        "strokes",
        "blocks",
    )
    parser.add_argument("--part", choices=kinds)
    args = parser.parse_args()
    torch.set_num_threads(1)
    trained = islice(photos(f"{args.shared}/train/photos"), 0, None, 5)
    held = [x for _, x in islice(photos(f"{args.shared}/train/val"), 0, None, 24)]
    more = [centre(x, 128) for _, x in islice(photos(f"{args.shared}/train/val"), 0, None, 10)]
    large = (x for _, x in photos(f"{args.shared}/train/large") if min(x.shape[-2:]) == 512)
    squares = list(islice(large, 0, None, 32))
    crops = [centre(x, 64) for x in held]
    folders = [Path(args.shared, name) for name in ("train/val", "eval/kodak24")]
    prior = load_prior()
    parts = {
        "photos": good_photos(trained),
        "rounding": rounding(crops, prior),
        "masks": neither(folders),
        "smoothing": smoothing(more),
        "box": box(more[::2], prior),
        "halo": halo(more, prior),
        "white": white(islice(photos(f"{args.shared}/train/val"), 0, None, 5)),
        "strokes": strokes_told(squares, prior),
        "blocks": noise_of_blocks([centre(x, 128) for x in squares], prior),
    }
    some = parts.values() if args.part is None else [parts[args.part]]
    save_parts("package_constants", some, keep=args.part is not None)


if __name__ == "__main__":
    main()
