"""What the book adds to its pages: weight, head, results, formulas, references."""

import base64
import hashlib
import json
import re
import runpy
from pathlib import Path

import pytest
import torch
from PIL import Image

from gdp_lite.book.plotting import show
from gdp_lite.book.results import load_results
from gdp_lite.book.typeset import typeset

ROOT = Path(__file__).parents[1]
EXTENSIONS = ROOT / "book" / "_ext"
WEIGHT, HEAD, RESULTS, LEDGER, PANELS = (
    runpy.run_path(str(EXTENSIONS / f"{name}.py"))
    for name in ("weight", "head", "results", "ledger", "panels")
)
PAGE = (ROOT / "book" / "degradations.md").read_text(encoding="utf-8")
CHARTS = [
    (name, dict(re.findall(r"^:(\w+): (.*)$", options, re.MULTILINE)))
    for name, options in re.findall(r"```\{results\} (\w+)\n(.*?)```", PAGE, re.DOTALL)
]


def test_all_pictures_but_the_first_wait(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg")
    Image.new("RGB", (600, 300)).save(tmp_path / "plot.png")
    Image.new("RGB", (600, 300)).save(tmp_path / "sharp.png")
    page = '<img alt="a" src="photo.jpg" />' * 2 + '<img alt="b" src="plot.png">'
    page += '<img alt="b" src="sharp.png">'
    page += '<img alt="c" src="data:image/webp;base64,AA" width="1" height="1">'
    plots = {"plot.png": (12.5, None), "sharp.png": (12.5, (300, 150))}
    changed = WEIGHT["lazy"](page, tmp_path, plots)
    first, second, plot, sharp, inside = re.findall("<img[^>]*>", changed)
    assert "lazy" not in first
    assert 'loading="lazy"' in second
    assert 'width="40" height="30"' in first
    assert 'width="600" height="300" style="--legible: 480px"' in plot, "letters of 12.5 as of 10"
    assert 'width="300" height="150" style="--legible: 240px"' in sharp, "two pixels for one"
    assert inside == '<img alt="c" src="data:image/webp;base64,AA" width="1" height="1">'


def test_a_plots_smallest_letters_are_known_from_its_code(tmp_path):
    def drawn(code, content, **metadata):
        output = {"data": {"image/png": base64.b64encode(content).decode()}, "metadata": metadata}
        return {"cell_type": "code", "source": code, "outputs": [output]}

    def found(*cells):
        (tmp_path / "chapter.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
        names = {f"{hashlib.sha256(name).hexdigest()}.png": name for name in (b"one", b"two")}
        told = WEIGHT["drawn"](tmp_path / "chapter.ipynb")
        return {names[file]: plot for file, plot in told.items()}

    plain = drawn("axis.plot(x)", b"one")
    code, told = "axis.legend(fontsize=8)\naxis.set_title(name, fontsize=12)", (300, 150)
    small = drawn(code, b"two", **{"image/png": {"width": 300, "height": 150}})
    assert found(plain, small) == {b"one": (10 * 100 / 72, None), b"two": (8 * 100 / 72, told)}
    settings = {"cell_type": "code", "outputs": []}
    settings["source"] = 'plt.rcParams.update({"figure.dpi": 144, "font.size": 9})'
    assert found(settings, plain, small) == {b"one": (18, None), b"two": (16, told)}


def test_panels_are_windows_on_one_file(tmp_path):
    """Each shows its box, less a rim: place and size by CSS, computed back."""
    pictures = {"a < b\n 1 dB": torch.zeros(1, 3, 20, 30), "tall": torch.zeros(1, 3, 30, 20)}
    pictures["third"] = torch.zeros(1, 3, 20, 30)
    (tmp_path / "row.jpeg").write_bytes(show(pictures, columns=2, width=5).data)
    told, size = PANELS["read"](tmp_path / "row.jpeg")
    html = PANELS["grid"]("row.jpeg", told, size, 'say "what"')
    assert "<span>a &lt; b<br>1 dB</span>" in html
    assert re.findall(r'alt="(.*?)"', html) == ["say &quot;what&quot;", "", ""]
    assert html.count("gdp-first") == 2, "the first of each row"
    assert "--columns:2;--few:2" in html
    found = re.findall(
        r'aspect-ratio:(\d+)/(\d+)(?:;width:(.*?)%)?"><img src="row.jpeg" alt=".*?" '
        r'style="width:(.*?)%;height:(.*?)%;left:(.*?)%;top:(.*?)%"',
        html,
    )
    for panel, (w, h, share, *percents) in zip(told["panels"], found, strict=True):
        wide, high, left, top = (float(p) / 100 for p in percents)
        w, h = int(w), int(h)
        assert (wide * w, high * h) == pytest.approx(size, abs=0.01)
        box = panel["box"]
        assert [1 - left * w, 1 - top * h] == pytest.approx([box[0] + 2, box[1] + 2], abs=0.01)
        assert [w, h] == [box[2] - 2, box[3] - 2]
        assert bool(share) == (panel["title"] == "tall"), "of its column"


def test_other_pictures_stay_as_they_are(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg")
    Image.new("RGB", (40, 30)).save(tmp_path / "said.jpg", comment=b"from a phone")
    Image.new("RGB", (40, 30)).save(tmp_path / "json.jpg", comment=b"[1]")
    Image.new("RGB", (40, 30)).save(tmp_path / "plot.png")
    for name in ("photo.jpg", "said.jpg", "json.jpg", "plot.png", "missing.jpg"):
        assert PANELS["read"](tmp_path / name) is None


def test_font_awesome_is_left_out():
    page = (
        '<link href="../_static/vendor/fontawesome/6/css/all.min.css?d=1" rel="stylesheet" />\n'
        '<script src="../_static/vendor/fontawesome/6/js/all.min.js?d=1"></script><p>x</p>'
    )
    assert WEIGHT["ICONS"].sub("", page) == "<p>x</p>"


@pytest.mark.parametrize(
    ("repository", "pages"),
    [
        ("https://github.com/You/fork", "https://you.github.io/fork/"),
        (f"https://github.com/{HEAD['UNKNOWN']}/gdp-lite", ""),
        ("https://git.example.org/a/b", ""),
    ],
)
def test_the_pages_address_follows_the_repositorys(repository, pages):
    assert HEAD["pages_address"](repository) == pages


@pytest.mark.parametrize(("name", "options"), CHARTS, ids=[name for name, _ in CHARTS])
def test_a_chart_draws_the_rows_it_names(name, options):
    rows = load_results(name)
    html = RESULTS["chart"](name, rows, options)
    drawn = [
        row
        for row in rows
        if RESULTS["admitted"](row, options.get("where", ""))
        and RESULTS["known"](row[options["value"]])
    ]
    assert len(drawn) > 3
    assert html.count('<td class="number">') == len(drawn)
    assert "nan" not in html
    for left, width in re.findall(r'class="(?:bar|doubt)" style="left:(.*?)%;width:(.*?)%', html):
        assert 0 <= float(left) <= float(left) + float(width) <= 100.01


@pytest.mark.parametrize("name", sorted({name for name, _ in CHARTS}))
def test_the_full_tables_have_names_for_people(name):
    rows = load_results(name)
    html = RESULTS["numbers"](name, rows)
    heads = re.findall(r'<th scope="col">(.*?)</th>', html)
    assert len(heads) == len(rows[0])
    assert not any("_" in head for head in heads)
    assert "nan" not in html
    assert "None" not in html


def test_a_chart_of_no_row_is_refused():
    with pytest.raises(ValueError, match="no row of cost"):
        RESULTS["chart"](
            "cost", load_results("cost"), {"value": "time", "where": "operator=fog", "label": "x"}
        )


def test_a_charts_words_take_the_place_of_values_and_keep_groups_together():
    rows = [{"kind": k, "by": b, "x": n} for n, (k, b) in enumerate(("am", "bm", "an"), start=1)]
    options = {"value": "x", "group": "kind", "label": "{by}", "names": "kind", "told": "x"}
    html = RESULTS["chart"]("made up", rows, options | {"words": "a=first; m=by hand"})
    assert re.findall(r'scope="row(?:group)?".*?>(.*?)</th>', html) == [
        "first", "by hand", "n", "b", "by hand",
    ]  # fmt: skip
    assert re.findall(r'"number">(.*?)<', html) == ["1.00", "3.00", "2.00"]
    with pytest.raises(ValueError, match=r"no row of made up that is drawn has \['z'\]"):
        RESULTS["chart"]("made up", rows, options | {"words": "z=nothing"})


def test_every_class_of_the_page_has_its_picture():
    listed = re.findall(r"^\| `(\w+)` \| !\[.+?\]\(kinds/(\w+)\.webp\)", PAGE, re.MULTILINE)
    assert len(listed) == len(re.findall(r"^\| `\w+` \|", PAGE, re.MULTILINE))
    files = {path.stem: path.read_bytes() for path in (ROOT / "book" / "kinds").glob("*.webp")}
    assert all(name == picture for name, picture in listed)
    assert {name for name, _ in listed} == set(files) - {"scene"}
    assert all(files[name] != files["scene"] for name, _ in listed)
    assert sum(map(len, files.values())) < 300_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1e-12, float64", "$10^{-12}$, float64"),
        ("3e-7 and 20%", r"$3 \cdot 10^{-7}$ and 20%"),
        ("mean of q(x_{t-1} | x_t, x_0), at all t",
         r"mean of $q(\mathbf{x}_{t-1} \mid \mathbf{x}_t, \mathbf{x}_0)$, at all $t$"),
        ("(T = 1000, 1000 points)", "($T = 1000$, 1000 points)"),
        ("sqrt((1 - alpha_bar_t) / alpha_bar_t) large",
         r"$\sqrt{(1 - \bar\alpha_t) / \bar\alpha_t}$ large"),
        ("A sum of A_t^2, in Eq. (4)", "A sum of $A_t^2$, in Eq. (4)"),
        ("a log likelihood", "a log likelihood"),
    ],
)  # fmt: skip
def test_formulas_of_a_line(text, told):
    assert typeset(text) == told


def test_no_formula_of_ledger_and_errata_is_left_in_letters():
    for cell in LEDGER["collect"](ROOT):
        rows = cell.metadata.get("ledger", [])
        texts = [row[key] for row in rows for key in ("claim", "tolerance")]
        texts += [cell.metadata["erratum"]["how"]] if "erratum" in cell.metadata else []
        for text in texts:
            words = re.sub(r"\$[^$]*\$", "", typeset(text))
            assert not re.search(r"[_^<>|]|\d+e-?\d|\b(alpha|beta|sigma|Phi)\b", words), words


def test_every_reference_leads_to_its_paper():
    entries = re.split(r"^@", (ROOT / "book" / "references.bib").read_text("utf-8"), flags=re.M)[1:]
    for entry in entries:
        if not entry.startswith("misc{hu,"):  # was never published
            assert re.search(r"^  (doi|eprint|url) = \{\S+\}", entry, re.MULTILINE), entry[:40]
