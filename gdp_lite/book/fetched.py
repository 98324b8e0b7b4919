"""A photo from a public address, fetched once and known by its checksum."""

import hashlib
import os
import urllib.request
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gdp-lite" / "photos"
PATIENCE = 20  # seconds


def fetched(address, sha256, folder=CACHE):
    """The path of the file with that checksum, kept in `folder`; None where it cannot be had.

    A file that has another checksum counts as not had, and is not kept.
    """
    path = folder / f"{sha256[:16]}.jpg"
    try:
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(content)
        part.replace(path)
    except (OSError, ValueError):
        return None
    return path
