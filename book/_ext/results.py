"""Tables of the long runs as charts, with the numbers below, folded and to download.

`{results} NAME` draws `value`, with its `error`, of the rows of gdp_lite/book/results/NAME.csv that
`where` admits: a line of the page for each, so that it is read on a phone as on a desk, by eye or
by ear. Columns have names for people here, and a test sees that none is missing. What a value is
called in a chart, where it is another word, is said beside the chart: `words`, "known=the true Φ;
photo=the photo left alone".
"""

import math
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from gdp_lite.book.interactive import escape
from gdp_lite.book.results import load_results

# column -> what it says to people; those of one table go first.
HEADERS = {
    "stored": "file",
    "placed": "share found, side and place",
    "gain": "PSNR gained, dB",
    "gain_se": "standard error, dB",
    "gain_median": "PSNR gained, median, dB",
    "gain_worst": "PSNR gained, worst, dB",
    "bicubic": "PSNR gained by bicubic interpolation, dB",
    "ahead": "PSNR more than bicubic, dB",
    "ahead_se": "standard error of that, dB",
    "ahead_worst": "least PSNR more than bicubic, dB",
    "ahead_haarpsi": "HaarPSI more than bicubic",
    "ratio": "greatest ratio across edges and within",
    "same": "largest share of blocks of one colour",
    "what": "damage",
    "by": "found by",
    "error": "error",
    "within": "photos within reach",
    "psnr": "PSNR, dB",
    "than": "compared with",
    "difference": "PSNR more, dB",
    "se": "standard error, dB",
    "where": "numbers of",
    "mean": "mean error",
    "standard_error": "standard error",
    "minus_found": "more than found",
    "its_error": "standard error of that",
    "within_bar": "share within the bar",
    "fault": "fault",
    "method": "method",
    "photos": "photos",
    "psnr_sd": "PSNR, standard deviation",
    "psnr_median": "PSNR, median",
    "psnr_worst": "PSNR, worst",
    "haarpsi": "HaarPSI",
    "dE": "CIEDE2000, mean",
    "dE_worst": "CIEDE2000, worst",
    "ours_nearer": "share in which ours is nearer",
    "veiled": "photos veiled",
    "darkened": "photos darkened",
    "left": "share left as it was",
    "term": "term",
    "lambda2": "weight",
    "psnr_change": "PSNR gained, dB",
    "psnr_error": "standard error, dB",
    "haarpsi_change": "HaarPSI gained",
    "haarpsi_error": "its standard error",
    "time": "times as long",
    "memory": "times the memory",
    "operator": "damage",
    "psnr_minus_100_steps": "PSNR more than with 100 steps, dB",
    "psnr_spread": "PSNR over three seeds, standard deviation",
    "haarpsi_minus_100_steps": "HaarPSI more than with 100 steps",
    "haarpsi_spread": "HaarPSI over three seeds",
    "noise": "noise, of 255",
    "steps": "steps",
    "one_step_minus_psnr": "PSNR gained by one step, dB",
    "one_step_minus_haarpsi": "HaarPSI gained by one step",
    "size": "side, pixels",
    "strength": "strength",
    "minus_best": "PSNR less than the best, dB",
    "photo": "file",
    "task": "command",
    "least": "worst PSNR, dB",
    "from_40_dB": "photos from 40 dB on",
    "of": "of",
    "refused": "photos refused",
    "kind": "kind",
    "case": "case",
    "wrong": "photos that have it",
    "found": "found among these",
    "right": "photos that have not",
    "false": "called so among these",
    "recall": "recall",
    "precision": "precision",
    "group": "photos of",
    "share": "share",
    "quality": "quality of the file",
    "file_psnr": "PSNR of the file, dB",
    "file_haarpsi": "HaarPSI of the file",
    "gain_db": "PSNR gained, dB",
    "error_db": "standard error, dB",
    "worst_db": "worst PSNR gained, dB",
    "gain_haarpsi": "HaarPSI gained",
    "error_haarpsi": "its standard error",
    "worst_haarpsi": "worst HaarPSI gained",
}
OF_TABLES = {
    ("do_no_harm", "mean"): "mean PSNR, dB",
    ("casts", "what"): "what is measured",
    ("casts", "share"): "share, or error of log gains",
}


def header(table, column):
    """A column's name for people; KeyError where it has none."""
    return OF_TABLES.get((table, column)) or HEADERS[column]


def known(value):
    """Whether there is a value at all."""
    return value != "" and not (isinstance(value, float) and math.isnan(value))


def written(value):
    """A number or word of a table as it is read."""
    if not known(value):
        return "–"
    return str(value) if isinstance(value, str) else f"{value:g}".replace("-", "−")


def decimals(numbers):
    """How many the bars of one chart have, so that they can be compared: as few as tell them."""
    sizes = [abs(number) for number in numbers if number]
    if not sizes:
        return 0
    if min(sizes) < 0.02:  # two decimals would leave one digit or none
        return 3
    return 1 if max(sizes) >= 10 else 2


