"""The long runs are not run here; that they could be is."""

import ast
import importlib
import runpy
from pathlib import Path

import pytest

from gdp_lite.book import results

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))
each = pytest.mark.parametrize("path", BENCHMARKS, ids=lambda p: p.stem)


@each
def test_no_benchmark_imports_another(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    assert not modules & {p.stem for p in BENCHMARKS} - {"common"}


@each
def test_a_benchmark_finds_all_that_it_imports(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)
    names = runpy.run_path(str(path), run_name="imported")
    assert path.stem == "common" or callable(names["main"])
    assert names["__doc__"]


def test_one_part_made_anew_leaves_the_others_as_they_are(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS[0].parent)
    common = importlib.import_module("common")
    monkeypatch.setattr(common, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    common.save_parts("table", [[{"constant": "A", "value": 1}, {"constant": "B", "value": 2.5}]])
    common.save_parts("table", [[{"constant": "A", "value": 3, "more": 0.25}]], keep=True)
    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert text == "constant,value,more\nB,2.5,\nA,3,0.25\n"
