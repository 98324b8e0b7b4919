"""Pixels between Pillow and tensors: turned, 8 or 16 bits, transparency and black beside them."""

import io

import numpy as np
import torch
from PIL import Image, ImageCms
from torch import Tensor

from gdp_lite.image import LUMA

_BAND = 256  # rows that are converted at once, so that memory stays near what the result takes
# EXIF orientation -> what turns the stored picture upright: (swap axes, flip rows, flip columns).
TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, ...) as stored -> as shown; a view.

    Examples
    --------
    >>> upright(np.array([[1, 2, 3]]), 6)
    array([[1],
           [2],
           [3]])
    """
    swap, rows, columns = TURNS[orientation]
    array = array.swapaxes(0, 1) if swap else array
    array = array[::-1] if rows else array
    return array[:, ::-1] if columns else array


def stored(array: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, ...) as shown -> as stored; a view."""
    swap, rows, columns = TURNS[orientation]
    array = array[:, ::-1] if columns else array
    array = array[::-1] if rows else array
    return array.swapaxes(0, 1) if swap else array


def to_tensor(array: np.ndarray) -> Tensor:
    """(H, W, 1 or 3) uint8 or uint16 -> (1, 3, H, W) float32 in [0, 1]."""
    height, width, channels = array.shape
    most = float(np.iinfo(array.dtype).max)
    result = torch.empty(1, 3, height, width)
    into = result.numpy()
    for top in range(0, height, _BAND):
        band = array[top : top + _BAND].astype(np.float32) / np.float32(most)
        for channel in range(3):
            into[0, channel, top : top + _BAND] = band[..., min(channel, channels - 1)]
    return result


def from_tensor(image: Tensor, bits: int, grey: bool = False) -> np.ndarray:
    """(1, 3, H, W) or (1, 1, H, W) -> (H, W, channels) uint8 or uint16: clipped and rounded.

    grey : the three channels weighed into one, as Pillow does it (ITU-R BT.601).
    """
    _, channels, height, width = image.shape
    kind, most = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    result = np.empty((height, width, 1 if grey else channels), kind)
    weights = torch.tensor(LUMA).view(3, 1, 1)
    for top in range(0, height, _BAND):
        band = image[0, :, top : top + _BAND].detach().cpu().float().clamp(0, 1)
        if grey and channels == 3:
            same = bool((band == band[:1]).all())  # then weighing would only round
            band = band[:1] if same else (weights * band).sum(0, keepdim=True)
        rounded = (band * most).round().permute(1, 2, 0).numpy()
        result[top : top + _BAND] = rounded.astype(kind)
    return result


def picture_of(array: np.ndarray) -> Image.Image:
    """(H, W, 1 to 4) uint8 -> a picture: L, LA, RGB or RGBA."""
    array = np.ascontiguousarray(array)
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def is_deep(picture: Image.Image) -> bool:
    """Whether an opened picture has 16 bits a value, which Pillow would cut to 8 (but for grey)."""
    return picture.mode.startswith("I;16") or any(";16" in raw_mode(t) for t in tiles(picture))


def tiles(picture: Image.Image) -> list:
    """How Pillow is about to decode."""
    return list(getattr(picture, "tile", ()))


def raw_mode(tile: tuple) -> str:
    """Pillow's word for the bytes of one tile."""
    arguments = tile[3]
    return str(arguments if isinstance(arguments, str) else (arguments or ("",))[0])


def deep_pixels(data: bytes, kind: str) -> np.ndarray | None:
    """(H, W, channels) uint16 of a file with 16 bits a value; None where that is not known how.

    Pillow has unpackers for either order of bytes that keep the high byte alone. The wrong one
    for a file gives its low bytes.
    """
    halves = []
    for low in (False, True):
        with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
            names = {raw_mode(tile) for tile in tiles(picture)}
            if picture.mode.startswith("I;16"):
                return np.asarray(picture).astype(np.uint16)[..., None]
            if len(names) != 1 or picture.mode not in ("RGB", "RGBA"):
                return None
            name = names.pop()
            if name[:-1] not in ("RGB;16", "RGBA;16"):
                return None
            if low:
                other = name[:-1] + ("L" if name[-1] == "B" else "B")  # N is L on our machines
                picture.tile = [
                    tile._replace(args=_renamed(tile, other)) for tile in tiles(picture)
                ]
            halves.append(np.asarray(picture).astype(np.uint16))
    return halves[0] * 256 + halves[1]


def _renamed(tile: tuple, name: str) -> tuple | str:
    return name if isinstance(tile[3], str) else (name, *tile[3][1:])


# Colour profiles


def space_of(profile: bytes | None) -> str:
    """The colour space that a profile is for: L, RGB, CMYK; empty where it does not say."""
    word = bytes(profile or b"")[16:20]
    return {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}.get(word, "")


def through(
    picture: Image.Image, source: bytes | None, target: bytes | None, mode: str
) -> Image.Image:
    """A picture by way of two profiles, None for sRGB; ValueError where one is broken."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        one, other = (
            ImageCms.ImageCmsProfile(io.BytesIO(p)) if p else srgb for p in (source, target)
        )
        result = ImageCms.profileToProfile(picture, one, other, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise ValueError(f"the colour profile cannot be used: {error}") from error
    assert result is not None
    return result


def to_cmyk(rgb: np.ndarray, black: np.ndarray) -> np.ndarray:
    """(H, W, 3) and the photo's black (H, W), uint8 -> (H, W, 4), by the plain formula.

    rgb = (1 - cmy)(1 - black); black is less where the picture became brighter than it lets.
    """
    result = np.empty((*black.shape, 4), np.uint8)
    for top in range(0, len(rgb), _BAND):
        band = rgb[top : top + _BAND].astype(np.float32)
        least = 255 - band.max(2)
        plate = np.minimum(black[top : top + _BAND], least)
        white = np.maximum(255 - plate, 1)[..., None]
        result[top : top + _BAND, :, :3] = (255 - 255 * band / white).round().clip(0, 255)
        result[top : top + _BAND, :, 3] = plate
    return result


def from_cmyk(cmyk: np.ndarray) -> np.ndarray:
    """The other way, (H, W, 4) -> (H, W, 3)."""
    result = np.empty((*cmyk.shape[:2], 3), np.uint8)
    for top in range(0, len(cmyk), _BAND):
        ink = 255 - cmyk[top : top + _BAND].astype(np.float32)
        result[top : top + _BAND] = (ink[..., :3] * ink[..., 3:] / 255).round()
    return result
