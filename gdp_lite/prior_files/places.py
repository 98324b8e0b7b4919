"""From the name of a prior to what diffusers loads: here, in a cache, or over the network."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gdp_lite.prior_files.known import BUNDLED, HUB_ID, KNOWN, place_of
from gdp_lite.prior_files.openai import ENDINGS, convert

PATIENCE = 5.0  # seconds for the hub to answer; diffusers alone would try for a minute


def located(
    name: str | Path | None, say: Callable[[str], object] = lambda line: None
) -> tuple[str, bool]:
    """What diffusers loads a prior from, and whether it may ask the network for it.

    Parameters
    ----------
    name : None or "bundled", a folder, a checkpoint of OpenAI's (converted once), a name of
        `gdp_lite.prior_files.known.KNOWN` or a hub id.
    say : called with a line about a conversion.

    Raises ValueError, in one line, where it is not here and cannot be had.

    Examples
    --------
    >>> place, online = located("bundled")
    >>> Path(place).name, online
    ('photo-patches', False)
    """
    source = str(BUNDLED if name in (None, "", "bundled") else name)
    path = Path(source)
    if path.is_dir():
        return source, False
    if path.suffix.lower() in ENDINGS:
        return str(convert(path, say=say)), False
    if path.is_file():
        raise ValueError(f"{source} is no folder, and no checkpoint ({', '.join(ENDINGS)})")
    there = place_of(source) if source in KNOWN else None
    if there is not None:
        return str(there), False
    if source in KNOWN and KNOWN[source].url:
        raise ValueError(f"{source} is not on this machine: {command_for(source)}")
    if not HUB_ID.fullmatch(source):
        raise ValueError(f"{source} is no folder, no file and no name of a model")
    if (there := place_of(source)) is not None:
        return str(there), False
    if not hub_answers():
        raise ValueError(
            f"{source} is not on this machine, and the hub cannot be reached: {command_for(source)}"
        )
    return source, True


def command_for(name: str) -> str:
    """What to run where there is a network."""
    return (
        f"where there is a network, run `python -m gdp_lite priors --fetch {name} -o FOLDER`, "
        "then take FOLDER as the prior"
    )


def hub_answers() -> bool:
    """Whether Hugging Face's hub can be reached now, over a proxy too."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    return answers(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))


def answers(address: str) -> bool:
    """Whether a server does, over a proxy too."""
    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError:  # it answers, if not as wished
        return True
    except (OSError, ValueError):
        return False
