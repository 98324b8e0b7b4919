"""Photos in and out: seen the same way up, everything else about the file kept as it was.

`read_photo` turns the picture upright for processing. `write_photo` writes a JPEG of a JPEG with
all its segments in order, stored as it was; other formats get upright pixels and metadata that say
so, since their viewers do not agree about orientation tags. What a format cannot hold is told.
"""

from gdp_lite.files.masks import read_mask, read_painted_mask
from gdp_lite.files.photo import Origin, Photo, PhotoError
from gdp_lite.files.reading import read_photo
from gdp_lite.files.saving import check_output, save_bytes, write_photo
from gdp_lite.files.strokes import read_painted_strokes, read_strokes

__all__ = [
    "Origin",
    "Photo",
    "PhotoError",
    "check_output",
    "read_mask",
    "read_painted_mask",
    "read_painted_strokes",
    "read_photo",
    "read_strokes",
    "save_bytes",
    "write_photo",
]
