"""A look at what `restore_photo` would do: three parts of a photo, and how long the whole takes."""

import io
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from gdp_lite.diagnosis import KINDS, Diagnosis, known_kinds
from gdp_lite.image import to_uint8
from gdp_lite.kept_colour import keep_colour
from gdp_lite.one_photo import MAX_PIXELS, found_in, loaded
from gdp_lite.photos import check_output, read_photo, save_bytes
from gdp_lite.prior import Denoiser
from gdp_lite.repairs.cells import unmarked_part
from gdp_lite.repairs.covered import uncovered
from gdp_lite.repairs.grey import coloured
from gdp_lite.restoring import OVERLAP, TILE, cleaned, hints_of, needs_prior, passes, relit
from gdp_lite.tasks import pick_device
from gdp_lite.tiling import fitted_tiles

SIDE = 256  # pixels of a part
MARGIN = 4  # around the parts in the picture
CELL = 16  # squares in which noise is measured
NAMES = ("the noisiest part", "the sharpest part", "the middle")


class Preview(NamedTuple):
    """What `preview_photo` made.

    Parameters
    ----------
    output : the file.
    kinds : that would be undone.
    places : (top, left) of the noisiest, the sharpest and the middle part.
    seconds : that the whole would take, about.
    """

    output: str
    kinds: list[str]
    places: list[tuple[int, int]]
    seconds: float


