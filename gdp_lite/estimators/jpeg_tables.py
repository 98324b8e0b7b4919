"""How a JPEG was encoded: it stands in the file, nothing has to be estimated."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

# Rows and columns of the luma for each one of the chroma.
SAMPLING = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2), "4:4:0": (2, 1)}


class JpegTables(NamedTuple):
    """How a JPEG was encoded.

    Parameters
    ----------
    luma, chroma : quantisation tables, 64 numbers each; chroma None for a grey file.
    subsampling : a key of `SAMPLING`.

    Examples
    --------
    >>> JpegTables([16] * 64, None, "4:4:4").subsampling
    '4:4:4'
    """

    luma: list[int]
    chroma: list[int] | None
    subsampling: str


def read_jpeg_tables(file: str | Path | BinaryIO) -> JpegTables:
    """The tables and the subsampling that a JPEG names; nothing is decoded.

    Parameters
    ----------
    file : a path or an open file.

    Returns
    -------
    The `JpegTables`.

    Raises
    ------
    ValueError : where it cannot be read or is no JPEG of one or three (YCbCr) channels.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (8, 8)).save(file, "JPEG", quality=90, subsampling="4:2:0")
    >>> tables = read_jpeg_tables(file)
    >>> tables.subsampling, tables.luma[0]
    ('4:2:0', 3)
    """
    try:
        # Of other formats, plugins may be installed that take anything for theirs.
        picture = Image.open(file, formats=("JPEG", "PNG", "TIFF", "WEBP"))
    except OSError as error:
        raise ValueError(f"no JPEG can be read: {error}") from error
    with picture:
        layers = getattr(picture, "layer", [])
        if picture.format != "JPEG" or len(layers) not in (1, 3):
            raise ValueError(f"no grey or colour JPEG: {picture.format}, {len(layers)} layers")
        if len(layers) == 3 and picture.info.get("adobe_transform") == 0:
            raise ValueError("this JPEG stores RGB, not YCbCr")
        # What Pillow's JPEG plugin adds to an image has no type.
        tables = [picture.quantization[layer[3]] for layer in layers]  # type: ignore[attr-defined]
    if len(layers) == 1:
        return JpegTables(tables[0], None, "4:4:4")
    factors = {(layers[0][2] / c[2], layers[0][1] / c[1]) for c in layers[1:]}
    names = [n for n, factor in SAMPLING.items() if factors == {factor}]
    if not names or tables[1] != tables[2]:
        raise ValueError("a JPEG with unusual sampling or chroma tables is not supported")
    return JpegTables(tables[0], tables[1], names[0])
