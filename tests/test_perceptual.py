"""Perceptual terms: values worked out by hand, gradients, scale."""

from types import SimpleNamespace

import pytest
import torch
from exact import normal
from operators import photo

from gdp_lite.algorithm import algorithm_1
from gdp_lite.book.perceptual import (
    ColourConstancy,
    ExposureControl,
    Lpips,
    PriorFeatures,
    TotalVariation,
)
from gdp_lite.degradations import GaussianNoise

TERMS = {"exposure": ExposureControl(), "colour": ColourConstancy(), "tv": TotalVariation()}


def test_values():
    x = torch.full((2, 3, 32, 48), 0.25, dtype=torch.float64)
    assert float(ExposureControl(0.45)(x)) == pytest.approx(2 * 3 * 32 * 48 * 0.2**2)
    assert float(ColourConstancy()(x)) == 0
    assert float(TotalVariation(0.0)(x)) == 0
    x[:, 0] += 0.3
    assert float(ColourConstancy()(x)) == pytest.approx(2 * 32 * 48 * 2 * 0.3**2)
    x[..., 24:] += 0.5  # an edge of 32 pixels in three channels of two images
    assert float(TotalVariation(0.0)(x)) == pytest.approx(2 * 3 * 32 * 0.5)
    assert float(ExposureControl(0.45)(torch.full((1, 3, 5, 7), 0.45))) == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("name", TERMS)
def test_gradients(name):
    assert torch.autograd.gradcheck(TERMS[name], photo(17, 18).requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("name", TERMS)
def test_four_times_the_image_is_four_times_the_loss(name):
    """So that one lambda2 means the same at every size."""
    x = photo(64, 64) + 0.2 * normal(1, 3, 64, 64)
    large = torch.cat([torch.cat([x, x.flip(-1)], -1), torch.cat([x, x.flip(-1)], -1).flip(-2)], -2)
    assert float(TERMS[name](large)) == pytest.approx(4 * float(TERMS[name](x)), rel=0.03)


def test_features_are_a_distance(prior):
    """0 at the reference, the more the more noise, and downhill leads back to it."""
    x = photo(37, 53, 2).float()
    term, noise = PriorFeatures(prior, x), normal(2, 3, 37, 53).float()
    assert float(term(x)) == 0
    values = [float(term(x + s * noise)) for s in (0.01, 0.03, 0.1)]
    assert 0 < values[0] < values[1] < values[2]
    z = (x + 0.05 * noise).requires_grad_()
    (gradient,) = torch.autograd.grad(term(z), z)
    assert float((gradient * noise).sum()) > 0
    assert all(p.grad is None for p in prior.unet.parameters())
    assert not any(block._forward_hooks for block in prior.unet.down_blocks)


def test_every_photo_has_its_own_reference(prior):
    """Two photos, three samples of each: six images, each against its photo."""
    references = torch.stack([torch.full((3, 16, 16), v) for v in (0.2, 0.7)])
    features = PriorFeatures(prior, references + 0.1 * normal(2, 3, 16, 16).float())
    x = 0.5 + 0.1 * normal(6, 3, 16, 16, seed=1).float()
    with torch.no_grad():
        total, parts = features(x), [features(x[n : n + 2]) for n in (0, 2, 4)]
    torch.testing.assert_close(total, sum(parts), rtol=1e-4, atol=0)


def test_a_reference_of_another_size_is_refused_before_the_first_call(prior):
    features = PriorFeatures(prior, torch.zeros(1, 3, 16, 16))
    unused = SimpleNamespace(schedule=prior.schedule)
    with pytest.raises(ValueError, match="the reference is"):
        algorithm_1(
            torch.zeros(1, 3, 16, 24), GaussianNoise(), unused, lambda2=1.0, perceptual=features
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExposureControl(patch=0), "whole number"),
        (lambda: TotalVariation(-1.0), "negative"),
        (lambda: PriorFeatures(None, torch.zeros(1, 3, 16, 16)), "UNet2DModel"),
        (lambda: Lpips(torch.zeros(3, 16, 16)), "photos"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_lpips_is_there_or_says_why():
    """Without internet one line; no number from a random backbone."""
    x = photo(64, 64).float()
    try:
        distance, message = float(Lpips(x)(x)), "VGG-16"
    except ValueError as error:
        distance, message = 0.0, str(error)
    assert distance == pytest.approx(0, abs=1e-3)
    assert "VGG-16" in message
    assert "\n" not in message
