"""The uncertainty that an estimate states is the spread that it has: over many drawn photos."""

import pickle

import pytest
import torch

from gdp_lite.degradations import GaussianBlur
from gdp_lite.estimators import (
    Estimate,
    estimate_blur_width,
    estimate_flat_noise,
    estimate_noise,
    estimate_noise_level,
)


def draw(seed, *size):
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def wiener(x, sigma):
    """The exact denoiser of independent pixels N(1/2, 0.2^2)."""
    return 0.5 + (x - 0.5) * 0.04 / (0.04 + sigma**2)


def scene(seed, size):
    """A Gaussian scene whose power falls as a photo's does, blurred by 1.5 pixels, with noise."""
    rows = torch.fft.fftfreq(size)[:, None].square()
    fall = (rows + torch.fft.rfftfreq(size).square()).clamp(min=1 / size**2) ** (-2.3 / 4)
    x = torch.fft.irfft2(fall * torch.fft.rfft2(draw(seed, size, size)), s=(size, size))
    return GaussianBlur(13, 1.5, 0.01).simulate(0.5 + 0.01 * x, torch.Generator().manual_seed(seed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimate", "low", "high"),
    [
        (lambda s: estimate_noise(0.5 + 0.1 * draw(s, 64, 64)), 0.85, 1.15),
        # What this one states is how much its squares differ: the right size, not more.
        (lambda s: estimate_flat_noise(0.5 + 0.1 * draw(s, 160, 160)), 0.7, 2.0),
        (
            lambda s: estimate_noise_level(
                0.5 + 0.2 * draw(s, 48, 48) + 0.1 * draw(s + 500, 48, 48), wiener
            ),
            0.75,
            1.3,
        ),
        (lambda s: estimate_blur_width(scene(s, 96), 0.01), 0.5, 2.0),
    ],
    ids=["wavelets", "flat", "prior", "width"],
)
def test_an_error_is_as_large_as_stated(estimate, low, high):
    """The standard error of a spread over 100 photos is 7%."""
    found = [estimate(seed) for seed in range(100)]
    spread = float(torch.tensor([float(e) for e in found]).std())
    stated = sum(e.std for e in found) / len(found)
    assert low < stated / spread < high


def test_an_estimate_is_a_number():
    width = Estimate(1.5, 0.1)
    assert width * 2 == 3
    copied = pickle.loads(pickle.dumps(width))
    assert (copied, copied.std) == (1.5, 0.1)
