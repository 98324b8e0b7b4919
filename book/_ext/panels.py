"""A row of pictures that `gdp_lite.book.plotting.show` drew, arranged anew for the page it is on.

The JPEG says in its comment where its panels are. Each becomes a window on that one file, with its
title as text: in the page's colours, of its letters' size, and two beside each other on a phone.
A JPEG without such a comment stays as it is, and so do all of them outside of HTML.
"""

import json
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.transforms.post_transforms import SphinxPostTransform

from gdp_lite.book.interactive import escape

RIM = 1  # pixels left out all around a panel: where it is made smaller, they take in some white
FORMAT = '<div class="gdp-panels" style="--columns:{};--few:{};--width:{}px">\n{}</div>\n'


class panels(nodes.image):
    """An image of `told["panels"]`, whose file has size `pixels`."""


def read(path):
    """({"columns", "panels"}, size) of a JPEG; None for what `show` did not draw."""
    if path.suffix not in (".jpeg", ".jpg") or not path.is_file():
        return None
    with Image.open(path) as file:
        try:
            told = json.loads(file.info.get("comment", b""))
            return (told, file.size) if told["panels"] else None
        except (ValueError, KeyError, TypeError):
            return None


def window(source, title, box, size, alt, row):
    """The HTML of one panel. row: of the width and height of a column's pictures."""
    rim = RIM if min(box[2:]) > 10 * RIM else 0
    x, y, w, h = box[0] + rim, box[1] + rim, box[2] - 2 * rim, box[3] - 2 * rim
    place = f"width:{size[0] / w:.4%};height:{size[1] / h:.4%};left:{-x / w:.4%};top:{-y / h:.4%}"
    narrow = f";width:{box[2] / row:.2%}" if box[2] < row else ""
    words = "<br>".join(" ".join(escape(line).split()) for line in title.split("\n"))
    return (
        f'<div class="gdp-panel"><span>{words}</span>'
        f'<div style="aspect-ratio:{w}/{h}{narrow}"><img src="{source}" alt="{escape(alt)}" '
        f'style="{place}"></div></div>\n'
    )


def grid(source, told, size, alt):
    """The HTML of all panels. The first has the alternative text, which tells of all."""
    columns, boxes = told["columns"], [panel["box"] for panel in told["panels"]]
    widest = max(box[2] for box in boxes)
    cells = [
        window(source, panel["title"], panel["box"], size, "" if number else alt, widest)
        for number, panel in enumerate(told["panels"])
    ]
    for number in range(0, len(cells), columns):  # on a phone, too, a row begins on the left
        cells[number] = cells[number].replace('"gdp-panel"', '"gdp-panel gdp-first"', 1)
    return FORMAT.format(columns, min(columns, told.get("few", 2)), widest, "".join(cells))


def visit_panels(self, node):
    source = f"{self.builder.imgpath}/{self.builder.images[node['uri']]}"
    self.body.append(grid(source, node["told"], node["pixels"], node.get("alt", "")))
    raise nodes.SkipNode


class Arrange(SphinxPostTransform):
    """Puts `panels` for the images of outputs that are some; before `builder.images` is filled."""

    default_priority = 400
    formats = ("html",)

    def run(self, **options):
        for node in list(self.document.findall(nodes.image)):
            found = read(Path(self.env.srcdir, node["uri"]))
            if found:
                told, pixels = found
                node.replace_self(panels("", **node.attributes, told=told, pixels=pixels))


def setup(app):
    app.add_node(panels, html=(visit_panels, None))
    app.add_post_transform(Arrange)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
