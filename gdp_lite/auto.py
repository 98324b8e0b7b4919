"""A photo's file in, a better one out: what the command line and the book's last chapter call."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gdp_lite import __version__
from gdp_lite.diagnosis import KINDS, Diagnosis, diagnose, told
from gdp_lite.photos import PhotoError, check_output, copy_photo, read_photo, write_photo
from gdp_lite.prior import Prior, load_prior
from gdp_lite.restoring import restore_image
from gdp_lite.tasks import pick_device

MAX_PIXELS = 64_000_000


@dataclass(frozen=True)
class Report:
    """What was found in a photo and what was done, ready for a JSON file.

    Parameters
    ----------
    photo, output : the files' names.
    findings : by kind: estimate, std, unit, visible, line.
    done : the kinds that were undone; none where the file was copied bit for bit.
    change : root mean square of what changed, of 255.
    notes : one line about everything of the file that could not be kept.
    settings : noise, blur, exposure, strength, seed, kinds, version: they repeat it.
    seconds : of the whole.
    """

    photo: str
    output: str
    findings: dict[str, dict]
    done: list[str]
    change: float
    notes: list[str]
    settings: dict
    seconds: float = field(compare=False)

    def as_json(self) -> dict:
        """Of numbers, words and lists alone."""
        return asdict(self)


def default_output(path: str | Path) -> Path:
    """photo.jpg -> photo.restored.jpg."""
    path = Path(path)
    return path.with_name(f"{path.stem}.restored{path.suffix}")


def findings_of(diagnosis: Diagnosis) -> dict[str, dict]:
    """Every finding as numbers and words."""
    return {
        kind: {
            "estimate": round(float(f.estimate), 4),
            "std": round(float(f.estimate.std), 4),
            "unit": f.unit,
            "visible": round(float(f.visible), 3),
            "line": f.line,
        }
        for kind, f in diagnosis.findings.items()
    }


def restore_photo(
    path: str | Path,
    output: str | Path | None = None,
    *,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    noise: float | None = None,
    blur: float | None = None,
    exposure: float | None = None,
    strength: float = 1.0,
    seed: int = 0,
    overwrite: bool = False,
    strip: bool = False,
    prior: Prior | None = None,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Diagnose a photo, undo what a person would see, write the result.

    Parameters
    ----------
    path : the photo, see `read_photo`.
    output : where to; photo.restored.jpg beside photo.jpg by default.
    only, skip : kinds (`diagnosis.KINDS`) to undo whether they are seen or not, and not to.
    noise, blur, exposure : what to assume instead of what is found, of 255, in pixels, in stops.
    strength : trust in the photo, see `restore`.
    seed : same seed, same picture.
    overwrite : whether an existing file may be replaced.
    strip : leave out where the photo was taken.
    prior : `load_prior()` by default, loaded only where it is needed.
    say : called with every line about what is found and done.
    progress : called with (tiles that are done, of how many).

    Returns
    -------
    A `Report`.

    Raises
    ------
    PhotoError, ValueError : in one line.
    """
    began = time.monotonic()
    output = default_output(path) if output is None else output
    only, skip = list(only), list(skip)
    for kind in (*only, *skip):
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    photo = read_photo(path, MAX_PIXELS)
    check_output(output, path, overwrite, photo)
    diagnosis = told(diagnose(photo.image, photo.iso), noise, blur, exposure)
    kinds = [k for k in KINDS if (k in only if only else diagnosis.findings[k].seen)]
    kinds = [k for k in kinds if k not in skip]
    for line in diagnosis.lines:
        say(line)
    x, change = photo.image, 0.0
    if kinds:
        say(f"undoing: {', '.join(kinds)}")
        if prior is None and {"noise", "softness"} & set(kinds):
            prior = load_prior(device=pick_device("auto"))
        x = restore_image(photo.image, diagnosis, prior, kinds, strength, seed, progress)
        change = 255 * float((x - photo.image).square().mean().sqrt())
    check_output(output, path, overwrite, photo)  # it took minutes: look again
    if change:
        notes = write_photo(output, x, photo, strip=strip)
        say(f"{output}: changed by {change:.1f} of 255 (root mean square)")
    else:
        if Path(output).suffix.lower() != Path(path).suffix.lower():
            raise PhotoError(f"nothing is wrong with {path}: it would be copied, as it is")
        copy_photo(path, output)
        notes, kinds = [], []
        say(f"nothing is wrong that a person would see: {output} is a copy, bit for bit")
    notes = [*photo.notes, *notes]
    for line in notes:
        say(line)
    settings = {
        **{"noise": noise, "blur": blur, "exposure": exposure, "strength": strength},
        **{"seed": seed, "kinds": kinds, "version": __version__},
    }
    seconds = round(time.monotonic() - began, 1)
    found = findings_of(diagnosis)
    return Report(str(path), str(output), found, kinds, round(change, 2), notes, settings, seconds)
