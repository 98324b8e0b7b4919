"""The guard of the notebooks: nbval passes one that was never run, this does not."""

import base64
import io
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BOOK = Path(__file__).parents[1] / "book"
NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
SMALLER = runpy.run_path(str(BOOK / "execute.py"))["smaller"]
SETUP = "# Set-up, the same in every chapter."


def cells(path, kind=None):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [c for c in found if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def pictures(cell):
    return [o for o in cell["outputs"] if any(k.startswith("image/") for k in o.get("data", {}))]


def test_there_are_notebooks():
    assert NOTEBOOKS


each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


@each
def test_every_cell_was_run_in_order(path):
    counts = [c["execution_count"] for c in cells(path, "code") if source(c).strip()]
    assert counts == list(range(1, len(counts) + 1))


@each
def test_outputs_are_stored(path):
    """A cell that prints or shows something has an output; errors and stderr are none."""
    for cell in cells(path, "code"):
        outputs, text = cell["outputs"], source(cell)
        where = f"cell {cell['id']}"
        if re.search(
            r"^(print|show|slider|before_after|stepper|display|check_answer)\(|^ +print\(",
            text,
            re.M,
        ):
            assert outputs, f"{where} has lost its output"
        if re.search(r"^show\(", text, re.M):
            assert pictures(cell), f"{where} has lost its picture"
        for output in outputs:
            assert output["output_type"] != "error", f"{where} failed"
            assert output.get("name") != "stderr", f"{where} wrote to stderr"
            view = "application/vnd.jupyter.widget-view+json"
            assert view not in output.get("data", {}), (
                f"{where} has a widget, dead without its kernel: `python book/execute.py` it"
            )


@each
def test_checked_cells_have_something_to_check(path):
    for cell in cells(path, "code"):
        if "nbval-check-output" in cell["metadata"].get("tags", []):
            assert cell["outputs"], f"cell {cell['id']} is compared with nothing"


@each
def test_text_outputs_are_the_same_everywhere(path):
    """No paths, addresses in memory or dates, which differ on every machine."""
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            text = "".join(output.get("text", "")) + "".join(
                output.get("data", {}).get("text/plain", "")
            )
            assert not re.search(
                r"/(home|root|tmp|usr|work)/|0x[0-9a-f]{6,}|\b20\d\d-\d\d", text
            ), f"cell {cell['id']}: {text[:80]}"


@each
def test_ids_are_given_by_hand_and_unique(path):
    ids = [c["id"] for c in cells(path)]
    assert len(ids) == len(set(ids))
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), f"{name} is not a name"
        assert not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", name), f"{name} changes at every save"


@each
def test_every_picture_has_an_alternative_text(path):
    for cell in cells(path, "code"):
        if pictures(cell):
            alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 40, f"cell {cell['id']}: say what the picture shows"
    for cell in cells(path, "markdown"):
        for alt in re.findall(r"!\[(.*?)\]\(", source(cell)):
            assert alt, f"cell {cell['id']}: a picture without an alternative text"


def figures(path):
    """The cells whose output a reader looks at: pictures, and figures that move."""
    for cell in cells(path, "code"):
        html = ["".join(o.get("data", {}).get("text/html", "")) for o in cell["outputs"]]
        if pictures(cell) or any("gdp-live" in text for text in html):
            yield cell


@each
def test_every_figure_has_a_caption(path):
    """One sentence, for those who see the picture: not its description."""
    told = set()
    for cell in figures(path):
        about = cell["metadata"].get("mystnb", {})
        caption = about.get("figure", {}).get("caption", "")
        where = f"cell {cell['id']}: {caption!r}"
        assert 30 < len(caption) <= 200, where
        assert caption[0].isupper(), where
        assert caption.endswith("."), where
        assert ". " not in re.sub(r"Eq\. ", "", caption), where
        assert caption != about.get("image", {}).get("alt"), where
        told.add(caption)
    assert len(told) == len(list(figures(path))), "two figures have one caption"


