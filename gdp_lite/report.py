"""What was found in a photo and done about it, as a file of numbers and words."""

import hashlib
import json
import math
import platform
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import gdp_lite
from gdp_lite.diagnosis import Diagnosis
from gdp_lite.prior_files.known import BUNDLED, place_of

WEIGHTS = (".safetensors", ".bin", ".json")  # what `load_prior` reads of a folder
SETTINGS = (
    *("noise", "blur", "exposure", "mask", "strokes", "strength", "seed", "strip"),
    *("prior", "device", "precision"),
)
# What an older report does not say: there were no strokes, and networks computed in float32.
OLDER = {"strokes": None, "precision": "no"}


@dataclass(frozen=True)
class Report:
    """What was found in a photo and what was done, ready for a JSON file.

    Parameters
    ----------
    photo, output : the files' names.
    checksum : of the photo's file, SHA-256.
    findings : by kind: estimate, std (None where nothing is known), unit, visible, line, phi.
    done : the kinds that were undone; none where the file was copied bit for bit.
    change : root mean square of what changed, of 255.
    notes : one line about everything of the file that could not be kept.
    settings : noise, blur, exposure, mask and strokes (their files), strength, seed, strip, prior,
        device, precision, and kinds, which were to be undone: with them `restore_photo` repeats it.
    versions : of the package, the prior (a checksum of its weights), torch, Python and the machine,
        on which it is the same bit for bit.
    seconds : of the whole.

    Examples
    --------
    >>> settings = {"kinds": [], "seed": 0}
    >>> Report("a.jpg", "b.jpg", "", {}, [], 0.0, [], settings, {}, 1.2).as_json()["change"]
    0.0
    """

    photo: str
    output: str
    checksum: str
    findings: dict[str, dict]
    done: list[str]
    change: float
    notes: list[str]
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float = field(compare=False)

    def as_json(self) -> dict[str, Any]:
        """Of numbers, words and lists alone."""
        return _finite(asdict(self))

    def save(self, path: str | Path) -> None:
        """Write it as a JSON file, whole or not at all."""
        from gdp_lite.photos import save_bytes

        save_bytes(path, (json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n").encode())


def read_report(path: str | Path) -> Report:
    """A report from its file; ValueError, in one line, for anything else.

    Examples
    --------
    >>> import tempfile
    >>> settings = {"kinds": [], **dict.fromkeys(SETTINGS)}
    >>> report = Report("a.jpg", "b.jpg", "", {}, [], 0.0, [], settings, {}, 1.2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report.save(f"{folder}/report.json")
    ...     read_report(f"{folder}/report.json") == report
    True
    """
    try:
        told = json.loads(Path(path).read_bytes())
        report = Report(**told)
        for name, then in OLDER.items():
            report.settings.setdefault(name, then)
        if {*SETTINGS, "kinds"} - set(report.settings):
            raise ValueError("settings are missing")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no report of `restore`") from error
    return report


def checksum_of(data: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def versions(prior: object = None) -> dict[str, str]:
    """What a result depends on beside its settings. prior: as in `restore_photo`."""
    import torch

    machine = f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"
    return {
        **{"gdp_lite": gdp_lite.__version__, "torch": str(torch.__version__)},
        **{"python": platform.python_version(), "machine": machine},
        "prior": checksum_of_prior(prior),
    }


def checksum_of_prior(prior: object = None) -> str:
    """Of the weights of a prior by its name; of one that is no folder, its name itself."""
    if not isinstance(prior, str | Path | None):
        return type(prior).__name__
    folder = place_of(str(prior or "bundled")) or Path(prior or BUNDLED)
    found = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS)
    if not found:
        return str(prior)
    return _checksum_of_files(tuple((path, path.stat().st_mtime_ns) for path in found))


@lru_cache(maxsize=4)
def _checksum_of_files(files: tuple[tuple[Path, int], ...]) -> str:
    """Once for all photos of a folder: a prior may have gigabytes."""
    digest = hashlib.sha256()
    for path, _ in files:
        with open(path, "rb") as file:
            while part := file.read(1 << 24):
                digest.update(part)
    return digest.hexdigest()[:16]


def findings_of(diagnosis: Diagnosis) -> dict[str, dict]:
    """Every finding as numbers and words."""
    found = {
        kind: {
            "estimate": round(float(f.estimate), 4),
            "std": round(float(f.estimate.std), 4),
            "unit": f.unit,
            "visible": round(float(f.visible), 3),
            "line": f.line,
            "phi": f.phi(),
        }
        for kind, f in diagnosis.findings.items()
    }
    return _finite(found)


def _finite(value: Any) -> Any:
    """JSON has no infinity: None."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
