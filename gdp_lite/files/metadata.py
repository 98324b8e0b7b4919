"""What files say besides their pixels, in one form for all formats: see `Photo.metadata`."""

import contextlib
import struct

from PIL import Image

from gdp_lite.files import iptc, jpeg, png, xmp

INCH = 0.0254  # metres
_TIFF_BLOCKS = {700: "xmp", 34675: "icc_profile", 34377: "photoshop", 33723: "iptc"}
# What describes a TIFF's pixels and not the photo; the writer makes it anew.
STRUCTURE = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284),
    *(288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330),
    *(332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520),
    *(521, 529, 530, 531, 532),
}


def of_jpeg(extras: list[tuple[int, bytes]]) -> dict:
    """From a JPEG's segments."""
    found: dict = {}
    if any(m == 0xE1 and c.startswith(jpeg.EXIF) for m, c in extras):
        found["exif"] = jpeg.EXIF + jpeg.joined(extras, 0xE1, jpeg.EXIF)
    packets = [c[len(jpeg.XMP) :] for m, c in extras if m == 0xE1 and c.startswith(jpeg.XMP)]
    if packets:
        start = len(jpeg.XMP_EXTENSION)
        more = [c[start:] for m, c in extras if m == 0xE1 and c.startswith(jpeg.XMP_EXTENSION)]
        found["xmp"] = xmp.extended(more, packets[0])
    profile = jpeg.profile(extras)
    if profile:
        found["icc_profile"] = profile
    comments = [content for marker, content in extras if marker == jpeg.COMMENT]
    if comments:
        found["comment"] = comments[-1]
    photoshop = jpeg.joined(extras, 0xED, jpeg.PHOTOSHOP)
    if photoshop:
        found["photoshop"] = photoshop
        found["iptc"] = iptc.records(photoshop)
    dpi = jpeg.density(extras)
    return found | ({"dpi": dpi} if dpi else {})


def of_png(chunks: list[tuple[bytes, bytes]]) -> tuple[dict, set[int]]:
    """From a PNG's chunks; and which of them could not be read."""
    found: dict = {}
    unread = set()
    for number, (name, content) in enumerate(chunks):
        if name == b"eXIf":
            found["exif"] = jpeg.EXIF + content.removeprefix(jpeg.EXIF)
        elif name == b"iCCP":
            try:
                found["icc_profile"] = png.inflate(content.partition(b"\0")[2][1:])
            except Exception:  # zlib's own error
                unread.add(number)
        elif name == b"pHYs" and len(content) == 9 and content[8] == 1:
            dpi = tuple(number * INCH for number in struct.unpack(">II", content[:8]))
            if all(1 <= number < 65536 for number in dpi):
                found["dpi"] = dpi
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            said = png.text(name, content)
            if said is None:
                unread.add(number)
            else:
                _of_text(found, *said)
    return found, unread


def _of_text(found: dict, keyword: str, content: bytes) -> None:
    if keyword == "XML:com.adobe.xmp":
        found["xmp"] = content
    elif keyword.startswith("Raw profile type "):  # of GIMP and ImageMagick: hexadecimal lines
        kind = keyword.removeprefix("Raw profile type ").lower()
        with contextlib.suppress(ValueError):
            lines = content.decode("latin-1").split("\n")[3:]
            block = bytes.fromhex("".join(lines))
            if kind in ("exif", "app1") and not block.startswith(b"http:"):
                found.setdefault("exif", jpeg.EXIF + block.removeprefix(jpeg.EXIF))
            elif kind == "xmp":
                found.setdefault("xmp", block)
            elif kind == "iptc":
                found["iptc"] = iptc.records(block.removeprefix(jpeg.PHOTOSHOP)) or block
    elif keyword == "Comment":
        found["comment"] = content


def of_info(info: dict) -> dict:
    """From Pillow's `info`."""
    found = {k: info[k] for k in ("exif", "icc_profile", "xmp") if isinstance(info.get(k), bytes)}
    found = {key: content for key, content in found.items() if content}
    if "exif" in found:
        found["exif"] = jpeg.EXIF + found["exif"].removeprefix(jpeg.EXIF)
    return found


def of_tiff(picture: Image.Image) -> tuple[dict, list[str]]:
    """From an opened TIFF; its EXIF block is written anew, since a TIFF's is full of pixels."""
    found: dict = {}
    notes = []
    tags = picture.getexif()
    for tag, name in _TIFF_BLOCKS.items():
        content = tags.get(tag)
        content = bytes(content) if isinstance(content, (bytes, tuple)) and content else b""
        if content:
            found[name] = content
    for tag in [*STRUCTURE, *_TIFF_BLOCKS]:
        if tag in tags:
            del tags[tag]
    if 274 in tags:
        tags[274] = 1  # Pillow turns it
    if 37500 in tags.get_ifd(34665):
        notes.append("the maker note was moved: offsets in it may be wrong")
    try:
        block = tags.tobytes()
        if len(tags):
            found["exif"] = jpeg.EXIF + block.removeprefix(jpeg.EXIF)
    except Exception:  # fields of a wrong type
        notes.append("the TIFF's own fields could not be kept")
    if "photoshop" in found:
        found.setdefault("iptc", iptc.records(found["photoshop"]))
    return found, notes


def webp_chunks(data: bytes) -> list[bytes]:
    """The names of a WebP file's chunks."""
    names: list[bytes] = []
    at = 12
    while at + 8 <= len(data) and len(names) < 1000:
        names.append(data[at : at + 4])
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return names
