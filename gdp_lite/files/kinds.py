"""The true name of a file, from its first bytes, whatever its ending says."""

from gdp_lite.files import tiff

# Read here; the last only where the library for it is installed.
READ = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys(
        (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIF"
    ),
    b"crx ": "a Canon raw file (CR3): develop it first",
    b"qt  ": "a film (QuickTime)",
}
_STARTS = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"8BPS": "a Photoshop file (PSD)",
    b"FUJIFILMCCD-RAW": "a Fujifilm raw file (RAF): develop it first",
    b"IIRO": "an Olympus raw file (ORF): develop it first",
    b"IIRS": "an Olympus raw file (ORF): develop it first",
    b"IIU\0": "a Panasonic raw file (RW2): develop it first",
    b"FOVb": "a Sigma raw file (X3F): develop it first",
    b"\0MRM": "a Minolta raw file (MRW): develop it first",
    b"II+\0": "a BigTIFF file",
    b"MM\0+": "a BigTIFF file",
    b"%PDF": "a PDF file",
    b"\0\0\1\0": "an icon (ICO)",
    b"PK\3\4": "a ZIP archive",
    b"\x1aE\xdf\xa3": "a film (Matroska)",
}
_PHOTOMETRIC, _COMPRESSION, _DNG = 0x0106, 0x0103, 0xC612
_SENSOR = {32803, 34892}  # colour filter array, linear raw


def heif_works() -> bool:
    """Whether pillow-heif is there; makes Pillow read and write HEIC by it."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def kind_of(data: bytes) -> str:
    """A name of `READ`, or what else it is in words, or empty where that cannot be told.

    Examples
    --------
    >>> kind_of(b"\\xff\\xd8\\xff\\xe0"), kind_of(b"GIF89a"), kind_of(b"a letter")
    ('JPEG', 'a GIF picture', '')
    """
    if data[:4] == b"RIFF":
        return {b"WEBP": "WEBP", b"AVI ": "a film (AVI)"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return _brand(data)
    for start, name in _STARTS.items():
        if data.startswith(start):
            return name
    if tiff.order(data):
        return _raw(data) or "TIFF"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "a PNM picture"
    head = data[:1000].lstrip().lower()
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head):
        return "an SVG drawing"
    return "a web page" if head.startswith((b"<!doctype html", b"<html")) else ""


def _brand(data: bytes) -> str:
    """Of the boxes that HEIC, AVIF and films share: the major brand, then the compatible ones."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, length, 4))]
    if b"avif" in brands or b"avis" in brands:  # whose major brand may be HEIF's general one
        return "AVIF"
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "a film (MP4)")


def _raw(data: bytes) -> str:
    """Raw files of many makers are TIFF files that hold a sensor's pixels."""
    if data[8:11] == b"CR\2":
        return "a Canon raw file (CR2): develop it first"
    for item in tiff.fields(data):
        if item.place in ("main", "sub"):
            if item.tag == _DNG:
                return "a raw file (DNG): develop it first"
            if item.tag == _PHOTOMETRIC and tiff.number(data, item) in _SENSOR:
                return "a camera's raw file: develop it first"
    return ""
