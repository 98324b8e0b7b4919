"""A TIFF written around an EXIF block, whose bytes stay where they are.

An EXIF block is a TIFF file without pixels. The file begins with it; pixels and a new list of
fields follow, in which the old list's entries stand as they were. So maker notes keep all offsets.
"""

import struct
import zlib

import numpy as np

from gdp_lite.files import tiff
from gdp_lite.files.metadata import STRUCTURE

_ROWS = 256  # a strip's
_DEFLATE, _DIFFERENCES = 8, 2  # a compression and a predictor of TIFF 6.0


def encode_tiff(
    array: np.ndarray, alpha: bool, exif: bytes, blocks: dict, dpi: tuple | None
) -> bytes:
    """The file, its pixels deflated.

    Parameters
    ----------
    array : (H, W, 1 to 4), uint8 or uint16; four channels without alpha are CMYK.
    alpha : whether the last channel is transparency.
    exif : the block without its prefix; empty or broken for none.
    blocks : of bytes, by their TIFF tag: 700 XMP, 34675 profile, 33723 IPTC, 34377 Photoshop.
    dpi : dots per inch, written where the block has none.
    """
    order = tiff.order(exif)
    old = [item for item in tiff.fields(exif) if item.place == "main"]
    start = exif if order and old else b"II*\0\0\0\0\0"
    order = order if order and old else "<"
    # A resolution that is no fraction stops readers (Pillow) that would do without one.
    old = [i for i in old if i.tag not in (282, 283) or (i.kind, i.count) == (5, 1)]
    parts, size = [start], len(start)
    entries = {i.tag: exif[i.at : i.at + 12] for i in old if i.tag not in {*STRUCTURE, *blocks}}

    def put(content: bytes) -> int:
        nonlocal size
        parts.append(bytes(size % 2) + content)  # values begin at even places
        at = size + size % 2
        size = at + len(content)
        return at

    def add(tag: int, kind: int, *values: int) -> None:
        letter = {1: "B", 3: "H", 4: "I", 7: "B"}[kind]
        content = struct.pack(f"{order}{len(values)}{letter}", *values)
        add_bytes(tag, kind, len(values), content)

    def add_bytes(tag: int, kind: int, count: int, content: bytes) -> None:
        if len(content) > 4:
            content = struct.pack(f"{order}I", put(content))
        entries[tag] = struct.pack(f"{order}HHI", tag, kind, count) + content.ljust(4, b"\0")

    height, width, channels = array.shape
    offsets, lengths = [], []
    for top in range(0, height, _ROWS):
        rows = array[top : top + _ROWS]
        strip = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], 1)
        packed = zlib.compress(strip.astype(f"{order}u{strip.itemsize}").tobytes(), 6)
        offsets.append(put(packed))
        lengths.append(len(packed))
    colours = channels - alpha
    add(256, 4, width)
    add(257, 4, height)
    add(258, 3, *[8 * array.dtype.itemsize] * channels)
    add(259, 3, _DEFLATE)
    add(262, 3, {1: 1, 3: 2, 4: 5}[colours])
    add(273, 4, *offsets)
    add(277, 3, channels)
    add(278, 4, _ROWS)
    add(279, 4, *lengths)
    add(284, 3, 1)
    add(317, 3, _DIFFERENCES)
    if alpha:
        add(338, 3, 2)
    if dpi and 282 not in entries:
        for tag, value in zip((282, 283), dpi, strict=True):
            add_bytes(tag, 5, 1, struct.pack(f"{order}II", round(value * 100), 100))
        add(296, 3, 2)
    for tag, content in blocks.items():
        add_bytes(tag, 1 if tag == 700 else 7, len(content), content)
    table = b"".join(entries[tag] for tag in sorted(entries))
    at = put(struct.pack(f"{order}H", len(entries)) + table + bytes(4))
    parts[0] = start[:4] + struct.pack(f"{order}I", at) + start[8:]
    return b"".join(parts)
