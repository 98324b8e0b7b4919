"""The notation page agrees with the package: every name it gives exists, and none is missing."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest

import gdp_lite

BOOK = Path(__file__).parents[1] / "book"
PAGE = (BOOK / "notation.md").read_text(encoding="utf-8")
CORE = (
    *("schedule", "diffusion", "degradations.base", "losses", "algorithm", "sampler"),
    "book.mixture",
)
# Arguments that are no quantity of the theory: plain words that say what they are.
WORDS = {
    *("self", "cls", "schedule", "generator", "callback", "image", "first", "offset", "like"),
    *("size", "width", "height", "missing", "mask", "image_size", "stages", "gain", "betas"),
    *("steps", "start_sigma", "strength", "iterations", "tolerance", "clip", "perceptual"),
    *("beta_start", "beta_end", "max_beta", "count", "y_hat", "t_start", "loss", "number"),
    *("samples", "initial", "learn", "residual", "trace", "start", "denoiser", "chains"),
    *("sigmas", "light", "draw", "several", "trust"),
}


def names_on_the_page():
    """What stands in backticks in the tables, split where a cell lists several."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| $")]
    cells = [re.split(r"(?<!\\)\|", row)[3] for row in rows]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def modules():
    for module in pkgutil.walk_packages(gdp_lite.__path__, "gdp_lite."):
        if module.name.split(".")[-1] not in ("__main__", "interop"):  # deepinv is an extra
            yield importlib.import_module(module.name)


def names_in_the_package():
    """Functions, classes, their members and their arguments."""
    found = set()
    for module in modules():
        for name, thing in inspect.getmembers(module):
            found.add(name)
            members = inspect.getmembers(thing) if inspect.isclass(thing) else [(name, thing)]
            for member, value in members:
                found.add(member)
                if inspect.isfunction(value) and value.__module__.startswith("gdp_lite"):
                    found |= set(inspect.signature(value).parameters)
            found |= set(getattr(thing, "__annotations__", {})) if inspect.isclass(thing) else set()
    return found


def test_every_name_on_the_page_exists():
    missing = names_on_the_page() - names_in_the_package()
    assert not missing


def test_every_quantity_of_the_core_is_on_the_page():
    quantities = set()
    for name in CORE:
        module = importlib.import_module(f"gdp_lite.{name}")
        for thing_name, thing in inspect.getmembers(module):
            if getattr(thing, "__module__", None) != module.__name__ or thing_name.startswith("_"):
                continue
            members = inspect.getmembers(thing) if inspect.isclass(thing) else [(thing_name, thing)]
            for member, value in members:
                public = not member.startswith("_") or member == "__init__"
                if inspect.isfunction(value) and public and value.__module__ == module.__name__:
                    quantities |= set(inspect.signature(value).parameters)
    assert quantities - WORDS - names_on_the_page() == set()


def test_chapters_call_things_by_these_names():
    """The names that other books use for the same things do not occur in the chapters' code."""
    others = (
        r"\b(alphas_cumprod|alpha_cumprod|alphas|betas_t|timestep|timesteps|pred_x0|x_start|xt)\b"
    )
    for path in BOOK.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            found = cell["cell_type"] == "code" and re.search(others, "".join(cell["source"]))
            assert not found, f"{path.name}, cell {cell['id']}: {found[0]}"


# What is no name: structure, functions, text.
ASIDE = re.compile(
    r"\\(text|mathrm|operatorname\*?|begin|end|label|tag|eqref|textbf|mathit|mathbb|cancel)"
    r"\s*\{[^{}]*\}"
)
GREEK = (
    r"alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi"
    r"|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega|ell"
)
NAME = re.compile(
    r"(?P<marks>(?:\\(?:hat|bar|tilde|mathbf|boldsymbol|mathcal|mathsf)\s*\{?\s*)*)"
    r"(?P<letter>\\(?:" + GREEK + r")(?![A-Za-z])|(?<![A-Za-z\\])[A-Za-z](?![A-Za-z]))"
    r"\}*'*\s*(?P<index>_(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?[A-Za-z0-9]+))?"
)


def formulas(text):
    return re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", text, re.DOTALL)


