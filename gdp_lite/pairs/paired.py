"""Folders whose pictures are degraded already: which file is the clean one of which.

The LOL set has ``low`` and ``high`` with the same names in both; the exposure sets that NTIRE's
challenges and Afifi et al. 2021 use have several inputs of one scene, name_N1.5.jpg of name.jpg.
"""

import re
from pathlib import Path, PurePosixPath

# Of a folder of degraded pictures, lower case, the folders beside it that may hold the clean ones.
CLEAN = {
    "low": ("high", "normal", "gt"),
    "input": ("gt", "target", "reference", "high", "output"),
    "inputs": ("gts", "gt", "targets"),
    "input_images": ("gt_images", "expert_c_testing_set"),
    "lq": ("gt", "hq"),
    "over": ("normal", "gt"),
    "under": ("normal", "gt"),
    "degraded": ("clean",),
}


def paired(names: list[str]) -> dict[str, str]:
    """Of each degraded picture its clean one, or "" where there is none.

    names : of all pictures, with / between folders. Where no folder's name tells what it holds,
    all of them are degraded, and none has a clean one.

    Examples
    --------
    >>> paired(["low/1.png", "low/2.png", "high/1.png"])
    {'low/1.png': 'high/1.png', 'low/2.png': ''}
    """
    folders: dict[PurePosixPath, list[str]] = {}
    for name in names:
        folders.setdefault(PurePosixPath(name).parent, []).append(name)
    lower = {PurePosixPath(str(folder).lower()): folder for folder in folders}
    pairs: dict[str, str] = {}
    for folder, files in folders.items():
        for kind in CLEAN.get(folder.name.lower(), ()):
            beside = lower.get(PurePosixPath(str(folder.parent / kind).lower()))
            if beside is not None:
                clean = {PurePosixPath(name).stem.lower(): name for name in folders[beside]}
                pairs |= {n: _of(PurePosixPath(n).stem.lower(), clean) for n in files}
                break
    return dict(sorted(pairs.items())) or dict.fromkeys(sorted(names), "")


def _of(stem: str, clean: dict[str, str]) -> str:
    """By the same name, by a shorter one before an underscore, or by the same number."""
    part = stem
    while part:
        if part in clean:
            return clean[part]
        part = part.rpartition("_")[0]
    number = re.search(r"\d+$", stem)
    same = [] if number is None else [n for s, n in clean.items() if _number(s) == number[0]]
    return same[0] if len(same) == 1 else ""


def _number(stem: str) -> str:
    found = re.search(r"\d+$", stem)
    return found[0] if found else ""


def with_ending(name: str, of: str) -> str:
    """A name with the ending of another: what is copied bit for bit keeps its format."""
    return str(PurePosixPath(name).with_suffix(Path(of).suffix))
