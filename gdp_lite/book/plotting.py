"""Pictures for the chapters: rows of images with short titles."""

import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import SVG, Image

BLOCK = 8  # pixels of a block of the JPEG: a panel begins with one, so that no white bleeds into it


def show(pictures, columns=None, width=9.0, zoom=None, font=10, few=2):
    """Images beside each other, `columns` to a row, as a JPEG for the last line of a cell.

    The file's comment says in JSON where in it the panels are: {"columns": 2, "few": 2, "panels":
    [{"title": "photo", "box": [x, y, w, h]}, ...]}, in pixels, row by row. `book/_ext/panels.py`
    arranges them anew on a page, with the titles as text: a phone has room for `few` in a row.

    pictures: title -> image, (1, 3, H, W) or (3, H, W), display range, clipped for showing.
    width: of the whole figure in inches, about. Photographs as PNG would make a page of megabytes.
    zoom: (top, left, side), a square of pixels that a frame marks in every picture and that is
    shown again in its lower right corner, enlarged to half of the picture's width.
    font: size of the drawn titles in points, where the JPEG is shown as it is.
    few: panels to a row on a phone. Where rows and columns both say something, all of them.
    """
    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    dpi = 126 if zoom else 84  # an enlarged part should not be blurred by the screen
    height, wide = next(iter(pictures.values())).shape[-2:]
    across = BLOCK * -(-int(width * dpi / columns - 4) // BLOCK)  # of a panel, in pixels
    down = round(across * height / wide)
    lines = 1 + max(title.count("\n") for title in pictures)
    above = 1.3 * lines * font * dpi / 72 + 4
    step = across + BLOCK, BLOCK * -(-int(above + down) // BLOCK)
    size = columns * step[0] + BLOCK, rows * step[1] + BLOCK
    figure = plt.figure(figsize=[(n + 0.01) / dpi for n in size])  # its size is rounded down
    panels = []
    for number, (title, image) in enumerate(pictures.items()):
        image = image[0] if image.ndim == 4 else image
        image = image.detach().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        scale = min(across / image.shape[1], down / image.shape[0])
        w, h = (max(round(scale * n), 1) for n in image.shape[1::-1])
        row, column = divmod(number, columns)
        # Those of a row stand on one line, in the middle of their columns.
        x = BLOCK + column * step[0] + (across - w) // 2
        bottom = (row + 1) * step[1]
        y = bottom - h
        axis = figure.add_axes((x / size[0], 1 - bottom / size[1], w / size[0], h / size[1]))
        axis.axis("off")
        smooth = "bicubic" if zoom else "nearest" if w >= image.shape[1] else "antialiased"
        axis.imshow(image, interpolation=smooth, aspect="auto")
        axis.set_title(title, fontsize=font, pad=4 * 72 / dpi)
        if zoom:
            _enlarge(axis, image, *zoom)
        panels.append({"title": title, "box": [x, y, w, h]})
    told = json.dumps({"columns": columns, "few": few, "panels": panels})
    file = io.BytesIO()
    # Colour at full size: halved, it would take white from the margins into the panels.
    options = {"quality": 84, "subsampling": 0, "comment": told.encode()}
    figure.savefig(file, format="jpeg", dpi=dpi, pil_kwargs=options)
    plt.close(figure)
    return Image(file.getvalue(), format="jpeg")


def plotted(figure):
    """A figure of matplotlib as an image, (3, H, W) in display range, for a slider; it is closed.

    Words do not belong in it where several stand beside each other: a phone makes them too small.
    """
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
    plt.close(figure)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _enlarge(axis, image, top, left, side):
    """The square of an (H, W, 3) array again in the lower right corner, both framed."""
    height, wide = image.shape[:2]
    inset = axis.inset_axes([0.5, 0, 0.5, 0.5 * wide / height])
    inset.imshow(image[top : top + side, left : left + side], interpolation="nearest")
    inset.set(xticks=[], yticks=[])
    inset.spines[:].set(color="white", linewidth=2)
    box = {"xy": (left - 0.5, top - 0.5), "width": side, "height": side}
    axis.add_patch(plt.Rectangle(**box, fill=False, edgecolor="white", linewidth=1.5))


def source_figure(number):
    """Figure 1 or 2 of the source, redrawn, as SVG for the last line of a cell.

    Raises FileNotFoundError for another number.
    """
    file = Path(__file__).parent / "figures" / f"figure_{number}.svg"
    return SVG(file.read_text(encoding="utf-8"))
