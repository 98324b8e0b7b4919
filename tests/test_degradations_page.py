"""The page of degradations lists every class, with the ranges that the code has."""

import inspect
import re
from pathlib import Path

import pytest

import gdp_lite.degradations
from gdp_lite.degradations import (
    ColourMatrix,
    Contrast,
    Degradation,
    Gamma,
    PoissonGaussianNoise,
    SmoothExposure,
    ToneMap,
)

PAGE = (Path(__file__).parents[1] / "book" / "degradations.md").read_text(encoding="utf-8")


def test_every_degradation_is_listed_and_no_other():
    classes = {
        name
        for name in gdp_lite.degradations.__all__
        if inspect.isclass(thing := getattr(gdp_lite.degradations, name))
        and issubclass(thing, Degradation)
    }
    listed = re.findall(r"^\| `([A-Za-z]+)` \|", PAGE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == classes - {"Degradation"}


@pytest.mark.parametrize(
    ("degradation", "name", "text"),
    [
        (PoissonGaussianNoise(), "gain", "`gain` $10^{-6}$ to 0.5"),
        (PoissonGaussianNoise(), "read_sigma", "`read_sigma` $10^{-4}$ to 0.5"),
        (SmoothExposure(), "gain", "`gain` 1/64 to 64"),
        (SmoothExposure(), "offset", "`offset` −0.5 to 0.5"),
        (Gamma(), "exponent", "`exponent` 0.1 to 10"),
        (Contrast(), "contrast", "`contrast` 0.05 to 20"),
        (ToneMap(), "stops", "`stops` −5 to 5"),
        (ToneMap(), "white", "`white` −5 to 5"),
        (ToneMap(), "veil", "`veil` −0.5 to 0.5"),
        (ColourMatrix(), "leak", "`leak` −0.24 to 0.24"),
    ],
)
def test_ranges_are_the_codes(degradation, name, text):
    """The two numbers of the text are what the parametrisation says."""
    assert text in PAGE
    constraint = degradation.parametrizations[name][0]
    limits = (
        (constraint.low, constraint.high)
        if hasattr(constraint, "low")
        else (-constraint.limit, constraint.limit)
    )
    low, high = text.split("` ")[1].replace("−", "-").strip("$").split(" to ")
    low = low.replace("$", "").replace("10^{-", "1e-").replace("}", "")
    assert (eval(low), eval(high)) == pytest.approx(limits)
