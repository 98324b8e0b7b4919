"""What an XMP packet says, changed without writing the rest of it anew.

Properties are named by their namespace's address, since prefixes are free. They stand as
attributes (``GCamera:MotionPhoto="1"``) or as elements (``<GCamera:MotionPhoto>1</...>``).
"""

import re

TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
NOTE = "http://ns.adobe.com/xmp/note/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_GOOGLE = "http://ns.google.com/photos/1.0/"
_DYNAMIC_DEPTH = "http://ns.google.com/photos/dd/1.0/"
# What declares pictures, maps and films beside the photo.
SEQUELS = (
    *(_GOOGLE + part + "/" for part in ("container", "container/item", "depthmap", "image")),
    *(_GOOGLE + part + "/" for part in ("focus", "audio")),
    *(_DYNAMIC_DEPTH + p + "/" for p in ("container", "item", "device", "camera", "depthmap")),
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
)
CAMERA = _GOOGLE + "camera/"
MOTION = r"(?:MotionPhoto|MicroVideo)\w*"
# Where the photo was taken.
PLACES = (
    (EXIF, r"GPS\w*"),
    (PHOTOSHOP, r"City|State|Country"),
    (IPTC, r"Location|CountryCode"),
    (IPTC_EXTENSION, r"Location(?:Shown|Created)"),
)


def prefixes(packet: bytes, address: str) -> list[str]:
    """The prefixes that stand for an address in this packet."""
    found = re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(address.encode()), packet)
    return sorted({prefix.decode("ascii", "ignore") for prefix in found} - {""})


def without(packet: bytes, address: str, names: str = r"[\w.-]+") -> bytes:
    """The packet without the properties of that address whose names match.

    Examples
    --------
    >>> without(b'<a xmlns:c="here" c:MotionPhoto="1" c:Other="2"/>', "here", "Motion.*?")
    b'<a xmlns:c="here" c:Other="2"/>'
    """
    for prefix in prefixes(packet, address):
        name = rf"{re.escape(prefix)}:(?:{names})".encode()
        packet = re.sub(rb"\s" + name + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", b"", packet)
        packet = re.sub(rb"<" + name + rb"(?:\s[^<>]*)?/>", b"", packet)
        # An element may hold another of its name: cut between the first and its own end.
        while opening := re.search(rb"<(" + name + rb")(?:\s[^<>]*)?>", packet):
            end = _closing(packet, opening)
            packet = packet[: opening.start()] + packet[end:]
    return packet


def _closing(packet: bytes, opening: re.Match) -> int:
    """Where the element ends; where its end is missing, only the opening is cut."""
    depth = 1
    marks = rb"<(/?)" + re.escape(opening[1]) + rb"(?:\s[^<>]*?)?(/?)>"
    for mark in re.finditer(marks, packet[opening.end() :]):
        if not mark[2]:
            depth += -1 if mark[1] else 1
        if not depth:
            return opening.end() + mark.end()
    return opening.end()


def with_number(packet: bytes, address: str, name: str, value: int) -> bytes:
    """The packet with a number changed where it says one.

    Examples
    --------
    >>> with_number(b'<a xmlns:t="here" t:W="12"><t:W>12</t:W></a>', "here", "W", 7)
    b'<a xmlns:t="here" t:W="7"><t:W>7</t:W></a>'
    """
    for prefix in prefixes(packet, address):
        full = re.escape(f"{prefix}:{name}".encode())
        for before, after in (
            (rb"\s" + full + rb"\s*=\s*[\"']", rb""),
            (rb"<" + full + rb">", b""),
        ):
            pattern = rb"(" + before + rb")\s*\d+" + after
            packet = re.sub(pattern, rb"\g<1>" + str(value).encode(), packet)
    return packet


def without_sequels(packet: bytes) -> bytes:
    """The packet without what declares gain maps, depth maps, films and other pictures."""
    for address in SEQUELS:
        packet = without(packet, address)
    return without(packet, CAMERA, MOTION)


def without_places(packet: bytes) -> bytes:
    """The packet without what tells where the photo was taken."""
    for address, names in PLACES:
        packet = without(packet, address, names)
    return packet


def extended(extensions: list[bytes], packet: bytes) -> bytes:
    """The packet of a JPEG and what goes on in its extension segments, as one packet.

    extensions : contents behind the prefix: 32 letters that `packet` names, the whole length, where
    the part belongs, the part.
    """
    name = re.search(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})", packet)
    parts = {
        int.from_bytes(e[36:40], "big"): e[40:] for e in extensions if name and e[:32] == name[1]
    }
    whole = b"".join(parts[at] for at in sorted(parts))
    packet = without(packet, NOTE, "HasExtendedXMP")
    inner = re.search(rb"<rdf:RDF[^>]*>(.*)</rdf:RDF>", whole, re.DOTALL)
    end = packet.rfind(b"</rdf:RDF>")
    return packet if not inner or end < 0 else packet[:end] + inner[1] + packet[end:]
