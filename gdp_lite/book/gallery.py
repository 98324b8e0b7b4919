"""The gallery's entries: each degradation, how its Phi is found, and where the book explains it.

benchmarks/gallery.py computes from this table and book/_ext/gallery_page.py shows it, so that
page and scores cannot name different things. Images are (1, 3, H, W) in display range.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from torch import Generator, Tensor

from gdp_lite.book.masks import box_mask, scratch_mask, text_mask
from gdp_lite.book.results import load_results
from gdp_lite.degradations import (
    JPEG,
    BicubicDownsampling,
    BlindBlur,
    BlindGaussianBlur,
    BlindOcclusion,
    BlockAverage,
    Blur,
    ChannelMean,
    Clip,
    ColourCast,
    Compose,
    Contrast,
    Degradation,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    LinearLight,
    Occlusion,
    SmoothExposure,
    ToneMap,
    defocus_kernel,
    motion_kernel,
    random_mask,
)

SIZE = 256  # pixels of the crops
FAINT = 2 / 255  # noise of most entries, told to every method
DIM, OLD = 6 / 255, 3 / 255  # of the mixtures
YELLOW, PALE, BLUE = (1.0, 0.9, 0.2), (0.97, 0.97, 0.97), (0.1, 0.3, 0.8)
# Stops across the picture, control points of `ToneMap`: a window on the left.
SHADE = [[0.3, -0.8, -2.0, -3.2]] * 4


class Entry(NamedTuple):
    """One degradation of the gallery.

    With the tools "inverse" it is light or colour without noise, undone by the inverse of F, and
    no network is called.

    make(size): F with Phi known, of a size x size scene. blind(size): the same with Phi to be
    found, None where nothing in the package finds it; ``why`` then says so in a sentence. tools:
    the family of simple tools. classes: names in the API reference. chapter: (file, its words).
    code: the commands or lines of Python that do it.
    """

    title: str
    tools: str
    make: Callable[[int], Degradation] | None
    blind: Callable[[int], Degradation] | None
    why: str
    classes: tuple[str, ...]
    chapter: tuple[str, str]
    code: str


def box(size: int) -> Tensor:
    a, b = round(0.36 * size), round(0.64 * size)
    return box_mask(size, size, a, a, b, b)


def scratches(size: int) -> Tensor:
    """Five across the picture."""
    return scratch_mask(size, size, 5, 2.5 * size / 128, Generator().manual_seed(3))


def letters(size: int) -> Tensor:
    """A line across the picture and a date in its corner."""
    unit = size / 128
    line = text_mask(size, size, "PREVIEW", round(24 * unit), (round(10 * unit), round(34 * unit)))
    date = text_mask(size, size, "26.11.", round(18 * unit), (round(66 * unit), round(104 * unit)))
    return line * date


def holes(size: int) -> Tensor:
    return random_mask(size, size, 0.25, Generator().manual_seed(0))


def _only(degradation: Degradation) -> Callable[[int], Degradation]:
    return lambda size: degradation.requires_grad_(False)


def _dim(blur: Degradation, light: Degradation) -> Degradation:
    return Compose(blur, LinearLight(light), JPEG.from_quality(85, sigma=DIM))


INVERSE = "No network is called: once Φ is known light is undone by its inverse, whatever the tool."
GIVEN = "Which pixels are missing is given, not found: no colour tells them apart."
BLOCKS = (
    "The squares' side and place are read from the photo, here without an error, so that found "
    "and known are one: `estimate_blocks`."
)
FACTOR = "By how much the photo is to be enlarged is a wish: nothing is to be found."
TABLES = "Φ stands in the file: `JPEG.from_file` reads its tables, so that found and known are one."
WRONG = ("what_goes_wrong.ipynb", "What goes wrong in a photo")
FOUND = ("finding_phi.ipynb", "Find what went wrong")
FIRST = ("first_restoration.ipynb", "A first restoration")
STEPS = ("practical_sampler.ipynb", "The practical sampler")
PHONE = ("phone_jpegs.ipynb", "Restore a phone's JPEG")
COMMAND = "python -m gdp_lite restore photo.jpg"

ENTRIES = {
    "noise": Entry(
        "White noise", "denoise",
        _only(GaussianNoise(25 / 255)), lambda size: GaussianNoise(), "",
        ("GaussianNoise", "estimate_noise_level"),
        ("what_goes_wrong.ipynb", "What goes wrong in a photo"),
        "sigma = estimate_noise_level(y, prior)\nrestore(y, GaussianNoise(sigma), prior)",
    ),
    "phone-noise": Entry(
        "A phone's noise", "capture", None, None, "",
        ("NoiseSpectrum", "estimate_noise_spectrum"), PHONE, f"{COMMAND} \\\n  --only noise",
    ),
    "gaussian-blur": Entry(
        "Gaussian blur", "deblur",
        _only(GaussianBlur(13, 1.8, FAINT)),
        lambda size: BlindGaussianBlur(25, sigma=FAINT), "",
        ("GaussianBlur", "BlindGaussianBlur"), FIRST, f"{COMMAND} \\\n  --task deblur",
    ),
    "motion-blur": Entry(
        "Motion blur", "deblur",
        _only(Blur(motion_kernel(11, 30), FAINT)), lambda size: BlindBlur(17, sigma=FAINT), "",
        ("Blur", "BlindBlur"), FOUND, "restore(y, BlindBlur(17), prior)",
    ),
    "defocus": Entry(
        "Out of focus", "deblur",
        _only(Blur(defocus_kernel(3.0), FAINT)), lambda size: BlindBlur(11, sigma=FAINT), "",
        ("Blur", "BlindBlur"), FOUND, "restore(y, BlindBlur(11), prior)",
    ),
    **{
        f"blocks-{d}": Entry(
            f"Low resolution, blocks ×{d}", "enlarge",
            _only(BlockAverage(d, sigma=FAINT)), None, BLOCKS,
            ("BlockAverage", "estimate_blocks"), WRONG,
            f"{COMMAND} \\\n  --only resolution",
        )
        for d in (2, 4, 8)
    },
    "bicubic-4": Entry(
        "Low resolution, bicubic ×4", "enlarge",
        _only(BicubicDownsampling(4, sigma=FAINT)), None, FACTOR, ("BicubicDownsampling",), WRONG,
        "F = BicubicDownsampling(4, sigma=2 / 255)\nrestore(y, F, prior)",
    ),
    "missing": Entry(
        "A quarter of the pixels missing", "fill",
        lambda size: Inpainting(holes(size), FAINT), None, GIVEN, ("Inpainting",), STEPS,
        f"{COMMAND} \\\n  --task inpaint --mask holes.png",
    ),
    "box": Entry(
        "A box", "fill",
        lambda size: Occlusion(box(size), BLUE, FAINT),
        lambda size: BlindOcclusion((size, size), FAINT), "",
        ("Occlusion", "BlindOcclusion"), FOUND, f"{COMMAND} \\\n  --task inpaint --mask box.png",
    ),
    "scratches": Entry(
        "Scratches", "fill",
        lambda size: Occlusion(scratches(size), PALE, FAINT),
        lambda size: BlindOcclusion((size, size), FAINT), "",
        ("Occlusion", "BlindOcclusion"), FOUND,
        f"{COMMAND} \\\n  --task inpaint --mask lines.png",
    ),
    "text": Entry(
        "Text and a date stamp", "fill",
        lambda size: Occlusion(letters(size), YELLOW, FAINT),
        lambda size: BlindOcclusion((size, size), FAINT), "",
        ("Occlusion", "BlindOcclusion"), FOUND, "restore(y, BlindOcclusion((H, W)), prior)",
    ),
    "colour-lost": Entry(
        "Colour lost", "grey",
        _only(ChannelMean(FAINT)), None,
        "That the photo is grey is seen; which colours it had is in no estimator's reach.",
        ("ChannelMean", "Strokes"), WRONG,
        f"{COMMAND} \\\n  --strokes painted.png",
    ),
    "colour-cast": Entry(
        "Colour cast", "inverse",
        _only(LinearLight(ColourCast((1.35, 1.0, 0.65)))),
        lambda size: LinearLight(ColourCast()), INVERSE,
        ("ColourCast", "LinearLight", "cast_posterior"), FOUND, f"{COMMAND} \\\n  --only colour",
    ),
    "too-dark": Entry(
        "Too dark", "light",
        _only(LinearLight(SmoothExposure(0.15), 4 / 255)),
        lambda size: LinearLight(SmoothExposure(), 4 / 255), "",
        ("SmoothExposure", "LinearLight", "exposure_posterior"), FOUND,
        f"{COMMAND} \\\n  --only light,noise",
    ),
    "too-bright": Entry(
        "Too bright, with clipping", "light",
        _only(LinearLight(Compose(SmoothExposure(2.5), Clip()), FAINT)),
        lambda size: LinearLight(Compose(SmoothExposure(), Clip()), FAINT), "",
        ("SmoothExposure", "Clip", "LinearLight"), WRONG, f"{COMMAND} \\\n  --only light",
    ),
    "low-contrast": Entry(
        "Low contrast", "inverse",
        _only(Contrast(0.35)), lambda size: Contrast(), INVERSE,
        ("Contrast",), FOUND, "Contrast().initialise(y).start(y)",
    ),
    "gamma": Entry(
        "Gamma", "inverse",
        _only(Gamma(2.2)), lambda size: Gamma(), INVERSE,
        ("Gamma",), WRONG, "Gamma().initialise(y).start(y)",
    ),
    "uneven-light": Entry(
        "Uneven light", "inverse",
        _only(ToneMap(SHADE)), lambda size: ToneMap(), INVERSE,
        ("ToneMap", "estimate_light"), FOUND, f"{COMMAND} \\\n  --only light",
    ),
    **{
        f"jpeg-{q}": Entry(
            f"JPEG, quality {q}", "jpeg",
            _only(JPEG.from_quality(q)), None, TABLES, ("JPEG",), FOUND,
            'restore(y, JPEG.from_file("photo.jpg"), prior)',
        )
        for q in (10, 30, 60)
    },
    "dim-room": Entry(
        "A dim room: soft, dark, noisy, JPEG", "dim",
        _only(_dim(GaussianBlur(9, 1.2), SmoothExposure(0.3))),
        lambda size: _dim(BlindGaussianBlur(25), SmoothExposure()), "",
        ("Compose", "estimate_noise_spectrum"), PHONE, COMMAND,
    ),
    "old-print": Entry(
        "An old print: pale, yellowed, scratched", "print",
        lambda size: Compose(
            Contrast(0.5), ColourCast((1.1, 1.02, 0.88)), Occlusion(scratches(size), PALE, OLD)
        ).requires_grad_(False),
        lambda size: Compose(Contrast(), ColourCast(), BlindOcclusion((size, size), OLD)), "",
        ("Compose", "find_overlay"), FOUND,
        "mask, colour = find_overlay(y, 8 / 255)\n"
        "F = Compose(Contrast(), ColourCast(),\n"
        "            Occlusion(mask, colour, 3 / 255))\n"
        "restore(y, F, prior)",
    ),
    "thumbnail": Entry(
        "A thumbnail: half the size, then JPEG", "thumbnail",
        _only(Compose(BicubicDownsampling(2), JPEG.from_quality(50, sigma=FAINT))), None,
        f"{FACTOR} The tables stand in the file.", ("Compose",), PHONE,
        'code = JPEG.from_file("a.jpg", sigma=2 / 255)\n'
        "F = Compose(BicubicDownsampling(2), code)\nrestore(y, F, prior)",
    ),
    "phone-file": Entry(
        "A phone's file as it is", "capture", None, None, "",
        ("diagnose", "restore_image"), ("real_photos.md", "Real phone photos"), COMMAND,
    ),
}  # fmt: skip

# The landing page's: left half the photo, right half restored; their names and alternative texts.
THUMBNAILS = {
    "noise": ("White noise", "Left half covered with grain, right half without it"),
    "motion-blur": ("Motion blur", "Left half smeared by a movement, right half sharper"),
    "blocks-4": ("Low resolution", "Left half in squares, right half with smooth edges"),
    "text": ("Text", "Left half under yellow letters, right half without them"),
    "too-dark": ("Too dark", "Left half dark, right half in good light"),
    "jpeg-10": ("JPEG", "Left half in blocks of a strong JPEG, right half without them"),
}

# The photos and what their centres show; none with a person. Kodak's are released for unrestricted
# use, scikit-image's two are CC0.
PHOTOS = {
    "kodak-1": "a wall of white bricks with a red shutter",
    "kodak-3": "an orange cap among others",
    "kodak-5": "motocross bikes",
    "kodak-7": "a pink hibiscus before shutters",
    "kodak-8": "gabled houses with many windows",
    "kodak-11": "a fishing boat with rigging",
    "kodak-13": "a stream among bushes",
    "kodak-19": "a lighthouse behind a picket fence",
    "kodak-23": "a parrot before blurred leaves",
    "kodak-24": "a painted house with a balcony",
    "skimage-chelsea": "a tabby cat's face",
    "skimage-coffee": "a red cup of coffee",
}


def rows_of(kind: str) -> list[dict]:
    """The table's rows of one kind."""
    with suppress(FileNotFoundError):
        return [row for row in load_results("gallery") if row["kind"] == kind]
    return []


def best_way(rows: list[dict]) -> str:
    """The way by which photos are ranked: with Phi found where something finds it, else known."""
    return "found" if any(row["way"] == "found" for row in rows) else "known"


def median_and_worst(rows: list[dict]) -> tuple[str, str]:
    """Photos by how much nearer to the scene they came; of two in the middle the lesser."""
    way, scores = best_way(rows), {(row["photo"], row["way"]): row["psnr"] for row in rows}
    names = dict.fromkeys(row["photo"] for row in rows)
    order = sorted(names, key=lambda name: scores[name, way] - scores[name, "photo"])
    return order[(len(order) - 1) // 2], order[0]


def credit(photo: str) -> str:
    """Whose the photo is."""
    name = photo.partition("-")[2]
    if photo.startswith("kodak"):
        return f"Kodak image {name}, released by Kodak for unrestricted use"
    by = {"chelsea": "Stéfan van der Walt", "coffee": "Rachel Michetti"}[name]
    return f"{name} of scikit-image, by {by}, CC0"
