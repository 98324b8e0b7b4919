"""The page of real phone photos: pictures, credits and findings from book/real/photos.json.

`benchmarks/real_photos.py` writes that file, so that the page cannot say what was not found.
"""

import json
import re
from pathlib import Path
from typing import ClassVar

from docutils.parsers.rst import directives
from pictures import image, raw
from sphinx.util.docutils import SphinxDirective

from gdp_lite.book.interactive import STYLE, escape

WAYS = ("photo", "classical", "restored")


def read(root):
    """name -> what is known of a photo."""
    return json.loads((Path(root) / "book" / "real" / "photos.json").read_text(encoding="utf-8"))


def credit(entry):
    """Markdown: whose the photo is, and where it comes from."""
    iso = f", ISO {entry['iso']:.0f}" if entry["iso"] else ""
    return (
        f"{entry['camera']}, {entry['width']}×{entry['height']}{iso}. From "
        f"[{entry['owner']}]({entry['source']}), {entry['licence']}."
    )


def typeset(line):
    """A line of `diagnose`, with a minus where a terminal has a hyphen."""
    return re.sub(r"(?<![\w-])-(?=\d)", "−", line)


def seen(entry):
    """Markdown: what was found that a person would see, in a sentence."""
    told = "; ".join(typeset(entry["findings"][kind]["line"]) for kind in entry["seen"])
    return f"**Found**: {told or 'nothing that a person would see'}."


def findings(entry):
    """Markdown: a row for each kind of fault."""
    rows = [
        "| looked for | what `diagnose` says | a person sees it | so it is |",
        "|---|---|---|---|",
    ]
    for kind, found in entry["findings"].items():
        done = "undone" if kind in entry["kinds"] else "left alone"
        line, visible = typeset(found["line"]), 100 * found["visible"]
        # The share's last digits are not known: `visible` is a model's.
        rows.append(f"| {kind} | {line} | {visible:.0f}% | {done} |")
    return "\n".join(rows)


def overview(photos):
    """Markdown: every photo, what was found and what was done."""
    rows = ["| phone | found and to be undone | so the command |", "|---|---|---|"]
    for entry in photos.values():
        seen = ", ".join(entry["seen"]) or "nothing"
        done = "undoes it" if entry["seen"] else "copies the file, bit for bit"
        rows.append(f"| {entry['camera']} | {seen} | {done} |")
    return "\n".join(rows)


def measured(crop):
    """What is left in the flattest parts of a crop, in words."""
    flat = {way: crop["flat"][way] for way in WAYS if way in crop["flat"]}
    if "classical" not in flat:
        return ""
    if not any(f"{value:.1f}" != "0.0" for values in flat.values() for value in values.values()):
        return "Its flattest squares are of one colour, in all three: there is no noise to measure."
    return "; ".join(
        f"{what}: " + ", ".join(f"{way} {values[key]:.1f}" for way, values in flat.items())
        for what, key in (
            ("Noise in the flattest squares, of 255", "luma"),
            ("in colour", "colour"),
        )
    )


class RealPhoto(SphinxDirective):
    """`{real-photo} NAME`: credit, what was found, the frame and the crops of a photo; folded, all
    that was looked for."""

    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(
        ("frame", "crop-1", "crop-2", "classical-1", "classical-2"), directives.unchanged_required
    )

    def run(self):
        self.name_, root = self.arguments[0], Path(self.env.srcdir)
        self.env.note_dependency(str(root / "book" / "real" / "photos.json"))
        entry = read(root)[self.name_]
        out = self.parse_text_to_nodes(f"{credit(entry)} {seen(entry)}")
        if entry["frame"]:
            ways = ["photo", "restored"] if self.path("frame", "restored").is_file() else ["photo"]
            out += [
                raw('<div class="gdp-crops">'),
                *self.figure("frame", ways, self.options["frame"]),
            ]
            out += [raw("</div>")]
        for number, crop in enumerate(entry["crops"], 1):
            alt = self.options[f"crop-{number}"]
            out += [raw('<div class="gdp-crops">')]
            out += self.figure(number, ["photo", "restored"], alt, measured(crop))
            if "classical" in crop["flat"]:
                alt = self.options[f"classical-{number}"]
                out += self.figure(number, ["classical", "restored"], alt)
            out += [raw("</div>")]
        out += [raw("<details><summary>All that was looked for, and the file</summary>")]
        out += self.parse_text_to_nodes(f"{findings(entry)}\n\nSHA-256 `{entry['sha256']}`")
        return [*out, raw("</details>")]

    def path(self, part, way):
        return Path(self.env.srcdir) / "book" / "real" / f"{self.name_}-{part}-{way}.webp"

    def figure(self, part, ways, alt, note=""):
        """Two pictures with a line to drag between them, or one."""
        if len(ways) == 1:
            still = self.image(part, ways[0], alt)
            return [raw('<figure class="gdp-still">'), still, raw("</figure>")]
        style = "" if self.env.temp_data.get("gdp-style") else STYLE
        self.env.temp_data["gdp-style"] = True
        left, right = ways
        head = f'<figure class="gdp-live">\n{style}<div class="gdp-both">'
        head += '<div class="gdp-pair" style="--cut:50">'
        tail = (
            f'<span style="left:.4em">{left}</span><span style="right:.4em">{right}</span>\n'
            '<input type="range" min="0" max="100" value="50" step="1" autocomplete="off" '
            f'aria-label="Compare {left} with {right}" data-left="{left}" '
            f'aria-valuetext="50 percent {left}" oninput="this.closest(\'.gdp-pair\').style.'
            "setProperty('--cut',this.value);this.setAttribute('aria-valuetext',this.value+"
            "' percent '+this.dataset.left)\"></div></div>"
        )
        pictures = [self.image(part, right, alt), self.image(part, left, "")]
        caption = f"<figcaption>{escape(note)}</figcaption>" if note else ""
        return [raw(head), *pictures, raw(f"{tail}{caption}</figure>")]

    def image(self, part, way, alt):
        return image(self.path(part, way), "real", alt)


class RealPair(RealPhoto):
    """`{real-pair} NAME PART`: one of its pictures, "frame", "1" or "2", before and after."""

    required_arguments = 2
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self):
        self.name_, part = self.arguments
        figure = self.figure(part, ["photo", "restored"], self.options["alt"])
        return [raw('<div class="gdp-crops">'), *figure, raw("</div>")]


class RealPhotos(SphinxDirective):
    """`{real-photos}`: all of them in a table."""

    def run(self):
        return self.parse_text_to_nodes(overview(read(self.env.srcdir)))


def setup(app):
    app.setup_extension("pictures")
    app.add_directive("real-photo", RealPhoto)
    app.add_directive("real-pair", RealPair)
    app.add_directive("real-photos", RealPhotos)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
