"""A JPEG written: its segments as they were, in order, and what stands behind it."""

import io
import struct

import numpy as np
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from gdp_lite.files import iptc, jpeg, previews, renewing, trailer, xmp
from gdp_lite.files.photo import Photo
from gdp_lite.files.renewing import Change

QUALITY = 95  # whose tables, or the file's own where these are finer, are written
LARGEST = 65500  # pixels a side, libjpeg's limit


def encode_jpeg(change: Change, profile: bytes | None) -> bytes:
    """The file; for a photo that was a JPEG with all its segments."""
    photo, origin = change.photo, change.photo.origin
    if origin.kind == "JPEG":
        extras, behind = _beside(change)
        extras = _renewed(extras, change, profile is None)
    else:
        extras, behind = _made(change, profile), b""
    core, adobe = _core(change.picture, photo)
    extras = _with_adobe(extras, adobe)
    if behind:
        behind = _with_new_previews(behind, extras, change)
        extras = trailer.with_index(extras, origin.trailer_at, origin.index_at, len(core))
    parts = [jpeg.segment(marker, content) for marker, content in extras]
    return b"".join([core[:2], *parts, core[2:], behind])


def _core(picture: Image.Image, photo: Photo) -> tuple[bytes, bytes]:
    """The picture alone, and what its Adobe segment says, empty where it needs none."""
    file = io.BytesIO()
    options: dict = {"quality": QUALITY}  # which would scale tables that are given
    if photo.origin.tables:
        options = {"qtables": _tables(photo.origin.tables, picture.mode)}
    usual = ImageFile.MAXBLOCK
    try:
        if photo.origin.progressive:  # which libjpeg writes into a single buffer
            ImageFile.MAXBLOCK = max(usual, 3 * picture.width * picture.height + (1 << 16))
        picture.save(
            file,
            "JPEG",
            subsampling=0,  # none: no coarser than any file's
            progressive=photo.origin.progressive,
            **options,
        )
    finally:
        ImageFile.MAXBLOCK = usual
    found = jpeg.parse(file.getvalue())
    adobe = b"".join(content for marker, content in found.extras if marker == 0xEE)
    jfif = next((c for m, c in found.extras if m == 0xE0), None)
    core = found.core
    for marker, content in ((0xE0, jfif), (0xEE, adobe)):
        if content:
            core = core.replace(jpeg.segment(marker, content), b"", 1)
    return core, adobe


def _tables(old: list[list[int]], mode: str) -> list[list[int]]:
    """Quantisation tables no coarser than the file's, nor than those of `QUALITY`."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=QUALITY)
    with JpegImageFile(io.BytesIO(file.getvalue())) as small:
        usual = [list(table) for table in small.quantization.values()]
    if mode == "CMYK":  # Pillow writes one table for all four
        old, usual = [list(np.min(old, axis=0))], usual[:1]
    old = (old * 2)[: len(usual)]
    return [[min(a, b) for a, b in zip(x, y, strict=True)] for x, y in zip(old, usual, strict=True)]


def _beside(change: Change) -> tuple[list[tuple[int, bytes]], bytes]:
    """The file's segments and what stands behind, or without what no longer fits."""
    origin = change.photo.origin
    extras, behind = origin.segments, origin.trailer
    found, inner = trailer.describe(extras, behind), trailer.holds_maps(extras)
    if change.removed:
        lost, why = found + inner, "left out, as it shows what was removed"
    elif change.strip:
        lost, why = found + inner, "left out, as it may tell the place"
    else:
        lost, why = ([] if behind else found), "declared, but not in the file"
    if lost:
        change.note(f"{why}: {', '.join(lost)}")
    elif not (change.strip and trailer.extension_says(extras, b"GPS")):
        return extras, behind
    return trailer.without_declarations(extras), b""


def _with_new_previews(behind: bytes, extras: list[tuple[int, bytes]], change: Change) -> bytes:
    origin, block = change.photo.origin, bytearray(behind)
    for offset, length in trailer.previews(extras):
        start = origin.index_at + offset - origin.trailer_at
        if 0 <= start <= len(block) - length:
            piece = block[start : start + length]
            change.note(previews.renew(piece, change.picture, change.old(), False, 0))
            block[start : start + length] = piece
    return bytes(block)


def _renewed(
    extras: list[tuple[int, bytes]], change: Change, without_profile: bool
) -> list[tuple[int, bytes]]:
    block = jpeg.joined(extras, 0xE1, jpeg.EXIF)
    extras = jpeg.replaced(extras, 0xE1, jpeg.EXIF, renewing.exif(block, change))
    result = []
    for marker, content in extras:
        if marker == 0xE1 and content.startswith(jpeg.XMP):
            packet = renewing.packet(content[len(jpeg.XMP) :], change)
            if len(jpeg.XMP) + len(packet) <= jpeg.LONGEST:
                content = jpeg.XMP + packet
            else:
                change.note("XMP fills its segment: its sizes are those of before")
        elif marker == 0xE2 and content.startswith(jpeg.ICC):
            if without_profile and change.photo.metadata.get("icc_profile"):
                continue
        elif not content.startswith((jpeg.EXIF, jpeg.XMP_EXTENSION, jpeg.MPF)):
            content = renewing.other(marker, content, change)
        result.append((marker, content))
    return result


def _with_adobe(extras: list[tuple[int, bytes]], adobe: bytes) -> list[tuple[int, bytes]]:
    """With Adobe's segment telling the colours as they are coded now."""
    result, done = [], False
    for marker, content in extras:
        if marker == 0xEE and content.startswith(b"Adobe"):
            if len(content) >= 12:  # its last byte says how: 1 is YCbCr, which colour becomes
                now = adobe[11:12] if adobe else b"\1"
                content, done = content[:11] + now + content[12:], True
            else:
                continue
        result.append((marker, content))
    return result if done or not adobe else [(0xEE, adobe), *result]


def _made(change: Change, profile: bytes | None) -> list[tuple[int, bytes]]:
    """Segments for a photo from another format."""
    said = change.photo.metadata
    x, y = (round(number) for number in said.get("dpi", (1, 1)))
    unit = 1 if "dpi" in said else 0
    extras = [(0xE0, struct.pack(">5sHBHHBB", b"JFIF\0", 0x0101, unit, x, y, 0, 0))]
    if "exif" in said:
        block = renewing.exif(said["exif"].removeprefix(jpeg.EXIF), change)
        extras += jpeg.split(block, 0xE1, jpeg.EXIF)
    if "xmp" in said:
        packet = xmp.without_sequels(renewing.packet(said["xmp"], change))
        if len(jpeg.XMP) + len(packet) <= jpeg.LONGEST:
            extras.append((0xE1, jpeg.XMP + packet))
        else:
            change.note(
                f"{len(packet) // 1000} kB of XMP do not fit into a JPEG's segment: left out"
            )
    extras += jpeg.profile_segments(profile) if profile else []
    photoshop = said.get("photoshop") or (iptc.wrapped(said["iptc"]) if said.get("iptc") else b"")
    if photoshop:
        photoshop = iptc.without_places(photoshop) if change.strip else photoshop
        extras += [
            (m, renewing.other(m, c, change))
            for m, c in jpeg.split(photoshop, 0xED, jpeg.PHOTOSHOP)
        ]
    if "comment" in said:
        extras.append((jpeg.COMMENT, said["comment"][: jpeg.LONGEST]))
    return extras
