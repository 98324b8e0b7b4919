"""Real phone photos, restored as the command does it: the pictures of book/real_photos.md.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/real_photos.py --tune
    python benchmarks/real_photos.py --shared ../shared

Each photo is diagnosed whole and relit whole, then two crops go through what `restore_image` does
with a tile of it, and through classical tools that get the same relit photo and the same Phi:
non-local means (luma at full size, chroma at a quarter) and, where softness was found,
Richardson-Lucy. Writes book/real/NAME-*.webp, and what was found, by whom the photo is, and
measured figures of each crop into book/real/photos.json. A photo whose entry is there is left as it
is, but for --again NAME. About a minute a photo on one core. --tune prints what NLM_LUMA and
NLM_CHROMA (of `gdp_lite.book.classical`) were chosen by, on captures of the large scenes alone; two
minutes.
"""

import hashlib
import io
import json
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from common import arguments, centre, mean_and_error, show
from PIL import Image
from skimage.color import rgb2ycbcr
from torch.nn import functional

from gdp_lite.book.classical import NLM_LUMA, classical, non_local
from gdp_lite.book.metrics import psnr
from gdp_lite.denoise import denoise
from gdp_lite.diagnosis import KINDS, diagnose
from gdp_lite.estimators import estimate_noise_spectrum
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.kept_colour import keep_colour
from gdp_lite.one_photo import findings_of
from gdp_lite.photos import read_photo
from gdp_lite.prior import load_prior
from gdp_lite.restoring import amplified, cleaned_part, relit

OUT = Path(__file__).parents[1] / "book" / "real"
SIDE = 448
MARGIN = 32  # pixels that the tile sees around a crop
FRAME = 640
QUALITIES = (90, 85, 80, 75, 70, 60, 50, 40)
BYTES = 56_000  # of one picture, at most
STRIP = ("galaxy_s7_edge", 1, 0, 128)  # a gain as most of those that were found have it

DREW = "https://raw.githubusercontent.com/drewnoakes/metadata-extractor-images/"
DREW += "4beba640487802442bc9931fb01274e908102d3a/jpg/"
FREE = "free to use however you wish"
DREW = {"owner": "drewnoakes/metadata-extractor-images", "licence": FREE, "address": DREW}

# corners: (left, top) of the two crops, upright. frame: what of the photo may be shown small,
# (left, top, right, bottom): no person who can be recognised, no name. Left out:
# iphone_5s, two people.
PHOTOS = {
    "galaxy_s7_edge": {
        **{"camera": "Samsung Galaxy S7 Edge", "file": "Samsung SM-G935L (Galaxy S7 Edge).jpg"},
        **{"corners": [(1500, 1400), (2500, 500)]},
    },
    "iphone_4": {
        **{"camera": "Apple iPhone 4", "file": "Apple iPhone 4.jpg", "frame": None},
        **{"corners": [(176, 264), (640, 512)]},
    },
    "sony_c905c": {
        **{"camera": "Sony Ericsson C905c", "file": "Sony Ericsson C905c.jpg"},
        **{"corners": [(2240, 400), (1640, 1216)], "frame": (1344, 0, 3264, 2448)},
    },
    "htc_desire": {
        **{"camera": "HTC Desire", "file": "HTC Desire.jpg"},
        **{"corners": [(256, 288), (72, 8)]},
    },
    "iphone_4s": {
        **{"camera": "Apple iPhone 4S", "file": "Apple iPhone 4S.jpg"},
        **{"corners": [(816, 1224), (1000, 2150)]},
    },
    "nokia_3110c": {
        **{"camera": "Nokia 3110c", "file": "Nokia 3110c (Mobile Phone).jpg"},
        **{"corners": [(300, 252), (300, 824)]},
    },
    "galaxy_s2": {
        **{"camera": "Samsung Galaxy S II", "file": "Samsung GT-I9100 (Galaxy SII).jpg"},
        **{"corners": [(420, 900), (1500, 1252)]},
    },
    "iphone_6": {
        **{"camera": "Apple iPhone 6", "file": "Apple iPhone 6.jpg"},
        **{"corners": [(1400, 940), (900, 1880)]},
    },
    "nokia_8_3": {
        **{"camera": "Nokia 8.3", "file": "HMD_Nokia_8.3_5G.jpg", "corners": []},
        **{"owner": "ianare/exif-samples", "licence": "CC BY-SA 4.0"},
        "address": "https://raw.githubusercontent.com/ianare/exif-samples/"
        "5332a9cf0220e9c6c93f88a187daa90808051e10/jpg/mobile/",
    },
}


