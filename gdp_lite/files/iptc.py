"""Photoshop's resources, and IPTC's records in one of them."""

import struct

IIM = 0x0404  # the resource with IPTC's records
_PLACES = {90, 92, 95, 100, 101, 26, 27}  # city, sublocation, state, country, content location


def resources(block: bytes) -> list[tuple[int, int, int, int]]:
    """(number, where it begins, where its content begins, where that ends) of each resource."""
    found, at = [], 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        start = at + 6 + block[at + 6] // 2 * 2 + 2  # a name, its length in front, is even
        if start + 4 > len(block):
            break
        number, length = struct.unpack_from(">H", block, at + 4)[0], block[start : start + 4]
        end = start + 4 + int.from_bytes(length, "big")
        if end > len(block):
            break
        found.append((number, at, start + 4, end))
        at = end + (end - start) % 2
    return found


def records(block: bytes) -> bytes:
    """IPTC's records in Photoshop's resources; empty where there are none.

    Examples
    --------
    >>> records(wrapped(b"abc"))
    b'abc'
    """
    parts = [block[start:end] for number, _, start, end in resources(block) if number == IIM]
    return b"".join(parts)


def wrapped(content: bytes) -> bytes:
    """IPTC's records as a resource of Photoshop's."""
    head = struct.pack(">4sHHI", b"8BIM", IIM, 0, len(content))
    return head + content + bytes(len(content) % 2)


def without_places(block: bytes) -> bytes:
    """Photoshop's resources without the records that tell where the photo was taken."""
    for number, begin, start, end in reversed(resources(block)):
        if number == IIM:
            kept = wrapped(_kept(block[start:end]))
            block = block[:begin] + kept + block[end + (end - start) % 2 :]
    return block


def _kept(content: bytes) -> bytes:
    kept, at = b"", 0
    while content[at : at + 1] == b"\x1c" and at + 5 <= len(content):
        record, number, length = struct.unpack_from(">BBH", content, at + 1)
        end = at + 5 + length
        if length & 0x8000 or end > len(content):  # longer than IPTC's own fields become
            break
        if record != 2 or number not in _PLACES:
            kept += content[at:end]
        at = end
    return kept + content[at:]
