"""A second simulated camera, which nothing in the project was fitted to.

    python benchmarks/other_camera.py --shared ../shared
    python benchmarks/noise_spectrum.py --shared ../shared --other
    python benchmarks/phone_noise.py --shared ../shared --other

The estimator of noise is fitted to captures of `gdp_lite.book.phone`. Here every stage is another
one: the lens is a disc and the pixel a box; up to eight frames are averaged; the sensor's rows have
noise of their own; the mosaic begins with green, and is filled in by Malvar, He and Cutler (2004)
or linearly; luma is denoised by thresholding wavelets or blocks of cosines, or by non-local means,
chroma at a quarter of the size, after the tone curve and not before; the sharpener leaves small
differences alone and is held within limits; a tone curve by a sigmoid, and the light evened out
locally; the file has other tables and other subsampling. Every second capture has no ISO.

The 24 Kodak photos and four of scikit-image's, at most 512 x 512, into --out, with the names of
benchmarks/captures.py: the capture, the same without noise, the scene in the capture's light and
tone, and a manifest. Half a minute.

--dark, a minute, writes gdp_lite/book/results/dark_and_noisy.csv instead: every second Kodak
photo, 320 x 320, taken three stops too dark at three sensitivities by one frame and no denoiser. In
how many noise is seen, by how much its octaves are off, in the median; in how many light; how many
come back darker than they were; and the colour difference CIEDE2000 from the scene in good light,
of means of 4 x 4 pixels, of file and result. The price of noise in `estimate_light`, and the second
look of `estimate_noise_spectrum` at photos that are black in places all over, were mended with such
photos in view: this table is no test on what nobody has seen. With --left, four minutes, on
two dozen photos of train/val, too dark by one and a half and three stops, and no table: the colour
difference with other values of `light.LEFT`, the one constant that was chosen by this camera.
"""

import csv
import io
import zlib
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from common import arguments, held_back, show
from PIL import Image
from scipy.fft import dctn, idctn
from skimage.color import deltaE_ciede2000, rgb2lab, rgb2ycbcr, ycbcr2rgb
from skimage.restoration import denoise_nl_means, denoise_wavelet
from torch.nn.functional import avg_pool2d

from gdp_lite.book.results import save_results
from gdp_lite.degradations import ToneMap
from gdp_lite.diagnosis import SEEN
from gdp_lite.estimators import estimate_light, estimate_noise_spectrum, light
from gdp_lite.estimators.noise_statistics import octave_levels
from gdp_lite.image import from_uint8

SIDE = 512
LEFT = (1.0, 0.7, 0.5, 0.35, 0.25)
# Malvar, He and Cutler's filters, eighths: green at red or blue; a colour on its own rows, on the
# other's rows; red at blue and blue at red.
AT_CROSS = [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
ON_ROWS = [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0],
           [0, 0, 0.5, 0, 0]]  # fmt: skip
AT_OTHER = [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0],
            [0, 0, -1.5, 0, 0]]  # fmt: skip
BILINEAR = {"cross": [[0, 1, 0], [1, 4, 1], [0, 1, 0]], "other": [[1, 2, 1], [2, 4, 2], [1, 2, 1]]}


def draw(rng):
    """The parameters of one capture."""
    return {
        "iso": int(np.exp(rng.uniform(np.log(64), np.log(6400)))),
        "stops": rng.normal(-0.3, 0.5),
        "radius": rng.uniform(0.3, 1.2),
        "frames": int(rng.choice([1, 1, 1, 2, 4, 8])),
        "sensor": np.exp(rng.uniform(-0.7, 0.7)),
        "rows": rng.uniform(0, 0.5),
        "malvar": bool(rng.random() < 0.6),
        "gains": rng.uniform((1.5, 1.2), (2.5, 2.2)).tolist(),
        "mixing": rng.uniform(0.05, 0.35),
        "denoiser": str(rng.choice(["wavelets", "cosines", "non-local", "none"])),
        "luma": rng.uniform(0.4, 1.3),
        "chroma": rng.uniform(0.3, 2.0),
        "amount": rng.uniform(0, 1.5),
        "reach": rng.uniform(0.7, 2.0),
        "coring": rng.uniform(0, 0.02),
        "curve": rng.uniform(2, 5),
        "local": rng.uniform(0, 0.25),
        "quality": int(rng.integers(78, 99)),
        "subsampling": str(rng.choice(["4:2:0", "4:2:0", "4:2:2", "4:4:4"])),
    }


