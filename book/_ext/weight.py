"""What a page does not need is not loaded, and what is not seen yet is loaded later.

The theme brings Font Awesome (two scripts, four fonts, 1.9 MB) for fourteen icons, which
`_static/icons.css` draws. MathJax comes in a dozen bundles, of which a page loads one.
"""

import re
import shutil
from functools import cache
from pathlib import Path

from PIL import Image

ICONS = re.compile(r"\s*<(?:script|link)\b[^>]*vendor/fontawesome/[^>]*>(?:</script>)?")


@cache
def size(path):
    """Width and height of a picture, as attributes; nothing for a drawing."""
    if path.suffix == ".svg":
        return ""
    with Image.open(path) as file:
        told = f' width="{file.width}" height="{file.height}"'
        if path.suffix == ".png":  # a plot: its letters, some 14 pixels, are legible at 10
            told += f' style="--legible: {round(0.73 * file.width)}px"'
        return told


def lazy(html, folder):
    """Every picture but the first says its size, so that nothing jumps, and waits to be seen."""
    seen = 0

    def change(match):
        nonlocal seen
        tag, seen = match[0], seen + 1
        source = re.search(r' src="([^"]+)"', tag)
        if not source or source[1].startswith("data:") or " loading=" in tag:
            return tag
        told = "" if seen == 1 else ' loading="lazy"'
        if " width=" not in tag and " style=" not in tag:
            told += size((folder / source[1]).resolve())
        return f'{tag[:-1].rstrip(" /")}{told} decoding="async" />'

    return re.sub(r"<img\b[^>]*>", change, html)


def lighten(app, error):
    """Changes the pages as they were written."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.html"):
        old = path.read_text(encoding="utf-8")
        new = lazy(ICONS.sub("", old), path.parent)
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
    app.connect("build-finished", lighten, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
