"""A photo in a moving figure is shown at twice its size at most: larger, its pixels are blotches.

Style sheets cannot read a picture's size from its tag, so each is written where they can.
"""

import re

FRAME = re.compile(
    r'<div class="(gdp-both|gdp-cell)">(?=(?:\s*<div class="gdp-pair"[^>]*>)?\s*'
    r'<img\b[^>]*? width="(\d+)")'
)


def told(html):
    """`html`, in which a frame's style says the width of the picture in it."""
    return FRAME.sub(r'<div class="\1" style="--natural:\2px">', html)


def tell(app, page, template, context, doctree):
    if "gdp-live" in context.get("body", ""):
        context["body"] = told(context["body"])


def setup(app):
    app.connect("html-page-context", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
