"""One function a format: from bytes to stored pixels and all metadata."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from gdp_lite.estimators.jpeg_tables import read_jpeg_tables
from gdp_lite.files import jpeg, metadata, pixels, png, tiff, trailer
from gdp_lite.files.photo import Origin, PhotoError

Check = Callable[[int, int], None]  # raises PhotoError for a width and height it refuses
# Pillow tells of damaged files through here; without a listener that would reach the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())
_FRAMES = {0xC3: "lossless JPEG", 0xC5: "hierarchical JPEG", 0xC6: "hierarchical JPEG"}
_BITS, _COMPRESSION = 258, 259


@dataclass
class Decoded:
    """Pixels as stored and what else a file says; see `Photo` and `Origin`.

    array : (H, W, 1 or 3), uint8 or uint16; alpha, black : (H, W) or None.
    """

    array: np.ndarray
    origin: Origin
    metadata: dict
    orientation: int = 1
    grey: bool = False
    lossy: bool = False
    alpha: np.ndarray | None = None
    black: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def decode_jpeg(data: bytes, name: str, check: Check) -> Decoded:
    """The first picture of a file, whatever stands behind it (MPO), also where its end misses."""
    found = jpeg.parse(data)
    if found.frame is None or b"\xff\xda" not in found.core:
        raise PhotoError(f"{name} is no readable JPEG picture: it ends before its pixels")
    marker, bits, height, width, _ = found.frame
    if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
        kind = _FRAMES.get(marker, "JPEG of a rare kind")
        raise PhotoError(f"{name} is a {kind}: save it as a plain one first")
    if bits != 8:
        raise PhotoError(f"{name} is a {bits}-bit JPEG: convert it to 8 bits first")
    check(width, height)
    notes = []
    if not found.whole:
        notes.append("the file ends early: what is missing of the picture is grey")
    if found.damaged:
        notes.append("bytes of the picture are damaged: it is read on behind them")
    block = jpeg.joined(found.extras, 0xE1, jpeg.EXIF)
    said = metadata.of_jpeg(found.extras)
    with JpegImageFile(io.BytesIO(found.core)) as picture:
        origin = Origin(
            "JPEG",
            found.extras,
            trailer=data[found.end :],
            trailer_at=found.end,
            index_at=trailer.index_at(found.extras, data),
            tables=[list(table) for table in picture.quantization.values()],
            progressive=bool(picture.info.get("progressive")),
            mode=picture.mode,
            whole=found.whole,
        )
        with contextlib.suppress(ValueError):  # CMYK, or an unusual subsampling
            origin.coded = read_jpeg_tables(io.BytesIO(found.core))
        array, alpha, black = _plain(picture, said.get("icc_profile"), notes)
    return Decoded(
        array, origin, said, tiff.orientation(block), origin.mode == "L", True, alpha, black, notes
    )


def decode_png(data: bytes, name: str, check: Check) -> Decoded:
    """Pillow sees the pixels' chunks alone: no text, however long or damaged, is in its way."""
    chunks, damaged = png.parse(data)
    width, height, bits, colour = png.header(chunks)
    check(width, height)
    if sum(kind == b"fcTL" for kind, _ in chunks) > 1:
        raise PhotoError(f"{name} is animated: save a single frame of it first")
    notes = [f"a damaged {kind.decode('latin-1')} chunk was left out" for kind in damaged]
    said, unread = metadata.of_png(chunks)
    kinds = [kind for kind, _ in chunks]
    for kind in {kinds[number] for number in unread}:  # readers would stumble over it again
        what = "colour profile" if kind == b"iCCP" else "text"
        notes.append(f"a damaged or far too long {what} was left out")
    first = kinds.index(b"IDAT") if b"IDAT" in kinds else len(kinds)
    kept = [
        (k, c, i < first)
        for i, (k, c) in enumerate(chunks)
        if k not in png.STRUCTURE and i not in unread
    ]
    origin = Origin("PNG", chunks=kept, mode="P" if colour == 3 else f"{bits}-bit, kind {colour}")
    try:
        array, alpha = _png_pixels(chunks, bits, colour, notes)
    except (OSError, SyntaxError, ValueError):  # as far as they go, like viewers
        array, alpha = _png_pixels(png.completed(chunks), bits, colour, notes)
        notes.insert(0, "the file ends early: what is missing of the picture is black")
        origin.whole = False
    turned = tiff.orientation(said.get("exif", b"").removeprefix(jpeg.EXIF))
    return Decoded(array, origin, said, turned, array.shape[2] == 1, alpha=alpha, notes=notes)


