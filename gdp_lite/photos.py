"""Photos in and out: pixels upright, everything else about the file kept as it was.

`read_photo` turns the picture upright for processing; `write_photo` turns it back and
writes the original EXIF block byte for byte, so width, height and the orientation tag on
disk, and with them what a viewer shows, are those of the original.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

# EXIF orientation -> what turns the stored picture upright, and what turns it back.
_UPRIGHT = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_LEFT_RIGHT),
    3: (Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_180),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_TOP_BOTTOM),
    5: (Image.Transpose.TRANSPOSE, Image.Transpose.TRANSPOSE),
    6: (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_90),
    7: (Image.Transpose.TRANSVERSE, Image.Transpose.TRANSVERSE),
    8: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
}
_ORIENTATION_TAG = 0x0112
_WRITERS = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 95}),
}
_METADATA = {  # what each format can hold
    "JPEG": {"exif", "icc_profile", "xmp", "dpi", "comment"},
    "PNG": {"exif", "icc_profile", "dpi"},
    "WEBP": {"exif", "icc_profile", "xmp"},
}


class PhotoError(ValueError):
    """A file that cannot be read, used or written; the message is one line for the user."""


@dataclass
class Photo:
    """An upright picture and what else its file said.

    image: (1, 3, H, W) float32 in [0, 1], as encoded (no colour profile is applied).
    orientation: the EXIF tag, 1..8. grey: whether the file had a single channel.
    metadata: keyword arguments for Pillow's ``save``: exif, icc_profile, xmp, dpi, comment.
    """

    image: torch.Tensor
    orientation: int = 1
    grey: bool = False
    metadata: dict = field(default_factory=dict)


def read_photo(path, max_pixels=None):
    """Read a photo, upright. Raises `PhotoError` for anything that is no plain photo.

    max_pixels: refuse larger ones before decoding them.
    """
    picture = _open(path)
    width, height = picture.size
    if max_pixels and width * height > max_pixels:
        raise PhotoError(
            f"{path} has {width * height / 1e6:.1f} megapixels ({width} x {height}); "
            f"at most {max_pixels / 1e6:.1f} are supported for now: crop it or scale it down"
        )
    if picture.mode in ("CMYK", "YCCK", "LAB") or picture.mode.startswith(("I", "F")):
        raise PhotoError(f"{path} is a {picture.mode} picture: convert it to 8-bit RGB first")
    if picture.has_transparency_data:
        raise PhotoError(f"{path} has transparency, which would be lost: flatten it first")
    info = picture.info
    metadata = {k: info[k] for k in ("exif", "icc_profile", "xmp", "dpi", "comment") if k in info}
    orientation = picture.getexif().get(_ORIENTATION_TAG, 1)
    orientation = orientation if orientation in _UPRIGHT else 1
    grey = picture.mode in ("L", "1", "LA")
    try:
        picture = picture.convert("RGB")
    except (OSError, SyntaxError) as error:  # a file cut short, or with damaged data
        raise PhotoError(f"{path} is damaged: {error}") from error
    if orientation != 1:
        picture = picture.transpose(_UPRIGHT[orientation][0])
    return Photo(_to_tensor(picture), orientation, grey, metadata)


def read_mask(path, photo):
    """Read a mask for `photo`: white where pixels are to be replaced. (H, W), 1 = kept.

    The mask has the photo's size as a viewer shows it (upright); a picture of the photo as
    stored on disk is turned like the photo. Anything else raises `PhotoError`.
    """
    picture = _open(path)
    orientation = picture.getexif().get(_ORIENTATION_TAG, 1)
    picture = picture.convert("L")
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation][0])
    height, width = photo.image.shape[-2:]
    if picture.size != (width, height) and picture.size == (height, width):
        if photo.orientation >= 5:
            picture = picture.transpose(_UPRIGHT[photo.orientation][0])
    if picture.size != (width, height):
        raise PhotoError(
            f"the mask {path} is {picture.width} x {picture.height}, the photo {width} x {height}"
        )
    keep = torch.from_numpy(np.asarray(picture) < 128).float()
    if bool(keep.all()):
        raise PhotoError(f"the mask {path} is black everywhere: white marks what to replace")
    if not bool(keep.any()):
        raise PhotoError(f"the mask {path} is white everywhere: nothing of the photo would be left")
    return keep


def check_output(path, source, overwrite=False):
    """Raise `PhotoError` where `path` cannot or must not be written. Call before the work."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise PhotoError(f"{path}: the output must end in one of {known}")
    if not path.parent.is_dir():
        raise PhotoError(f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise PhotoError(f"{path} is a folder")
    if path.exists() and not overwrite:
        what = "is the input itself" if os.path.samefile(path, source) else "exists already"
        raise PhotoError(f"{path} {what}; give another name, or --overwrite to replace it")
    if not os.access(path.parent, os.W_OK):
        raise PhotoError(f"the folder {path.parent} is not writable")


def write_photo(path, image, photo):
    """Write `image`, (1, 3, H, W) in [0, 1], the way `photo` was: turned back, same metadata.

    Values are clipped and rounded to 8 bits. The file appears only when it is complete.
    """
    if image.shape != photo.image.shape:
        raise ValueError(f"{tuple(image.shape)} is not the photo's {tuple(photo.image.shape)}")
    pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(pixels)
    if photo.grey:
        picture = picture.convert("L")
    if photo.orientation != 1:
        picture = picture.transpose(_UPRIGHT[photo.orientation][1])
    path = Path(path)
    kind, options = _WRITERS[path.suffix.lower()]
    metadata = {k: v for k, v in photo.metadata.items() if k in _METADATA[kind]}
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "wb") as file:
            picture.save(file, kind, **options, **metadata)
        os.replace(part, path)
    except OSError as error:
        raise PhotoError(f"{path} could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _open(path):
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise PhotoError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{path} is a folder, not a photo") from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read") from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path} is not a picture that can be read") from error


def _to_tensor(picture):
    array = np.asarray(picture, dtype=np.uint8)
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 255
