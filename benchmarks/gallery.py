"""The gallery: every degradation on twelve photos, undone with Phi known and with Phi found.

    python benchmarks/gallery.py --shared ../shared [--only KIND ...] [--photos N]

256 x 256 centre crops of ten Kodak photos and two of scikit-image's, held back from everything. A
photo y is simulated with a fixed seed, clipped and rounded to 8 bits as a file is; phone noise and
phone file are captures (`benchmarks/captures.py`), which no model of the package made, scored in
the middle of them. Ways: the photo (small ones enlarged without smoothing); `restore` at its
defaults with Phi known, and with Phi found by the class's `initialise`, by `estimate_noise_level`,
or by `diagnose`; and the best simple tool, told the same Phi and the same noise. Which tool, and
its settings, is searched on the middles of two photos of train/val, for light and colour on nine.
There tools that look for Phi themselves take part in the second search: levels, gamma to a mean,
CLAHE, grey world, white patch; and without noise the inverse of F is all there is to do. PSNR in
dB and HaarPSI.

Writes gdp_lite/book/results/gallery.csv, a row for each kind, photo and way; what is there is not
computed again. Then, for each kind whose rows are complete, into book/gallery/: of the photo with
the median gain (Phi found where it is, else known) a picture for each way; and of the photo with
the least gain before, restored and scene. --pictures makes these again. Two hours and a half on
one core.
"""

import csv
import io
import itertools
from pathlib import Path

import cv2
import numpy as np
import torch
from common import NLM, arguments, as_image, centre, haarpsi, photos, show, wiener
from PIL import Image
from skimage import data, exposure, restoration
from torch import Generator
from torch.nn import functional

from gdp_lite.book.appearance import true_noise
from gdp_lite.book.classical import classical, non_local
from gdp_lite.book.gallery import (
    ENTRIES,
    PHOTOS,
    SIZE,
    THUMBNAILS,
    best_way,
    median_and_worst,
    rows_of,
)
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import FOLDER
from gdp_lite.book.strokes import strokes
from gdp_lite.degradations import Compose, GaussianNoise, Occlusion
from gdp_lite.degradations.strokes import Strokes, spread
from gdp_lite.denoise import denoise
from gdp_lite.diagnosis import diagnose
from gdp_lite.estimators import (
    Estimate,
    NoiseSpectrum,
    estimate_noise_level,
    estimate_noise_spectrum,
    find_overlay,
)
from gdp_lite.estimators.noise_statistics import SHARES
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear, to_uint8
from gdp_lite.prior import load_prior
from gdp_lite.restoring import cleaned, relit
from gdp_lite.sampler import restore

MARGIN = 32  # pixels
HELD_BACK, OF_LIGHT = 93, 23  # every 93rd of the 186 photos of train/val, two; or nine
OUT = Path(__file__).parents[1] / "book" / "gallery"
TABLE = FOLDER / "gallery.csv"
COLUMNS = ("kind", "photo", "way", "tool", "phi", "psnr", "haarpsi")
BYTES, WIDE = 23_000, 50_000  # of one picture, and of three in a row, at most: 4 MB in all
QUALITIES = (92, 88, 84, 80, 75, 70, 60, 50)
GRAINY = 8 / 255  # tolerance of an overlay's colour under the print's noise, 2.7 times as much


# Simple tools: each is told the photo y and a degradation F whose Phi is known or was found.


def array(x):
    return x[0].permute(1, 2, 0).double().numpy()


def means(y, sigma, h):
    """Non-local means; h times the noise."""
    if not h * sigma:
        return y
    return as_image(restoration.denoise_nl_means(array(y), h=h * sigma, sigma=sigma, **NLM))


def variation(y, F, weight):
    return as_image(restoration.denoise_tv_chambolle(array(y), weight, channel_axis=-1))


def wavelets(y, F):
    options = {"convert2ycbcr": True, "rescale_sigma": True, "channel_axis": -1}
    return as_image(restoration.denoise_wavelet(array(y), F.sigma, **options))


def kernel_of(F):
    kernel = F.kernel.detach()
    return (kernel if kernel.ndim == 2 else torch.outer(kernel, kernel)).double().numpy()


def lucy(y, F, iterations):
    kernel, edge = kernel_of(F), len(F.kernel)

    def channel(a):
        wide = np.pad(a.clip(1e-3, 1), edge, mode="symmetric")
        return restoration.richardson_lucy(wide, kernel, iterations)[edge:-edge, edge:-edge]

    return as_image(np.dstack([channel(c) for c in y[0].double().numpy()]))


