"""Pairs of degraded and clean pictures from a set of good ones: the source's training data.

OUT holds ``clean/``, ``degraded/`` and, for random masks, ``mask/``, with the same names in each;
``manifest.csv``, a row a pair; ``prepare.json``, how they were made; ``unreadable.csv``, what was
left out and why.
"""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn import functional

from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.pairs.kinds import Kind, kind_of
from gdp_lite.pairs.paired import paired, with_ending
from gdp_lite.pairs.rows import Rows, begin
from gdp_lite.pairs.sources import Source, outputs_of, source_of
from gdp_lite.photos import PhotoError, read_photo, save_bytes
from gdp_lite.report import checksum_of

SETTINGS, MANIFEST, UNREADABLE = "prepare.json", "manifest.csv", "unreadable.csv"
COLUMNS = ("name", "checksum", "width", "height", "degraded", "clean", "mask", "seed")
LEFT_OUT = ("name", "reason")


class Prepared(NamedTuple):
    """What `prepare_pairs` did: how many pairs were made, were there, and were left out.

    Parameters
    ----------
    made, there : pairs.
    left_out : pictures that could not be read or used; ``unreadable.csv`` says why.
    """

    made: int
    there: int
    left_out: int


def prepare_pairs(
    source: str | Path,
    out: str | Path,
    kind: Kind,
    *,
    side: int | None = None,
    count: int | None = None,
    seed: int = 0,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Prepared:
    """Degrade good pictures, or take degraded ones as they are, as pairs for `evaluate_pairs`.

    The same call goes on where one was stopped. Nothing that is there is overwritten.

    Parameters
    ----------
    source : a folder of any depth, an LMDB or a folder of LMDBs.
    out : another folder; made where it is not there.
    kind : how they are degraded.
    side : crop the middle square of each picture and scale it to so many pixels.
    count : so many pictures, drawn by seed, of all; a larger count later adds to them.
    seed : of masks and of that draw; each picture's own follows from it and its name.
    say : called with a line for each picture that is left out.
    progress : called with (pictures done, of how many).

    Returns
    -------
    A `Prepared`.

    Raises
    ------
    ValueError : in one line, for a source without pictures and an output of another preparation.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as here:
    ...     Path(f"{here}/in").mkdir()
    ...     Image.new("RGB", (8, 8), (90, 110, 130)).save(f"{here}/in/a.jpg")
    ...     print(prepare_pairs(f"{here}/in", f"{here}/out", Kind("blocks", 4)))
    ...     Image.open(f"{here}/out/degraded/a.png").size
    Prepared(made=1, there=0, left_out=0)
    (2, 2)
    """
    kind.check()
    source, out = Path(source), Path(out)
    if out.exists() and source.exists() and out.samefile(source):
        raise ValueError(f"{out} is the source itself: its pictures stay as they are")
    pictures = source_of(source, out)
    if (out / SETTINGS).is_file():
        settings_of(out)
    elif out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty, and nothing was prepared there: give another folder")
    begin(
        out / SETTINGS,
        {"source": str(source.resolve()), **kind.told, "side": side, "seed": seed},
    )
    manifest, left = Rows(out / MANIFEST, COLUMNS), Rows(out / UNREADABLE, LEFT_OUT)
    left.clear()
    clean_of = paired(pictures.names) if kind.name == "as-is" else {}
    names = _drawn(list(clean_of) or pictures.names, count, seed)
    outputs = outputs_of(list(clean_of) or pictures.names)
    made = there = 0
    for done, name in enumerate(names, 1):
        old = manifest.rows.get(name)
        if old is not None and all((out / old[k]).is_file() for k in _FILES if old[k]):
            there += 1
        else:
            try:
                if kind.name == "as-is":
                    row, files = _taken(pictures, name, clean_of[name])
                else:
                    row, files = _degraded(pictures, name, outputs[name], kind, side, seed)
                _check_free(out, files)
            except ValueError as error:  # this picture's alone; a full disk stops everything
                shown = name.encode(errors="backslashreplace").decode()
                left.add({"name": shown, "reason": " ".join(str(error).split())})
                say(f"left out: {shown}: {left.rows[shown]['reason']}")
            else:
                for place, data in files.items():
                    (out / place).parent.mkdir(parents=True, exist_ok=True)
                    if not (out / place).exists():
                        save_bytes(out / place, data)
                manifest.add(row)
                made += 1
        progress(done, len(names))
    return Prepared(made, there, len(left.rows))


_FILES = ("degraded", "clean", "mask")


def settings_of(out: Path) -> dict:
    """How pairs were made; ValueError, in one line, for a folder without any."""
    try:
        settings = json.loads((out / SETTINGS).read_bytes())
        kind_of(settings)
        return settings
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{out} holds no pairs: `python -m gdp_lite prepare` makes some"
        ) from error


