"""Photos in and out: pixels upright, everything else about the file kept as it was.

`read_photo` turns the picture upright for processing; `write_photo` turns it back and
writes the original EXIF block byte for byte, so width, height and the orientation tag on
disk, and with them what a viewer shows, are those of the original.
"""

import contextlib
import io
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from gdp_lite.image import from_uint8, to_uint8

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
_WRITERS: dict[str, tuple[str, dict]] = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 95}),
}
_METADATA = {  # what each format can hold
    "JPEG": {"exif", "icc_profile", "xmp", "dpi", "comment"},
    "PNG": {"exif", "icc_profile", "xmp", "dpi"},
    "WEBP": {"exif", "icc_profile", "xmp"},
}
_EXIF_PREFIX = b"Exif\0\0"  # JPEG needs it; the others' plugins take it away where it has to go


class PhotoError(ValueError):
    """A file that cannot be read, used or written; the message is one line for the user.

    Examples
    --------
    >>> try:
    ...     read_photo("nowhere.jpg")
    ... except PhotoError as error:
    ...     print(error)
    nowhere.jpg does not exist
    """


@dataclass
class Photo:
    """An upright picture and what else its file said.

    Parameters
    ----------
    image : (1, 3, H, W) float32 in [0, 1], as encoded (no colour profile is applied).
    orientation : the EXIF tag, 1..8.
    grey : whether the file had a single channel.
    metadata : keyword arguments for Pillow's ``save``: exif, icc_profile, xmp, dpi, comment.
    lossy : whether its format is one that may lose detail, JPEG or WebP.

    Examples
    --------
    >>> Photo(torch.zeros(1, 3, 4, 6)).orientation
    1
    """

    image: Tensor
    orientation: int = 1
    grey: bool = False
    metadata: dict = field(default_factory=dict)
    lossy: bool = False


def read_photo(path: str | Path, max_pixels: int | None = None) -> Photo:
    """Read a photo, upright.

    Parameters
    ----------
    path : a JPEG, PNG or WebP.
    max_pixels : refuse larger ones before decoding them.

    Returns
    -------
    A `Photo`.

    Raises
    ------
    PhotoError : for anything that is no plain photo; the message is one line for the user.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (6, 4), 51).save(f"{folder}/grey.png")
    ...     photo = read_photo(f"{folder}/grey.png")
    >>> photo.image.shape, photo.grey, round(float(photo.image.mean()), 2)
    (torch.Size([1, 3, 4, 6]), True, 0.2)
    """
    with _open(path) as picture:
        width, height = picture.size
        if max_pixels and width * height > max_pixels:
            raise PhotoError(
                f"{path} has {width * height / 1e6:.1f} megapixels ({width} x {height}); "
                f"at most {max_pixels / 1e6:.1f} are supported for now: crop it or scale it down"
            )
        rgb = _decode(picture, path, "RGB")
        metadata = _metadata(picture.info)  # after decoding: a PNG may hold EXIF at its end
        grey, lossy = picture.mode in ("L", "1", "LA"), picture.format != "PNG"
    orientation = _orientation(metadata)
    return Photo(
        from_uint8(np.asarray(_turn_upright(rgb, orientation))), orientation, grey, metadata, lossy
    )


def read_mask(path: str | Path, photo: Photo) -> Tensor:
    """Read a mask for a photo: white where pixels are to be replaced.

    Parameters
    ----------
    path : a JPEG, PNG or WebP of the photo's size as a viewer shows it (upright); a picture of
        the photo as stored on disk is turned like the photo.
    photo : the photo.

    Returns
    -------
    (H, W), 1 = kept, 0 = to be replaced.

    Raises
    ------
    PhotoError : for another size, and a mask that is all black or all white.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     picture = Image.new("L", (6, 4))
    ...     picture.putpixel((5, 0), 255)
    ...     picture.save(f"{folder}/mask.png")
    ...     mask = read_mask(f"{folder}/mask.png", Photo(torch.zeros(1, 3, 4, 6)))
    >>> mask[0]
    tensor([1., 1., 1., 1., 1., 0.])
    """
    height, width = photo.image.shape[-2:]
    with _open(path) as picture:
        if sorted(picture.size) != sorted((width, height)):  # before decoding: it may be huge
            raise _wrong_size(path, picture.size, (width, height))
        mask = _decode(picture, path, "L")
        mask = _turn_upright(mask, _orientation(_metadata(picture.info)))
    if mask.size != (width, height) and photo.orientation >= 5:
        mask = _turn_upright(mask, photo.orientation)
    if mask.size != (width, height):
        raise _wrong_size(path, mask.size, (width, height))
    keep = torch.from_numpy(np.asarray(mask) < 128).float()
    if bool(keep.all()):
        raise PhotoError(f"the mask {path} is black everywhere: white marks what to replace")
    if not bool(keep.any()):
        raise PhotoError(f"the mask {path} is white everywhere: nothing of the photo would be left")
    return keep


