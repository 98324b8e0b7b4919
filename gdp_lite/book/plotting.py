"""Pictures for the chapters: rows of images with short titles."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import SVG, Image


def show(pictures, columns=None, width=9.0, zoom=None, font=10):
    """Images beside each other, `columns` to a row, as a JPEG for the last line of a cell.

    pictures: title -> image, (1, 3, H, W) or (3, H, W), display range, clipped for showing.
    width: of the whole figure in inches. Photographs as PNG would make a page of megabytes.
    zoom: (top, left, side), a square of pixels that a frame marks in every picture and that is
    shown again in its lower right corner, enlarged to half of the picture's width.
    font: size of the titles in points. A phone shows the whole width on 358 pixels.
    """
    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    height, wide = next(iter(pictures.values())).shape[-2:]
    cell = width / columns
    lines = 1 + max(title.count("\n") for title in pictures)
    above = 0.3 + 1.3 * (lines * font - 10) / 72  # inches; a point is 1/72 of one
    size = (width, rows * (cell * height / wide + above))
    # Not tight_layout: it forgets the titles of axes that are switched off.
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, image) in zip(axes.flat, pictures.items(), strict=False):
        image = image[0] if image.ndim == 4 else image
        image = image.detach().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        axis.imshow(image, interpolation="bicubic" if zoom else "nearest")
        axis.set_title(title, fontsize=font)
        if zoom:
            _enlarge(axis, image, *zoom)
    file = io.BytesIO()
    dpi = 126 if zoom else 84  # an enlarged part should not be blurred by the screen
    figure.savefig(file, format="jpeg", dpi=dpi, pil_kwargs={"quality": 84})
    plt.close(figure)
    return Image(file.getvalue(), format="jpeg")


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
