"""A folder of photos in, a folder of better ones out: gone on with where it was stopped."""

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from gdp_lite import records
from gdp_lite.files.encoding import ENDINGS
from gdp_lite.one_photo import restore_photo
from gdp_lite.photos import PhotoError
from gdp_lite.report import checksum_of, versions


class Row(NamedTuple):
    """What became of one file of a folder.

    Parameters
    ----------
    name : within the folder.
    done : "noise, light", "copied", "there already", or empty.
    error : one line, where it failed.
    change : of 255.
    seconds : that it took.
    """

    name: str
    done: str
    error: str
    change: float
    seconds: float


def restore_folder(
    folder: str | Path,
    output: str | Path,
    *,
    reports: str | Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[], Callable[[int, int], object]] | None = None,
    **options: Any,
) -> list[Row]:
    """Restore every photo of a folder and of those in it, under the same names in another.

    One that fails does not stop the rest. What was done with these options, by this version of the
    package and of the prior, from these bytes, is skipped, so that the same call goes on where one
    was stopped; what was done otherwise is done again. A file that is whole but was not made here,
    or was changed since, is left alone, and a line says so.

    Parameters
    ----------
    folder : where the photos are; hidden files are left out.
    output : where to; made where it does not exist.
    reports : a folder for a report of each, photo.jpg.json; none by default.
    overwrite : do everything again, whatever is there.
    say : called with every line.
    progress : makes, for each photo, what `restore_photo` calls with (tiles done, of how many).
    options : for `restore_photo`.

    Returns
    -------
    A `Row` for each, by name.

    Raises
    ------
    PhotoError : where the folders are the same, one cannot be made, or there is no photo.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as here:
    ...     os.mkdir(f"{here}/in")
    ...     Image.new("RGB", (40, 30), (90, 110, 130)).save(f"{here}/in/photo.jpg")
    ...     for _ in range(2):
    ...         print([(row.name, row.done) for row in restore_folder(f"{here}/in", f"{here}/out")])
    [('photo.jpg', 'copied')]
    [('photo.jpg', 'there already')]
    """
    source, target = Path(folder), Path(output)
    if target.exists() and (not target.is_dir() or os.path.samefile(source, target)):
        raise PhotoError(f"{target} is no other folder: the photos stay where they are")
    names = list(photos_in(source, target))
    if not names:
        raise PhotoError(f"there is no photo in {source}: {', '.join(ENDINGS)} are read")
    rows = []
    asked, now = records.asked_for(options), versions(options.get("prior"))
    for number, name in enumerate(names, 1):
        say(f"{number} of {len(names)}: {name}")
        began, path, record = time.monotonic(), target / name, records.place_of(target, name)
        row = Row(str(name), "there already", "", 0.0, 0.0)
        try:
            done, why = (
                (False, "") if overwrite else is_done(path, source / name, record, asked, now)
            )
            if why:
                say(why)
            if not done:
                made_folder(path.parent)
                report = restore_photo(
                    source / name,
                    path,
                    overwrite=True,
                    say=say,
                    progress=progress and progress(),
                    **options,
                )
                made_folder(record.parent)
                records.keep(record, report, asked, path)
                if reports is not None:
                    beside = Path(reports) / f"{name}.json"
                    made_folder(beside.parent)
                    report.save(beside)
                row = row._replace(done=", ".join(report.done) or "copied", change=report.change)
        except ValueError as error:
            row = row._replace(done="", error=" ".join(str(error).split()))
            say(row.error)
        rows.append(row._replace(seconds=round(time.monotonic() - began, 1)))
    return rows


def photos_in(
    folder: Path, output: Path | None = None, endings: Container[str] = tuple(ENDINGS)
) -> Iterator[Path]:
    """Names of the photos in a folder, sorted, by their endings; what lies in output is left out.

    A linked folder is looked into, unless it was reached already or leads back. One that cannot be
    read is left out as well.
    """
    apart, reached = output and output.resolve(), [folder.resolve()]
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        here, kept = Path(place), []
        for name in sorted(folders):
            there = (here / name).resolve()
            if name[0] == "." or there == apart:
                continue
            if (here / name).is_symlink():
                if any(_overlap(there, other) for other in reached):
                    continue
                reached.append(there)
            kept.append(name)
        folders[:] = kept
        found += [here / f for f in files if f[0] != "."]
    for path in sorted(found):
        if path.suffix.lower() in endings:
            yield path.relative_to(folder)


def _overlap(one: Path, other: Path) -> bool:
    """Whether one of two folders lies in the other, or both are the same."""
    return one.is_relative_to(other) or other.is_relative_to(one)


def is_done(
    path: Path, source: Path, record: Path, asked: dict[str, Any], versions: dict[str, str]
) -> tuple[bool, str]:
    """Whether a result is there that is to be left as it is, and a line about what is unusual."""
    try:
        there = checksum_of(path.read_bytes())
    except OSError:
        return False, ""
    kept = records.read(record)
    if kept is None or there != kept["result"]:
        if not is_whole(path, source):
            return False, ""
        how = "was not made here" if kept is None else "was changed since it was made"
        return True, f"{path} {how}: left as it is; --overwrite replaces it"
    changed = records.difference(kept, asked, source, versions)
    return not changed, changed and f"{path} is done again: {changed}"


def is_whole(path: Path, source: Path) -> bool:
    """Whether a picture is there, can be decoded to its end, and is as large as its source."""
    sizes = []
    with contextlib.suppress(Exception), warnings.catch_warnings():  # Pillow raises anything
        warnings.simplefilter("ignore")
        for file in (source, path):
            with Image.open(file) as picture:
                sizes.append(sorted(picture.size))  # one may be upright, the other not
                if file == path:
                    picture.load()
        return sizes[0] == sizes[1]
    return False


def made_folder(path: Path) -> None:
    """Make a folder and those above it; `PhotoError` where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PhotoError(f"the folder {path} cannot be made: {error.strerror or error}") from error


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines, with a head and a sum."""
    rows = list(rows)
    width = max(5, *(len(row.name) for row in rows))
    lines = [f"{'photo':{width}}  change      time  what was done"]
    for row in rows:
        what = f"failed: {row.error}" if row.error else row.done
        lines.append(f"{row.name:{width}}  {row.change:6.1f}  {row.seconds:6.1f} s  {what}")
    failed = sum(bool(row.error) for row in rows)
    there = sum(row.done == "there already" for row in rows)
    written = len(rows) - failed - there
    return [*lines, f"{written} written, {there} there already, {failed} failed"]
