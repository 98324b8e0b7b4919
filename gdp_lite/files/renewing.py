"""Metadata made true for a new picture: orientation, size, previews; if asked, no position."""

import base64
import re
from dataclasses import dataclass, field

import torch
from PIL import Image

from gdp_lite.files import iptc, jpeg, pixels, previews, tiff, xmp
from gdp_lite.files.photo import Photo

_LONGEST_XMP = 1 << 23  # bytes of a packet that is looked into
_SMALL = 256  # pixels: the side of what the photo's own previews are known by


@dataclass
class Change:
    """What becomes of a photo in a file that is being written.

    Parameters
    ----------
    picture : the new one as it will be stored.
    photo : what was read.
    turned : whether the new one is stored as the old one was, by its orientation tag; else upright.
    strip : whether the position is left out.
    removed : whether something was taken out of the picture, which nothing may still show.
    notes : of what could not be kept, one line each.
    """

    picture: Image.Image
    photo: Photo
    turned: bool
    strip: bool = False
    removed: bool = False
    notes: list[str] = field(default_factory=list)

    def old(self) -> Image.Image:
        """The old picture, small, stored as the new one is."""
        image = self.photo.image
        step = max(1, min(image.shape[-2:]) // _SMALL)
        array = pixels.from_tensor(torch.nn.functional.avg_pool2d(image, step), 8)
        return pixels.picture_of(
            pixels.stored(array, self.photo.orientation) if self.turned else array
        )

    def note(self, text: str) -> None:
        """Add a line, once."""
        if text and text not in self.notes:
            self.notes.append(text)


def exif(block: bytes, change: Change) -> bytes:
    """An EXIF block without its prefix, of the same length; a broken one stays as it is."""
    items = tiff.fields(block)
    if not items:
        return block
    new = bytearray(block)
    width, height = change.picture.size
    for item in items:
        if item.tag == tiff.ORIENTATION and not change.turned:
            tiff.set_number(new, item, 1)
        sized = (item.place == "exif" and item.tag in (tiff.PIXEL_X, tiff.PIXEL_Y)) or (
            item.place == "main" and item.tag in (tiff.WIDTH, tiff.HEIGHT)
        )
        if sized:
            tiff.set_number(new, item, width if item.tag in (tiff.PIXEL_X, tiff.WIDTH) else height)
    thumbnail = any(item.place == "thumbnail" for item in items)
    if thumbnail or b"\xff\xd8\xff" in block:
        said = previews.renew_exif(new, change.picture, change.old(), change.removed)
        change.note(said and f"EXIF: {said}")
    if change.strip:
        tiff.remove_gps(new)
    return bytes(new)


def packet(content: bytes, change: Change) -> bytes:
    """An XMP packet."""
    if len(content) > _LONGEST_XMP:
        change.note("XMP is longer than 8 MB: carried without a look into it")
        return content
    width, height = change.picture.size
    for address, x, y in (
        (xmp.TIFF, "ImageWidth", "ImageLength"),
        (xmp.EXIF, "PixelXDimension", "PixelYDimension"),
    ):
        content = xmp.with_number(content, address, x, width)
        content = xmp.with_number(content, address, y, height)
    if not change.turned:
        content = xmp.with_number(content, xmp.TIFF, "Orientation", 1)
    if change.strip:
        content = xmp.without_places(content)
    return re.sub(
        rb"(<xmpGImg:image>)([^<]+)(</xmpGImg:image>)",
        lambda found: found[1] + _thumbnail(found[2], change) + found[3],
        content,
    )


def _thumbnail(text: bytes, change: Change) -> bytes:
    """A thumbnail inside XMP, base64; empty where it cannot be read."""
    try:
        block = bytearray(base64.b64decode(re.sub(rb"&#x[AaDd];|\s", b"", text)))
    except ValueError:
        return b""
    previews.renew(block, change.picture, change.old(), change.removed, 0)
    return base64.b64encode(block)


def other(marker: int, content: bytes, change: Change) -> bytes:
    """Any other segment of a JPEG."""
    if marker == 0xED and content.startswith(jpeg.PHOTOSHOP) and change.strip:
        content = jpeg.PHOTOSHOP + iptc.without_places(content[len(jpeg.PHOTOSHOP) :])
    if marker == 0xE0:
        content = previews.renew_jfif(content, change.picture)
    if marker != jpeg.COMMENT and b"\xff\xd8\xff" in content:
        block = bytearray(content)
        said = previews.renew(block, change.picture, change.old(), change.removed)
        change.note(said and f"APP{marker - 0xE0}: {said}")
        content = bytes(block)
    return content


def profile(change: Change, mode: str) -> bytes | None:
    """The colour profile, if it is one for pixels of that mode, else None and a note."""
    content = change.photo.metadata.get("icc_profile")
    space = pixels.space_of(content)
    if content and space and space != mode:
        words = {"L": "grey", "RGB": "colour", "CMYK": "print (CMYK)"}
        change.note(
            f"the profile for {words[space]} pixels does not fit {words[mode]} ones: left out"
        )
        return None
    return content or None


def photoshop_and_iptc(change: Change) -> tuple[bytes, bytes]:
    """Photoshop's resources and IPTC's records, as a TIFF holds them side by side."""
    said = change.photo.metadata
    photoshop, records = said.get("photoshop", b""), said.get("iptc", b"")
    if change.strip:
        photoshop = iptc.without_places(photoshop)
        records = iptc.records(iptc.without_places(iptc.wrapped(records))) if records else b""
    return other(0xED, photoshop, change), records
