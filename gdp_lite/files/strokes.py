"""Strokes: a copy of a photo on which a person has painted some colours."""

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from gdp_lite.files import pixels
from gdp_lite.files.decoding import Decoded
from gdp_lite.files.layers import PAINTED, opaque, read_layer, read_painted
from gdp_lite.files.photo import Photo, PhotoError
from gdp_lite.files.reading import name_of
from gdp_lite.kept_colour import NEARLY

SAME = 6  # of 255: so much a programme that applies a colour profile may move what is not painted
# The same where the copy was stored with loss: in colour, and in brightness, which moves more at
# edges. By photos that were stored as JPEG again (benchmarks/strokes.py --copies).
SAME_COLOUR, SAME_LIGHT = 24, 64
EDGE = 1  # pixels of a brush's soft edge; a JPEG blurs its colour as far again
MOST = 0.5  # share of a photo under strokes: a picture that differs in more is another one


def read_strokes(path: str | Path | bytes, photo: Photo) -> Tensor:
    """Read the strokes that were painted over a photo.

    A stroke is where a copy of the photo differs from it, without the soft edges of the brush; of
    a picture with transparency, a layer of strokes alone, it is where that is opaque.

    Parameters
    ----------
    path : a picture of the photo's size as a viewer shows it, or as stored on disk; or its bytes.
    photo : the photo.

    Returns
    -------
    (1, 4, H, W), display range: the picture's colours, and 1 on the strokes, else 0.

    Raises
    ------
    PhotoError : for another size, no stroke, strokes without colour, and what is no copy.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     picture = Image.new("RGB", (60, 40))
    ...     picture.paste((200, 90, 60), (10, 10, 15, 20))
    ...     picture.save(f"{folder}/painted.png")
    ...     layer = read_strokes(f"{folder}/painted.png", Photo(torch.zeros(1, 3, 40, 60)))
    >>> layer.shape, int(layer[0, 3].sum())  # without the edges
    (torch.Size([1, 4, 40, 60]), 24)
    """
    return _told(read_layer(path, photo, "picture"), photo, name_of(path))


def read_painted_strokes(data: bytes, photo: Photo) -> Tensor:
    """The strokes that a person painted over a photo on a screen.

    Parameters
    ----------
    data : a layer, see `read_painted`; opaque on the strokes.
    photo : the photo.

    Returns
    -------
    (1, 4, H, W), as of `read_strokes`.

    Raises
    ------
    PhotoError : for what is no such layer, and strokes without colour.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> layer, file = Image.new("RGBA", (3, 2)), io.BytesIO()
    >>> layer.putpixel((2, 0), (255, 0, 0, 255))
    >>> layer.save(file, "PNG")
    >>> read_painted_strokes(file.getvalue(), Photo(torch.zeros(1, 3, 4, 6)))[0, 3, 0]
    tensor([0., 0., 0., 0., 1., 1.])
    """
    return _told(read_painted(data, photo), photo, PAINTED)


def _told(found: Decoded, photo: Photo, name: str) -> Tensor:
    """What `read_strokes` returns, of a picture that was read."""
    image = pixels.to_tensor(found.array)
    there = None if found.alpha is None else opaque(found.alpha)
    if there is None or bool(there.all()) or _is_photos(there, photo):
        marked = painted(image, photo.image, found.lossy)
        if not marked.any():
            raise PhotoError(f"nothing is painted on {name}: it shows the photo as it is")
    else:
        marked = there
        if not marked.any():
            raise PhotoError(f"nothing is painted on {name}: it is transparent everywhere")
    if marked.mean() > MOST:
        raise PhotoError(
            f"{name} differs from the photo in {100 * marked.mean():.0f}% of its pixels: paint a "
            "few strokes on a copy of it"
        )
    strokes = torch.from_numpy(np.ascontiguousarray(marked))
    colours = image[0, :, strokes]
    if bool((colours.amax(0) - colours.amin(0)).max() <= NEARLY):
        raise PhotoError(f"the strokes of {name} are grey: they tell no colour")
    return torch.cat([image, strokes[None, None].float()], 1)


def painted(copy: Tensor, photo: Tensor, lossy: bool = False) -> np.ndarray:
    """Where a copy of a photo was painted on, without the soft edges of the brush.

    Parameters
    ----------
    copy, photo : (1, 3, H, W), display range.
    lossy : whether the copy was stored as JPEG or the like, which changes all of it a little; a
        stroke has then at least 5 x 5 pixels.

    Returns
    -------
    (H, W), bool.
    """
    marked = np.empty(copy.shape[-2:], bool)
    bands = zip(copy[0].split(256, 1), photo[0].split(256, 1), strict=True)
    for number, (one, other) in enumerate(bands):  # some rows at a time, for memory
        change = 255 * (one - other)
        moved, tint = change.abs().amax(0), change.amax(0) - change.amin(0)
        differs = (tint > SAME_COLOUR) | (moved > SAME_LIGHT) if lossy else moved > SAME
        marked[256 * number :][: len(differs)] = differs.numpy()
    whole = np.ones((3, 3), bool)
    edge = 2 * EDGE if lossy else EDGE
    inner = ndimage.binary_erosion(marked, whole, edge, border_value=1)
    if lossy:
        return inner
    labels, count = ndimage.label(marked, whole)
    has_inner = np.zeros(count + 1, bool)
    has_inner[labels[inner]] = True
    return inner | (marked & ~has_inner[labels])  # a thin line is all edge: it stays as it is


def _is_photos(there: np.ndarray, photo: Photo) -> bool:
    """Whether the transparency is that of the photo, whose copy has it too."""
    return photo.alpha is not None and bool(((photo.alpha.numpy() >= 0.5) == there).all())