def divided(y, F, h, rho):
    """Non-local means, then Wiener's division by the blur."""
    smooth = means(y, F.sigma, h)
    return F.prox(smooth, smooth, rho)


def enlarged(y, F, rho):
    """Bicubic, and towards the blocks or not."""
    return F.prox(F.start(y), y, rho) if rho < 1e6 else F.start(y)


def lanczos(y, F):
    size = tuple(reversed(F.size_of_x(y)))
    return from_uint8(np.asarray(Image.fromarray(to_uint8(y)).resize(size, Image.LANCZOS)))


def hidden(F):
    """(H, W) bool, where the scene is covered."""
    mask = F.mask.detach()
    return (mask[0] if mask.ndim == 3 else mask).numpy() < 0.5


def biharmonic(y, F):
    return as_image(restoration.inpaint_biharmonic(array(y), hidden(F), channel_axis=-1))


def marching(y, F, method):
    """OpenCV's two, radius 3."""
    flag = {"Telea": cv2.INPAINT_TELEA, "Navier-Stokes": cv2.INPAINT_NS}[method]
    return from_uint8(cv2.inpaint(to_uint8(y), hidden(F).astype(np.uint8), 3, flag))


def undone(y, F, h):
    """Non-local means, then the light back by F."""
    return F.start(means(y, F.sigma, h)).detach()


def levels(y, F, cut):
    """Each channel's quantile `cut` to black and 1 - cut to white, all alike."""
    low, high = np.quantile(array(y).mean(-1), [cut, 1 - cut])
    return (y - low) / max(high - low, 1e-3)


def to_mean(y, F, target):
    """The gamma that leads to this mean."""
    return y.clamp(1e-4, 1) ** (np.log(target) / np.log(float(y.mean().clamp(0.01, 0.99))))


def clahe(y, F, clip):
    ycc = cv2.cvtColor(to_uint8(y), cv2.COLOR_RGB2YCrCb)
    luma = exposure.equalize_adapthist(ycc[..., 0], clip_limit=clip)
    ycc[..., 0] = (255 * luma).round().astype(np.uint8)
    return from_uint8(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB))


def grey_world(y, F, power):
    """Shades of grey (Finlayson and Trezzi 2004): equal power means; 1 is grey world."""
    light = srgb_to_linear(y.clamp(0, 1))
    gains = (light**power).mean((2, 3), keepdim=True) ** (1 / power)
    return linear_to_srgb(light * gains.mean() / gains.clamp(min=1e-4))


def decoded(y, F, weight, to_file):
    """Total variation, and `to_file` of the way to the nearest image that encodes to y."""
    smooth = variation(y, F, weight)
    return smooth + to_file * (F.prox(smooth, y, 0) - smooth)


def smoothed_decoded(y, F, h, to_file):
    """Non-local means with h in levels of 255, then as above."""
    smooth = as_image(restoration.denoise_nl_means(array(y), h=h / 255, sigma=0, **NLM))
    return smooth + to_file * (F.prox(smooth, y, 0) - smooth)


def dim_chain(y, F, h, rho):
    """Non-local means, the light, Wiener's division by the blur."""
    blur, light, code = F.stages
    image = light.start(means(y, code.sigma, h)).detach().clamp(0, 1)
    return blur.prox(image, image, rho).detach()


def print_chain(y, F, h):
    """Biharmonic filling, non-local means, colour and contrast."""
    contrast, cast, cover = F.stages
    return contrast.start(cast.start(means(biharmonic(y, cover), F.sigma, h))).detach()


def thumbnail_chain(y, F, weight, to_file):
    """Total variation, towards the file, bicubic."""
    small, code = F.stages
    return small.start(decoded(y, code, weight, to_file))


