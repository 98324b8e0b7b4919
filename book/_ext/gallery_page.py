"""The gallery: pictures of book/gallery, scores of gallery.csv, titles of `gdp_lite.book.gallery`.

`benchmarks/gallery.py` writes the first two, so that the page cannot say what was not measured. A
figure's pictures are links to themselves; book/_static/gallery.js opens them over the page.
"""

import re
import statistics
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from pictures import image, raw
from sphinx.util.docutils import SphinxDirective

from gdp_lite import degradations, diagnosis, estimators, restoring
from gdp_lite.book.gallery import (
    ENTRIES,
    PHOTOS,
    THUMBNAILS,
    best_way,
    credit,
    median_and_worst,
    rows_of,
)
from gdp_lite.book.interactive import escape
from gdp_lite.book.results import FOLDER

# Ways in the order of the page: two rows of the figure's columns, read downwards.
LABELS = {
    "scene": "scene",
    "photo": "photo",
    "simple, known": "simple tool, Φ known",
    "known": "restored, Φ known",
    "simple, found": "simple tool, Φ found",
    "found": "restored, Φ found",
    "hint": "photo with strokes",
    "simple, hint": "simple tool, strokes",
    "restored, hint": "restored, strokes",
}
# What `describe()` of a class calls itself, in words; its parameters follow.
WORDS = {
    "GaussianNoise": "",
    "GaussianBlur": "Gaussian blur",
    "BlindGaussianBlur": "Gaussian blur",
    "Blur": "blur",
    "BlindBlur": "blur",
    "BlockAverage": "blocks",
    "BicubicDownsampling": "bicubic",
    "Inpainting": "pixels missing",
    "Occlusion": "overlay",
    "BlindOcclusion": "overlay",
    "ChannelMean": "mean of the channels",
    "ColourCast": "colour cast",
    "Contrast": "",
    "Gamma": "gamma",
    "LinearLight": "light",
    "ToneMap": "a map of light",
}
# Shapes of tensors, and a map's numbers that are nought in all entries.
UNSAID = re.compile(r", (?:(?:offset|mask|stops) [0-9x]+|(?:white|veil|contrast) 0(?![.\d]))")
SETTING = re.compile(r", (?:h|rho|to_file|weight|cut|target|power) [\d.]+")  # in the CSV file
PAIRS = (("simple, known", "known"), ("simple, found", "found"), ("simple, hint", "restored, hint"))


def in_words(phi):
    """What the table has for Phi, without names of the code."""
    parts = []
    for part in phi.removeprefix("found: ").split("; then "):
        name, comma, numbers = UNSAID.sub("", part).partition(", ")
        words = WORDS.get(name, name)
        parts.append(words + comma * bool(words) + numbers.replace("kernel ", "a kernel of "))
    return re.sub(r"(\d)x(\d)", r"\1 × \2", "; then ".join(parts))


def tool_in_words(used):
    """A simple tool's name, without its settings."""
    words = SETTING.sub("", used).replace("NLM", "non-local means")
    return words.replace("TV", "total variation")


def scores(rows, way, score):
    """Of all photos, in the table's order."""
    return [row[score] for row in rows if row["way"] == way]


def ways(rows):
    """Those of the kind, in the page's order."""
    there = {row["way"] for row in rows}
    return [way for way in LABELS if way in there]


def count(rows):
    return len({row["photo"] for row in rows})


def tool(rows, way):
    """What a way used, the same for all photos."""
    return next(row["tool"] for row in rows if row["way"] == way)