def told(number, doubt, places, sign=""):
    """A number as a chart writes it; with a doubt, to the second digit of that."""
    if doubt:
        places = max(1 - math.floor(math.log10(doubt)), 0)
    text = f"{sign}{number:.{places}f}" + (f" ± {doubt:.{places}f}" if doubt else "")
    return text.replace("-", "−")


def admitted(row, where):
    """Whether a row has one of the values that `where` names, "column=a|b; other!=c"."""
    for clause in filter(None, (part.strip() for part in where.split(";"))):
        column, values = clause.split("=")
        wanted = {v.strip() for v in values.split("|")}
        value = row[column.rstrip("!")]
        value = f"{value:g}" if isinstance(value, float) else value
        if (value in wanted) == column.endswith("!"):
            return False
    return True


def in_words(name, rows, told):
    """Rows as a chart writes them, by `words`; ValueError where none of them has a word."""
    pairs = (pair.split("=") for pair in told.split(";") if pair)
    words = {value.strip(): word.strip() for value, word in pairs}
    rows = [{column: written(value) for column, value in row.items()} for row in rows]
    if unused := set(words).difference(*(row.values() for row in rows)):
        raise ValueError(f"results: no row of {name} that is drawn has {sorted(unused)}")
    return [{column: words.get(value, value) for column, value in row.items()} for row in rows]


def chart(name, rows, options):
    """The rows as a table in which one column is drawn, those of a group together."""
    value, error, unit = options["value"], options.get("error"), options.get("unit", "")
    rows = [row for row in rows if admitted(row, options.get("where", "")) and known(row[value])]
    if not rows:
        raise ValueError(f"results: no row of {name} has {value!r} where {options.get('where')!r}")
    columns = options.get("group", "").split()
    groups = list(dict.fromkeys(tuple(row[c] for c in columns) for row in rows))
    rows.sort(key=lambda row: groups.index(tuple(row[c] for c in columns)))
    spans = [(row[value], row[error] if error and known(row[error]) else 0.0) for row in rows]
    low = min(0.0, *(v - 2 * e for v, e in spans))
    high = max(0.0, *(v + 2 * e for v, e in spans))

    def place(number):
        return 100 * (number - low) / (high - low)

    out = ['<div class="gdp-chart-frame"><table class="gdp-chart">']
    drawn = f"{options['told']}{', ' + unit if unit else ''}"
    out += [f'<thead><tr><th scope="col">{escape(options["names"])}</th>']
    out += [f'<th scope="col" colspan="2">{escape(drawn)}</th></tr></thead><tbody>']
    last, places = None, decimals(v for v, e in spans if not e)
    rows = in_words(name, rows, options.get("words", ""))
    for row, (number, doubt) in zip(rows, spans, strict=True):
        group = options.get("grouped", "{}").format(", ".join(row[c] for c in columns))
        if columns and group != last:
            out += [f'<tr class="group"><th scope="rowgroup" colspan="3">{escape(group)}</th></tr>']
            last = group
        label = options["label"].format_map(row)
        left, right = sorted((place(0.0), place(number)))
        bar = f'<i class="zero" style="left:{place(0):.2f}%"></i>'
        bar += f'<i class="bar" style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'
        if doubt:
            start, end = place(number - 2 * doubt), place(number + 2 * doubt)
            bar += f'<i class="doubt" style="left:{start:.2f}%;width:{end - start:.2f}%"></i>'
        sign = "+" if low < 0 < high and number > 0 else ""
        text = told(number, 2 * doubt, places, sign)
        out += [f'<tr><th scope="row">{escape(label)}</th>']
        out += [f'<td class="track"><div>{bar}</div></td><td class="number">{text}</td></tr>']
    return "".join([*out, "</tbody></table></div>"])


def numbers(name, rows):
    """All rows, folded."""
    columns = list(rows[0])
    head = "".join(f'<th scope="col">{escape(header(name, c))}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(written(row[c]))}</td>" for c in columns) + "</tr>"
        for row in rows
    )
    return (
        "<details><summary>All numbers</summary>"
        '<div class="pst-scrollable-table-container"><table class="table">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


class Results(SphinxDirective):
    """`{results} NAME`: see above. `label` and `told` say what a line and its number are."""

    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(
        ("value", "error", "unit", "where", "group", "grouped", "label", "names", "told", "words"),
        directives.unchanged,
    )

    def run(self):
        name = self.arguments[0]
        path = Path(self.env.srcdir) / "gdp_lite" / "book" / "results" / f"{name}.csv"
        self.env.note_dependency(str(path))
        rows = load_results(name)
        out = [nodes.raw("", chart(name, rows, self.options), format="html")]
        if self.env.temp_data.setdefault("gdp-results", {}).get(name):
            return out  # another view of the same table: its numbers stand below the first
        self.env.temp_data["gdp-results"][name] = True
        out += [nodes.raw("", numbers(name, rows), format="html")]
        link = f"{{download}}`As a CSV file <../gdp_lite/book/results/{name}.csv>`"
        return [*out, *self.parse_text_to_nodes(link), nodes.raw("", "</details>", format="html")]


def setup(app):
    app.add_directive("results", Results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