def photograph(scene, p, rng):
    """The bytes of a file; scene: (H, W, 3), display range; rng None: without noise."""
    light = exposed(scene, p)
    light = cv2.blur(cv2.filter2D(light, -1, disc(p["radius"])), (2, 2))
    mean = light.mean(-1, keepdims=True)
    gains = np.array([p["gains"][0], 1, p["gains"][1]], np.float32)
    raw, where = mosaic((light + p["mixing"] * (mean - light)) / gains)
    shot = 3e-6 * p["iso"] * p["sensor"]
    raw = np.minimum(raw, 1)
    if rng is not None:
        raw = noisy(raw, p, shot, rng)
    rgb = demosaic(raw, where, p["malvar"]) * gains
    mean = rgb.mean(-1, keepdims=True)
    rgb = np.clip(mean + (rgb - mean) / (1 - p["mixing"]), 0, 1)
    photo = toned(rgb, p)
    # At mid-grey, and as much as the curve makes of it.
    sigma = np.sqrt(shot * 0.2 / p["frames"]) * 0.45 / 0.2**0.55
    photo = sharpened(denoised(photo, p, sigma), p)
    file, pixels = io.BytesIO(), (np.clip(photo, 0, 1) * 255).round().astype(np.uint8)
    flat = np.clip((100 - p["quality"]) * np.linspace(0.15, 2, 64), 1, 255).astype(int).tolist()
    Image.fromarray(pixels).save(file, "JPEG", qtables=[flat, flat], subsampling=p["subsampling"])
    return file.getvalue()


def exposed(scene, p):
    return cv2.pow(scene, 2.2) * 2 ** p["stops"]


def ideal(scene, p):
    """The scene in the light and tone of the capture, and nothing else done to it."""
    gains = np.array([p["gains"][0], 1, p["gains"][1]], np.float32)
    light = exposed(scene, p)
    mean = light.mean(-1, keepdims=True)
    rgb = np.minimum((light + p["mixing"] * (mean - light)) / gains, 1) * gains
    mean = rgb.mean(-1, keepdims=True)
    return toned(np.clip(mean + (rgb - mean) / (1 - p["mixing"]), 0, 1), p)


def disc(radius):
    """A disc with a soft rim, sum 1."""
    y, x = np.mgrid[-3:4, -3:4]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def mosaic(colours):
    """(H, W), green first; and where each colour is, (H, W) of 0, 1, 2."""
    height, width = colours.shape[:2]
    y, x = np.mgrid[:height, :width]
    where = np.where((y + x) % 2 == 0, 1, np.where(y % 2 == 0, 0, 2))
    return np.take_along_axis(colours, where[..., None], -1)[..., 0], where


def noisy(raw, p, shot, rng):
    """The mean of some frames: photons, reading out, and the rows' own noise."""
    read = 2 * shot**2
    frames = []
    for _ in range(p["frames"]):
        frame = shot * rng.poisson(raw / shot) + rng.normal(0, read**0.5, raw.shape)
        frames.append(frame + p["rows"] * read**0.5 * rng.normal(size=(len(raw), 1)))
    return np.clip(np.mean(frames, 0), 0, 1).astype(np.float32)


def demosaic(raw, where, malvar):
    """(H, W, 3)."""
    out = np.empty((*raw.shape, 3), np.float32)
    if not malvar:
        for c in range(3):
            kernel = np.array(BILINEAR["cross" if c == 1 else "other"], np.float32)
            out[..., c] = cv2.filter2D(raw * (where == c), -1, kernel) / 4
        return out
    cross, rows, other = (
        cv2.filter2D(raw, -1, np.array(k, np.float32) / 8) for k in (AT_CROSS, ON_ROWS, AT_OTHER)
    )
    columns = cv2.filter2D(raw, -1, np.array(ON_ROWS, np.float32).T / 8)
    even = (np.arange(len(raw)) % 2 == 0)[:, None]
    out[..., 1] = np.where(where == 1, raw, cross)
    for c, own in ((0, even), (2, ~even)):
        at_green = np.where(own, rows, columns)
        out[..., c] = np.where(where == c, raw, np.where(where == 1, at_green, other))
    return out


