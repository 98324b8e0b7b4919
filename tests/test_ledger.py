"""The ledger and the errata: nothing is claimed without a cell that can fail."""

import importlib
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEDGER = runpy.run_path(str(ROOT / "book" / "_ext" / "ledger.py"))
CELLS = LEDGER["collect"](ROOT)
ROWS = [(cell, row) for cell in CELLS for row in cell.metadata.get("ledger", ())]
ERRATA = [(cell, cell.metadata["erratum"]) for cell in CELLS if "erratum" in cell.metadata]


def where(value):
    return value.chapter if hasattr(value, "chapter") else None


def test_every_equation_and_line_is_checked_and_nothing_else():
    assert {row["entry"] for _, row in ROWS} == set(LEDGER["ENTRIES"])


@pytest.mark.parametrize(("cell", "row"), ROWS, ids=where)
def test_a_check_can_fail(cell, row):
    assert "assert" in cell.source or "assert_close" in cell.source
    assert row["claim"]
    assert row["tolerance"]
    if name := row.get("function"):
        module, _, attribute = name.rpartition(".")
        while True:  # a method belongs to a class, which belongs to a module
            try:
                thing = importlib.import_module(module)
                break
            except ModuleNotFoundError:
                module, _, owner = module.rpartition(".")
                attribute = f"{owner}.{attribute}"
        for part in attribute.split("."):
            thing = getattr(thing, part)


@pytest.mark.parametrize(("cell", "row"), ERRATA, ids=where)
def test_an_erratum_shows_both_forms(cell, row):
    """One assertion against the printed form and one for the other."""
    assert cell.source.count("assert") >= 2
    assert all(row[key] for key in ("where", "printed", "holds", "how"))


def test_the_misprints_of_the_source_are_all_there():
    found = {row["where"] for _, row in ERRATA}
    equations = {"Eq. (3)", "Eq. (4)", "Eq. (6), the product", "Eq. (6), the shift", "Eq. (7)"}
    known = equations | {f"Algorithm 1, line {n}" for n in (3, 4, 5, 8)}
    assert known <= found
