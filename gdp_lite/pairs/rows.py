"""What a run keeps, so that a stopped one goes on: how it was begun, and a table that grows."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gdp_lite.photos import save_bytes


def begin(place: Path, settings: Mapping[str, object]) -> None:
    """Write how a folder is made into a file of it, or compare that with how it was.

    Raises ValueError, in one line, where they differ, and where it cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         begin(Path(folder) / "made.json", {"seed": 0})
    """
    folder = place.parent
    try:
        then = json.loads(place.read_bytes()) if place.is_file() else settings
        names = {**then, **settings}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{place} does not tell how its folder was made") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror or error}") from error
    for name in names:
        if (old := then.get(name)) != settings.get(name):
            raise ValueError(
                f"{folder} was made with {name} {old}, not {settings.get(name)}: "
                "give another folder"
            )
    if not place.is_file():
        save_bytes(place, (json.dumps(settings, indent=2) + "\n").encode())


class Rows:
    """A CSV file of rows with a ``name`` each; a later row of a name stands for an earlier one.

    A row that was cut off, by a kill or a full disk, counts as missing.

    Parameters
    ----------
    path : the file; read where it is there.
    columns : of the table; the first is ``name``.

    Raises ValueError, in one line, for a file that is another table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = Rows(Path(folder) / "t.csv", ("name", "score"))
    ...     rows.add({"name": "a", "score": 3})
    ...     Rows(Path(folder) / "t.csv", ("name", "score")).rows
    {'a': {'name': 'a', 'score': '3'}}
    """

    def __init__(self, path: str | Path, columns: Sequence[str]):
        self.path, self.columns = Path(path), list(columns)
        self.rows: dict[str, dict[str, str]] = {}
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self._start()
            return
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
        whole = text[: text.rfind("\n") + 1]  # a quoted line break inside a row is still one row
        try:
            lines = list(csv.reader(io.StringIO(whole, newline="")))
        except csv.Error as error:
            raise ValueError(f"{path} is no table: {error}") from error
        if lines and lines[0] != self.columns:
            raise ValueError(f"{path} is another table: its columns are {', '.join(lines[0])}")
        if not lines:
            self._start()
        for line in lines[1:]:
            if len(line) == len(self.columns):
                self.rows[line[0]] = dict(zip(self.columns, line, strict=True))
        if whole != text:
            self._rewrite()

    def add(self, row: Mapping[str, object]) -> None:
        """Append a row and keep it in `rows`; what is None or missing is left empty."""
        told = ["" if row.get(name) is None else str(row[name]) for name in self.columns]
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            file.write(_line(told))
        self.rows[told[0]] = dict(zip(self.columns, told, strict=True))

    def take(self, others: Sequence[Path], order: Sequence[str] = ()) -> None:
        """Take in tables that other processes wrote, and delete them.

        others: their files. order: of the names, where the rows should stand in one.
        """
        found: list[dict[str, str]] = []
        for path in others:
            found += Rows(path, self.columns).rows.values()
        if not others:
            return
        self.rows |= {row[self.columns[0]]: row for row in found}
        place = {name: n for n, name in enumerate(order)}
        last = len(place)
        self.rows = dict(sorted(self.rows.items(), key=lambda item: place.get(item[0], last)))
        self._rewrite()
        for path in others:
            path.unlink()

    def clear(self) -> None:
        """Begin again."""
        self.rows = {}
        self._rewrite()

    def _start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite()

    def _rewrite(self) -> None:
        lines = [_line(self.columns), *(_line(list(row.values())) for row in self.rows.values())]
        save_bytes(self.path, "".join(lines).encode())


def _line(values: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