def check_output(
    path: str | Path, source: str | Path, overwrite: bool = False, photo: Photo | None = None
) -> None:
    """Whether a photo can be written there. Call before the work.

    Parameters
    ----------
    path : the file to be written.
    source : the file that was read.
    overwrite : whether an existing file may be replaced.
    photo : what was read, to see whether the format at `path` can hold it too.

    Raises
    ------
    PhotoError : where `path` cannot or must not be written.

    Examples
    --------
    >>> check_output("restored.jpg", "photo.jpg")
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise PhotoError(f"{path}: the output must end in one of {known}")
    if not path.parent.is_dir():
        raise PhotoError(f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise PhotoError(f"{path} is a folder")
    if os.path.lexists(path) and not overwrite:  # also a link that points nowhere
        same = path.exists() and os.path.samefile(path, source)
        what = "is the input itself" if same else "exists already"
        raise PhotoError(f"{path} {what}; give another name, or --overwrite to replace it")
    if not os.access(path.parent, os.W_OK):
        raise PhotoError(f"the folder {path.parent} is not writable")
    if photo is not None:
        _encode(path, photo.image, photo)


def write_photo(path: str | Path, image: Tensor, photo: Photo) -> None:
    """Write an image the way a photo was: turned back, same metadata.

    The file appears only when it is complete.

    Parameters
    ----------
    path : ends in .jpg, .jpeg, .png or .webp, which says the format.
    image : (1, 3, H, W), display range; clipped and rounded to 8 bits.
    photo : what `read_photo` gave; ValueError where the image has another size.

    Raises
    ------
    PhotoError : where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> image = torch.full((1, 3, 4, 6), 0.2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_photo(f"{folder}/dark.png", image, Photo(image, orientation=6))
    ...     Image.open(f"{folder}/dark.png").size  # as stored on disk
    (4, 6)
    """
    if image.shape != photo.image.shape:
        raise ValueError(f"{tuple(image.shape)} is not the photo's {tuple(photo.image.shape)}")
    path = Path(path)
    data = _encode(path, image, photo)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise PhotoError(f"{path} could not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _open(path: str | Path) -> Image.Image:
    """The picture at `path`, its size known but not yet decoded."""
    try:
        return Image.open(path, formats=("JPEG", "PNG", "WEBP"))
    except FileNotFoundError as error:
        raise PhotoError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{path} is a folder, not a picture") from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise PhotoError(f"{path} has more than {limit:.0f} megapixels: scale it down") from error
    except Exception as error:  # Pillow raises almost anything where a file's head is damaged
        raise PhotoError(f"{path} is no readable JPEG, PNG or WebP picture") from error


def _decode(picture: Image.Image, path: str | Path, mode: str) -> Image.Image:
    """The pixels of an opened picture in `mode`, for pictures that lose nothing by that."""
    if picture.mode == "CMYK" or any(";16" in str(tile) for tile in getattr(picture, "tile", ())):
        kind = "CMYK" if picture.mode == "CMYK" else "16-bit"
        raise PhotoError(f"{path} is a {kind} picture: convert it to 8-bit RGB first")
    if getattr(picture, "is_animated", False) and picture.format != "MPO":
        raise PhotoError(f"{path} is animated: save a single frame of it first")
    try:
        picture.load()
        clear = picture.has_transparency_data and _least_alpha(picture) < 255
        pixels = picture.convert(mode)
    except Exception as error:  # as above, where the data are damaged or cut short
        raise PhotoError(f"{path} is damaged: {error}") from error
    if clear:
        raise PhotoError(f"{path} has transparency, which would be lost: flatten it first")
    return pixels


def _least_alpha(picture: Image.Image) -> float:
    return np.asarray(picture.convert("RGBA").getchannel("A")).min()


def _metadata(info: dict) -> dict:
    """What Pillow's `info` says besides the pixels, as keyword arguments for ``save``."""
    if "exif" not in info and "Raw profile type exif" in info:  # PNGs by GIMP and ImageMagick
        with contextlib.suppress(ValueError):  # no hexadecimal number
            text = "".join(info["Raw profile type exif"].split("\n")[3:])
            info = {**info, "exif": bytes.fromhex(text)}
    blocks = ("exif", "icc_profile", "xmp", "comment")
    metadata = {k: info[k] for k in blocks if isinstance(info.get(k), bytes)}
    if "exif" in metadata:
        metadata["exif"] = _EXIF_PREFIX + metadata["exif"].removeprefix(_EXIF_PREFIX)
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and all(1 <= number < 65536 for number in dpi):
        metadata["dpi"] = dpi
    return metadata


def _orientation(metadata: dict) -> int:
    """The EXIF orientation, 1..8; 1 where there is none that can be read."""
    tags = Image.Exif()
    try:
        tags.load(metadata.get("exif", b""))
        orientation = tags.get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken block says nothing to a viewer either; it is kept as it is
        return 1
    return int(orientation) if orientation in range(1, 9) else 1


def _turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    return picture.transpose(_UPRIGHT[orientation][0]) if orientation != 1 else picture


def _wrong_size(path: str | Path, size: tuple, wanted: tuple) -> PhotoError:
    return PhotoError(
        f"the mask {path} is {size[0]} x {size[1]}, the photo {wanted[0]} x {wanted[1]}"
    )


def _encode(path: Path, image: Tensor, photo: Photo) -> bytes:
    """The bytes of the file that `write_photo` writes; the format follows from path's name."""
    picture = Image.fromarray(to_uint8(image))
    if photo.grey:
        picture = picture.convert("L")
    if photo.orientation != 1:
        picture = picture.transpose(_UPRIGHT[photo.orientation][1])
    kind, options = _WRITERS[path.suffix.lower()]
    metadata = {k: v for k, v in photo.metadata.items() if k in _METADATA[kind]}
    if kind == "PNG" and "xmp" in metadata:  # for which Pillow's writer has no argument
        metadata["pnginfo"] = PngImagePlugin.PngInfo()
        metadata["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.pop("xmp"))
    file = io.BytesIO()
    try:
        picture.save(file, kind, **options, **metadata)
    except (OSError, ValueError) as error:  # too many pixels a side, or too long a block
        raise PhotoError(f"{path}: {kind} cannot hold this photo: {error}") from error
    return file.getvalue()
