"""Pictures that belong to a photo: of its size, and upright as it is."""

from pathlib import Path

import numpy as np

from gdp_lite.files import pixels
from gdp_lite.files.decoding import Decoded
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

    found = decode(bytes_of(path), name, check)
    if found.notes and "ends early" in found.notes[0]:
        raise PhotoError(f"{name} is damaged: {found.notes[0]}")
    found.array = _turned(found.array, found.orientation, photo)
    if found.array.shape[:2] != (height, width):
        raise _wrong_size(name, what, found.array.shape[1::-1], (width, height))
    if found.alpha is not None:
        found.alpha = _turned(found.alpha, found.orientation, photo)
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
