"""The two-sample test against sums written out, and on samples whose answer is known."""

import pytest
import torch
from exact import normal

from gdp_lite.book.metrics import energy_distance_test


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_energy_distance_is_its_definition():
    x, y = normal(5, 3), normal(4, 3, seed=1)

    def mean_distance(a, b):
        return sum(float((p - q).norm()) for p in a for q in b) / (len(a) * len(b))

    expected = 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    energy, _ = energy_distance_test(x, y, 9, seeded())
    # cdist may go through a matrix product, which costs half of float64's digits
    assert energy == pytest.approx(expected, abs=1e-7)


def test_equal_samples_are_at_distance_0():
    x = normal(50, 2)
    energy, p_value = energy_distance_test(x, x, 99, seeded())
    assert energy == pytest.approx(0, abs=1e-7)
    assert p_value > 0.9


def test_the_p_value_of_one_distribution_is_uniform():
    """300 pairs: the share below 0.2 is 0.2 within 4 standard errors (0.023 each)."""
    below = 0
    for trial in range(300):
        z = normal(60, 2, seed=trial)
        below += energy_distance_test(z[:25], z[25:], 49, seeded(trial))[1] < 0.2001
    assert abs(below / 300 - 0.2) < 4 * 0.023


@pytest.mark.parametrize("change", [lambda y: y + 0.5, lambda y: 1.7 * y, lambda y: y.abs()])
def test_two_distributions_are_told_apart(change):
    """The p-value takes its smallest value, 1 / (permutations + 1)."""
    x, y = normal(200, 2), change(normal(200, 2, seed=1))
    assert energy_distance_test(x, y, 199, seeded())[1] == pytest.approx(1 / 200)


def test_the_same_seed_gives_the_same_p_value():
    x, y = normal(30, 2), normal(40, 2, seed=1)
    assert energy_distance_test(x, y, 99, seeded(3)) == energy_distance_test(x, y, 99, seeded(3))


@pytest.mark.parametrize("shapes", [((5,), (5,)), ((5, 2), (5, 3)), ((0, 2), (5, 2))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="two samples"):
        energy_distance_test(*(torch.zeros(shape) for shape in shapes))
