"""What stands behind a JPEG's picture: gain maps, depth maps, other views, films.

All who point there count from the file's end or give lengths in order, so that the bytes stay true
when they are carried as they are; but the multi-picture index (CIPA DC-007), which counts from
itself and is made true by `with_index`.
"""

import re
import struct

from gdp_lite.files import jpeg, tiff, xmp

_ENTRIES = 0xB002  # the tag of the index's list: 16 bytes a picture
_ISO_MAP = b"urn:iso:std:iso:ts:21496"  # a gain map by ISO 21496-1
_PREVIEW = "a preview"
_VIEWS = {  # kinds of picture in the index (CIPA DC-007, table 4), as far as they have names
    0x010001: _PREVIEW,
    0x010002: _PREVIEW,
    0x020001: "a panorama's other views",
    0x020002: "another eye's view",
    0x020003: "another angle's view",
}


def _index(extras: list[tuple[int, bytes]]) -> tuple[int, bytes, list[tuple[int, int, int, int]]]:
    """(which segment, the order of bytes, (where, kind, length, offset) of each picture)."""
    for number, (marker, content) in enumerate(extras):
        if marker == 0xE2 and content.startswith(jpeg.MPF):
            block = content[len(jpeg.MPF) :]
            end = tiff.order(block)
            for item in tiff.fields(block):
                if item.tag == _ENTRIES and item.place == "main" and end:
                    places = range(item.value_at, item.value_at + item.size - 15, 16)
                    found = [(at, *struct.unpack_from(f"{end}III", block, at)) for at in places]
                    return number, end.encode(), found
    return -1, b"", []


def describe(extras: list[tuple[int, bytes]], trailer: bytes) -> list[str]:
    """What stands behind the picture, in words.

    Examples
    --------
    >>> describe([], b"....ftypmp42....")
    ['a film']
    """
    said = b"".join(content for marker, content in extras if marker == 0xE1)
    found = []
    if trailer.strip(b"\0\xff\r\n "):  # beyond filling
        if re.search(rb"....ftyp(mp4|isom|qt|avc)", trailer[: 1 << 26], re.DOTALL):
            found.append("a film")
        maps = b"hdrgm:" in said or b"HDRGainMap" in said or _has_iso_map(extras)
        if maps or re.search(rb"hdrgm:|HDRGainMap", trailer[: 1 << 26]):
            found.append("a gain map (HDR)")
        if re.search(
            rb"(?i)semantic\W{1,4}depth|disparity|depthdata|depthmap", said + trailer[: 1 << 26]
        ):
            found.append("a depth map")
        kinds = {kind & 0xFFFFFF for _, kind, _, _ in _index(extras)[2][1:]}
        found += sorted({_VIEWS[kind] for kind in kinds if kind in _VIEWS})
        if not found:
            picture = b"\xff\xd8\xff" in trailer
            found.append("another picture" if picture else f"{len(trailer)} bytes behind its end")
    elif not trailer and (_index(extras)[2][1:] or _declared(extras)):
        found.append("other pictures or films that are not in the file")
    return found


def _declared(extras: list[tuple[int, bytes]]) -> bool:
    """Whether XMP speaks of a gain map or film, which a file without trailer does not have."""
    said = b"".join(c for m, c in extras if m == 0xE1 and c.startswith(jpeg.XMP))
    items = set(re.findall(rb"Item:Semantic\W{1,4}(\w+)", said)) - {b"Primary"}
    return bool(items or re.search(rb"(?:MotionPhoto|MicroVideo)\W{1,4}1\b", said))


def _has_iso_map(extras: list[tuple[int, bytes]]) -> bool:
    return any(m == 0xE2 and c.startswith(_ISO_MAP) for m, c in extras)


def without_declarations(extras: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Segments that declare nothing behind the picture, nor hold maps of it or other pictures.

    What XMP says beyond that is kept, its extension in the packet itself if there is room.
    """
    result = []
    extensions = [
        c[len(jpeg.XMP_EXTENSION) :] for m, c in extras if c.startswith(jpeg.XMP_EXTENSION)
    ]
    for marker, content in extras:
        if marker == 0xE2 and content.startswith((jpeg.MPF, _ISO_MAP)):
            continue
        if marker == 0xE1 and content.startswith(jpeg.XMP_EXTENSION):
            continue
        if marker == 0xE1 and content.startswith(jpeg.XMP):
            packet = content[len(jpeg.XMP) :]
            whole = xmp.without_sequels(xmp.extended(extensions, packet))
            if len(jpeg.XMP) + len(whole) > jpeg.LONGEST:
                whole = xmp.without_sequels(xmp.without(packet, xmp.NOTE, "HasExtendedXMP"))
            content = jpeg.XMP + whole
        result.append((marker, content))
    return result


def index_at(extras: list[tuple[int, bytes]], data: bytes) -> int:
    """Where in the file the index stands from which its offsets count; 0 where there is none."""
    number = _index(extras)[0]
    if number < 0:
        return 0
    return data.find(jpeg.segment(*extras[number])) + 4 + len(jpeg.MPF)


def with_index(
    extras: list[tuple[int, bytes]], old_end: int, old_at: int, rest: int
) -> list[tuple[int, bytes]]:
    """Segments whose index of pictures is true in the file that is being written.

    old_end : where the picture ended in the file that was read.
    old_at : where its index stood, `index_at`.
    rest : bytes of the new picture besides these segments, which follow its first two.
    """
    number, end, pictures = _index(extras)
    if number < 0:
        return extras
    content = bytearray(extras[number][1])
    base, order = len(jpeg.MPF), end.decode()
    sizes = [len(c) + 4 for _, c in extras]
    new_end, new_at = rest + sum(sizes), 2 + sum(sizes[:number]) + 4 + base
    for place, (at, _, _, offset) in enumerate(pictures):
        if place == 0:
            struct.pack_into(f"{order}I", content, base + at + 4, new_end)
        elif offset:
            moved = offset + (old_at - old_end) - (new_at - new_end)
            if 0 < moved < 1 << 32:
                struct.pack_into(f"{order}I", content, base + at + 8, moved)
    return [*extras[:number], (0xE2, bytes(content)), *extras[number + 1 :]]


def holds_maps(extras: list[tuple[int, bytes]]) -> list[str]:
    """Maps and pictures that XMP itself holds, in words."""
    said = b"".join(content for marker, content in extras if marker == 0xE1)
    names = {b"GDepth:Data": "a depth map in XMP", b"GImage:Data": "a picture in XMP"}
    return [words for name, words in names.items() if name in said]


def extension_says(extras: list[tuple[int, bytes]], word: bytes) -> bool:
    """Whether a word occurs in what goes on behind XMP's first packet."""
    return any(c.startswith(jpeg.XMP_EXTENSION) and word in c for _, c in extras)


def previews(extras: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """(offset, length) of every smaller copy of the photo in the index."""
    found = _index(extras)[2][1:]
    return [(at, size) for _, kind, size, at in found if _VIEWS.get(kind & 0xFFFFFF) == _PREVIEW]