TOOLS = {  # family: name -> function and the grid of its settings
    "denoise": {
        "non-local means": (lambda y, F, h: means(y, F.sigma, h), {"h": (0.4, 0.5, 0.6, 0.7, 0.9)}),
        "total variation": (variation, {"weight": (0.05, 0.07, 0.1, 0.14)}),
        "wavelets": (wavelets, {}),
    },
    "deblur": {
        "Wiener": (
            lambda y, F, balance: as_image(wiener(array(y), kernel_of(F), balance)),
            {"balance": (0.1, 0.3, 1.0)},
        ),
        "Richardson-Lucy": (lucy, {"iterations": (5, 10, 20, 40)}),
        "NLM and Wiener": (
            divided, {"h": (0.0, 0.7), "rho": (0.003, 0.01, 0.03)},
        ),
    },
    "enlarge": {
        "bicubic": (enlarged, {"rho": (0.0, 0.1, 0.3, 1.0, 1e6)}),
        "Lanczos": (lanczos, {}),
    },
    "fill": {
        "biharmonic": (biharmonic, {}),
        "OpenCV inpaint": (marching, {"method": ("Telea", "Navier-Stokes")}),
    },
    "grey": {},  # without a hint there is none
    "inverse": {},
    "light": {"NLM and inverse": (undone, {"h": (0.0, 0.4, 0.55, 0.7, 1.0)})},
    "jpeg": {
        "total variation": (
            decoded, {"weight": (0.005, 0.01, 0.02, 0.03, 0.05, 0.08), "to_file": (0.0, 0.5, 1.0)},
        ),
        "non-local means": (
            smoothed_decoded, {"h": (1.0, 2.0, 4.0, 8.0), "to_file": (0.0, 0.5, 1.0)},
        ),
    },
    "dim": {
        "NLM, light, Wiener": (
            dim_chain, {"h": (0.3, 0.5, 0.8), "rho": (0.01, 0.03, 0.1, 0.3, 1.0)},
        ),
    },
    "print": {"filling, NLM, inverse": (print_chain, {"h": (0.3, 0.5, 0.7, 1.0)})},
    "thumbnail": {
        "TV and bicubic": (
            thumbnail_chain, {"weight": (0.005, 0.01, 0.02, 0.03), "to_file": (0.0, 0.5, 1.0)},
        ),
    },
}  # fmt: skip
UNTOLD = {  # tools that look for light or colour themselves
    "levels": (levels, {"cut": (0.0, 0.005, 0.02)}),
    "gamma to a mean": (to_mean, {"target": (0.35, 0.4, 0.45, 0.5)}),
    "CLAHE": (clahe, {"clip": (0.005, 0.01, 0.02, 0.03)}),
    "grey world": (grey_world, {"power": (1.0, 4.0, 8.0)}),
}


# One photo of one kind.


def seeded(number):
    return Generator().manual_seed(number)


def file_of(y):
    """As a file of 8 bits holds it."""
    return from_uint8(to_uint8(y.clamp(0, 1)))


def scene_of(name, shared):
    if name.startswith("skimage"):
        photo = from_uint8(getattr(data, name.partition("-")[2])())
    else:
        path = Path(shared, "eval/kodak24", f"{name.partition('-')[2]}.png")
        photo = from_uint8(np.asarray(Image.open(path).convert("RGB")))
    return centre(photo, SIZE)


def photo_of(kind, x, number):
    F = ENTRIES[kind].make(x.shape[-1])
    return file_of(F.simulate(x, seeded(1000 + number)).detach()), F


def find(kind, y, size, prior):
    """F with the Phi that the photo tells; what is held is frozen. None: nothing finds it."""
    if ENTRIES[kind].blind is None:
        return None
    F = ENTRIES[kind].blind(size)
    if isinstance(F, GaussianNoise):
        return GaussianNoise(float(estimate_noise_level(y, prior)))
    if kind == "old-print":  # an overlay is found by its even colour, which noise makes less even
        mask, colour = find_overlay(y, GRAINY)
        colour = torch.zeros(3) if colour is None else colour.clamp(0, 1)
        F = Compose(*list(F.stages)[:-1], Occlusion(mask, colour, F.sigma))
    if kind == "dim-room":  # of the fine octaves JPEG leaves little: by the coarser ones
        F.stages[-1].sigma = max(float(estimate_noise_spectrum(y).rms), 1 / 255)
    return F.initialise(y)


def settings_for(kind, held_back, prior, cache={}):  # noqa: B006 - one search a kind
    """{"known" or "found": (tool, its settings)}: the best mean PSNR on photos held back."""
    if kind not in cache:
        entry, scores = ENTRIES[kind], {"known": {}, "found": {}}
        for number, x in enumerate(held_back, 50):
            y, F = photo_of(kind, x, number)
            found = find(kind, y, x.shape[-1], prior)
            for which, told in (("known", F), ("found", found)):
                tools = dict(TOOLS[entry.tools])
                if which == "found" and entry.tools in ("light", "inverse"):
                    tools |= UNTOLD
                for name, (function, grid) in tools.items():
                    for values in itertools.product(*grid.values()) if told else ():
                        image = function(y, told, **dict(zip(grid, values, strict=True)))
                        score = float(psnr(image.nan_to_num(0), x))
                        scores[which].setdefault((name, values), []).append(score)
        cache[kind] = {w: max(s, key=lambda k: np.mean(s[k])) for w, s in scores.items() if s}
    return cache[kind]


