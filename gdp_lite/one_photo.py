"""A photo's file in, a better one out: what the command line and the book's last chapter call."""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from gdp_lite.diagnosis import Diagnosis, diagnose, known_kinds, told
from gdp_lite.files.encoding import kind_for
from gdp_lite.files.reading import bytes_of, name_of
from gdp_lite.files.saving import encode_photo
from gdp_lite.photos import Photo, check_output, read_mask, read_photo, read_strokes, save_bytes
from gdp_lite.precision import in_precision, precision_in, precision_of, with_precision
from gdp_lite.prior import Denoiser, load_prior
from gdp_lite.report import SETTINGS, Report, checksum_of, findings_of, read_report, versions
from gdp_lite.restoring import needs_prior, restore_image
from gdp_lite.tasks import pick_device
from gdp_lite.tiling import fitted, how_seen

MAX_PIXELS = 64_000_000  # memory: 4 GB


def default_output(path: str | Path) -> str | Path:
    """photo.jpg -> photo.restored.jpg; a pipe answers into a pipe."""
    if str(path) == "-":
        return "-"
    path = Path(path)
    return path.with_name(f"{path.stem}.restored{path.suffix}")


def restore_photo(
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
    strip: bool = False,
    prior: Denoiser | str | Path | None = None,
    device: str = "auto",
    precision: str | None = None,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] | None = None,
    checksum: str | None = None,
) -> Report:
    """Diagnose a photo, undo what a person would see, write the result.

    Where nothing is wrong the file is copied bit for bit, unless another format or `strip` is
    asked for.

    Parameters
    ----------
    path : the photo, see `read_photo`; ``-`` for standard input.
    output : where to; photo.restored.jpg beside photo.jpg by default, ``-`` for standard output.
    only, skip : kinds (`diagnosis.KINDS`) to undo whether they are seen or not, and not to.
    noise, blur, exposure : what to assume instead of what is found, of 255, in pixels, in stops.
    mask : a picture, white where parts are missing, see `read_mask`: they are invented.
    strokes : a copy of a photo without colour, with strokes of some, see `read_strokes`: they are
        carried to the rest.
    strength : trust in the photo, see `restore`.
    seed : same seed, same picture.
    overwrite : whether an existing file may be replaced.
    strip : leave out where the photo was taken.
    prior : a `Denoiser`, or what `load_prior` takes; loaded only where it is needed.
    device : where the network goes: auto, cpu, cuda, cuda:1, mps.
    precision : in which it computes: no (float32), bf16 or fp16; None for the `quickest` of a prior
        that is named, and for what another one does by itself.
    say : called with every line about what is found and done.
    progress : called with (tiles that are done, of how many).
    checksum : SHA-256 that the photo's file must have, as in a report.

    Returns
    -------
    A `Report`.

    Raises
    ------
    PhotoError, ValueError : in one line.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 30), (90, 110, 130)).save(f"{folder}/photo.jpg")
    ...     report = restore_photo(f"{folder}/photo.jpg")
    ...     Path(report.output).name, report.done, report.change
    ('photo.restored.jpg', [], 0.0)
    """
    began = time.monotonic()
    output = default_output(path) if output is None else output
    only, skip = None if only is None else known_kinds(only), known_kinds(skip)
    data = bytes_of(path)
    if checksum not in (None, checksum_of(data)):
        raise ValueError(f"{name_of(path)} is not the photo of that report: its bytes differ")
    photo = read_photo(data, MAX_PIXELS, name=name_of(path))
    check_output(output, path, overwrite, photo)
    place = pick_device(device)
    if isinstance(prior, str | Path):  # one that is not there is an error, needed or not
        loaded(prior, place, precision)
    diagnosis = found_in(photo, noise, blur, exposure, mask, strokes)
    kinds = diagnosis.chosen(only, skip)
    for line in (*diagnosis.lines, *diagnosis.absent(only)):
        say(line)
    network = None
    if kinds:
        say(f"undoing: {', '.join(kinds)}")
        if asked := [kind for kind in kinds if not diagnosis.findings[kind].seen]:
            say(f"asked for, though not seen for certain: {', '.join(asked)}")
        network = loaded(prior, place, precision) if needs_prior(diagnosis, kinds) else None
        if network is not None and (line := how_seen(network, *photo.image.shape[-2:])):
            say(line)
    x, change = undone(photo, diagnosis, kinds, network, strength, seed, progress, name_of(path))
    check_output(output, path, overwrite, photo)  # it took minutes: look again
    answer, became, notes = answered(output, x, photo, data, strip, change, kinds)
    save_bytes(output, answer)
    for line in (became, *photo.notes, *notes):
        say(line)
    named = prior if isinstance(prior, str | Path | None) else type(prior).__name__
    drawn = [None if file is None else str(file) for file in (mask, strokes)]
    options = (noise, blur, exposure, *drawn, strength, seed, strip, named and str(named), place)
    return Report(
        photo=str(path),
        output=str(output),
        checksum=checksum_of(data),
        findings=findings_of(diagnosis),
        done=kinds if change else [],
        change=round(change, 2),
        notes=[*photo.notes, *notes],
        settings={
            **dict(zip(SETTINGS, (*options, precision_in(network)), strict=True)),
            "kinds": kinds,
        },
        versions=versions(prior),
        seconds=round(time.monotonic() - began, 1),
    )


