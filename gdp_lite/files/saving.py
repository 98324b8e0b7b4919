"""Writing: a file is there whole or not at all, in the place and with the mode that it had."""

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

from torch import Tensor

from gdp_lite.files.encoding import check_size, encode, kind_for
from gdp_lite.files.photo import Photo, PhotoError


def check_output(
    path: str | Path, source: str | Path, overwrite: bool = False, photo: Photo | None = None
) -> None:
    """Whether a photo can be written there. Call before the work.

    Parameters
    ----------
    path : the file to be written; ``-`` for standard output.
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
    kind = kind_for(path, photo)
    if photo is not None:
        check_size(path, kind, photo)
    if str(path) == "-":
        return
    path = Path(path)
    if not path.parent.is_dir():
        raise PhotoError(f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise PhotoError(f"{path} is a folder")
    if os.path.lexists(path) and not overwrite:  # also a link that points nowhere
        same = path.exists() and Path(source).exists() and os.path.samefile(path, source)
        what = "is the input itself" if same else "exists already"
        raise PhotoError(f"{path} {what}; give another name, or --overwrite to replace it")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise PhotoError(f"{path} is a link into a folder that does not exist")
    if not os.access(target.parent, os.W_OK):
        raise PhotoError(f"the folder {target.parent} is not writable")


def write_photo(
    path: str | Path,
    image: Tensor,
    photo: Photo,
    *,
    strip: bool = False,
    removed: bool = False,
    colour: bool = False,
) -> list[str]:
    """Write an image the way a photo was: seen the same way up, same metadata.

    The file appears only when it is complete; one that is replaced gives it its mode, and a link
    keeps pointing to it. A JPEG of a JPEG is stored turned as that was, anything else upright.

    Parameters
    ----------
    path : its ending says the format; ``-`` writes to standard output in the photo's own.
    image : (1, 3, H, W), display range; clipped and rounded to the photo's 8 or 16 bits.
    photo : what `read_photo` gave; ValueError where the image has another size.
    strip : leave out where the photo was taken.
    removed : something was taken out of the picture: leave out everything that still shows it.
    colour : the image is in colour though the photo was grey.

    Returns
    -------
    One line about everything that could not be kept.

    Raises
    ------
    PhotoError : where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> image = torch.full((1, 3, 4, 6), 0.2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     notes = write_photo(f"{folder}/dark.png", image, Photo(image, orientation=6))
    ...     Image.open(f"{folder}/dark.png").size, notes  # upright
    ((6, 4), [])
    """
    data, notes = encode_photo(path, image, photo, strip=strip, removed=removed, colour=colour)
    save_bytes(path, data)
    return notes


def encode_photo(
    path: str | Path,
    image: Tensor,
    photo: Photo,
    *,
    strip: bool = False,
    removed: bool = False,
    colour: bool = False,
) -> tuple[bytes, list[str]]:
    """The bytes that `write_photo` would write there, and a line about what they cannot keep."""
    if image.shape != photo.image.shape:
        raise ValueError(f"{tuple(image.shape)} is not the photo's {tuple(photo.image.shape)}")
    kind = kind_for(path, photo)
    check_size(path, kind, photo)
    try:
        return encode(image, photo, kind, strip=strip, removed=removed, colour=colour)
    except (OSError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split()) or "out of memory"
        raise PhotoError(f"{path}: {kind} cannot hold this photo: {reason}") from error


def save_bytes(path: str | Path, data: bytes) -> None:
    """Make a file of these bytes, whole or not at all; ``-`` for standard output.

    Parameters
    ----------
    path : a link is followed, a replaced file's mode is kept.
    data : all of the file.

    Raises
    ------
    PhotoError : where it cannot be written; then what stood there stands there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_bytes(f"{folder}/a", b"all")
    ...     os.listdir(folder)
    ['a']
    """
    try:
        if str(path) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        target = Path(os.path.realpath(path))
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with open(part, "xb") as file:
                file.write(data)
                if target.is_file():
                    os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
                file.flush()
                os.fsync(file.fileno())  # the bytes before the name, whatever the power does
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a folder cannot be synced everywhere
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise PhotoError(f"{path} could not be written: {error.strerror or error}") from error
