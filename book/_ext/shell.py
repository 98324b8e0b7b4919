"""What the book needs of Sphinx beyond its configuration: a picture to drag, and pages that
work from a memory stick as they do from a server."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image
from sphinx.util.docutils import SphinxDirective

from gdp_lite.book.interactive import before_after


class BeforeAfter(SphinxDirective):
    """`{before-after} pair.jpg`: the left and right half of a picture, one over the other."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required, "labels": directives.unchanged}

    def run(self):
        path = self.env.relfn2path(self.arguments[0])[1]
        self.env.note_dependency(path)
        image = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) / 255
        half = image.shape[2] // 2
        labels = [part.strip() for part in self.options.get("labels", "before, after").split(",")]
        figure = before_after(image[..., :half], image[..., half:], self.options["alt"], labels)
        return [nodes.raw("", figure.data, format="html")]


def leave_out_thebe(app, config):
    """Jupyter Book always adds thebe, whose script is on another host, and adds it twice."""
    for listeners in app.events.listeners.values():
        listeners[:] = [e for e in listeners if e.handler.__module__ != "sphinx_thebe"]
    app.registry.css_files[:] = [f for f in app.registry.css_files if f[0] != "sphinx-thebe.css"]


# Paper is white, and nobody can click on it: light colours, and every fold open. Nothing scrolls
# there, either, and back on the screen it must be reachable by keyboard again.
ON_PAPER = """matchMedia("print").addEventListener("change", event => {
  const root = document.documentElement.dataset;
  if (event.matches) { root.screenTheme = root.theme; root.theme = "light"; }
  else root.theme = root.screenTheme;
  for (const fold of document.querySelectorAll("details"))
    if (event.matches && !fold.open) fold.open = fold.closedOnScreen = true;
    else if (!event.matches && fold.closedOnScreen) fold.open = fold.closedOnScreen = false;
  dispatchEvent(new Event("resize"));  // the theme decides again what scrolls, for the keyboard
});"""

# MathJax makes every formula a stop of the Tab key: a hundred and more in a chapter. Those in the
# text are left out, but for one that must scroll (a few pixels too wide are an italic's slant).
TAB_STOPS = """const spareTabs = () => {
  for (const formula of document.querySelectorAll("mjx-container:not([display])"))
    formula.tabIndex = formula.scrollWidth > formula.clientWidth + 14 ? 0 : -1;
};
addEventListener("load", () => window.MathJax?.startup?.promise?.then(spareTabs));
addEventListener("resize", spareTabs);"""

# file name pattern, what the theme or Sphinx writes, what works from file:// without an error
MENDED = [
    # Fonts are fetched by the style sheet anyway; a preload "crossorigin" fails from a file.
    ("*.html", r'<link rel="preload" as="font"[^>]*>\n?', ""),
    # The theme complains in the console about its own default.
    ("*.html", r'localStorage.getItem\("mode"\) \|\| ""', 'localStorage.getItem("mode") || "auto"'),
    # What scrolls must be reachable without a mouse.
    (
        "*.html",
        '<div class="pst-scrollable-table-container">',
        '<div class="pst-scrollable-table-container" tabindex="0">',
    ),
    # Labels that hide the words on the button from those who speak or hear them.
    ("*.html", r'(<button class="btn search-button-field[^>]*) aria-label="Search"', r"\1"),
    ("*.html", r'<summary aria-label="Toggle hidden content">', "<summary>"),
    # A list for screen readers whose entries are not marked as its items.
    ("references.html", '<div role="list" class="citation-list">', '<div class="citation-list">'),
    # The search's excerpts are fetched page by page, which a browser forbids between files.
    ("documentation_options.js", "SUMMARY: true", 'SUMMARY: location.protocol !== "file:"'),
]


def mend(app, error):
    """Change what no template or option reaches, in the pages as they were written."""
    if error or app.builder.format != "html":
        return
    for files, wrong, right in MENDED:
        for path in Path(app.outdir).rglob(files):
            old = path.read_text(encoding="utf-8")
            new = re.sub(wrong, right, old)
            if new != old:
                path.write_text(new, encoding="utf-8")


def setup(app):
    app.add_directive("before-after", BeforeAfter)
    app.connect("config-inited", leave_out_thebe)
    app.connect("build-finished", mend)
    app.add_css_file("book.css")
    app.add_js_file("figures.js", loading_method="defer")
    app.add_js_file(None, body=ON_PAPER)
    app.add_js_file(None, body=TAB_STOPS)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
