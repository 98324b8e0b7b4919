"""Small pictures of the photo inside its metadata, made anew where they stand.

Each gets exactly the bytes that the old one had: who points to it, in whatever maker's way, still
finds it. A JPEG is filled up to its length with a comment.
"""

import io

import numpy as np
from PIL import Image

from gdp_lite.files import jpeg, tiff

_LIKE = 0.8  # correlation with the photo above which a small picture shows the photo: a choice
_QUALITIES = (90, 80, 70, 55, 40, 25, 12, 4)  # tried in turn until a preview fits its place
_SMALLEST = 8  # pixels a side
_COMPRESSION, _PHOTOMETRIC, _STRIPS, _LENGTHS = 0x0103, 0x0106, 0x0111, 0x0117  # tags of TIFF


def renew(
    block: bytearray, new: Image.Image, old: Image.Image, removed: bool, always: int = -1
) -> str:
    """Make all JPEGs inside a block anew that show the photo.

    Parameters
    ----------
    block : changed in place; its length stays.
    new, old : the photo after and before, as stored, any size from some hundred pixels.
    removed : whether what `old` showed must not be seen: small pictures that do not look like the
        photo are blanked then.
    always : where a small picture stands that is known to be one of the photo.

    Returns
    -------
    What could not be done, in words; empty where nothing is to be told.
    """
    at, said = 0, ""
    while (at := block.find(b"\xff\xd8\xff", at)) >= 0:
        inner = jpeg.parse(bytes(block[at:]))
        if not inner.whole or inner.frame is None or min(inner.frame[2:4]) < _SMALLEST:
            at += 2
            continue
        height, width = inner.frame[2:4]
        if at == always or _shows(inner.core, old):
            if (width < height) != (new.width < new.height):  # that one lay on its side
                width, height = height, width
            made = of_length(fitted(new, (width, height)), inner.end)
            said = said or (
                "" if made else "a preview in it was too short to be made anew: blanked"
            )
            block[at : at + inner.end] = made or bytes(inner.end)
        elif removed:
            said = "a picture in it that does not look like the photo was blanked"
            block[at : at + inner.end] = bytes(inner.end)
        at += inner.end
    return said


def renew_exif(block: bytearray, new: Image.Image, old: Image.Image, removed: bool) -> str:
    """`renew` for an EXIF block, whose thumbnail may also be stored as bare pixels."""
    listed = {item.tag: item for item in tiff.fields(bytes(block)) if item.place == "thumbnail"}
    start = tiff.number(bytes(block), listed[0x0201]) if 0x0201 in listed else -1
    said = renew(block, new, old, removed, start)
    if 0x0201 in listed or not listed.keys() >= {_STRIPS, _LENGTHS, tiff.WIDTH, tiff.HEIGHT}:
        return said
    values = {tag: tiff.numbers(bytes(block), item) for tag, item in listed.items()}
    width, height = values[tiff.WIDTH][0], values[tiff.HEIGHT][0]
    plain = values.get(_COMPRESSION) == [1] and values.get(_PHOTOMETRIC) == [2]
    fits = sum(values[_LENGTHS]) == 3 * width * height
    pixels = fitted(new, (width, height)).tobytes() if plain and fits else b""
    for begin, length in zip(values[_STRIPS], values[_LENGTHS], strict=False):
        length = max(0, min(length, len(block) - begin))
        block[begin : begin + length] = pixels[:length].ljust(length, b"\0")
        pixels = pixels[length:]
    return said if plain and fits else "its thumbnail is of a rare kind: blanked"


def renew_jfif(content: bytes, new: Image.Image) -> bytes:
    """A JFIF segment (or its extension, JFXX) with its bare pixels made anew."""
    if content.startswith(b"JFIF\0") and len(content) >= 14 and content[12] and content[13]:
        head, size = content[:14], (content[12], content[13])
    elif content.startswith(b"JFXX\0\x13") and len(content) >= 8 and content[6] and content[7]:
        head, size = content[:8], (content[6], content[7])
    else:
        return content
    return head + fitted(new, size).tobytes()[: len(content) - len(head)]


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in RGB at that size; with black bars where the shapes differ, as cameras do."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = (max(1, round(scale * picture.width)), max(1, round(scale * picture.height)))
    if max(abs(inner[0] - size[0]), abs(inner[1] - size[1])) <= 2:  # pixels: rounding, no bars
        inner = size
    small = picture.convert("RGB").resize(inner, Image.Resampling.BOX)
    if inner == size:
        return small
    whole = Image.new("RGB", size)
    whole.paste(small, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return whole


def of_length(picture: Image.Image, length: int) -> bytes | None:
    """A JPEG of exactly that many bytes, as good as fits; None where none does.

    Examples
    --------
    >>> data = of_length(Image.new("RGB", (16, 16)), 2000)
    >>> len(data), data[-2:]
    (2000, b'\\xff\\xd9')
    """
    for quality in _QUALITIES:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, optimize=True)
        core = file.getvalue()
        missing = length - len(core)
        if missing < 0:
            continue
        filling = b""
        while missing >= 4:
            content = bytes(min(missing - 4, jpeg.LONGEST))
            filling += jpeg.segment(jpeg.COMMENT, content)
            missing -= len(content) + 4
        # One to three bytes: a marker may be preceded by any number of 0xff.
        return core[:2] + filling + b"\xff" * missing + core[2:]
    return None


def _shows(core: bytes, photo: Image.Image) -> bool:
    """Whether a small JPEG shows the photo, by the correlation of both at 16 x 16."""
    try:
        with Image.open(io.BytesIO(core), formats=("JPEG",)) as small:
            if small.width * small.height > 4 * max(photo.width * photo.height, 1 << 20):
                return False
            small.draft("L", (64, 64))
            size = (small.width, small.height)
            a = np.asarray(small.convert("L").resize((16, 16), Image.Resampling.BOX), float)
    except Exception:  # Pillow raises almost anything
        return False
    b = np.asarray(fitted(photo, size).convert("L").resize((16, 16), Image.Resampling.BOX), float)
    a, b = a - a.mean(), b - b.mean()
    if a.std() < 1 and b.std() < 1:  # both flat: nothing tells them apart
        return True
    return bool((a * b).mean() > _LIKE * a.std() * b.std())
