"""Noise that grows with the light: its statistics, its level found in a photo and from pairs."""

import pytest
import torch
from operators import fit, photo, wild
from skimage import data
from torch.nn import functional

from gdp_lite.degradations import Compose, GaussianBlur, PoissonGaussianNoise
from gdp_lite.estimators import estimate_noise_curve, estimate_noise_level
from gdp_lite.image import from_uint8

LEVELS = [(0.02, 0.02), (0.005, 0.01), (0.1, 0.001)]


@pytest.mark.parametrize(("gain", "read_sigma"), LEVELS)
@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0])
def test_simulation_has_the_mean_and_variance_it_says(value, gain, read_sigma):
    """Within 4 standard errors; the variance's from the fourth moment of the sample itself."""
    noise = PoissonGaussianNoise(gain, read_sigma)
    x = torch.full((1, 3, 200, 200), value, dtype=torch.float64)
    y = noise.simulate(x, torch.Generator().manual_seed(0))
    var, n = float(noise.var(x).detach().mean()), y.numel()
    assert abs(float(y.mean()) - value) < 4 * (var / n) ** 0.5
    squares = (y - value).square()
    assert abs(float(squares.mean()) - var) < 4 * float(squares.std()) / n**0.5
    assert torch.equal(y, noise.simulate(x, torch.Generator().manual_seed(0)))


def test_the_map_is_the_identity_and_sigma_the_level():
    noise, x = PoissonGaussianNoise(0.02, 0.03), photo(37, 53, 2)
    assert torch.equal(noise(x), x)
    assert torch.equal(noise.A_adjoint(x), x)
    assert noise.sigma == pytest.approx((0.02 * 0.5 + 0.03**2) ** 0.5)
    after_blur = Compose(GaussianBlur(5, 1.0), noise)
    assert after_blur.sigma == noise.sigma
    y = after_blur.simulate(x, torch.Generator().manual_seed(0))
    blurred = GaussianBlur(5, 1.0)(x)
    assert torch.equal(y, noise.simulate(blurred, torch.Generator().manual_seed(0)))


def test_prox_weighs_each_pixel_by_its_variance():
    """The gradient of sum sigma^2 / var (y - z)^2 + rho (z - x)^2 vanishes."""
    noise = PoissonGaussianNoise(0.05, 0.01).double()
    x, y = photo(37, 53, 2), photo(37, 53, 2, seed=1)
    z = noise.prox(x, y, 0.3).detach()
    weight = (noise.sigma**2 / noise.var(x)).detach()
    torch.testing.assert_close(weight * (z - y) + 0.3 * (z - x), torch.zeros_like(z))
    assert float(weight[x < 0.3].mean()) > float(weight[x > 0.7].mean())


@pytest.mark.parametrize(("gain", "read_sigma"), LEVELS)
def test_levels_are_found_from_pairs(gain, read_sigma):
    """By the likelihood; 3 (64 x 64) pixels give the variance to about 2%."""
    noise = PoissonGaussianNoise(gain, read_sigma).double()
    x = photo(64, 64, 2)
    y = noise.simulate(x, torch.Generator().manual_seed(0))
    found = PoissonGaussianNoise().double().randomise(torch.Generator().manual_seed(1))
    fit(found.requires_grad_(), x, y, steps=100, loss=found.loss)
    ratio = (found.var(x) / noise.var(x)).detach()
    assert bool(((ratio > 0.85) & (ratio < 1.18)).all())


def test_gradients_of_the_loss():
    noise = PoissonGaussianNoise(0.05, 0.03).double()
    names = [name for name, _ in noise.named_parameters()]
    x, y = photo(4, 5).requires_grad_(), photo(4, 5, seed=1)

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.noise = noise

        def forward(self, x):
            return self.noise.loss(x, y)

    def loss(x, *raw):
        values = {f"noise.{n}": r for n, r in zip(names, raw, strict=True)}
        return torch.func.functional_call(Loss(), values, (x,))

    raw = [p.detach().clone().requires_grad_() for p in noise.parameters()]
    assert torch.autograd.gradcheck(loss, (x, *raw))


@pytest.mark.parametrize("name", ["astronaut", "rocket", "chelsea"])
@pytest.mark.parametrize(("gain", "read_sigma"), [(0.01, 0.01), (0.001, 0.04), (0.04, 0.02)])
def test_levels_are_found_in_a_photo(gain, read_sigma, name):
    """The standard deviation at middle values and above within 10%, at dark ones within 15%."""
    sharp = functional.avg_pool2d(from_uint8(getattr(data, name)()[:, :400]), 2)
    noise = PoissonGaussianNoise(gain, read_sigma)
    y = noise.simulate(sharp, torch.Generator().manual_seed(0))
    found = PoissonGaussianNoise().initialise(y)
    for value, bound in ((0.2, 0.15), (0.5, 0.1), (0.8, 0.1)):
        value = torch.tensor(value)
        ratio = (found.var(value) / noise.var(value)).sqrt().detach()
        assert float(ratio) == pytest.approx(1, abs=bound)


@pytest.mark.parametrize("seed", range(4))
def test_ranges(seed):
    phi = wild(PoissonGaussianNoise(), seed)
    assert 1e-6 <= float(phi["gain"]) <= 0.5
    assert 1e-4 <= float(phi["read_sigma"]) <= 0.5


def test_a_noise_curve_says_how_sure_it_is():
    """What it states is what it scatters by, over draws of the noise."""
    light = torch.linspace(0.1, 0.9, 96).expand(1, 3, 96, 96)
    noise, found = PoissonGaussianNoise(0.002, 0.03), []
    for seed in range(30):
        y = noise.simulate(light, torch.Generator().manual_seed(seed))
        found.append(estimate_noise_curve(y))
    for values in zip(*found, strict=True):
        scatter = float(torch.tensor([float(v) for v in values]).std())
        stated = sum(v.std for v in values) / len(values)
        assert 0.7 < stated / scatter < 1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoissonGaussianNoise(0.0), "between"),
        (lambda: PoissonGaussianNoise(0.01, -1.0), "between"),
        (lambda: PoissonGaussianNoise(level=-1.0), "level"),
        (lambda: estimate_noise_curve(torch.zeros(3, 64, 64)), "photos"),
        (lambda: estimate_noise_level(torch.full((1, 3, 64, 64), torch.nan), None), "finite"),
        (lambda: estimate_noise_curve(torch.zeros(1, 3, 8, 8)), "16 x 16"),
        (lambda: estimate_noise_curve(torch.zeros(1, 3, 64, 64)), "clipped"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [3, 10, 30])
def test_level_is_found_by_the_prior(prior, sigma):
    """Within 10%, from 96 x 96 pixels full of detail, which wavelets take for noise."""
    x = from_uint8(data.astronaut())[..., 160:256, 180:276]  # hair and a face
    y = x + sigma / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert 255 * estimate_noise_level(y, prior) == pytest.approx(sigma, rel=0.1)


@pytest.mark.slow
def test_level_of_special_photos(prior):
    assert estimate_noise_level(torch.zeros(1, 3, 40, 30), prior) == float(
        prior.schedule.sigma_bar[1]
    )
    noise = torch.randn(1, 3, 40, 300, generator=torch.Generator().manual_seed(0))
    assert estimate_noise_level(0.5 + 0.8 * noise, prior) == pytest.approx(0.8, rel=0.1)
    with pytest.raises(ValueError, match="8 x 8"):
        estimate_noise_level(torch.zeros(1, 3, 4, 40), prior)