def simple(kind, y, F, setting):
    """(image, the tool in words)."""
    name, values = setting
    function, grid = (TOOLS[ENTRIES[kind].tools] | UNTOLD)[name]
    words = ", ".join(
        v if isinstance(v, str) else f"{k} {v:g}" for k, v in zip(grid, values, strict=True)
    )
    words = words.replace("rho 1e+06", "").strip()
    image = function(y, F, **dict(zip(grid, values, strict=True))).nan_to_num(0)
    return image, f"{name}, {words}" if words else name


def ways(kind, x, number, prior, settings):
    """way -> (image, tool, Phi in words) for one scene x."""
    entry, size = ENTRIES[kind], x.shape[-1]
    y, F = photo_of(kind, x, number)
    large = y
    if y.shape != x.shape:
        large = functional.interpolate(y, size=(size, size), mode="nearest")
    out = {"photo": (large, "", "")}
    found = find(kind, y, size, prior)
    if entry.tools == "inverse":
        out["known"] = (F.start(y).detach(), "inverse", F.describe())
        out["simple, found"] = (*simple(kind, y, found, settings["found"]), "")
        out["found"] = (found.start(y).detach(), "inverse", found.describe())
        return out
    if TOOLS[entry.tools]:
        out["simple, known"] = (*simple(kind, y, F, settings["known"]), "")
    known = restore(y, F, prior, generator=seeded(number)).image
    out["known"] = (known, "restore", F.describe())
    if found is not None:
        out["simple, found"] = (*simple(kind, y, found, settings["found"]), "")
        result = restore(y, found, prior, initial="given", generator=seeded(number))
        told = found.describe()
        if any(p.requires_grad for p in found.parameters()):  # learned while sampling
            phi = {n.split(".")[-1]: v.flatten() for n, v in result.phi.items() if v.numel() == 1}
            told += "; then " + ", ".join(f"{n} {float(v):.3g}" for n, v in phi.items())
        out["found"] = (result.image, "restore", told)
    if kind == "colour-lost":
        hint = Strokes(strokes(size, number), F.sigma)
        marks = hint.strokes * file_of(x)
        both = torch.cat([y, marks], -2)
        drawn = hint.strokes * marks + (1 - hint.strokes) * y
        out["hint"] = (drawn, "", f"{100 * float(hint.strokes.mean()):.0f}% of the pixels given")
        out["simple, hint"] = (spread(y, hint.strokes, marks), "Levin et al. 2004", "")
        result = restore(both, hint, prior, generator=seeded(number))
        out["restored, hint"] = (result.image, "restore", "")
    return out


# Captures of a phone, which no model of the package made.


def captured(kind, name, prior, folder):
    """The scene, and way -> (image, tool, Phi), of the middle of a capture; Phi is that of all.

    Restored with a margin of 32 pixels where there are as many, as the package's tiles have one.
    """
    ends = (".jpg", "-quiet.jpg", "-ideal.png")
    y, quiet, ideal = (read(folder / f"{name}{end}") for end in ends)
    outer, out = min(SIZE + 2 * MARGIN, *y.shape[-2:]), {"photo": (centre(y, SIZE), "", "")}
    part, tool = centre(y, outer), "non-local means, luma and chroma"
    if kind == "phone-noise":
        truth = spectrum_of(true_noise(*(to_uint8(image) for image in (y, quiet))))
        for which, noise in (("known", truth), ("found", estimate_noise_spectrum(y))):
            tame = part + noise.present * (non_local(part, noise) - part)  # as `denoise` does
            out[f"simple, {which}"] = (centre(tame, SIZE), tool, "")
            image = denoise(part, noise, prior)
            words = f"noise {255 * noise.rms:.1f} of 255"
            if which == "found":
                words += f", {100 * noise.present:.0f}% sure"
            out[which] = (centre(image, SIZE), "denoise", words)
        return centre(quiet, SIZE), out
    found = diagnose(y)
    kinds = found.seen
    z, gain = relit(y, found, kinds)
    z, gain = (centre(image, outer) for image in (z, gain))
    image, tame = z.clamp(0, 1), classical(z, gain, found, kinds)
    if {"noise", "softness"} & set(kinds):
        image = cleaned(z, gain, found, prior, kinds)
    words = f"found: {', '.join(kinds) or 'nothing'}"
    out["simple, found"] = (centre(tame, SIZE), f"same light, then {tool}", "")
    out["found"] = (centre(image, SIZE), "diagnose, restore_image", words)
    # Where the light is undone the truth is the scene in good light, else the capture's own.
    truth = read(folder / f"{name}-scene.png") if {"light", "colour"} & set(kinds) else ideal
    return centre(truth, SIZE), out


