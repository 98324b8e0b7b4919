"""What a photo is in memory: an upright picture, and all else that its file said."""

import contextlib
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from gdp_lite.estimators.coding import Coding, coding_of_file
from gdp_lite.estimators.jpeg_tables import JpegTables
from gdp_lite.files.pixels import TURNS

_EXIF_IFD, _ISO = 0x8769, 0x8827  # tags of Exif


class PhotoError(ValueError):
    """A file that cannot be read, used or written; the message is one line for the user.

    Examples
    --------
    >>> from gdp_lite.photos import read_photo
    >>> try:
    ...     read_photo("nowhere.jpg")
    ... except PhotoError as error:
    ...     print(error)
    nowhere.jpg does not exist
    """


@dataclass
class Origin:
    """How the file was made, for a writer that answers in kind; what is empty was not there.

    Parameters
    ----------
    kind : JPEG, PNG, WEBP, TIFF, AVIF or HEIF; empty for a picture that comes from no file.
    segments : of a JPEG: (marker, content) of every APPn and comment, in order.
    chunks : of a PNG: (name, content, whether before the pixels) of every chunk but the pixels'.
    trailer : what stands behind the end of a JPEG's picture.
    trailer_at : where that began in the file, for those who point there.
    index_at : where a JPEG's index of pictures stood, from which its offsets count.
    tables : a JPEG's quantisation tables, 64 numbers each.
    coded : a JPEG's tables by component and its subsampling; None for a JPEG of a rare kind.
    progressive : whether a JPEG was.
    black : (H, W) uint8, upright: the black plate of a CMYK picture.
    mode : Pillow's word for the stored pixels: L, RGB, CMYK, ...
    whole : whether the picture is all there; else the file ended early, and the rest is flat.
    """

    kind: str = ""
    segments: list[tuple[int, bytes]] = field(default_factory=list)
    chunks: list[tuple[bytes, bytes, bool]] = field(default_factory=list)
    trailer: bytes = b""
    trailer_at: int = 0
    index_at: int = 0
    tables: list[list[int]] = field(default_factory=list)
    coded: JpegTables | None = None
    progressive: bool = False
    black: Tensor | None = None
    mode: str = "RGB"
    whole: bool = True


@dataclass
class Photo:
    """An upright picture and what else its file said.

    Parameters
    ----------
    image : (1, 3, H, W) float32 in [0, 1], as encoded (no colour profile is applied, but a CMYK
        picture's).
    orientation : the EXIF tag, 1..8, that turned the stored picture upright.
    grey : whether the file had a single channel of colour.
    metadata : what every format may hold, as bytes: exif (with its prefix ``Exif\\0\\0``),
        icc_profile, xmp, comment, iptc, photoshop; and dpi, two numbers.
    lossy : whether the file's compression may have lost detail.
    alpha : (H, W) float32 in [0, 1], upright, or None where the file had no transparency.
    bits : of each value in the file, 8 or 16.
    notes : one line about each thing that could not be read or kept.
    origin : how the file was made, for a writer that answers in kind.

    Examples
    --------
    >>> Photo(torch.zeros(1, 3, 4, 6)).orientation
    1
    """

    image: Tensor
    orientation: int = 1
    grey: bool = False
    metadata: dict = field(default_factory=dict)
    lossy: bool = False
    alpha: Tensor | None = None
    bits: int = 8
    notes: list[str] = field(default_factory=list)
    origin: Origin = field(default_factory=Origin)

    @property
    def iso(self) -> float | None:
        """The sensitivity that the file states, or None."""
        tags = Image.Exif()
        with contextlib.suppress(Exception):  # a damaged block says nothing
            tags.load(self.metadata.get("exif", b""))
            stated = tags.get_ifd(_EXIF_IFD).get(_ISO, 0)
            value = float(stated[0] if isinstance(stated, tuple) else stated)
            return value if 1 <= value <= 1e7 else None
        return None

    @property
    def coding(self) -> Coding | None:
        """How its file is coded as a JPEG, over the upright picture; None for other files."""
        coded, turn = self.origin.coded, TURNS[self.orientation]
        return coded and coding_of_file(coded, tuple(self.image.shape[-2:]), turn)
