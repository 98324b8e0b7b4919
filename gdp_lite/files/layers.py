"""Pictures that belong to a photo: of its size or of its shape, and upright as it is."""

from pathlib import Path

import numpy as np

from gdp_lite.files import pixels
from gdp_lite.files.decoding import Decoded
from gdp_lite.files.kinds import kind_of
from gdp_lite.files.photo import Photo, PhotoError
from gdp_lite.files.reading import bytes_of, decode, name_of


def read_layer(path: str | Path | bytes, photo: Photo, what: str) -> Decoded:
    """Read a picture that lies over a photo.

    Parameters
    ----------
    path : a picture of the photo's size as a viewer shows it (upright); one of the photo as stored
        on disk is turned like the photo. Or its bytes.
    photo : the photo.
    what : it is, for messages: "mask".

    Returns
    -------
    What was decoded, its pixels and its alpha upright.

    Raises
    ------
    PhotoError : for another size, and for what cannot be read whole.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (6, 4)).save(f"{folder}/mask.png")
    ...     read_layer(f"{folder}/mask.png", Photo(torch.zeros(1, 3, 4, 6)), "mask").array.shape
    (4, 6, 1)
    """
    name = name_of(path)
    height, width = photo.image.shape[-2:]

    def check(*size: int) -> None:  # before anything is decoded: it may be huge
        if sorted(size) != sorted((width, height)):
            raise _wrong_size(name, what, size, (width, height))

    found = _whole(decode(bytes_of(path), name, check), name)
    found.array = _turned(found.array, found.orientation, photo)
    if found.array.shape[:2] != (height, width):
        raise _wrong_size(name, what, found.array.shape[1::-1], (width, height))
    if found.alpha is not None:
        found.alpha = _turned(found.alpha, found.orientation, photo)
    return found


PAINTED = "what was painted"  # what messages call it: it has no file


def read_painted(data: bytes, photo: Photo) -> Decoded:
    """Read a layer that was painted over a photo on a screen, where it may be shown smaller.

    Parameters
    ----------
    data : a PNG of the photo's shape, upright and no larger; transparent where nothing is painted.
    photo : the photo.

    Returns
    -------
    What was decoded, made as large as the photo: each pixel is the layer's nearest, so that no
    colours are mixed. Its alpha is there.

    Raises
    ------
    PhotoError : for what is no such PNG, and where nothing is painted.

    Examples
    --------
    >>> import io
    >>> import torch
    >>> from PIL import Image
    >>> layer, file = Image.new("RGBA", (3, 2)), io.BytesIO()
    >>> layer.putpixel((2, 0), (255, 0, 0, 255))
    >>> layer.save(file, "PNG")
    >>> read_painted(file.getvalue(), Photo(torch.zeros(1, 3, 4, 6))).alpha[0].tolist()
    [0, 0, 0, 0, 255, 255]
    """
    height, width = photo.image.shape[-2:]

    def check(*size: int) -> None:
        shrink = max(size) / max(width, height)
        off = max(abs(size[0] - shrink * width), abs(size[1] - shrink * height))
        if off >= 1 or shrink > 1:  # a side is a whole number
            raise PhotoError(
                f"{PAINTED} is {size[0]} x {size[1]}: it must have the shape of the photo, "
                f"{width} x {height}, and be no larger"
            )

    if kind_of(data) != "PNG":
        raise PhotoError(f"{PAINTED} is no PNG picture")
    found = _whole(decode(data, PAINTED, check), PAINTED)
    if found.alpha is None:
        raise PhotoError(f"{PAINTED} has no transparency: it would cover the whole photo")
    if not opaque(found.alpha).any():
        raise PhotoError("nothing is painted")
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int)
        for n, m in zip((height, width), found.alpha.shape, strict=True)
    )
    found.array, found.alpha = (a[rows[:, None], columns] for a in (found.array, found.alpha))
    return found


def opaque(alpha: np.ndarray) -> np.ndarray:
    """Where an alpha counts as painted: from a half on.

    Examples
    --------
    >>> opaque(np.array([0, 127, 128, 255], np.uint8)).tolist()
    [False, False, True, True]
    """
    return alpha >= np.iinfo(alpha.dtype).max / 2


def _whole(found: Decoded, name: str) -> Decoded:
    if found.notes and "ends early" in found.notes[0]:
        raise PhotoError(f"{name} is damaged: {found.notes[0]}")
    return found


def _turned(array: np.ndarray, orientation: int, photo: Photo) -> np.ndarray:
    array = pixels.upright(array, orientation)
    if array.shape[:2] != photo.image.shape[-2:] and photo.orientation >= 5:
        return pixels.upright(array, photo.orientation)
    return array


def _wrong_size(name: str, what: str, size: tuple, wanted: tuple) -> PhotoError:
    return PhotoError(
        f"the {what} {name} is {size[0]} x {size[1]}, the photo {wanted[0]} x {wanted[1]}"
    )
