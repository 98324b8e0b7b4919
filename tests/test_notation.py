"""The notation page agrees with the package: every name it gives exists, and none is missing."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import gdp_lite

BOOK = Path(__file__).parents[1] / "book"
PAGE = (BOOK / "notation.md").read_text(encoding="utf-8")
CORE = ("schedule", "diffusion", "degradations", "losses", "sampler", "mixture")
# Arguments that are no quantity of the theory: plain words that say what they are.
WORDS = {
    *("self", "cls", "schedule", "generator", "callback", "image", "first", "offset", "like"),
    *("size", "width", "height", "missing", "mask", "image_size", "stages", "gain", "betas"),
    *("steps", "start_sigma", "strength", "iterations", "tolerance", "clip", "perceptual"),
    *("beta_start", "beta_end", "max_beta", "count", "y_hat", "t_start", "loss", "number"),
    *("samples", "initial", "learn", "residual", "trace"),
}


def names_on_the_page():
    """What stands in backticks in the tables, split where a cell lists several."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| $")]
    cells = [re.split(r"(?<!\\)\|", row)[3] for row in rows]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def modules():
    for module in pkgutil.iter_modules(gdp_lite.__path__):
        if module.name not in ("__main__", "results"):
            yield importlib.import_module(f"gdp_lite.{module.name}")


def names_in_the_package():
    """Functions, classes, their members and their arguments."""
    found = set()
    for module in modules():
        for name, thing in inspect.getmembers(module):
            found.add(name)
            members = inspect.getmembers(thing) if inspect.isclass(thing) else [(name, thing)]
            for member, value in members:
                found.add(member)
                if inspect.isfunction(value):
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
