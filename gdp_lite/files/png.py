"""A PNG file as a list of chunks, and 16-bit pixels, which Pillow does not write."""

import contextlib
import struct
import zlib

import numpy as np

from gdp_lite.files.photo import Photo

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_TEXT = 1 << 26  # bytes: more than that no compressed text or profile may become
# Everything that is about the pixels' coding; the writer makes it anew.
STRUCTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"hIST"}
_BEHIND = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"}  # may stand behind the pixels


class Damaged(ValueError):
    """A file whose pixels cannot be found; the message says why."""


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk as it stands in the file."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def parse(data: bytes) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """All chunks of a file as (name, content), and the names of those that are damaged.

    A damaged chunk is left out unless pixels are in it, which the decoder then judges.

    Examples
    --------
    >>> parse(SIGNATURE + chunk(b"tEXt", b"a") + chunk(b"IEND", b""))
    ([(b'tEXt', b'a'), (b'IEND', b'')], [])
    """
    chunks, damaged, at = [], [], len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        true = struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
        if not name.isalpha():
            break
        if name in STRUCTURE or checksum == true:
            chunks.append((name, content))
        else:
            damaged.append(name)
        at += 12 + length
        if name == b"IEND":
            break
    return chunks, damaged


def assemble(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A file of these chunks."""
    return SIGNATURE + b"".join(chunk(name, content) for name, content in chunks)


def header(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int, int, int]:
    """(width, height, bits, colour type); `Damaged` where there is none."""
    content = dict(reversed(chunks)).get(b"IHDR", b"")
    if len(content) != 13:
        raise Damaged("it has no header")
    return struct.unpack(">IIBB", content[:10])


def pixels_alone(chunks: list[tuple[bytes, bytes]], as_rgba: bool = False) -> bytes:
    """A file with nothing in it but the picture.

    as_rgba : a pixel of two 16-bit values, grey and alpha, has as many bytes as one of four 8-bit
    ones, and PNG's filters work on bytes: the same data can be read as those.
    """
    needed = [(n, c) for n, c in chunks if n in (b"IHDR", b"PLTE", b"tRNS", b"IDAT")]
    if as_rgba:
        needed = [(n, c[:8] + b"\x08\x06" + c[10:] if n == b"IHDR" else c) for n, c in needed]
    return assemble([*needed, (b"IEND", b"")])


def completed(chunks: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Chunks whose pixels end early or in damaged data, with zeros for what is missing.

    `Damaged` where next to nothing is there, and for interlaced ones.
    """
    width, height, bits, colour = header(chunks)
    start = dict(reversed(chunks))[b"IHDR"]
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    whole = height * (1 + (width * bits * channels + 7) // 8)
    engine, rows, size = zlib.decompressobj(), [], 0
    data = b"".join(content for name, content in chunks if name == b"IDAT")
    with contextlib.suppress(zlib.error):
        for at in range(0, len(data), 4096):  # in pieces: what stands before the error is kept
            rows.append(engine.decompress(data[at : at + 4096], whole - size))
            size += len(rows[-1])
            if size >= whole:
                break
    if start[12] or size < whole / 10:  # a choice
        raise Damaged("most of its pixels are missing")
    packed = zlib.compress(b"".join(rows).ljust(whole, b"\0"), 1)
    others = [(name, content) for name, content in chunks if name not in (b"IDAT", b"IEND")]
    return [*others, (b"IDAT", packed), (b"IEND", b"")]


def text(name: bytes, content: bytes) -> tuple[str, bytes] | None:
    """(keyword, text) of a chunk of text; None where it is damaged or far too long."""
    keyword, _, rest = content.partition(b"\0")
    with contextlib.suppress(ValueError, zlib.error):
        if name == b"zTXt":
            rest = inflate(rest[1:])
        elif name == b"iTXt":
            packed, (_, _, rest) = rest[:1] == b"\1", _thirds(rest[2:])
            rest = inflate(rest) if packed else rest
        return keyword.decode("latin-1"), rest
    return None


def inflate(content: bytes, longest: int = LONGEST_TEXT) -> bytes:
    """Uncompressed, ValueError where that would be longer than `longest`."""
    engine = zlib.decompressobj()
    result = engine.decompress(content, longest)
    if not engine.eof:
        raise ValueError("longer than allowed, or cut short")
    return result


def _thirds(content: bytes) -> tuple[bytes, bytes, bytes]:
    language, _, rest = content.partition(b"\0")
    translated, _, rest = rest.partition(b"\0")
    return language, translated, rest


def deep(pixels: np.ndarray) -> bytes:
    """(H, W, channels) uint16 -> a PNG file; each row filtered by Sub, Up or Paeth.

    Examples
    --------
    >>> parse(deep(np.zeros((2, 3, 1), np.uint16)))[0][0][1][8:10]  # bits, colour type
    b'\\x10\\x00'
    """
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    step, engine, parts = 2 * channels, zlib.compressobj(6), []
    above = np.zeros((1, width * step), np.uint8)
    for top in range(0, height, 64):  # bands, so that memory stays small
        rows = pixels[top : top + 64].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        up = np.concatenate([above, rows[:-1]])
        left, corner = (np.pad(a, ((0, 0), (step, 0)))[:, :-step] for a in (rows, up))
        ways = np.stack([rows - left, rows - up, rows - _paeth(left, up, corner)])
        cost = np.abs(ways.view(np.int8).astype(np.int16)).sum(2)  # the usual rule: smallest sum
        best = cost.argmin(0)
        lines = np.take_along_axis(ways, best[None, :, None], 0)[0]
        kinds = np.array([1, 2, 4], np.uint8)[best][:, None]
        parts.append(engine.compress(np.concatenate([kinds, lines], 1).tobytes()))
        above = rows[-1:]
    parts.append(engine.flush())
    start = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return assemble([(b"IHDR", start), (b"IDAT", b"".join(parts)), (b"IEND", b"")])


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, corner))


def kept(
    photo: Photo, profile: bytes | None, new_header: bytes
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """The photo's chunks before and behind the pixels, without EXIF and XMP, which are made anew.

    profile : what is to be the colour profile; new_header : of the file that is being written.
    """
    before: list[tuple[bytes, bytes]] = []
    behind: list[tuple[bytes, bytes]] = []
    said, origin = photo.metadata, photo.origin
    same = origin.mode == f"{new_header[8]}-bit, kind {new_header[9]}"
    for name, content, early in origin.chunks:
        if name == b"eXIf" or (name == b"iCCP" and not profile) or _is_renewed(name, content, said):
            continue
        if name in (b"bKGD", b"sBIT") and not same:  # in terms of the old kind of pixels
            continue
        (before if early or name not in _BEHIND else behind).append((name, content))
    if origin.kind != "PNG":
        if profile:
            before.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
        if "dpi" in said:
            a, b = (round(number / 0.0254) for number in said["dpi"])
            before.append((b"pHYs", struct.pack(">IIB", a, b, 1)))
        if "comment" in said:
            before.append((b"tEXt", b"Comment\0" + said["comment"].replace(b"\0", b" ")))
    return before, behind


def _is_renewed(name: bytes, content: bytes, said: dict) -> bool:
    """Whether a text holds EXIF or XMP that could be read, and is written anew."""
    if name not in (b"tEXt", b"zTXt", b"iTXt"):
        return False
    keyword = content.partition(b"\0")[0].lower()
    if keyword in (b"raw profile type exif", b"raw profile type app1"):
        return "exif" in said
    return keyword in (b"xml:com.adobe.xmp", b"raw profile type xmp") and "xmp" in said