def toned(light, p):
    """Encoded, by a sigmoid, and evened out around large means."""
    encoded = np.power(light, 1 / 2.2)
    low, high = (1 / (1 + np.exp(-p["curve"] * (v - 0.5))) for v in (0.0, 1.0))
    photo = (1 / (1 + np.exp(-p["curve"] * (encoded - 0.5))) - low) / (high - low)
    base = cv2.GaussianBlur(photo.mean(-1), (0, 0), max(photo.shape[:2]) / 16)
    return np.clip(photo - p["local"] * (base - base.mean())[..., None], 0, 1).astype(np.float32)


def denoised(photo, p, sigma):
    ycc = (rgb2ycbcr(photo) / 255).astype(np.float32)
    luma, level = ycc[..., 0], float(p["luma"] * sigma)
    if p["denoiser"] == "wavelets":
        luma = denoise_wavelet(luma, level, "db3", "soft", 4, method="VisuShrink")
    elif p["denoiser"] == "cosines":
        luma = cosines(luma, 2.7 * level)
    elif p["denoiser"] == "non-local":
        luma = denoise_nl_means(luma, 5, 6, 0.8 * level, True, level)
    half = cv2.resize(ycc[..., 1:], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    smooth = [cv2.bilateralFilter(np.ascontiguousarray(half[..., c]), 7, 4 * p["chroma"] * sigma, 3)
              for c in (0, 1)]  # fmt: skip
    chroma = cv2.resize(np.dstack(smooth), luma.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(ycbcr2rgb(255 * np.dstack([luma, chroma])), 0, 1).astype(np.float32)


def cosines(luma, threshold):
    """Blocks of 8 x 8, at four of their offsets; small coefficients are set to 0."""
    out = np.zeros_like(luma)
    for top, left in ((0, 0), (0, 4), (4, 0), (4, 4)):
        padded = np.pad(luma, ((8 - top, 8 + top), (8 - left, 8 + left)), "reflect")
        height, width = (n // 8 * 8 for n in padded.shape)
        blocks = padded[:height, :width].reshape(height // 8, 8, width // 8, 8)
        found = dctn(blocks, axes=(1, 3), norm="ortho")
        kept = np.where(abs(found) > threshold, found, 0)
        kept[:, 0, :, 0] = found[:, 0, :, 0]
        whole = np.array(padded)
        whole[:height, :width] = idctn(kept, axes=(1, 3), norm="ortho").reshape(height, width)
        out += whole[8 - top :, 8 - left :][: luma.shape[0], : luma.shape[1]] / 4
    return out


def sharpened(photo, p):
    """What stands out is raised, small differences are left, the rise is limited."""
    luma = photo.mean(-1)
    detail = luma - cv2.GaussianBlur(luma, (0, 0), p["reach"])
    detail = np.sign(detail) * np.maximum(abs(detail) - p["coring"], 0)
    return photo + np.clip(p["amount"] * detail, -0.12, 0.12)[..., None]


def too_dark(photo, number, iso, stops):
    """A photo (1, 3, 320, 320), one in good light, and the first without noise."""
    scene = photo[:320, :320].astype(np.float32) / 255
    rng = np.random.default_rng(number)
    p = draw(rng) | {"iso": iso, "stops": stops, "sensor": 1.0, "frames": 1, "curve": 3.0}
    p |= {"denoiser": "none", "local": 0.0}
    y, quiet = (
        from_uint8(np.asarray(Image.open(io.BytesIO(photograph(scene, p, some))).convert("RGB")))
        for some in (rng, None)
    )
    good = torch.from_numpy(ideal(scene, p | {"stops": 0.0})).permute(2, 0, 1)[None]
    return y, good, quiet


def far(image, good):
    """CIEDE2000 of means of 4 x 4 pixels."""
    labs = [rgb2lab(avg_pool2d(v, 4)[0].permute(1, 2, 0).numpy()) for v in (good, image)]
    return float(deltaE_ciede2000(*labs).mean())


def lit(y, iso):
    """The noise that is found, the light, and the photo in that light."""
    noise = estimate_noise_spectrum(y, iso)
    found = estimate_light(y, float(noise.rms) if noise.present >= SEEN else 0.0)
    return noise, found, ToneMap.held(found.tone).inverse(y).clamp(0, 1)


def dark(shared):
    """dark_and_noisy.csv."""
    scenes = [photo for name, photo in held_back(shared) if name.startswith("kodak")][::2]
    rows = []
    for iso in (400, 1600, 6400):
        found = []
        for number, photo in enumerate(scenes):
            y, good, quiet = too_dark(photo, number, iso, -3.0)
            noise, found_light, x = lit(y, iso)
            true = octave_levels(y - quiet)
            off = ((noise.bands - true).abs() / true).mean()
            darker = x.mean() < y.mean() - 1e-3
            seen = noise.present >= SEEN, found_light.fault != "none", darker
            found.append((*seen, float(off), far(y, good), far(x, good)))
        told = np.array(found, float)
        counts = told[:, :3].sum(0).astype(int).tolist()
        rows.append({"iso": iso, "photos": len(told)})
        rows[-1] |= dict(zip(("noise seen", "light seen", "darker"), counts, strict=True))
        rows[-1] |= {"octaves off": float(np.median(told[:, 3]))}
        rows[-1] |= {"dE of the file": float(told[:, 4].mean()), "dE": float(told[:, 5].mean())}
        show(rows[-1])
    save_results("dark_and_noisy", rows)


def what_is_left(shared):
    """The colour difference with other values of LEFT."""
    scenes = []
    for path in sorted(Path(shared, "train/val").glob("*.jpg")):
        with Image.open(path) as photo:
            if min(photo.size) >= 224:
                scenes.append(np.asarray(photo.convert("RGB")))
    scenes = scenes[:: len(scenes) // 24]
    for iso in (400, 1600, 6400):
        for stops in (-1.5, -3.0):
            dark = [
                too_dark(x, n, iso, stops)[:2] for n, x in enumerate(scenes[:: len(scenes) // 24])
            ]
            row = {"iso": iso, "stops": stops, "photos": len(dark)}
            row["file"] = float(np.mean([far(y, good) for y, good in dark]))
            for value in LEFT:
                with patch.object(light, "LEFT", value):
                    row[value] = float(np.mean([far(lit(y, iso)[2], good) for y, good in dark]))
            show(row)


def main():
    parser = arguments(__doc__, "eval/kodak24 and train/val")
    parser.add_argument("--out", default="~/.cache/gdp-lite/other_captures")
    parser.add_argument("--dark", action="store_true", help="dark and noisy photos, alone")
    parser.add_argument("--left", action="store_true", help="what LEFT was chosen by, alone")
    args = parser.parse_args()
    if args.dark or args.left:
        (dark if args.dark else what_is_left)(args.shared)
        return
    folder = Path(args.out).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, (name, photo) in enumerate(held_back(args.shared)):
        rng = np.random.default_rng(zlib.crc32(f"other {name}".encode()))
        p = draw(rng)
        top, left = (int(rng.integers(0, max(size - SIDE, 0) + 1)) for size in photo.shape[:2])
        scene = photo[top : top + SIDE, left : left + SIDE].astype(np.float32) / 255
        for end, generator in (("", rng), ("-quiet", None)):
            (folder / f"{name}{end}.jpg").write_bytes(photograph(scene, p, generator))
        sharp = (ideal(scene, p) * 255).round().astype(np.uint8)
        Image.fromarray(sharp).save(folder / f"{name}-ideal.png")
        rows.append({"name": name, "iso": p["iso"] if n % 2 else 0})
        show(rows[-1] | {k: p[k] for k in ("denoiser", "frames", "quality")})
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
