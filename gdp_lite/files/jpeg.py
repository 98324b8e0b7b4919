"""A JPEG file as a list of segments, its picture, and what stands behind the picture."""

import re
import struct
from dataclasses import dataclass

EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
ICC = b"ICC_PROFILE\0"
PHOTOSHOP = b"Photoshop 3.0\0"
MPF = b"MPF\0"
LONGEST = 65533  # bytes of content in one segment
SOI, EOI, SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
COMMENT = 0xFE  # its marker
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without content
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers SOF0 to SOF15
# A marker within compressed data: neither a stuffed zero, nor a restart, nor a fill byte.
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_STRAY = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # or a byte of such data that was changed
_AFTER_DATA = re.compile(rb"\xff+[\xc4\xd9-\xdd\xe0-\xef\xfe]")  # what may follow such data


@dataclass
class Jpeg:
    """One picture of a JPEG file.

    Parameters
    ----------
    extras : (marker, content) of every APPn and comment, in order.
    core : the picture alone: a JPEG file without them, but for what says how colour is coded.
    end : where the picture ends in the file, behind its end marker.
    frame : (marker, bits of a value, height, width, channels), None where none was found.
    whole : whether the end marker was there.
    damaged : whether bytes of the compressed data were changed; such markers are none in `core`.
    """

    extras: list[tuple[int, bytes]]
    core: bytes
    end: int
    frame: tuple[int, int, int, int, int] | None
    whole: bool
    damaged: bool = False


def is_metadata(marker: int) -> bool:
    """Whether a segment of that marker is an APPn or a comment."""
    return 0xE0 <= marker <= 0xEF or marker == COMMENT


def segment(marker: int, content: bytes) -> bytes:
    """A segment as it stands in the file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def parse(data: bytes, start: int = 0) -> Jpeg:
    """Take the first picture of a file apart, as tolerant as decoders are.

    Examples
    --------
    >>> whole = SOI + segment(COMMENT, b"a note") + EOI
    >>> parse(whole + b"behind").extras, parse(whole + b"behind").end == len(whole)
    ([(254, b'a note')], True)
    """
    extras: list[tuple[int, bytes]] = []
    core, frame, at, strays = [SOI], None, start + 2, 0
    while True:
        found = _MARKER.search(data, at)  # what stands before a marker is no part of the picture
        if not found:
            break
        marker, at = found[0][-1], found.end()
        if marker == 0xD9:
            return Jpeg(extras, b"".join([*core, EOI]), at, frame, True, strays > 0)
        if marker in _ALONE or marker == 0xD8:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        content = data[at + 2 : at + length]
        if length < 2 or len(content) < length - 2:
            at = len(data) if length >= 2 else at
            continue
        at += length
        if is_metadata(marker):
            extras.append((marker, content))
            if (marker, content[:5]) not in ((0xE0, b"JFIF\0"), (0xEE, b"Adobe")):
                continue
        core.append(segment(marker, content))
        if marker in _FRAMES and frame is None and len(content) > 5:
            frame = (marker, *struct.unpack(">BHHB", content[:6]))
        if marker == SOS:  # compressed data up to the next marker
            end = _end_of_data(data, at)
            mended, count = _STRAY.subn(b"\xff\0", data[at:end])  # decoders give up at them
            core.append(mended)
            strays += count
            at = end
    return Jpeg(extras, b"".join([*core, EOI]), len(data), frame, False, strays > 0)


def _end_of_data(data: bytes, at: int) -> int:
    """Where compressed data ends; a marker that no segment of a file follows is none."""
    for found in _AFTER_DATA.finditer(data, at):
        if found[0][-1] == 0xD9 or _is_segment(data, found.end(), found[0][-1]):
            return found.start()
    return len(data)


def _is_segment(data: bytes, at: int, marker: int) -> bool:
    """Whether a segment lies there, and not compressed data of which a byte was changed."""
    length = int.from_bytes(data[at : at + 2], "big")
    if not 2 <= length <= len(data) - at:
        return False
    if marker == SOS:  # compressed data follow, of some channels
        return length == 6 + 2 * data[at + 2]
    return at + length == len(data) or data[at + length] == 0xFF


def profile(extras: list[tuple[int, bytes]]) -> bytes | None:
    """The colour profile, put together from its segments; None where one is missing."""
    parts = [c for m, c in extras if m == 0xE2 and c.startswith(ICC) and len(c) > len(ICC) + 2]
    numbered = {content[len(ICC)]: content for content in parts}
    count = parts[0][len(ICC) + 1] if parts else 0
    if not count or set(numbered) != set(range(1, count + 1)):
        return None
    return b"".join(numbered[number][len(ICC) + 2 :] for number in sorted(numbered))


def profile_segments(content: bytes) -> list[tuple[int, bytes]]:
    """The other way."""
    size = LONGEST - len(ICC) - 2
    parts = [content[i : i + size] for i in range(0, len(content), size)]
    return [(0xE2, ICC + bytes([i, len(parts)]) + part) for i, part in enumerate(parts, 1)]


def joined(extras: list[tuple[int, bytes]], marker: int, prefix: bytes) -> bytes:
    """The contents of all segments of a kind, joined; EXIF and Photoshop go on so."""
    return b"".join(c[len(prefix) :] for m, c in extras if m == marker and c.startswith(prefix))


def split(content: bytes, marker: int, prefix: bytes) -> list[tuple[int, bytes]]:
    """The other way: as many segments as the length asks for."""
    size = LONGEST - len(prefix)
    parts = [content[i : i + size] for i in range(0, max(len(content), 1), size)]
    return [(marker, prefix + part) for part in parts]


def replaced(
    extras: list[tuple[int, bytes]], marker: int, prefix: bytes, content: bytes
) -> list[tuple[int, bytes]]:
    """Segments with the content of one kind changed to another of the same length, in place."""
    result, at = [], 0
    for kind, old in extras:
        if kind == marker and old.startswith(prefix):
            length = len(old) - len(prefix)
            old, at = prefix + content[at : at + length], at + length
        result.append((kind, old))
    return result


def density(extras: list[tuple[int, bytes]]) -> tuple[int, int] | None:
    """Dots per inch, as JFIF says; None where it gives a shape alone."""
    for marker, content in extras:
        if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 12:
            unit, x, y = struct.unpack(">BHH", content[7:12])
            if unit in (1, 2) and x and y:
                return (x, y) if unit == 1 else (round(2.54 * x), round(2.54 * y))
    return None
