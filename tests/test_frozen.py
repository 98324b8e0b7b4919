"""The package gives what it gave before it was rebuilt, to 1e-9 a number, in float64."""

import json

import pytest
from frozen import CASES, STORED, results

KEPT = json.loads(STORED.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_degradation_gives_what_it_gave(name):
    found = results(name)
    # Sums of 4,800 numbers or more: 2e-8 where errors of 1e-9 in each have random signs.
    for sampler, numbers in KEPT[name].items():
        assert found[sampler] == pytest.approx(numbers, rel=1e-9, abs=2e-8), sampler
