"""The long runs are not run here; that they could be is."""

import ast
import importlib
import runpy
from pathlib import Path

import pytest
import torch
from frozen import Wiener

from gdp_lite.book import results
from gdp_lite.schedule import linear_schedule

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


def test_rows_made_anew_stand_where_they_stood(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS[0].parent)
    common = importlib.import_module("common")
    monkeypatch.setattr(common, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    rows = [{"size": n, "kind": kind, "value": 1} for n in (1, 2) for kind in "aba"]
    results.save_results("table", rows)
    anew = [{"size": 2, "kind": "a", "value": value} for value in (3, 4, 5)]
    common.save_anew("table", anew, "size", "kind")
    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert text == "size,kind,value\n1,a,1\n1,b,1\n1,a,1\n2,a,3\n2,a,4\n2,a,5\n2,b,1\n"


def test_samplers_of_the_table_end_near_the_posterior(monkeypatch):
    """Where the prior is exact: a sample errs by up to the root of 2 more than the mean does."""
    monkeypatch.syspath_prepend(BENCHMARKS[0].parent)
    methods = importlib.import_module("methods")
    prior, white = Wiener(linear_schedule()), torch.randn(1, 3, 32, 32, generator=methods.seeded(1))
    f = torch.hypot(torch.fft.fftfreq(32)[:, None], torch.fft.rfftfreq(32))
    scale = (0.002 / (f.square() + 0.0005)).sqrt()
    x = 0.45 + torch.fft.irfft2(torch.fft.rfft2(white) * scale, s=(32, 32))
    F = methods.operators(32)["25% missing"].requires_grad_(False)
    y = F.simulate(x, methods.seeded(3)).detach()
    mean = float((methods.ours(y, F, prior) - x).square().mean().sqrt())
    for name in ("PiGDM", "DAPS", "RED-diff", "Algorithm 1"):
        function, _, names, usual, _ = methods.SLOW[name]
        image = function(y, F, prior, **dict(zip(names, usual, strict=True)))
        assert mean < float((image - x).square().mean().sqrt()) < 1.1 * 2**0.5 * mean, name