def spectrum_of(noise):
    """The true noise as the estimator would say it."""
    octaves = ("1/4", "1/8", "1/16", "1/32")
    bands = torch.tensor([[noise[f"{p} {o}"] for o in octaves] for p in ("luma", "chroma")]) / 255
    rms = float((bands[0].square() * torch.tensor(SHARES)).sum().sqrt())
    return NoiseSpectrum(bands, Estimate(rms, 0.0), 1.0)


def read(path):
    return from_uint8(np.asarray(Image.open(path).convert("RGB")))


# The table.


def add(row):
    """One line at once, so that two runs with kinds of their own may write the same table."""
    line = io.StringIO()
    writer = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    writer.writerow(row)
    new = not TABLE.exists()
    with open(TABLE, "a", newline="", encoding="utf-8") as file:
        file.write((",".join(COLUMNS) + "\n" if new else "") + line.getvalue())


def score(kind, name, images, x):
    for way, (image, tool, phi) in images.items():
        clipped = image.detach().float().clamp(0, 1)
        row = {"kind": kind, "photo": name, "way": way}
        row |= {"tool": tool, "phi": phi}
        row["psnr"] = round(min(float(psnr(clipped, x)), 99.0), 3)
        row["haarpsi"] = round(float(haarpsi(clipped, x)), 4)
        add(row)


# Pictures.


def store(pictures, most):
    """As WebP, all at the best quality at which none has more than `most` bytes."""
    for quality in QUALITIES:
        files = {name: io.BytesIO() for name in pictures}
        for name, x in pictures.items():
            image = Image.fromarray(to_uint8(x.detach().clamp(0, 1)))
            image.save(files[name], "WEBP", quality=quality, method=6)
        if max(len(file.getvalue()) for file in files.values()) <= most:
            break
    OUT.mkdir(exist_ok=True)
    for name, file in files.items():
        (OUT / f"{name}.webp").write_bytes(file.getvalue())


def file_name(kind, way):
    return f"{kind}-{way.replace(', ', '-')}"


def pictures(kind, of, rows):
    """The median's, a file for each way; the worst's three in a row. of(name) -> scene, ways."""
    median, worst = median_and_worst(rows)
    scene, images = of(median)
    shown = {f"{kind}-scene": scene}
    shown |= {file_name(kind, way): image for way, (image, _, _) in images.items()}
    store(shown, BYTES)
    scene, images = of(worst)
    row = [images["photo"][0], images[best_way(rows)][0], scene]
    store({f"{kind}-worst": torch.cat([image.detach() for image in row], -1)}, WIDE)


def thumbnail(kind, rows):
    """For the landing page: the left half of the photo, the right half of what it became."""
    both = Image.open(OUT / f"{kind}-photo.webp").convert("RGB")
    half = (SIZE // 2, 0, SIZE, SIZE)
    both.paste(Image.open(OUT / f"{file_name(kind, best_way(rows))}.webp").crop(half), half)
    both.save(OUT / f"thumb-{kind}.webp", quality=85, method=6)


def main():
    parser = arguments(__doc__, "eval/kodak24, train/val")
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--only", nargs="*", choices=ENTRIES, help="these kinds alone")
    parser.add_argument("--photos", type=int, default=len(PHOTOS), help="fewer, to try")
    parser.add_argument("--pictures", action="store_true", help="make the pictures again")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, folder = load_prior(), Path(args.captures).expanduser()
    held_back = [centre(x, SIZE) for _, x in photos(Path(args.shared, "train/val"))]
    names = list(PHOTOS)[: args.photos]

    for kind in args.only or ENTRIES:
        entry = ENTRIES[kind]

        def of(name, kind=kind, entry=entry):
            if entry.make is None:
                return captured(kind, name, prior, folder)
            x = scene_of(name, args.shared)
            every = OF_LIGHT if entry.tools in ("light", "inverse") else HELD_BACK
            settings = settings_for(kind, held_back[::every], prior)
            return x, ways(kind, x, list(PHOTOS).index(name), prior, settings)

        done = {row["photo"] for row in rows_of(kind)}
        for name in names:
            if name in done:
                continue
            x, images = of(name)
            score(kind, name, images, x)
            found = {way: float(psnr(image.detach(), x)) for way, (image, *_) in images.items()}
            show({"kind": kind, "photo": name, **found})
        there = (OUT / f"{kind}-worst.webp").exists()
        if len(names) == len(PHOTOS) and (args.pictures or not there):
            pictures(kind, of, rows_of(kind))
            if kind in THUMBNAILS:
                thumbnail(kind, rows_of(kind))


if __name__ == "__main__":
    main()
