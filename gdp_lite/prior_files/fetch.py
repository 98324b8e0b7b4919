"""A prior fetched from where it is offered."""

import hashlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gdp_lite.prior_files.known import KNOWN, Known, cache, place_of
from gdp_lite.prior_files.layout import Recipe
from gdp_lite.prior_files.openai import convert

CHUNK = 1 << 22  # bytes


def fetch(
    name: str,
    folder: str | Path | None = None,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Path:
    """Fetch a prior over the network; OpenAI's are converted too.

    Parameters
    ----------
    name : a name of `KNOWN`, or a hub id.
    folder : where to, for another machine; by default where `load_prior` looks for it.
    say, progress : called with lines, and with (megabytes that are there, of how many).

    Returns
    -------
    The prior's folder. ValueError, in one line, where it cannot be had, where the file is not the
    one that OpenAI publishes, and where the folder is there already.
    """
    target = None if folder is None else Path(folder)
    if target is not None and target.exists():
        raise ValueError(f"{target} is there already: nothing is overwritten")
    if not name:
        raise ValueError("say which prior to fetch: `python -m gdp_lite priors` lists some")
    known = KNOWN.get(name)
    if known is not None and known.url:
        return _from_openai(known, target, say, progress)
    if target is None and (there := place_of(name)) is not None:
        return there
    from gdp_lite.prior import load_prior
    from gdp_lite.prior_files.saving import save_folder

    say(f"fetching {name}")
    prior = load_prior(name)
    if target is not None:
        save_folder(prior, target)
        return target
    found = place_of(name)
    return Path(name) if found is None else found


def _from_openai(
    known: Known,
    target: Path | None,
    say: Callable[[str], object],
    progress: Callable[[int, int], object],
) -> Path:
    there = place_of(known.name)
    if there is not None:
        if target is not None:
            shutil.copytree(there, target)
        return target or there
    file = cache() / f"{known.name}.pt"
    if not file.is_file():
        say(f"fetching {known.url}, {known.megabytes} MB")
        _download(known, file, progress)
    made = convert(file, target, say=say)
    file.unlink()
    return made


def _download(known: Known, file: Path, progress: Callable[[int, int], object]) -> None:
    part, digest, done = file.with_suffix(".part"), hashlib.sha256(), 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(known.url, timeout=30) as answer, open(part, "wb") as out:
            size = int(answer.headers.get("Content-Length") or known.megabytes * 10**6)
            while data := answer.read(CHUNK):
                out.write(data)
                digest.update(data)
                done += len(data)
                progress(done // 10**6, size // 10**6)
    except (OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "reason", None) or error
        raise ValueError(f"{known.url} could not be fetched: {reason}") from error
    if known.sha256 not in ("", digest.hexdigest()):
        part.unlink()
        raise ValueError(f"{known.url} is not the file it was: its checksum differs")
    part.replace(file)


def recipe_from(
    heads: int | None,
    head_channels: int | None,
    schedule: str | None,
    T: int | None,
    rescaled: bool,
    new_order: bool,
    side: int | None,
) -> Recipe | None:
    """A `Recipe` of what was told; None where nothing was, for the usual one of the layout."""
    if not any((heads, head_channels, schedule, T, rescaled, new_order, side)):
        return None
    if heads is None and head_channels is None:
        raise ValueError("say --heads or --head-channels too: the file does not tell them")
    return Recipe(
        *(heads or 0, head_channels or 0, schedule or "linear", T or 1000),
        *(rescaled, new_order, side or 0),
    )
