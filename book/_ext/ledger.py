"""The equation ledger and the errata, collected from the notebooks.

A code cell with a check says so in its metadata, ``"ledger": [{"entry": "Eq. (2)", "claim": ...,
"function": ..., "tolerance": ...}]``; one that decides a misprint carries ``"erratum": {"where":
..., "printed": ..., "holds": ..., "how": ...}``, the two forms in LaTeX. So the pages cannot name
a check that is not there.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from gdp_lite.book.typeset import typeset

ENTRIES = [f"Eq. ({n})" for n in range(1, 10)] + [f"Algorithm 1, line {n}" for n in range(1, 10)]


class Cell(NamedTuple):
    """A code cell with ledger or erratum, and the section it stands in."""

    source: str
    metadata: dict
    chapter: str  # file name without its ending
    title: str  # of the chapter
    section: str  # nearest heading above

    @property
    def link(self):
        """HTML for a link to the section."""
        anchor = nodes.make_id(self.section)
        return f'<a href="{self.chapter}.html#{anchor}">{self.title}: {self.section}</a>'


def collect(root):
    """All cells with a ledger or an erratum, in the order of the table of contents."""
    found = []
    for chapter in re.findall(r"file: book/(\S+)", (root / "_toc.yml").read_text()):
        path = root / "book" / f"{chapter}.ipynb"
        if not path.is_file():
            continue
        title = section = None
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                for heading in re.findall(r"^#{1,3} +(.+)$", source, re.MULTILINE):
                    title, section = title or heading, heading
            elif cell["metadata"].keys() & {"ledger", "erratum"}:
                found.append(Cell(source, cell["metadata"], chapter, title, section))
    return found


def ledger_sections(root):
    """Markdown: a section for every entry, with its checks."""
    cells, parts = collect(root), []
    for entry in ENTRIES:
        lines = [
            f"- {typeset(row['claim'], _plain)}<br>{_code(row)}tolerance "
            f"{typeset(row['tolerance'], _plain)}; {cell.link}"
            for cell in cells
            for row in cell.metadata.get("ledger", ())
            if row["entry"] == entry
        ]
        parts += [f"## {entry}", "\n".join(lines)]
    return "\n\n".join(parts)


def errata_sections(root):
    """Markdown: every misprint, the form that holds, and the cell that decides."""
    parts = []
    for cell in collect(root):
        if "erratum" in cell.metadata:
            row = cell.metadata["erratum"]
            parts += [f"## {row['where']}", "::::{div} gdp-forms"]
            for title, form in (("As printed", row["printed"]), ("What holds", row["holds"])):
                parts += [f":::{{div}}\n*{title}*\n\n$$\n{form}\n$$\n:::"]
            parts += ["::::"]
            how = row["how"][:1].upper() + row["how"][1:].rstrip(".")
            parts += [f"{typeset(how, _plain)}. {cell.link}"]
    return "\n\n".join(parts)


def _plain(text):
    """Text in which nothing is markup."""
    return re.sub(r"([\\*_<>`$])", r"\\\1", text)


def _code(row):
    """The function's name, without the package's, and a comma."""
    name = row.get("function", "").removeprefix("gdp_lite.")
    return f"`{name}`, " if name else ""


class FromNotebooks(SphinxDirective):
    """`{ledger}` and `{errata}`: what the functions above return."""

    def run(self):
        root = Path(self.env.srcdir)
        for path in root.glob("book/*.ipynb"):
            self.env.note_dependency(str(path))
        text = {"ledger": ledger_sections, "errata": errata_sections}[self.name](root)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app):
    app.add_directive("ledger", FromNotebooks)
    app.add_directive("errata", FromNotebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
