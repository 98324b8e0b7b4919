"""A prior as a denoiser: the scale, the level and the time that the network is told, exactly."""

import torch
from exact import GaussianPrior, normal

from gdp_lite.book.mixture import GaussianMixture
from gdp_lite.prior import Prior
from gdp_lite.schedule import linear_schedule

EXACT = GaussianPrior(mean=0.2, var=0.09)


class Network(torch.nn.Module):
    """The exact noise predictor of `EXACT`, called as diffusers' networks are: times from 0."""

    def forward(self, x_t, index):
        eps = [EXACT.eps(x, int(i) + 1) for x, i in zip(x_t, index, strict=True)]
        return type("Output", (), {"sample": torch.stack(eps)})


def test_a_network_is_met_at_its_own_levels():
    """E[x_0 | x_0 + sigma n = x] in closed form, for one level and for a batch of them."""
    schedule = linear_schedule()
    prior, x = Prior(Network(), schedule), normal(3, 3, 4, 5)
    levels = schedule.sigma_bar[torch.tensor([3, 200, 900])]
    for sigma in levels.tolist():
        torch.testing.assert_close(prior(x, sigma), EXACT(x, sigma))
    torch.testing.assert_close(prior(x, levels), EXACT(x, levels.view(-1, 1, 1, 1)))


def test_the_exact_mixture_is_a_denoiser():
    """One Gaussian for every number: the closed form in display range."""
    mixture, x = GaussianMixture([1.0], [[0.2]], [[[0.09]]]), normal(2, 3, 4, 5)
    for sigma in (0.01, 0.3, 40.0):
        torch.testing.assert_close(mixture(x, sigma), EXACT(x, sigma))
