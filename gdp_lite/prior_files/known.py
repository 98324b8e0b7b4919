"""The priors that are known by name: what they were trained on, and where they lie on this machine.

A name is a hub id or the stem of OpenAI's file. Sizes and licences are those of the pages that
offer them (of ImageNet-64 the size is its weights', by their shapes). A checksum stands here where
it is known, and is compared after a download.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BUNDLED = Path(__file__).parents[1] / "models" / "photo-patches"
_OPENAI = "https://openaipublic.blob.core.windows.net/diffusion"


HUB_ID = re.compile(r"(?!\.)[\w.-]+/[\w.-]+")


class Known(NamedTuple):
    """A row of `KNOWN`.

    Parameters
    ----------
    name : what `load_prior` takes.
    photos : what it was trained on.
    side : its native size, pixels; 0 where it takes any.
    megabytes : of the download.
    licence : of the weights.
    url : of OpenAI's file; empty where the name is a hub id.
    sha256 : of that file; empty where it is not known.

    Examples
    --------
    >>> KNOWN["256x256_diffusion_uncond"].side
    256
    """

    name: str
    photos: str
    side: int
    megabytes: int
    licence: str
    url: str = ""
    sha256: str = ""


_ROWS = (
    Known("bundled", "photo patches (see its model card)", 0, 22, "MIT"),
    Known("google/ddpm-cifar10-32", "CIFAR-10", 32, 143, "Apache-2.0"),
    Known("google/ddpm-celebahq-256", "CelebA-HQ faces", 256, 455, "Apache-2.0"),
    Known("google/ddpm-ema-church-256", "LSUN churches", 256, 455, "Apache-2.0"),
    Known("google/ddpm-ema-bedroom-256", "LSUN bedrooms", 256, 455, "Apache-2.0"),
    Known(
        *("256x256_diffusion_uncond", "ImageNet", 256, 2211, "MIT, for research"),
        f"{_OPENAI}/jul-2021/256x256_diffusion_uncond.pt",
        "a37c32fffd316cd494cf3f35b339936debdc1576dad13fe57c42399a5dbc78b1",
    ),
    Known(
        *("imagenet64_uncond_100M_1500K", "ImageNet", 64, 484, "MIT"),
        f"{_OPENAI}/march-2021/imagenet64_uncond_100M_1500K.pt",
    ),
)
KNOWN = {row.name: row for row in _ROWS}


def cache() -> Path:
    """Where converted priors lie: ``$GDP_LITE_CACHE``, else ``gdp-lite`` in the user's cache."""
    if place := os.environ.get("GDP_LITE_CACHE"):
        return Path(place) / "priors"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gdp-lite" / "priors"


def converted(stem: str) -> Iterator[Path]:
    """The cached folders that were made from a file of that stem, the newest first."""
    folders = [path for path in cache().glob(f"{stem}-*") if (path / "gdp_lite.json").is_file()]
    yield from sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


def place_of(name: str) -> Path | None:
    """The folder where a prior of that name lies on this machine; None where it does not.

    Examples
    --------
    >>> place_of("bundled").name, place_of("nobody/nothing")
    ('photo-patches', None)
    """
    if name == "bundled":
        return BUNDLED
    if name in KNOWN and KNOWN[name].url:
        return next(converted(name), None)
    if not HUB_ID.fullmatch(name):
        return None
    from huggingface_hub import try_to_load_from_cache

    for file in ("unet/config.json", "config.json"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str) and has_weights(Path(found).parent):
            return Path(found).parents[file.count("/")]
    return None


def has_weights(folder: Path) -> bool:
    """Whether a network's weights lie in a folder."""
    return any(path.suffix in (".safetensors", ".bin") for path in folder.glob("*"))