def names(formula):
    """The names in a formula, as (marks, letter, kind of index)."""
    for match in NAME.finditer(ASIDE.sub(" ", formula)):
        marks = tuple(sorted(re.findall(r"\\(\w+)", match["marks"])))
        yield marks, match["letter"].lstrip("\\"), kind_of_index(match["index"] or "")


def kind_of_index(index):
    """ "t" for a time or a number, "i" for a counter, "" for none, else the index itself."""
    index = index.lstrip("_").strip("{}").replace(" ", "")
    if re.match(r"0(\\mid|\|)t", index):
        return "0|t"
    if re.match(r"(t|T|\d)", index):
        return "t"
    return "i" if re.fullmatch(r"[ijkl].*|\\text.*|", index) and index else index


def is_known(name, page):
    """Whether the page has it, or the image that it is one number of."""
    marks, letter, index = name
    bold = tuple(sorted({*marks, "mathbf"} - {"boldsymbol"}))
    images = {(bold, letter, i) for i in ("", "0|t", "t", index)}
    number = {(m, x, i) for m, x, i in images & page if i in ("", index) or index in ("", "i")}
    return name in page or ("mathbf" not in marks and bool(number))


def tables_of_the_page():
    """The names of all derivations, and for each chapter those of one derivation only."""
    everywhere, local = PAGE.split("## Letters of one derivation")
    rows = [line for line in everywhere.splitlines() if line.startswith("| $")]
    common = {n for row in rows for f in formulas(row) for n in names(f)}
    only = {}
    for row in (line for line in local.splitlines() if line.startswith("| $")):
        symbols, chapter, _ = re.split(r"(?<!\\)\|", row)[1:4]
        found = {n for f in formulas(symbols) for n in names(f)}
        only.setdefault(chapter.strip(" *"), set()).update(found)
    return common, only


def chapters():
    """(title, the formulas of each Markdown cell by its id)."""
    for path in sorted(BOOK.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"}
        title = next(iter(texts.values())).splitlines()[0].removeprefix("# ")
        yield title, {name: formulas(text) for name, text in texts.items()}


def test_a_letter_of_one_derivation_is_no_other_name():
    common, only = tables_of_the_page()
    for chapter, found in only.items():
        assert not found & common, f"{chapter}: {found & common}"


def test_the_formulas_use_the_names_of_the_page():
    """Every letter with its marks and its index is on the page, or is its derivation's own."""
    common, only = tables_of_the_page()
    titles = [title for title, _ in chapters()]
    assert all(any(t.startswith(chapter) for t in titles) for chapter in only), "a chapter's title"
    for title, cells in chapters():
        page = common.union(
            *(found for chapter, found in only.items() if title.startswith(chapter))
        )
        for cell, found in cells.items():
            unknown = {n for f in found for n in names(f) if not is_known(n, page)}
            assert not unknown, f"{title}, cell {cell}: {unknown}"


@pytest.mark.parametrize(
    "formula",
    [
        r"$w_k\, \mathcal{N}(\mathbf{m}_k, C_k)$",
        r"$P(\omega) = S h^2$",
        r"$\mathbf{g}_t = \nabla \log p$",
        r"$c_t\, \mathbf{u}_i$",
        r"$\kappa_t$",
        r"$w_t \lVert \epsilon \rVert^2$",
    ],
)
def test_a_second_meaning_is_seen(formula):
    """Names that once meant two things, in the formulas that had them."""
    common, _ = tables_of_the_page()
    assert any(not is_known(n, common) for n in names(formula))


# The power of a picture, what a blur leaves and what a denoiser keeps are functions of one thing.
OF_FREQUENCY = re.compile(r"(?<![A-Za-z\\])(S(?:_[a-z])?|h|\\xi)\(([^()]*)\)")


def other_arguments(formula):
    return [a for _, a in OF_FREQUENCY.findall(formula) if not re.fullmatch(r"\\omega('|_i)?", a)]


def test_a_frequency_has_one_name():
    """Two known letters side by side pass the test above; f is a gain, and was a frequency, too."""
    for title, cells in chapters():
        for cell, found in cells.items():
            wrong = [a for formula in found for a in other_arguments(formula)]
            assert not wrong, f"{title}, cell {cell}: a function of {wrong}"
    assert other_arguments(r"$S_n(f)$") == ["f"]
    assert not other_arguments(r"$h(\omega)\, h(\omega')$")
