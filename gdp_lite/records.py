"""How each file of a folder was made: what is there is done only if it was done like this.

Beside the results, in a hidden folder, lies a small file for each: what was asked for, the
checksums of the photo and of the result, and the versions that a result depends on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdp_lite.photos import save_bytes
from gdp_lite.report import Report, checksum_of

FOLDER = ".gdp-lite"
ASKED = {"only": None, "skip": (), "noise": None, "blur": None, "exposure": None, "strength": 1.0}
ASKED |= {"seed": 0, "strip": False, "prior": None, "precision": None}
# Another torch or machine changes last digits; another package or prior, what is seen.
DECISIVE = ("gdp_lite", "prior")


def place_of(output: Path, name: Path) -> Path:
    """Where the record of a file is."""
    return output / FOLDER / f"{name}.json"


def asked_for(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `restore_photo` that the result depends on, as JSON has them.

    Examples
    --------
    >>> asked_for({"noise": 3, "device": "cpu"})["noise"]
    3
    """
    told = {name: options.get(name, usual) for name, usual in ASKED.items()}
    for name in ("only", "skip"):
        told[name] = None if told[name] is None else sorted(told[name])
    prior = told["prior"]
    told["prior"] = str(prior) if isinstance(prior, str | Path) else prior and type(prior).__name__
    return told


def keep(place: Path, report: Report, asked: dict[str, Any], result: Path) -> None:
    """Write the record of a result."""
    record = {
        "asked": asked,
        "photo": report.checksum,
        "result": checksum_of(result.read_bytes()),
        "versions": {name: report.versions.get(name) for name in DECISIVE},
    }
    save_bytes(place, (json.dumps(record, indent=2) + "\n").encode())


def read(place: Path) -> dict[str, Any] | None:
    """A record; None where there is none, or it is damaged."""
    try:
        record = json.loads(place.read_bytes())
        whole = isinstance(record["asked"], dict) and isinstance(record["versions"], dict)
        return record if whole and {"photo", "result"} <= set(record) else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def difference(
    record: Mapping[str, Any], asked: Mapping[str, Any], photo: Path, versions: Mapping[str, Any]
) -> str:
    """What is other than it was then, in a few words; empty where nothing is.

    Examples
    --------
    >>> record = {"asked": {"noise": 3}, "photo": "", "versions": {"gdp_lite": "1", "prior": "a"}}
    >>> difference(record, {"noise": 5}, Path("photo.jpg"), {"gdp_lite": "1", "prior": "a"})
    'noise was 3, is 5'
    """
    changed = [
        f"{name} was {_word(record['asked'].get(name))}, is {_word(now)}"
        for name, now in asked.items()
        if record["asked"].get(name) != now
    ]
    for name in DECISIVE:
        if record["versions"].get(name) != versions.get(name):
            changed.append(f"{name} is another version")
    if not changed and record["photo"] != checksum_of(photo.read_bytes()):
        changed.append("the photo is another one")
    return ", ".join(changed)


def _word(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "nothing"
    return "as found" if value is None else str(value)
