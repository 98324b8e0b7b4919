"""From a file to a `Photo`: by its true kind, its size looked at before its pixels are decoded."""

import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features

from gdp_lite.files import decoding, pixels
from gdp_lite.files.decoding import Decoded
from gdp_lite.files.kinds import READ, heif_works, kind_of
from gdp_lite.files.photo import Photo, PhotoError

MAX_BYTES = 1 << 30  # no photo of a phone has a tenth of that
LARGEST = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 27)  # pixels: 179 million, where Pillow ends too


def read_photo(
    path: str | Path | bytes,
    max_pixels: int | None = None,
    max_bytes: int = MAX_BYTES,
    name: str | None = None,
) -> Photo:
    """Read a photo, upright.

    Parameters
    ----------
    path : a JPEG, PNG, WebP, TIFF or AVIF, or a HEIC where pillow-heif is installed; ``-`` for
        standard input, or the file's bytes themselves.
    max_pixels : refuse larger ones before decoding them; without, 179 million are the limit.
    max_bytes : refuse larger files before reading them.
    name : what a message calls the file, by default its path.

    Returns
    -------
    A `Photo`; what could not be read or will not be kept stands in its ``notes``.

    Raises
    ------
    PhotoError : for anything that is no photo; the message is one line for the user.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (6, 4), 51).save(f"{folder}/grey.png")
    ...     photo = read_photo(f"{folder}/grey.png")
    >>> photo.image.shape, photo.grey, round(float(photo.image.mean()), 2)
    (torch.Size([1, 3, 4, 6]), True, 0.2)
    """
    name = name_of(path) if name is None else name
    data = bytes_of(path, max_bytes)
    found = decode(data, name, lambda *size: _check_size(name, size, max_pixels))
    array = pixels.upright(found.array, found.orientation)
    alpha = None
    if found.alpha is not None:
        turned = np.ascontiguousarray(pixels.upright(found.alpha, found.orientation))
        most = float(np.iinfo(turned.dtype).max)
        alpha = torch.from_numpy(turned.astype(np.float32)) / most
    if found.black is not None:
        plate = np.ascontiguousarray(pixels.upright(found.black, found.orientation))
        found.origin.black = torch.from_numpy(plate)
    return Photo(
        pixels.to_tensor(array),
        found.orientation,
        found.grey,
        found.metadata,
        found.lossy,
        alpha,
        8 * array.dtype.itemsize,
        found.notes,
        found.origin,
    )


def decode(data: bytes, name: str, check: Callable[[int, int], None]) -> Decoded:
    """The stored pixels of a file, and what else it says.

    check : called with width and height before pixels are decoded, to refuse some.

    Raises `PhotoError` alone, and no library says anything.
    """
    kind = kind_of(data)
    if kind == "HEIF" and not heif_works():
        raise PhotoError(f"{name} is a HEIC picture: `pip install pillow-heif` to read it")
    if kind == "AVIF" and not features.check("avif"):
        raise PhotoError(f"{name} is an AVIF picture, which this Pillow cannot read")
    if kind not in READ:
        if kind:
            raise PhotoError(f"{name} is {kind}; JPEG, PNG, WebP, TIFF, AVIF and HEIC are read")
        raise PhotoError(f"{name} is no readable JPEG, PNG, WebP, TIFF, AVIF or HEIC picture")
    how: Callable = getattr(decoding, f"decode_{kind.lower()}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata
            return how(data, name, check)
    except PhotoError:
        raise
    except Image.UnidentifiedImageError as error:
        raise PhotoError(f"{name} is no readable {kind} picture") from error
    except MemoryError as error:
        raise PhotoError(f"{name} is larger than the memory") from error
    except Exception as error:  # Pillow raises almost anything where a file is damaged
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(f"{name} is damaged: {reason[:200]}") from error


def _check_size(name: str, size: tuple[int, ...], most: int | None) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PhotoError(f"{name} is damaged: its size is {width} x {height}")
    if most and width * height > most:
        raise PhotoError(
            f"{name} has {width * height / 1e6:.1f} megapixels ({width} x {height}); "
            f"at most {most / 1e6:.1f} are supported for now: crop it or scale it down"
        )
    if width * height > LARGEST:
        raise PhotoError(f"{name} has more than {LARGEST / 1e6:.0f} megapixels: scale it down")


def name_of(path: str | Path | bytes) -> str:
    """What a message calls the file."""
    if isinstance(path, bytes):
        return "the picture"
    return "standard input" if str(path) == "-" else str(path)


def bytes_of(path: str | Path | bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """A file's content, or standard input's for ``-``; `PhotoError` where there is none."""
    name = name_of(path)
    try:
        if isinstance(path, bytes):
            data = path
        elif str(path) == "-":
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with open(path, "rb") as file:
                if stat.S_ISDIR(Path(path).stat().st_mode):
                    raise IsADirectoryError
                data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise PhotoError(f"{name} does not exist") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{name} is a folder, not a picture") from error
    except PermissionError as error:
        raise PhotoError(f"{name} may not be read") from error
    except (OSError, ValueError) as error:  # too long a name, a zero byte in it, a broken disk
        raise PhotoError(f"{name!r} cannot be read: {error}") from error
    if len(data) > max_bytes:
        raise PhotoError(f"{name} is longer than {max_bytes / 1e6:.0f} MB: that is no photo")
    return data
