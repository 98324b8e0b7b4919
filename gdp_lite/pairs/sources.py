"""Where good pictures come from: a folder of any depth (ImageNet, CelebA, LSUN exported), an LMDB.

ImageNet lies in a folder for each class, CelebA in one, LSUN in databases of WebP files, one for
each class, which its own script exports to folders.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from gdp_lite.files.encoding import ENDINGS
from gdp_lite.files.reading import bytes_of
from gdp_lite.folder import photos_in
from gdp_lite.photos import PhotoError

LMDB = "data.mdb"
# Pictures that are not read: listed as left out, so that none is missing without a word.
_UNREAD = (".bmp", ".gif", ".jp2", ".jxl", ".pgm", ".pnm", ".ppm", ".psd", ".dng", ".cr2", ".nef")
_PICTURES = (*ENDINGS, ".jpe", ".jfif", *_UNREAD)


class Source(Protocol):
    """Pictures by name: ``names``, and the bytes of one's file."""

    names: list[str]

    def read(self, name: str, /) -> bytes: ...


class Folder:
    """The pictures of a folder and of those in it; an output folder inside is left out."""

    def __init__(self, folder: Path, output: Path):
        self.folder = folder
        self.names = [path.as_posix() for path in photos_in(folder, output, _PICTURES)]

    def read(self, name: str) -> bytes:
        return bytes_of(self.folder / name)


class Databases:
    """The pictures of LMDBs, each under its key, below the database's name if there are several.

    ValueError, in one line, where the package `lmdb` is missing or a database is damaged.
    """

    def __init__(self, places: list[Path]):
        try:
            import lmdb
        except ImportError as error:
            raise ValueError(
                f"{places[0]} is an LMDB: `pip install lmdb` to read it, or export its pictures "
                "to a folder"
            ) from error
        self._error = lmdb.Error
        self._where: dict[str, tuple[Any, bytes]] = {}
        for place in places:
            above = f"{place.name}/" if len(places) > 1 else ""
            try:
                base = lmdb.open(
                    *(str(place),),
                    subdir=place.is_dir(),
                    readonly=True,
                    lock=False,
                    readahead=False,
                )
                _check_whole(base, place)
                with base.begin() as look, look.cursor() as cursor:
                    keys = list(cursor.iternext(keys=True, values=False))
            except lmdb.Error as error:
                raise ValueError(f"{place} is no readable LMDB: {error}") from error
            for key in keys:
                self._where[above + _as_name(key)] = (base, key)
        self.names = sorted(self._where)

    def read(self, name: str) -> bytes:
        base, key = self._where[name]
        try:
            with base.begin() as look:
                return bytes(look.get(key))
        except self._error as error:
            raise PhotoError(f"{name} cannot be read: {error}") from error


def _check_whole(base: Any, place: Path) -> None:
    """ValueError for a file that was cut off: to read beyond its end would end the process."""
    needed = (base.info()["last_pgno"] + 1) * base.stat()["psize"]
    there = (place / LMDB if place.is_dir() else place).stat().st_size
    if there < needed:
        raise ValueError(
            f"{place} ends early, {there / 1e6:.1f} of {needed / 1e6:.1f} MB are there: "
            "fetch or copy it again"
        )


def source_of(path: str | Path, output: str | Path) -> Source:
    """The pictures at a path; ValueError, in one line, where there are none.

    path : a folder, an LMDB, or a folder of LMDBs. output : left out where it lies in the folder.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() in (".mdb", ".lmdb"):
        return _some(Databases([path]), path)
    if not path.is_dir():
        raise ValueError(f"{path} is no folder")
    if (path / LMDB).is_file():
        return _some(Databases([path]), path)
    inside = sorted(part for part in path.iterdir() if (part / LMDB).is_file())
    return _some(Databases(inside) if inside else Folder(path, Path(output)), path)


def outputs_of(names: list[str]) -> dict[str, str]:
    """A name ending in .png for each; where two would be one, the old ending stays in it.

    Examples
    --------
    >>> outputs_of(["a/1.jpg", "b.jpg", "b.webp"])
    {'a/1.jpg': 'a/1.png', 'b.jpg': 'b.jpg.png', 'b.webp': 'b.webp.png'}
    """
    short = {name: str(PurePosixPath(name).with_suffix(".png")) for name in names}
    often = Counter(new.lower() for new in short.values())
    return {n: new if often[new.lower()] == 1 else f"{n}.png" for n, new in short.items()}


def _some(source: Source, path: Path) -> Source:
    if not source.names:
        raise ValueError(f"there is no picture in {path}")
    return source


def _as_name(key: bytes) -> str:
    """A key as a file's name: what may be no part of one is written as a number."""
    text = key.decode("utf-8", "surrogateescape")
    safe = re.sub(r"[^\w-]", lambda found: f"%{ord(found[0]) & 0xFF:02x}", text, flags=re.ASCII)
    return safe[:200] or "%"
