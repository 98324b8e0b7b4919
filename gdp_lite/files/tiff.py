"""The fields of an EXIF block, which is a small TIFF file, found and changed where they stand.

Maker notes hold offsets that count from the block's start, in ways that only the maker knows. So
nothing is moved: a number is overwritten, a field taken out of its list, and what it pointed to
is filled with zeros.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Bytes of a value of each type of field, then tags, by TIFF 6.0 and Exif.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
ORIENTATION, WIDTH, HEIGHT = 0x0112, 0x0100, 0x0101
EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS = 0x8769, 0x8825, 0xA005, 0x014A
PIXEL_X, PIXEL_Y = 0xA002, 0xA003
_INNER = {EXIF_IFD: "exif", GPS_IFD: "gps", INTEROP_IFD: "interop"}
_MOST = 4096  # fields in one list: more are no list but noise


@dataclass
class Field:
    """One field: where its entry stands, what it says, where its value stands.

    Parameters
    ----------
    place : main, exif, gps, interop, sub or thumbnail: the list that it stands in.
    at : of its 12 bytes.
    tag, kind, count : as TIFF has them.
    value_at : of its value.
    list_at : of its list.
    """

    place: str
    at: int
    tag: int
    kind: int
    count: int
    value_at: int
    list_at: int

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return SIZES[self.kind] * self.count


def order(block: bytes | bytearray) -> str | None:
    """``<`` or ``>``, struct's words for the order of bytes; None where this is no TIFF."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))


def fields(block: bytes) -> list[Field]:
    """All fields that can be found; those that point outside are left out.

    Examples
    --------
    >>> [(f.place, f.tag) for f in fields(b"II*\\0" + bytes([8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0])
    ...     + bytes([1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]))]
    [('main', 274)]
    """
    end = order(block)
    if end is None or len(block) < 14:
        return []
    first = struct.unpack_from(end + "I", block, 4)[0]
    found: list[Field] = []
    seen: set[int] = set()
    waiting = [("main", first)]
    while waiting:
        place, at = waiting.pop(0)
        if at in seen or at < 8 or at + 2 > len(block) or len(seen) > 64:
            continue
        seen.add(at)
        count = struct.unpack_from(end + "H", block, at)[0]
        for item in _entries(block, end, place, at, count):
            found.append(item)
            if item.tag in _INNER and item.kind in (4, 13):
                waiting.append((_INNER[item.tag], number(block, item)))
            elif item.tag == SUB_IFDS and item.kind in (4, 13):
                waiting += [("sub", n) for n in numbers(block, item)[:64]]
        following = at + 2 + 12 * count
        if place == "main" and following + 4 <= len(block):
            waiting.append(("thumbnail", struct.unpack_from(end + "I", block, following)[0]))
    return found


def _entries(block: bytes, end: str, place: str, at: int, count: int) -> Iterator[Field]:
    for entry in range(at + 2, at + 2 + 12 * min(count, _MOST), 12):
        if entry + 12 > len(block):
            return
        tag, kind, number_of = struct.unpack_from(end + "HHI", block, entry)
        if kind not in SIZES or not number_of:
            continue
        size = SIZES[kind] * number_of
        where = entry + 8 if size <= 4 else struct.unpack_from(end + "I", block, entry + 8)[0]
        if where + size <= len(block):
            yield Field(place, entry, tag, kind, number_of, where, at)


def numbers(block: bytes, item: Field) -> list[int]:
    """The whole numbers of a field; an empty list where it holds something else."""
    letter = {1: "B", 3: "H", 4: "I", 13: "I"}.get(item.kind)
    if letter is None:
        return []
    return list(struct.unpack_from(f"{order(block)}{item.count}{letter}", block, item.value_at))


def number(block: bytes, item: Field) -> int:
    """Its first number, -1 where there is none."""
    return (numbers(block, item) or [-1])[0]


def set_number(block: bytearray, item: Field, value: int) -> bool:
    """Overwrite its first number, where it is of a kind that can hold it."""
    letter, most = {3: ("H", 0xFFFF), 4: ("I", 0xFFFFFFFF)}.get(item.kind, ("", -1))
    if value > most:
        return False
    struct.pack_into(f"{order(block)}{letter}", block, item.value_at, value)
    return True


def remove(block: bytearray, items: list[Field]) -> None:
    """Take fields out of their lists and fill their values with zeros.

    Later entries of the list move up, and with them the pointer behind the list; no value moves.
    """
    end = order(block)
    for item in sorted(items, key=lambda item: -item.at):  # from the back: entries before stay
        if item.size > 4:
            block[item.value_at : item.value_at + item.size] = bytes(item.size)
        count = struct.unpack_from(f"{end}H", block, item.list_at)[0]
        stop = min(item.list_at + 2 + 12 * count + 4, len(block))
        block[item.at : stop] = block[item.at + 12 : stop] + bytes(12)
        struct.pack_into(f"{end}H", block, item.list_at, count - 1)


def orientation(block: bytes) -> int:
    """1..8; 1 where there is none that can be read."""
    for item in fields(block):
        if item.place == "main" and item.tag == ORIENTATION:
            value = number(block, item)
            return value if value in range(1, 9) else 1
    return 1


def remove_gps(block: bytearray) -> None:
    """Take the position out, whatever list it stands in."""
    items = fields(bytes(block))
    remove(block, [item for item in items if item.place == "gps"])
    remove(block, [item for item in items if item.tag == GPS_IFD])
