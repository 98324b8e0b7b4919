"""What a page does not need is not loaded, and what is not seen yet is loaded later.

The theme brings Font Awesome (two scripts, four fonts, 1.9 MB) for fourteen icons, which
`_static/icons.css` draws. MathJax comes in a dozen bundles, of which a page loads one.
"""

import base64
import hashlib
import json
import re
import shutil
from functools import cache
from pathlib import Path

from docutils import nodes
from PIL import Image

ICONS = re.compile(r"\s*<(?:script|link)\b[^>]*vendor/fontawesome/[^>]*>(?:</script>)?")


LEGIBLE = 10  # pixels of a letter on a phone
POINT = 72  # of an inch
AS_DRAWN = {"figure.dpi": 100, "font.size": 10}  # matplotlib's, where a chapter sets no others


def drawn(notebook):
    """name of a plot's file -> (its smallest letters, (its width, its height)), in CSS pixels.

    The letters by the code that drew it; its size as stored beside it, where it has two pixels for
    one, or else None.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    settings = re.findall(r'"(figure\.dpi|font\.size)": (\d+)', source)
    setting = AS_DRAWN | {name: int(number) for name, number in settings}
    found = {}
    for cell in cells:
        points = map(int, re.findall(r"fontsize=(\d+)", "".join(cell["source"])))
        smallest = min([setting["font.size"], *points]) * setting["figure.dpi"] / POINT
        for output in cell["outputs"]:
            if plot := output.get("data", {}).get("image/png"):
                content = base64.b64decode("".join(plot))
                shown = output.get("metadata", {}).get("image/png")
                pixels = shown and (shown["width"], shown["height"])
                found[f"{hashlib.sha256(content).hexdigest()}.png"] = smallest, pixels
    return found


@cache
def size(path, letter=None, pixels=None):
    """Width and height of a picture, as attributes; nothing for a drawing.

    letter: of a plot, its smallest letters in pixels; it says how wide they are legible on a phone.
    pixels: the size in which it is shown, where that is not the file's.
    """
    if path.suffix == ".svg":
        return ""
    with Image.open(path) as file:
        width, height = pixels or file.size
    told = f' width="{width}" height="{height}"'
    if letter:
        told += f' style="--legible: {round(LEGIBLE / letter * width)}px"'
    return told


def lazy(html, folder, plots):
    """Every picture but the first says its size, so that nothing jumps, and waits to be seen.

    plots: those on the page, by `drawn`.
    """
    seen = 0

    def change(match):
        nonlocal seen
        tag, seen = match[0], seen + 1
        source = re.search(r' src="([^"]+)"', tag)
        if not source or source[1].startswith("data:") or " loading=" in tag:
            return tag
        told = "" if seen == 1 else ' loading="lazy"'
        if " width=" not in tag and " style=" not in tag:
            path = (folder / source[1]).resolve()
            told += size(path, *plots.get(path.name, ()))
        return f'{tag[:-1].rstrip(" /")}{told} decoding="async" />'

    return re.sub(r"<img\b[^>]*>", change, html)


def unsized(app, doctree, docname):
    """Takes the size from the plots of a chapter: with one, Sphinx makes each a link to its file.

    `lazy` writes it, too, in attributes, which the style sheet makes smaller in their shape.
    """
    notebook = Path(app.env.doc2path(docname))
    if app.builder.format != "html" or notebook.suffix != ".ipynb":
        return
    plots = drawn(notebook)
    for image in doctree.findall(nodes.image):
        if Path(image["uri"]).name in plots:
            for name in ("width", "height"):
                image.attributes.pop(name, None)


def lighten(app, error):
    """Changes the pages as they were written."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.html"):
        old = path.read_text(encoding="utf-8")
        notebook = Path(app.srcdir) / path.relative_to(out).with_suffix(".ipynb")
        plots = drawn(notebook) if notebook.is_file() else {}
        new = lazy(ICONS.sub("", old), path.parent, plots)
        if new != old:
            path.write_text(new, encoding="utf-8")
    shutil.rmtree(out / "_static" / "vendor" / "fontawesome", ignore_errors=True)
    for path in (out / "_static").rglob("*.map"):
        path.unlink()
    for path in (out / "_static" / "mathjax").glob("*.js"):
        if path.name != "tex-chtml.js":
            path.unlink()


def setup(app):
    app.add_css_file("icons.css")
    app.connect("doctree-resolved", unsized)
    app.connect("build-finished", lighten, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