def _png_pixels(
    chunks: list[tuple[bytes, bytes]], bits: int, colour: int, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """(pixels, transparency) of a PNG, 8 or 16 bits."""
    if bits < 16:
        with Image.open(io.BytesIO(png.pixels_alone(chunks)), formats=("PNG",)) as picture:
            return _plain(picture, None, notes)[:2]
    array = _deep_png(chunks, colour)
    if colour in (4, 6):
        return array[..., :-1], array[..., -1]
    key = dict(chunks).get(b"tRNS", b"")
    if len(key) != 2 * array.shape[2]:
        return array, None
    clear = (array == np.frombuffer(key, ">u2")).all(2)
    return array, np.where(clear, 0, 65535).astype(np.uint16)


def _deep_png(chunks: list[tuple[bytes, bytes]], colour: int) -> np.ndarray:
    if colour == 4:
        with Image.open(io.BytesIO(png.pixels_alone(chunks, True)), formats=("PNG",)) as picture:
            return np.asarray(picture).copy().view(">u2").astype(np.uint16)
    array = pixels.deep_pixels(png.pixels_alone(chunks), "PNG")
    if array is None:
        raise png.Damaged("its kind of pixels is unknown")
    return array


def decode_webp(data: bytes, name: str, check: Check) -> Decoded:
    """WebP, lossy or not."""
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as picture:
        check(*picture.size)
        if getattr(picture, "is_animated", False):
            raise PhotoError(f"{name} is animated: save a single frame of it first")
        found = _by_pillow(picture, "WEBP")
        names = metadata.webp_chunks(data)
        found.lossy = b"VP8L" not in names
        known = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP "}
        unknown = sorted(
            {n.decode("latin-1").strip() for n in names} - {k.decode().strip() for k in known}
        )
        if unknown:
            found.notes.append(f"what the file holds as {', '.join(unknown)[:80]} is not kept")
        return found


def decode_avif(data: bytes, name: str, check: Check) -> Decoded:
    """AVIF, whose own turns Pillow tells as EXIF's orientation."""
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as picture:
        check(*picture.size)
        if getattr(picture, "is_animated", False):
            raise PhotoError(f"{name} is animated: save a single frame of it first")
        found = _by_pillow(picture, "AVIF")
        found.lossy = True
        at = data.find(b"av1C")
        if 0 <= at < len(data) - 6 and data[at + 6] & 0x40:
            found.notes.append("the file has more than 8 bits a value: 8 are read")
        return found


def decode_heif(data: bytes, name: str, check: Check) -> Decoded:
    """HEIC, by pillow-heif, which turns it upright."""
    with Image.open(io.BytesIO(data), formats=("HEIF",)) as picture:
        check(*picture.size)
        found = _by_pillow(picture, "HEIF")
        found.lossy = True
        found.notes.append("only the picture, EXIF, XMP and profile of the HEIC file are kept")
        return found


def decode_tiff(data: bytes, name: str, check: Check) -> Decoded:
    """The first page of a TIFF, 8 or 16 bits; Pillow turns it upright."""
    with _silent(), TiffImageFile(io.BytesIO(data)) as picture:
        check(*picture.size)
        tags = dict(picture.tag_v2)
        bits = tags.get(_BITS, (1,))
        bits = max(bits) if isinstance(bits, tuple) else bits
        kinds = {"F": "32-bit", "I": "32-bit", "LAB": "Lab"}
        if picture.mode in kinds or bits not in (1, 2, 4, 8, 16):
            kind = kinds.get(picture.mode, f"{bits}-bit")
            raise PhotoError(f"{name} is a {kind} TIFF: convert it to 8 or 16 bits of RGB first")
        pages, deep = getattr(picture, "n_frames", 1), pixels.is_deep(picture)
        if not deep:
            picture.load()  # turns it by the orientation that `of_tiff` makes 1
        said, notes = metadata.of_tiff(picture)
        if pages > 1:
            notes.append("only the first page of the TIFF is read and kept")
        origin = Origin("TIFF", mode=picture.mode)
        alpha = black = None
        if deep:
            array = pixels.deep_pixels(data, "TIFF")
            if array is None:
                raise PhotoError(f"{name} is a 16-bit {picture.mode} TIFF of a rare kind")
            if tags.get(262) == 0 and array.shape[2] == 1:  # white is zero
                array = 65535 - array
            if array.shape[2] == 4:
                array, alpha = array[..., :3], array[..., 3]
        else:
            array, alpha, black = _plain(picture, said.get("icc_profile"), notes)
    lossy = tags.get(_COMPRESSION) in (6, 7)
    return Decoded(array, origin, said, 1, array.shape[2] == 1, lossy, alpha, black, notes)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """libtiff tells of damaged files on the process's standard error; here nobody listens."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _by_pillow(picture: Image.Image, kind: str) -> Decoded:
    """What Pillow itself knows of a file."""
    notes: list[str] = []
    said = metadata.of_info(picture.info)
    array, alpha, _ = _plain(picture, None, notes)
    turned = tiff.orientation(said.get("exif", b"").removeprefix(jpeg.EXIF))
    return Decoded(array, Origin(kind), said, turned, alpha=alpha, notes=notes)


def _plain(
    picture: Image.Image, profile: bytes | None, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """(pixels with one or three channels, transparency, black) of a picture with 8 bits."""
    picture.load()
    if picture.mode == "CMYK":
        if pixels.space_of(profile) == "CMYK":
            try:
                return np.asarray(pixels.through(picture, profile, None, "RGB")), None, None
            except ValueError as error:
                notes.append(f"{error}: read by the plain formula")
        cmyk = np.asarray(picture)
        return pixels.from_cmyk(cmyk), None, cmyk[..., 3]
    grey = picture.mode in ("L", "1", "LA", "La")
    if picture.has_transparency_data:
        both = np.asarray(picture.convert("RGBA"))
        return both[..., : 1 if grey else 3], both[..., 3], None
    if grey:
        return np.asarray(picture.convert("L"))[..., None], None, None
    return np.asarray(picture.convert("RGB")), None, None
