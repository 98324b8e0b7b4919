"""The exact mixture against numerical integration and against draws."""

import pytest
import torch

from gdp_lite.book.mixture import GaussianMixture
from gdp_lite.schedule import linear_schedule

SCHEDULE = linear_schedule()
WEIGHTS = [0.5, 0.3, 0.2]
MEANS = [[-0.6, 0.2], [0.5, 0.5], [0.2, -0.7]]
COVS = [[[0.04, 0.01], [0.01, 0.02]], [[0.02, -0.01], [-0.01, 0.05]], [[0.03, 0.0], [0.0, 0.03]]]


@pytest.fixture
def mixture():
    return GaussianMixture(WEIGHTS, MEANS, COVS)


@pytest.fixture
def grid():
    """Points of a fine grid over the plane and the area of a cell."""
    axis = torch.linspace(-3, 3, 601, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), float(axis[1] - axis[0]) ** 2


def integrate(values, weights, area):
    return (values * weights[:, None]).sum(0) * area


def test_density_and_moments(mixture, grid):
    x, area = grid
    p = mixture.log_prob(x).exp()
    assert float(p.sum() * area) == pytest.approx(1, abs=1e-9)
    mean, cov = mixture.moments()
    assert torch.allclose(integrate(x, p, area), mean, atol=1e-9)
    products = (x - mean)[:, :, None] * (x - mean)[:, None]
    assert torch.allclose(integrate(products.flatten(1), p, area).reshape(2, 2), cov, atol=1e-9)


def test_draws_have_the_moments(mixture):
    x = mixture.sample(100_000, torch.Generator().manual_seed(0))
    mean, cov = mixture.moments()
    error = (cov.diagonal() / len(x)).sqrt()
    assert bool(((x.mean(0) - mean).abs() < 4 * error).all())
    assert torch.allclose(x.T.cov(), cov, atol=0.005)


@pytest.mark.parametrize("t", [100, 400, 900])  # at t = 1 the noise is finer than the grid
def test_what_is_known_of_the_clean_point(mixture, grid, t):
    """p(x_0 | x_t) is p(x_0) times the density of the noise, summed over the grid."""
    x, area = grid
    x_t = torch.tensor([[0.3, -0.1]], dtype=torch.float64)
    alpha_bar = SCHEDULE.alpha_bar[t]
    distance = (x_t - alpha_bar.sqrt() * x).square().sum(1) / (1 - alpha_bar)
    p = mixture.log_prob(x) - distance / 2
    p = p.softmax(0) / area
    mean, cov = mixture.x0_moments(x_t, t, SCHEDULE)
    assert torch.allclose(integrate(x, p, area), mean[0], atol=1e-6)
    products = (x - mean)[:, :, None] * (x - mean)[:, None]
    assert torch.allclose(integrate(products.flatten(1), p, area).reshape(2, 2), cov[0], atol=1e-6)


@pytest.mark.parametrize("t", [1, 50, 300, 1000])
def test_the_noise_predictor_is_the_score(mixture, t):
    """eps = -sqrt(1 - alpha_bar) grad log p(x_t): Tweedie, by automatic differentiation."""
    x_t = mixture.noised(t, SCHEDULE).sample(20, torch.Generator().manual_seed(t))
    x_t.requires_grad_()
    score = torch.autograd.grad(mixture.noised(t, SCHEDULE).log_prob(x_t).sum(), x_t)[0]
    eps = mixture.eps(x_t.detach(), t, SCHEDULE)
    expected = -(1 - SCHEDULE.alpha_bar[t]).sqrt() * score
    assert torch.allclose(eps, expected, rtol=1e-9, atol=1e-9)


def test_what_a_measurement_says(mixture, grid):
    x, area = grid
    H, M, y = torch.tensor([[1.0, 0.5]], dtype=torch.float64), 0.1, torch.tensor([0.3])
    given = mixture.given(y, H, 0.2, M)
    misfit = (y - M - x @ H.T).square().sum(1) / 0.2**2
    p = (mixture.log_prob(x) - misfit / 2).softmax(0) / area
    assert torch.allclose(given.log_prob(x).exp(), p, atol=1e-6)


def test_guidance_is_the_difference_of_two_means(mixture):
    """grad log p(y | x_t) = sqrt(alpha_bar) / (1 - alpha_bar) (E[x0 | x_t, y] - E[x0 | x_t])."""
    t, y, H = 300, torch.tensor([0.3]), torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    given, alpha_bar = mixture.given(y, H, 0.2), SCHEDULE.alpha_bar[t]
    x_t = torch.tensor([[0.2, 0.4], [-1.0, 0.3]], dtype=torch.float64, requires_grad=True)
    # p(y | x_t) = p(x_t | y) p(y) / p(x_t)
    ratio = given.noised(t, SCHEDULE).log_prob(x_t) - mixture.noised(t, SCHEDULE).log_prob(x_t)
    gradient = torch.autograd.grad(ratio.sum(), x_t)[0]
    x_t = x_t.detach()
    apart = given.x0_mean(x_t, t, SCHEDULE) - mixture.x0_mean(x_t, t, SCHEDULE)
    assert torch.allclose(gradient, alpha_bar.sqrt() / (1 - alpha_bar) * apart, rtol=1e-9)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="weights"):
        GaussianMixture([1.0], MEANS, COVS)
    with pytest.raises(ValueError, match="positive"):
        GaussianMixture([1.0, -1.0, 1.0], MEANS, COVS)
    with pytest.raises(ValueError, match="positive definite"):
        GaussianMixture([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]])
    with pytest.raises(ValueError, match="sigma"):
        GaussianMixture(WEIGHTS, MEANS, COVS).given([0.0], [[1.0, 0.0]], 0)