def _drawn(names: list[str], count: int | None, seed: int) -> list[str]:
    if count is None or count >= len(names):
        return names
    return sorted(sorted(names, key=lambda name: seed_of(name, seed))[:count])


def seed_of(name: str, seed: int) -> int:
    """A picture's own seed, whatever was done before it: a resumed run draws the same."""
    return (
        int.from_bytes(
            hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()[:8], "big"
        )
        >> 1
    )


def _read(pictures: Source, name: str) -> tuple[bytes, Tensor]:
    """A picture's file and what it shows, if all of it is there."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise PhotoError("its name is not in UTF-8: rename it") from error
    data = pictures.read(name)
    photo = read_photo(data, name=name)
    if not photo.origin.whole:
        raise PhotoError(f"{name} ends early: a part of the picture is missing")
    return data, photo.image


Made = tuple[dict[str, object], dict[str, bytes]]


def _degraded(
    pictures: Source, name: str, output: str, kind: Kind, side: int | None, seed: int
) -> Made:
    """The row and the files of a good picture."""
    data, x = _read(pictures, name)
    x = kind.cut(x if side is None else _square(x, side))
    x = from_uint8(to_uint8(x))  # what is stored is what is degraded
    own = seed_of(name, seed)
    mask = kind.mask_for(x, own)
    y = kind.degradation((x.shape[-2], x.shape[-1]), mask, 0.0).A(x)
    files = {f"degraded/{output}": png_of(to_uint8(y)), f"clean/{output}": png_of(to_uint8(x))}
    row: dict[str, object] = {"mask": "", "seed": ""}
    if mask is not None:
        row = {"mask": f"mask/{output}", "seed": own}
        files[f"mask/{output}"] = png_of((255 * mask).byte().numpy())
    row |= {"name": name, "checksum": checksum_of(data)}
    row |= {"degraded": f"degraded/{output}", "clean": f"clean/{output}"}
    return {**row, "width": x.shape[-1], "height": x.shape[-2]}, files


def _taken(pictures: Source, name: str, clean: str) -> Made:
    """The row and the files of a pair that is there already, bit for bit."""
    data, y = _read(pictures, name)
    files = {f"degraded/{name}": data}
    row: dict[str, object] = {"name": name, "checksum": checksum_of(data)}
    row |= {"mask": "", "seed": "", "degraded": f"degraded/{name}", "clean": ""}
    if clean:
        truth, x = _read(pictures, clean)
        if x.shape != y.shape:
            raise PhotoError(f"{clean} has another size")
        place = f"clean/{with_ending(name, clean)}"
        row["clean"], files[place] = place, truth
    return {**row, "width": y.shape[-1], "height": y.shape[-2]}, files


def _check_free(out: Path, files: dict[str, bytes]) -> None:
    for place, data in files.items():
        if (out / place).exists() and (out / place).read_bytes() != data:
            raise PhotoError(f"{out / place} is there already and is another file: left as it is")


def _square(x: Tensor, side: int) -> Tensor:
    """The middle square, antialiased to side x side; a smaller picture is enlarged."""
    height, width = x.shape[-2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    x = x[..., top : top + short, left : left + short]
    if short == side:
        return x
    return functional.interpolate(x, (side, side), mode="bicubic", antialias=True).clamp(0, 1)


def png_of(array: np.ndarray) -> bytes:
    """A PNG file of uint8 pixels, (H, W) or (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()