def preview_photo(
    path: str | Path,
    output: str | Path | None = None,
    *,
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    noise: float | None = None,
    blur: float | None = None,
    exposure: float | None = None,
    mask: str | Path | None = None,
    strokes: str | Path | None = None,
    strength: float = 1.0,
    seed: int = 0,
    overwrite: bool = False,
    prior: Denoiser | str | Path | None = None,
    device: str = "auto",
    precision: str | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Preview:
    """Write one picture: three parts of the photo, on the left as they are, right as restored.

    A part is restored with the diagnosis of the whole photo, but without what lies around it, so
    that its edges, and coarse noise, are only about as they will be.

    Parameters are those of `restore_photo`; output: a PNG or a JPEG, photo.preview.jpg by default.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (400, 300), (90, 110, 130)).save(f"{folder}/photo.jpg")
    ...     Path(preview_photo(f"{folder}/photo.jpg").output).name
    'photo.preview.jpg'
    """
    began = time.monotonic()
    only, skip = None if only is None else known_kinds(only), known_kinds(skip)
    if output is None:
        output = Path("standard input" if str(path) == "-" else path).with_suffix(".preview.jpg")
    kind = "PNG" if str(output).lower().endswith(".png") else "JPEG"
    photo = read_photo(path, MAX_PIXELS)
    check_output(output, path, overwrite)
    place = pick_device(device)
    y = photo.image
    with ThreadPoolExecutor(1) as beside:  # loading takes one core some seconds, and so does this
        asked = set(KINDS if only is None else only) - set(skip)
        loading = (
            beside.submit(loaded, prior, place, precision) if asked - {"light", "colour"} else None
        )
        diagnosis = found_in(photo, noise, blur, exposure, mask, strokes)
    kinds = diagnosis.chosen(only, skip)
    for line in (*diagnosis.lines, *diagnosis.absent(only)):
        say(line)
    say(f"would be undone: {', '.join(kinds)}" if kinds else "nothing would be undone: a copy")
    network = loading.result() if loading and needs_prior(diagnosis, kinds) else None
    found = time.monotonic() - began
    look = looked_at(y, diagnosis, network, kinds, strength, seed)
    seconds = found + look.seconds
    picture = sheet(look.before, look.after)
    file = io.BytesIO()
    picture.save(file, kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    save_bytes(output, file.getvalue())
    say(f"{output}: left the photo, right restored; {', '.join(look.names)}")
    say(f"the whole would take about {in_words(seconds)} here")
    return Preview(str(output), kinds, look.places, seconds)


class Look(NamedTuple):
    """What `looked_at` returns.

    Parameters
    ----------
    places : (top, left) of the noisiest, the sharpest and the middle part.
    names : what is seen there; in place of the middle it may be most of what is covered.
    before, after : those parts, (1, 3, h, w), h and w of `SIDE` at most.
    seconds : that restoring the whole would take, about.
    """

    places: list[tuple[int, int]]
    names: tuple[str, ...]
    before: list[Tensor]
    after: list[Tensor]
    seconds: float


def looked_at(
    y: Tensor,
    diagnosis: Diagnosis,
    prior: Denoiser | None,
    kinds: list[str],
    strength: float = 1.0,
    seed: int = 0,
) -> Look:
    """Three parts of a photo as they are and as restored; parameters as in `restore_image`."""
    began = time.monotonic()
    z, gain = relit(y, diagnosis, kinds)
    mask = passes(diagnosis, kinds).mask
    places = parts_of(y, gain, mask)
    names = NAMES if mask is None else (*NAMES[:2], "most of what is covered")
    before = [cut(y, corner) for corner in places]
    after = [cut(z, corner).clamp(0, 1) for corner in places]
    seconds = time.monotonic() - began
    if prior is not None and needs_prior(diagnosis, kinds):
        began = time.monotonic()
        made = _restored(y, list(dict.fromkeys(places)), diagnosis, prior, kinds, strength, seed)
        seen = sum(part.shape[-2] * part.shape[-1] for part in made.values())
        tiles = fitted_tiles(y.shape[-2], y.shape[-1], TILE, OVERLAP)
        whole = sum(weight.numel() for _, weight in tiles)
        seconds += (time.monotonic() - began) / seen * whole
        if (hints := hints_of(diagnosis, kinds)) is not None:  # of the whole, and once
            began, x = time.monotonic(), z.clone()
            for (top, left), part in made.items():
                x[..., top : top + SIDE, left : left + SIDE] = part
            x = coloured(x, hints, prior, strength, seed)
            made = {corner: cut(x, corner) for corner in made}
            seconds += time.monotonic() - began
        after = [made[corner] for corner in places]  # in a small photo some are the same
    return Look(places, names, before, after, seconds)


def _restored(
    y: Tensor,
    places: list[tuple[int, int]],
    diagnosis: Diagnosis,
    prior: Denoiser,
    kinds: list[str],
    strength: float,
    seed: int,
) -> dict[tuple[int, int], Tensor]:
    """What `restore_image` does, on parts of the photo in the light of the whole."""
    todo = passes(diagnosis, kinds)
    x, how = y, (strength, seed)
    for mark in todo.marks:
        before, x = x, x.clone()
        for top, left in places:
            place = (..., slice(top, top + SIDE), slice(left, left + SIDE))
            x[place] = unmarked_part(before, place, mark, prior, TILE, OVERLAP, *how)
    z, gain = relit(x, diagnosis, kinds)
    after = {}
    for corner in places:
        part = cut(z, corner).clamp(0, 1)
        if todo.clean:
            x = cleaned(cut(z, corner), cut(gain, corner), diagnosis, prior, kinds, *how)
            part = keep_colour(x, part)
        if todo.mask is not None:
            part = uncovered(part, cut(todo.mask, corner), prior, TILE, OVERLAP, *how)
        after[corner] = part
    return after


def parts_of(y: Tensor, gain: Tensor, mask: Tensor | None = None) -> list[tuple[int, int]]:
    """(top, left) of the noisiest, the sharpest and the middle part; different ones, if possible.

    gain : (1, 1, H, W), by how much restoring the light makes noise grow. mask : (H, W), 0 where
    the photo is covered; the part with most of that takes the place of the middle.
    """
    height, width = y.shape[-2:]
    corners = [(top, left) for top in _starts(height) for left in _starts(width)]
    scores = {
        corner: _scores(cut(y, corner), float(cut(gain, corner).mean())) for corner in corners
    }
    middle = (max((height - SIDE) // 2, 0), max((width - SIDE) // 2, 0))
    if mask is not None:
        middle = min(corners, key=lambda corner: float(cut(mask, corner).mean()))
    chosen: list[tuple[int, int]] = []
    for which in (0, 1):
        apart = [c for c in corners if all(_apart(c, d) for d in (middle, *chosen))]
        chosen.append(max(apart or corners, key=lambda corner: scores[corner][which]))
    return [*chosen, middle]


def _scores(part: Tensor, gain: float) -> tuple[float, float]:
    """How noisy a part is where it is flattest, once it is lighter, and how steep its edges are."""
    luma = part.mean(1, keepdim=True)
    if min(luma.shape[-2:]) < 2 * CELL:
        return 0.0, 0.0
    smooth = functional.avg_pool2d(luma, 5, 1, 2, count_include_pad=False)
    power = functional.avg_pool2d((luma - smooth).square(), CELL).flatten()
    # In what is nearly black nobody sees noise, and in what is clipped there is none.
    inside = functional.avg_pool2d(((luma > 0.08) & (luma < 0.98)).float(), CELL).flatten() > 0.9
    flat = float(power[inside].quantile(0.1).sqrt()) if bool(inside.any()) else 0.0
    steps = (luma[..., 1:] - luma[..., :-1]).abs().numpy()
    return gain * flat, float(np.quantile(steps, 0.99))  # torch sorts all of them: a second


def cut(image: Tensor, corner: tuple[int, int]) -> Tensor:
    """The part of `SIDE` pixels at most that begins there."""
    top, left = corner
    return image[..., top : top + SIDE, left : left + SIDE]


def _starts(length: int) -> list[int]:
    return list(range(0, length - SIDE + 1, SIDE)) or [0]


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) >= SIDE


def sheet(before: list[Tensor], after: list[Tensor]) -> Image.Image:
    """The parts below each other, the photo's on the left, with a line above that says so."""
    height, width = before[0].shape[-2:]
    rows, head = len(before), 16
    size = (2 * width + 3 * MARGIN, rows * (height + MARGIN) + MARGIN + head)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for column, (word, parts) in enumerate((("photo", before), ("restored", after))):
        left = MARGIN + column * (width + MARGIN)
        draw.text((left, 2), word, fill="black")
        for row, part in enumerate(parts):
            at = (left, head + MARGIN + row * (height + MARGIN))
            picture.paste(Image.fromarray(to_uint8(part)), at)
    return picture


def in_words(seconds: float) -> str:
    """ "40 seconds", "12 minutes", "1.5 hours": no more exact than it is known."""
    if seconds < 90:
        return f"{max(5, 5 * math.ceil(seconds / 5))} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