def table(rows):
    """Markdown: mean and standard deviation over the photos of each way."""
    lines = [f"| {count(rows)} photos | PSNR, dB | HaarPSI |", "|---|---|---|"]
    for way in ways(rows):
        used = tool_in_words(tool(rows, way)) if way.startswith("simple") else ""
        psnr, haar = (scores(rows, way, score) for score in ("psnr", "haarpsi"))
        cells = [
            f"{LABELS[way]} ({used})" if used else LABELS[way],
            f"{statistics.mean(psnr):.1f} ± {statistics.stdev(psnr):.1f}",
            f"{statistics.mean(haar):.2f} ± {statistics.stdev(haar):.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compared(rows, simple, ours, score="psnr"):
    """(mean, standard error, count of photos ahead) of restored less simple."""
    pairs = zip(scores(rows, ours, score), scores(rows, simple, score), strict=True)
    gaps = [a - b for a, b in pairs]
    error = statistics.stdev(gaps) / len(gaps) ** 0.5
    return statistics.mean(gaps), error, sum(gap > 0 for gap in gaps)


def verdict(rows):
    """Markdown: who wins, a line for each pair of ways; ± is the standard error of a difference."""
    sentences = []
    for simple, ours in PAIRS:
        if ours not in ways(rows) or simple not in ways(rows):
            continue
        gap, error, ahead = compared(rows, simple, ours)
        other, _, _ = compared(rows, simple, ours, "haarpsi")
        told = {"known": "Φ known", "found": "Φ found"}.get(ours, "Strokes")
        amount = f"{abs(gap):.1f} ± {error:.1f} dB"
        if abs(gap) < 2 * error:
            signed = f"{gap:+.1f}".replace("-", "−")
            who = f"no clear winner ({signed} ± {error:.1f} dB)"
        elif gap > 0:
            who = f"restored is ahead of the simple tool by {amount}"
        else:
            who = f"**the simple tool wins**, by {amount}"
        count = f", better on {ahead} of {len(scores(rows, ours, 'psnr'))} photos"
        turned = other * gap < 0 and abs(gap) >= 2 * error
        sentences.append(f"- {told}: {who}{count}{'; HaarPSI disagrees' if turned else ''}.")
    way = best_way(rows)
    _, _, ahead = compared(rows, "photo", way)
    of = len(scores(rows, way, "psnr"))
    label = LABELS[way][0].upper() + LABELS[way][1:]
    sentences.append(f"- {label}: better than the photo itself on {ahead} of {of}.")
    return "\n".join(sentences)


def full_name(name):
    """Where the API reference has it."""
    for module in (degradations, estimators, diagnosis, restoring):
        if name in getattr(module, "__all__", vars(module)):
            return f"{module.__name__}.{name}"
    raise KeyError(name)


def links(entry):
    """Markdown: classes, chapter."""
    classes = ", ".join(f"{{py:obj}}`{name} <{full_name(name)}>`" for name in entry.classes)
    file, words = entry.chapter
    return f"{classes}. Chapter: [{words}]({file})."


class GalleryEntry(SphinxDirective):
    """`{gallery} KIND`: a section with its figure, scores, a failure and where to go on.

    look: what the damage looks like, for alternative texts. photos: the median and the worst, of
    which the words are that follow: see, what the figure shows, and failure, what went wrong.
    """

    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(
        ("look", "photos", "see", "failure"), directives.unchanged_required
    )

    def run(self):
        kind = self.arguments[0]
        self.env.note_dependency(str(FOLDER / "gallery.csv"))
        entry, rows = ENTRIES[kind], rows_of(kind)
        if not rows:
            return []  # not computed yet
        median, worst = median_and_worst(rows)
        told = self.options.get("photos", f"{median} {worst}").split()
        if told != [median, worst]:
            raise self.error(f"the words about {kind} are not about {median} {worst}")
        section = nodes.section(ids=[f"gallery-{kind}"], names=[f"gallery-{kind}"])
        self.state.document.note_explicit_target(section)
        out = [nodes.title("", entry.title), raw(self.head(entry, rows))]
        value = {row["way"]: row["psnr"] for row in rows if row["photo"] == median}
        for way in ("scene", *ways(rows)):
            score = f"{value[way]:.1f} dB" if way in value else ""
            out.append(self.shot(kind, way, self.alt(way, median), score))
        out.append(
            raw(f"</div><figcaption>{escape(self.caption(median, rows))}</figcaption></figure>")
        )
        out += self.parse_text_to_nodes(
            f"{self.options.get('see', '')} {entry.why}\n\n{verdict(rows)}\n"
        )
        out.append(raw(f"<details><summary>Scores of {count(rows)} photos</summary>"))
        out += [*self.parse_text_to_nodes(table(rows)), raw("</details>")]
        out += self.failure(kind, rows, worst)
        out += self.parse_text_to_nodes(
            f"{links(entry)}\n\n```{'sh' if 'python -m' in entry.code else 'python'}\n"
            f"{entry.code}\n```"
        )
        section += out
        return [section]

    def failure(self, kind, rows, worst):
        """The photo that gained least: before, restored, scene; and why, where it is told."""
        way = best_way(rows)
        words = self.options.get("failure", "")
        value = {row["way"]: row["psnr"] for row in rows if row["photo"] == worst}
        alt = f"{self.subject(worst)}: photo, {LABELS[way]}, scene. {words}"
        told = self.parse_text_to_nodes(
            f"**Worst of the {count(rows)}**, {credit(worst).partition(',')[0]}: photo, "
            f"{LABELS[way]} ({value['photo']:.1f} to {value[way]:.1f} dB), scene. {words}"
        )
        still = image(self.path(kind, "worst"), "gallery", alt, opens=True)
        return [raw('<div class="gdp-failure">'), still, *told, raw("</div>")]

    def head(self, entry, rows):
        tall = "six" if len(ways(rows)) >= 5 else "four"
        return (
            f'<figure class="gdp-gallery gdp-{tall}" data-title="{escape(entry.title)}">'
            '<div class="gdp-shots">'
        )

    def shot(self, kind, way, alt, score):
        path = self.path(kind, way.replace(", ", "-"))
        return image(path, "gallery", alt, label=(LABELS[way], score))

    def path(self, kind, way):
        return Path(self.env.srcdir) / "book" / "gallery" / f"{kind}-{way}.webp"

    def subject(self, photo):
        words = PHOTOS[photo]
        if self.arguments[0].startswith("phone"):  # a capture shows another part of it
            words = f"part of a photo of {words}"
        return words[0].upper() + words[1:]

    def alt(self, way, photo):
        if way == "scene":
            return f"{self.subject(photo)}, as it was"
        if way == "photo":
            return f"{self.subject(photo)}: {self.options['look']}"
        return f"{self.subject(photo)}, {LABELS[way]}"

    def caption(self, photo, rows):
        phi = {row["way"]: row["phi"] for row in rows if row["photo"] == photo and row["phi"]}
        names = {"known": "Φ", "found": "Φ found", "hint": "Strokes"}
        told = "".join(f" {names[way]}: {in_words(words)}." for way, words in phi.items())
        return f"Photo: {credit(photo)}.{told}"


class Thumbnails(SphinxDirective):
    """`{gallery-thumbnails}`: a row of them, each a link to its entry; those that are computed."""

    def run(self):
        self.env.note_dependency(str(FOLDER / "gallery.csv"))
        folder, out = Path(self.env.srcdir) / "book" / "gallery", [raw('<div class="gdp-thumbs">')]
        for kind, (words, alt) in THUMBNAILS.items():
            if rows_of(kind):
                path, to = folder / f"thumb-{kind}.webp", f"gallery.html#gallery-{kind}"
                out.append(image(path, "gallery", alt, to=to, words=words))
        return [*out, raw("</div>")]


class Wall(SphinxDirective):
    """`{gallery-wall}`: every entry in small, the photo's left half beside the right half of what
    was made of it. The files are those of the entries below, and link to them."""

    def run(self):
        self.env.note_dependency(str(FOLDER / "gallery.csv"))
        folder, out = Path(self.env.srcdir) / "book" / "gallery", [raw('<div class="gdp-wall">')]
        for kind, entry in ENTRIES.items():
            rows = rows_of(kind)
            if not rows:
                continue  # not computed yet
            way = best_way(rows)
            alt = f"{entry.title}: left half the photo, right half {LABELS[way]}"
            pictures = [
                image(folder / f"{kind}-{name}.webp", "gallery", words)
                for name, words in (("photo", alt), (way, ""))
            ]
            out += [raw(f'<a href="#gallery-{kind}"><span class="gdp-halves">'), *pictures]
            out += [raw(f"</span><span>{escape(entry.title)}</span></a>")]
        return [*out, raw("</div>")]


def only_here(app, pagename, templatename, context, doctree):
    """The script and the style of the page are loaded by no other."""
    if pagename == "book/gallery":
        app.add_js_file("gallery.js", loading_method="defer")


def setup(app):
    app.setup_extension("pictures")
    app.add_directive("gallery", GalleryEntry)
    app.add_directive("gallery-thumbnails", Thumbnails)
    app.add_directive("gallery-wall", Wall)
    app.connect("html-page-context", only_here)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
