"""Masks: pictures that say which pixels are to be replaced."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gdp_lite.files import pixels
from gdp_lite.files.layers import opaque, read_layer, read_painted
from gdp_lite.files.photo import Photo, PhotoError
from gdp_lite.files.reading import name_of

# What a mask's edges may hold of neither black nor white, since soft brushes and JPEG blur them. Of
# 210 photos (Kodak's and those of validation) one has less than that between these numbers, the
# next 15%, Kodak's from 44% up (benchmarks/package_constants.py).
BLACK, WHITE, BETWEEN = 48, 207, 0.1


def read_mask(path: str | Path | bytes, photo: Photo) -> Tensor:
    """Read a mask for a photo: white where pixels are to be replaced.

    Parameters
    ----------
    path : a picture of the photo's size as a viewer shows it (upright); one of the photo as stored
        on disk is turned like the photo. Or its bytes.
    photo : the photo.

    Returns
    -------
    (H, W), 1 = kept, 0 = to be replaced.

    Raises
    ------
    PhotoError : for another size, a mask that is all black or all white, and what is no mask.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     picture = Image.new("L", (6, 4))
    ...     picture.putpixel((5, 0), 255)
    ...     picture.save(f"{folder}/mask.png")
    ...     mask = read_mask(f"{folder}/mask.png", Photo(torch.zeros(1, 3, 4, 6)))
    >>> mask[0]
    tensor([1., 1., 1., 1., 1., 0.])
    """
    name, found = name_of(path), read_layer(path, photo, "mask")
    if found.alpha is not None and found.alpha.min() < np.iinfo(found.alpha.dtype).max:
        raise PhotoError(f"the mask {name} has transparency: flatten it first")
    values = pixels.from_tensor(pixels.to_tensor(found.array), 8)
    between = (values > BLACK).any(2) & (values < WHITE).any(2)
    if between.mean() > BETWEEN:
        raise PhotoError(
            f"{name} is no mask: {100 * between.mean():.0f}% of it are neither black nor white"
        )
    return _kept(values.max(2) >= 128, name)


def read_painted_mask(data: bytes, photo: Photo) -> Tensor:
    """A mask of what a person painted over a photo on a screen.

    Parameters
    ----------
    data : a layer, see `read_painted`; opaque where pixels are to be replaced.
    photo : the photo.

    Returns
    -------
    (H, W), 1 = kept, 0 = to be replaced.

    Raises
    ------
    PhotoError : for what is no such layer, and one that covers everything.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> layer, file = Image.new("RGBA", (3, 2)), io.BytesIO()
    >>> layer.putpixel((2, 0), (255, 0, 0, 255))
    >>> layer.save(file, "PNG")
    >>> read_painted_mask(file.getvalue(), Photo(torch.zeros(1, 3, 4, 6)))[0]
    tensor([1., 1., 1., 1., 0., 0.])
    """
    alpha = read_painted(data, photo).alpha
    assert alpha is not None
    return _kept(opaque(alpha), "that was painted")


def _kept(white: np.ndarray, name: str) -> Tensor:
    """(H, W), 0 where it is white."""
    keep = torch.from_numpy(np.ascontiguousarray(~white)).float()
    if bool(keep.all()):
        raise PhotoError(f"the mask {name} is black everywhere: white marks what to replace")
    if not bool(keep.any()):
        raise PhotoError(f"the mask {name} is white everywhere: nothing of the photo would be left")
    return keep