@each
def test_code_that_only_draws_is_folded(path):
    """It shows what was computed, and is a click away."""
    for cell in figures(path):
        if not re.search(r"^def |assert|ledger", source(cell) + str(cell["metadata"]), re.M):
            tags = set(cell["metadata"].get("tags", []))
            if cell["id"].startswith(("fig-", "slider", "drag")):
                assert tags & {"hide-input", "hide-cell"}, f"cell {cell['id']} is open"


@each
def test_cells_hold_one_idea(path):
    """25 lines at most, the median 12 at most, lines of 80 columns that fit on a page."""
    lengths = []
    for cell in cells(path, "code"):
        lines = source(cell).splitlines()
        lengths.append(len(lines))
        assert len(lines) <= 25, f"cell {cell['id']} has {len(lines)} lines"
        assert max(map(len, lines), default=0) <= 80, f"cell {cell['id']} is too wide"
    assert sorted(lengths)[len(lengths) // 2] <= 12


@each
def test_plots_are_sharp_and_small(path):
    """Two pixels for one, as the set-up cell says, and a palette: `python book/execute.py` it."""
    for cell in cells(path, "code"):
        for output in pictures(cell):
            if not (plot := output["data"].get("image/png")):
                continue
            shown = output["metadata"].get("image/png", {"width": 0})
            stored = base64.b64decode("".join(plot))
            with Image.open(io.BytesIO(stored)) as file:
                where = f"cell {cell['id']}: {file.size}, shown as {shown}"
                assert file.width // 2 == shown["width"], where
                # RGB is left only where 256 colours are too few
                small = file.mode == "P" or stored == SMALLER(stored)
                assert small, f"cell {cell['id']} has all its colours"


def test_a_plot_is_stored_with_a_palette_and_a_photo_is_not():
    """Always the same bytes, and no white that is grey."""
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    plot = np.full((200, 300, 3), 255, dtype=np.uint8)
    plot[50:150] = ramp[:, None] // [1, 2, 4]
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for picture, mode, off in ((plot, "P", 8), (photo, "RGB", 0)):
        written = io.BytesIO()
        Image.fromarray(picture).convert("RGBA").save(written, "PNG")
        stored = SMALLER(written.getvalue())
        assert stored == SMALLER(written.getvalue())
        with Image.open(io.BytesIO(stored)) as file:
            assert file.mode == mode
            shown = np.array(file.convert("RGB"))
        assert (shown[picture.min(-1) == 255] == 255).all()
        assert np.abs(shown.astype(int) - picture).max() <= off


@each
def test_long_prints_are_folded(path):
    """A reader looks at a picture or reads a sentence: 14 lines of numbers are a table at most."""
    for cell in cells(path, "code"):
        if not {"hide-output", "hide-cell"} & set(cell["metadata"].get("tags", [])):
            lines = [n for o in cell["outputs"] for n in "".join(o.get("text", "")).splitlines()]
            assert len(lines) <= 14, f"cell {cell['id']} prints {len(lines)} lines"


@each
def test_page_size(path):
    """The pictures make the page: base64 is a third larger than the files on it."""
    assert path.stat().st_size * 0.75 < 1.5e6


@each
def test_a_chapter_has_its_parts(path):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    for part in ("# ", "After this chapter you can", "## Exercises", "## Summary", "Limits"):
        assert part in text, f"{path.stem} has no {part!r}"
    assert text.count("Predict first") >= 2
    assert len(re.findall(r"<summary>Solution", text)) >= 3
    assert len(re.findall(r"<summary>Hint 1", text)) >= 3
    assert text.count("<details>") == text.count("</details>")


def reading_minutes(path):
    """{section: minutes} by the rule on the cards, as a reader of the page meets the chapter.

    200 words or ten lines of code a minute, a minute and a half a displayed equation. Counted:
    all Markdown (card, tables and summary, too; an inline formula is one word) and the lines of
    code that are not blank. Not counted: the exercises, what is folded in the page (answers, cells
    with hide-cell or hide-input), outputs and pictures.
    """
    minutes, section = {}, "the card"
    for cell in cells(path):
        if cell["cell_type"] == "code":
            if not {"hide-cell", "hide-input"} & set(cell["metadata"].get("tags", [])):
                lines = [line for line in source(cell).split("\n") if line.strip()]
                minutes[section] += len(lines) / 10
            continue
        text = re.sub(r"<details>.*?</details>", " ", source(cell), flags=re.S)
        for heading in re.findall(r"^## (.*)", text, re.M):
            section = heading
        text, equations = re.subn(r"\$\$.*?\$\$", " ", text, flags=re.S)
        text = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", re.sub(r"\$[^$]+\$", "formula", text))
        words = len(re.findall(r"[^\W_][\w'’-]*", text))
        minutes[section] = minutes.get(section, 0) + words / 200 + 1.5 * equations
    minutes.pop("Exercises")
    return minutes


def said_minutes(path):
    """(minutes, sections that begin another sitting) from the card."""
    [line] = re.findall(r"^\| \*\*Time\*\* \|.*", source(cells(path)[1]), re.M)
    [minutes] = re.findall(r"\| (\d+) minutes to read \(200 words", line)
    return int(minutes), re.findall(r"(?:second|third) from \*(.+?)\*", line)


@each
def test_the_card_says_how_long_the_chapter_is(path):
    """Within 15% of the rule; above an hour, in sittings that begin at a section, of 75 at most."""
    minutes = reading_minutes(path)
    said, breaks = said_minutes(path)
    assert abs(said / sum(minutes.values()) - 1) < 0.15, f"it is {sum(minutes.values()):.0f}"
    assert breaks or said <= 60
    sittings = [0]
    for section, value in minutes.items():
        sittings += [0] if section in breaks else []
        sittings[-1] += value
    assert len(sittings) == len(breaks) + 1, "the card names a section that is none"
    assert max(sittings) < 75


def test_the_teachers_page_has_the_cards_minutes():
    page = (BOOK / "teaching.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        said, breaks = said_minutes(path)
        sittings = f", {len(breaks) + 1} sittings" if breaks else ""
        assert f"({path.name}) | {said} min{sittings} |" in page


@each
def test_solutions_are_folded_below_their_stubs(path):
    """In the page (hide-cell), in Jupyter (source_hidden) and in Colab (cellView)."""
    ids = [c["id"] for c in cells(path)]
    for cell in cells(path, "code"):
        if not cell["id"].startswith("solution"):
            continue
        where, metadata = f"cell {cell['id']}", cell["metadata"]
        assert "hide-cell" in metadata.get("tags", []), f"{where} is open in the page"
        assert metadata.get("jupyter", {}).get("source_hidden"), f"{where} is open in Jupyter"
        assert metadata.get("cellView") == "form", f"{where} is open in Colab"
        number = re.search(r"\d+", cell["id"])[0]
        stubs = [i for i in ids if re.match(rf"exercise-{number}(?!\d)(?!-text)", i)]
        assert stubs, f"{where} has no exercise"
        assert all(ids.index(i) < ids.index(cell["id"]) for i in stubs), f"{where} is above"


def test_the_set_up_cell_is_the_same_everywhere():
    first = {source(cells(p, "code")[0]) for p in NOTEBOOKS}
    assert len(first) == 1
    assert first.pop().startswith(SETUP)


def test_the_table_of_contents_names_every_notebook():
    toc = (BOOK.parent / "_toc.yml").read_text()
    for path in NOTEBOOKS:
        assert f"book/{path.relative_to(BOOK).with_suffix('')}" in toc


def test_the_page_of_run_times_knows_every_notebook_and_version():
    """Where it fails, run `python benchmarks/run_times.py` again."""
    page = (BOOK / "run_times.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert f"({path.name})" in page
    names, _, values = (
        [word.strip() for word in line.strip("|").split("|")]
        for line in page[page.index("| Python") :].splitlines()[:3]
    )
    pins = (BOOK.parent / "requirements.txt").read_text()
    for name, value in zip(names[1:], values[1:], strict=True):
        assert f"{name}=={value}" in pins.splitlines()
