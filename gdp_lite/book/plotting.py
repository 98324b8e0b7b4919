"""Pictures for the chapters: rows of images with short titles."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import SVG, Image


def show(pictures, columns=None, width=9.0):
    """Images beside each other, `columns` to a row, as a JPEG for the last line of a cell.

    pictures: title -> image, (1, 3, H, W) or (3, H, W), display range, clipped for showing.
    width: of the whole figure in inches. Photographs as PNG would make a page of megabytes.
    """
    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    height, wide = next(iter(pictures.values())).shape[-2:]
    cell = width / columns
    size = (width, rows * (cell * height / wide + 0.3))
    # Not tight_layout: it forgets the titles of axes that are switched off.
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, image) in zip(axes.flat, pictures.items(), strict=False):
        image = image[0] if image.ndim == 4 else image
        axis.imshow(
            image.detach().clamp(0, 1).permute(1, 2, 0).cpu().numpy(), interpolation="nearest"
        )
        axis.set_title(title, fontsize=10)
    file = io.BytesIO()
    figure.savefig(file, format="jpeg", dpi=84, pil_kwargs={"quality": 84})
    plt.close(figure)
    return Image(file.getvalue(), format="jpeg")


def source_figure(number):
    """Figure 1 or 2 of the source, redrawn, as SVG for the last line of a cell.

    Raises FileNotFoundError for another number.
    """
    file = Path(__file__).parent / "figures" / f"figure_{number}.svg"
    return SVG(file.read_text(encoding="utf-8"))
