"""The list of priors that ``python -m gdp_lite priors`` prints: what is known, what is here."""

import hashlib
import json
from pathlib import Path

from gdp_lite.prior_files.known import KNOWN, Known, cache, place_of
from gdp_lite.prior_files.openai import NOTE

_UNKNOWN = "unknown until it is fetched"


def listed() -> list[str]:
    """A table of the known priors, their checksums, and the cached ones made from files.

    A checksum is the published one where it is known, else that of the weights that are here.

    Examples
    --------
    >>> lines = listed()
    >>> lines[1].split()[:2], lines[9].split()[0]
    (['bundled', 'any'], 'bundled')
    """
    form = "{:30} {:>5}  {:>7}  {:18}  {:10}  {}"
    lines = [form.format("name", "side", "MB", "licence", "here", "trained on")]
    places = {row.name: place_of(row.name) for row in KNOWN.values()}
    for row in KNOWN.values():
        here = "yes" if places[row.name] else "no"
        side = str(row.side or "any")
        lines.append(form.format(row.name, side, row.megabytes, row.licence, here, row.photos))
    lines.append("sha256")
    for row in KNOWN.values():
        lines.append(f"{row.name:30} {_checksum(row, places[row.name])}")
    return lines + [_cached(note) for note in sorted(cache().glob(f"*/{NOTE}"))]


def _checksum(row: Known, place: Path | None) -> str:
    """Of a prior's file, and how it is known."""
    if row.sha256:
        return f"{row.sha256}  of the published file"
    if place is None:
        return _UNKNOWN
    if row.url:
        told = _note(place / NOTE)
        return f"{told['sha256']}  of the file that was converted here" if told else _UNKNOWN
    weights = _weights(place)
    if weights is None:
        return _UNKNOWN
    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest}  of {weights.relative_to(place).as_posix()} here{_beside(weights, digest)}"


def _weights(place: Path) -> Path | None:
    """The weights' file that is loaded."""
    files = [f for ending in ("safetensors", "bin") for f in sorted(place.glob(f"**/*.{ending}"))]
    return next(iter(files), None)


def _beside(weights: Path, digest: str) -> str:
    """The hub's cache calls a large file by the checksum that the hub tells: is it that?"""
    told = weights.resolve().name
    if not weights.is_symlink() or len(told) != len(digest):
        return ""
    return ", as the hub tells" if told == digest else ", NOT what the hub tells: fetch it again"


def _note(place: Path) -> dict | None:
    """What was noted when a file was converted; None where that is damaged."""
    try:
        told = json.loads(place.read_bytes())
        return told if {"file", "sha256"} <= told.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _cached(note: Path) -> str:
    """A line about a folder that was made from a file."""
    told = _note(note)
    if told is None:
        return f"{note.parent}: damaged, delete it"
    size = sum(f.stat().st_size for f in note.parent.rglob("*") if f.is_file()) / 1e6
    known = KNOWN.get(Path(told["file"]).stem)
    same = ""
    if known and known.sha256:
        as_published = told["sha256"] == known.sha256
        same = ", as published" if as_published else ", not the published file"
    return f"{note.parent}: {size:.0f} MB, sha256 of its file {told['sha256']}{same}"