def repeat(
    report: str | Path,
    path: str | Path | None = None,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Do again what a report says, bit for bit on the machine that wrote it.

    Parameters
    ----------
    report : its file.
    path, output : the photo and where to, by default the report's own.
    overwrite, say, progress : see `restore_photo`.

    Raises ValueError where the photo's bytes are not those of the report.
    """
    old = read_report(report)
    options: dict[str, Any] = {name: old.settings[name] for name in SETTINGS}
    for name, now in versions(options["prior"]).items():
        if (then := old.versions.get(name)) != now:
            say(f"{name} was {then}, now {now}: the result may differ")
    return restore_photo(
        old.photo if path is None else path,
        old.output if output is None else output,
        only=old.settings["kinds"],
        checksum=old.checksum,
        overwrite=overwrite,
        say=say,
        progress=progress,
        **options,
    )


def found_in(
    photo: Photo,
    noise: float | None,
    blur: float | None,
    exposure: float | None,
    mask: str | Path | None,
    strokes: str | Path | None,
) -> Diagnosis:
    """What is wrong with a photo, and what a person knows better; see `restore_photo`."""
    missing = None if mask is None else read_mask(mask, photo)
    painted = None if strokes is None else (read_strokes(strokes, photo), photo.image)
    diagnosis = diagnose(photo.image, photo.iso, photo.coding)
    return told(diagnosis, noise, blur, exposure, missing, painted)


def undone(
    photo: Photo,
    diagnosis: Diagnosis,
    kinds: list[str],
    prior: Denoiser | None,
    strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
    name: str = "the photo",
) -> tuple[Tensor, float]:
    """The photo's picture without those kinds, and by how much it changed, of 255.

    See `restore_image`; ValueError, in one line that begins with name, where memory is used up.
    """
    if not kinds:
        return photo.image, 0.0
    try:
        x = restore_image(photo.image, diagnosis, prior, kinds, strength, seed, progress)
    except (RuntimeError, MemoryError) as error:  # so torch reports that memory is used up
        reason = (str(error) or "out of memory").splitlines()[0]
        raise ValueError(f"{name} could not be restored: {reason}") from error
    return x, 255 * _rms(x, photo.image)


def loaded(
    prior: Denoiser | str | Path | None, device: str, precision: str | None = None
) -> Denoiser:
    """The prior itself, or the one of that name, which stays in memory for the next photo.

    Of one with a native size a `TiledPrior` that shows it no other. precision: as in
    `restore_photo`; ValueError for one that is not known, or that the prior does not have.
    """
    if isinstance(prior, str | Path | None):
        return fitted(_load(prior and str(prior), device, precision))
    return fitted(
        prior if precision is None else in_precision(prior, precision_of(precision, device))
    )


@lru_cache(maxsize=1)
def _load(name: str | None, device: str, precision: str | None) -> Denoiser:
    return with_precision(load_prior(name or None, device), device, precision)


def _rms(x: Tensor, y: Tensor) -> float:
    """Of the difference, some rows at a time."""
    parts = zip(x.split(256, -2), y.split(256, -2), strict=True)
    return (sum(float((a - b).square().sum().double()) for a, b in parts) / x.numel()) ** 0.5


def answered(
    output: str | Path,
    x: Tensor,
    photo: Photo,
    data: bytes,
    strip: bool,
    change: float,
    kinds: list[str],
) -> tuple[bytes, str, list[str]]:
    """The bytes of the result's file, what became of it, and what of its metadata was lost.

    data : the photo's file, which is the answer where nothing changed.
    change, kinds : by how much it changed, and what was to be undone.
    """
    name = "standard output" if str(output) == "-" else output
    done = set(kinds) if change else set()
    why = "there is nothing to undo" if kinds else "nothing is wrong that a person would see"
    if not change and not strip and kind_for(output, photo) == photo.origin.kind:
        return data, f"{why}: {name} is a copy, bit for bit", []
    removed, colour = bool(done & {"missing", "overlay"}), "grey" in done
    answer, notes = encode_photo(output, x, photo, strip=strip, removed=removed, colour=colour)
    if change:
        return answer, f"{name}: changed by {change:.1f} of 255 (root mean square)", notes
    return answer, f"{why}: {name} is the same picture", notes