def main():
    parser = arguments(__doc__, "eval/phones")
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--tune", action="store_true", help="print what the constants come from")
    parser.add_argument("--again", nargs="*", default=[], help="photos to do though they are there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.tune:
        return tune(Path(args.captures).expanduser())
    OUT.mkdir(exist_ok=True)
    prior = load_prior()
    for name, told in PHOTOS.items():
        if name not in entries() or name in args.again:
            entry = one_photo(name, {**DREW, **told}, Path(args.shared), prior)
            found = {**entries(), name: entry}
            text = json.dumps({n: found[n] for n in PHOTOS if n in found}, indent=1)
            (OUT / "photos.json").write_text(text + "\n", encoding="utf-8")
            show({"photo": name, **entry["seconds"], "kinds": ", ".join(entry["kinds"])})
    strip(*STRIP)


def entries():
    path = OUT / "photos.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def one_photo(name, told, shared, prior):
    """Its pictures written; its entry of the JSON."""
    path, clock = shared / "eval" / "phones" / f"{name}.jpg", time.monotonic
    began = clock()
    photo = read_photo(path)
    y, diagnosis = photo.image, diagnose(photo.image, photo.iso, photo.coding)
    kinds = [kind for kind in KINDS if kind in diagnosis.seen]
    seconds = {"diagnosis": clock() - began, "ours": 0.0, "classical": 0.0}
    began = clock()
    z, gain = relit(y, diagnosis, kinds)
    seconds["light"] = clock() - began
    crops = []
    for number, corner in enumerate(told["corners"], 1):
        began = clock()
        ours = restored_crop(z, gain, diagnosis, kinds, prior, corner, seed=number)
        between = clock()
        simple = classical_crop(z, gain, diagnosis, kinds, corner)
        seconds["ours"] += between - began
        seconds["classical"] += clock() - between
        pictures = {"photo": cut(y, corner), "classical": simple, "restored": ours}
        if not {"noise", "softness"} & set(kinds):  # light alone: nothing is left to compare
            del pictures["classical"]
        relit_crop = cut(z, corner).clamp(0, 1)
        crops.append({"left": corner[0], "top": corner[1], "flat": {}})
        crops[-1]["changed"] = 255 * float((ours - relit_crop).square().mean().sqrt())
        for way, picture in (*pictures.items(), ("relit", relit_crop)):
            crops[-1]["flat"][way] = flat_noise(picture)
        crops[-1]["changed"] = round(crops[-1]["changed"], 1)
        store({f"{name}-{number}-{way}": picture for way, picture in pictures.items()})
    height, width = y.shape[-2:]
    frame = told.get("frame", (0, 0, width, height))
    if frame:
        left, top, right, bottom = frame
        views = {"photo": y, "restored": z} if z is not y else {"photo": y}
        part = (..., slice(top, bottom), slice(left, right))
        store({f"{name}-frame-{way}": small_frame(x[part].clamp(0, 1)) for way, x in views.items()})
    return {
        **{"camera": told["camera"], "owner": told["owner"], "licence": told["licence"]},
        "source": told["address"] + quote(told["file"]),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **{"width": width, "height": height, "iso": photo.iso, "frame": frame},
        **{"findings": findings_of(diagnosis), "seen": diagnosis.seen, "kinds": kinds},
        **{"crops": crops, "seconds": {k: round(v, 1) for k, v in seconds.items()}},
    }


def strip(name, number, left, top, side=320):
    """book/real/strip.jpg, for the first pages: a square of a crop before and after."""
    box = (left, top, left + side, top + side)
    both = Image.new("RGB", (2 * side, side))
    for place, way in enumerate(("photo", "restored")):
        both.paste(Image.open(OUT / f"{name}-{number}-{way}.webp").crop(box), (place * side, 0))
    both.save(OUT / "strip.jpg", quality=90, subsampling=0)


def restored_crop(z, gain, diagnosis, kinds, prior, corner, seed=0, side=SIDE):
    """What `restore_image` makes of a crop of a photo, relit whole, with the tile's own place."""
    if not {"noise", "softness"} & set(kinds):
        return cut(z, corner, side=side).clamp(0, 1)
    noise = diagnosis.noise if "noise" in kinds else diagnosis.findings["noise"].detail
    soft = diagnosis.softness if "softness" in kinds else None
    inner = window(z, corner, MARGIN, side)
    told = amplified(noise, float(gain[inner].mean()))
    place = (inner[1].start, inner[2].start)
    x = cleaned_part(z[inner], told, soft, "noise" in kinds, prior, 1.0, (seed, seed), place)
    x = keep_colour(x.clamp(0, 1), z[inner].clamp(0, 1))
    left, top = corner
    return x[within((..., slice(top, top + side), slice(left, left + side)), inner)]


def classical_crop(z, gain, diagnosis, kinds, corner):
    """The same crop by classical tools with the same Phi."""
    place = window(z, corner, MARGIN, SIDE)
    x = classical(z[place], gain[place], diagnosis, kinds)
    left, top = corner
    return x[within((..., slice(top, top + SIDE), slice(left, left + SIDE)), place)]


def tune(folder):
    """Mean gain in PSNR of every setting and of ours, over crops of captures of large scenes."""
    gains, prior = {}, load_prior()
    for path in sorted(p for p in folder.glob("large-*.jpg") if "quiet" not in p.stem)[::4]:
        photo, quiet = (read(folder / f"{path.stem}{end}.jpg") for end in ("", "-quiet"))
        noise, (y, x) = estimate_noise_spectrum(photo), (centre(p, 192) for p in (photo, quiet))
        if noise.present < 0.5:
            continue
        settings = [(a, 0.0) for a in (0.3, 0.5, 0.7, 0.9, 1.2, 1.6)]
        settings += [(NLM_LUMA, c) for c in (0.1, 0.15, 0.2, 0.3, 0.45, 0.6)]
        for setting in settings:
            gain = float(psnr(non_local(y, noise, *setting), x)) - float(psnr(y, x))
            gains.setdefault(setting, []).append(gain)
        ours = denoise(y, noise, prior)
        gain = float(psnr(ours, x)) - float(psnr(y, x))
        gains.setdefault(("ours", "ours"), []).append(gain)
    for (luma, chroma), values in gains.items():
        mean, error = mean_and_error(values)
        show({"luma": luma, "chroma": chroma, "mean": mean, "error": error, "crops": len(values)})


def flat_noise(x):
    """Standard deviation of luma and of colour, of 255, in the flattest twentieth of squares of
    16 pixels, each less its plane."""
    ycc = rgb2ycbcr(x[0].permute(1, 2, 0).numpy()) * (255 / 219)
    rows, columns = (np.mgrid[:16, :16] - 7.5).reshape(2, -1) / 16
    plane = np.stack([np.ones(256), rows, columns], 1)
    inside = ycc[: len(ycc) // 16 * 16, : ycc.shape[1] // 16 * 16]
    blocks = inside.reshape(inside.shape[0] // 16, 16, -1, 16, 3).swapaxes(1, 2)
    blocks = blocks.reshape(-1, 256, 3)
    left = blocks - plane @ (np.linalg.pinv(plane) @ blocks)
    stds = left.std(1)
    luma, colour = np.quantile(stds[:, 0], 0.05), np.quantile(np.hypot(*stds[:, 1:].T), 0.05)
    return {"luma": round(float(luma), 2), "colour": round(float(colour), 2)}


def window(z, corner, margin, side):
    """A crop with a margin, within the photo."""
    (left, top), (height, width) = corner, z.shape[-2:]
    first = [max(n - margin, 0) for n in (top, left)]
    last = [min(n + side + margin, m) for n, m in ((top, height), (left, width))]
    return (..., slice(first[0], last[0]), slice(first[1], last[1]))


def within(inner, outer):
    """A place in a photo as a place in a part of it."""
    moved = [
        slice(a.start - b.start, a.stop - b.start)
        for a, b in zip(inner[1:], outer[1:], strict=True)
    ]
    return (..., *moved)


def cut(x, corner, side=SIDE):
    left, top = corner
    return x[..., top : top + side, left : left + side]


def small_frame(x):
    scale = min(FRAME / max(x.shape[-2:]), 1.0)
    size = [max(round(scale * n), 1) for n in x.shape[-2:]]
    return functional.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 1)


def store(pictures):
    """As WebP, all at the best quality at which each is small."""
    for quality in QUALITIES:
        files = {name: io.BytesIO() for name in pictures}
        for name, x in pictures.items():
            image = Image.fromarray(to_uint8(x))
            image.save(files[name], "WEBP", quality=quality, method=6)
        if max(len(file.getvalue()) for file in files.values()) <= BYTES:
            break
    for name, file in files.items():
        (OUT / f"{name}.webp").write_bytes(file.getvalue())


def read(path):
    return from_uint8(np.asarray(Image.open(path).convert("RGB")))


if __name__ == "__main__":
    main()
