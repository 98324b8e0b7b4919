"""Phi as a whole: its names and values, at random and set, and every operator in the samplers."""

import copy

import pytest
import torch
from exact import GaussianPrior
from operators import photo

from gdp_lite import degradations
from gdp_lite.algorithm import algorithm_1
from gdp_lite.book.masks import box_mask
from gdp_lite.degradations import (
    JPEG,
    BicubicDownsampling,
    BlindBlur,
    BlindGaussianBlur,
    BlindOcclusion,
    BlockAverage,
    Blur,
    ChannelMean,
    Clip,
    ColourCast,
    ColourMatrix,
    Compose,
    Contrast,
    Gamma,
    LinearLight,
    Occlusion,
    PoissonGaussianNoise,
    SmoothExposure,
    Strokes,
    assign,
    motion_kernel,
)
from gdp_lite.sampler import restore
from gdp_lite.schedule import linear_schedule

SIZE = (37, 53)
EVERY = {
    "blur": lambda: Blur(motion_kernel(5, 30), 0.02),
    "blind blur": lambda: BlindBlur(5, sigma=0.02),
    "blind Gaussian": lambda: BlindGaussianBlur(9, sigma=0.02),
    "exposure": lambda: SmoothExposure(0.4, sigma=0.02),
    "over-exposed": lambda: LinearLight(Compose(SmoothExposure(2.0), Clip()), 0.02),
    "gamma": lambda: Gamma(2.0, sigma=0.02),
    "contrast": lambda: Contrast(0.5, sigma=0.02),
    "grey": lambda: ChannelMean(0.02),
    "strokes": lambda: Strokes((photo(*SIZE)[0, 0] > 0.6).float(), 0.02),
    "cast": lambda: ColourCast((1.2, 1.0, 0.8), 0.02),
    "matrix": lambda: LinearLight(ColourMatrix((1.2, 1.0, 0.8), 0.05), 0.02),
    "overlay": lambda: Occlusion(box_mask(*SIZE, 5, 5, 9, 20), torch.tensor([1.0, 0.9, 0.2]), 0.02),
    "blind overlay": lambda: BlindOcclusion(SIZE, 0.02),
    "jpeg": lambda: JPEG.from_quality(50, sigma=0.02),
    "bicubic": lambda: BicubicDownsampling(4, SIZE, 0.02),
    "photons": lambda: PoissonGaussianNoise(0.01, 0.01),
    "capture": lambda: Compose(
        BlindGaussianBlur(9),
        LinearLight(Compose(ColourCast((1.2, 1.0, 0.8)), SmoothExposure(0.5), Clip())),
        JPEG.from_quality(80, sigma=0.02),
    ),
    "small": lambda: Compose(BlindBlur(5), BlockAverage(4, SIZE, 0.02)),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_operator_restores(name):
    """float32, two images: simulated, guessed from y, restored; better explained than at first."""
    degradation = EVERY[name]()
    x = photo(*SIZE).float().clamp(0, 1)
    y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
    degradation.check_measurement(y)
    assert degradation.randomise(torch.Generator().manual_seed(0)) is degradation
    assert degradation.initialise(y) is degradation
    y, generator = torch.cat([y, y]), torch.Generator().manual_seed(0)
    prior = GaussianPrior(schedule=linear_schedule())
    result = restore(y, degradation, prior, 3, generator=generator)
    assert result.image.shape == (2, 3, *SIZE)
    assert result.image.dtype == torch.float32
    assert bool(result.image.isfinite().all())
    assert all(bool(value.isfinite().all()) for value in result.phi.values())
    untouched = (degradation(degradation.start(y)) - y).square().mean().sqrt().detach()
    assert float(result.residual.max()) < max(2 * float(untouched), 0.05)


@pytest.mark.parametrize("name", EVERY)
def test_every_operator_is_called_by_its_class(name):
    """Not by the class that torch makes of one whose parameters have a range; copied, too."""
    degradation = EVERY[name]()
    line = copy.deepcopy(degradation).describe()
    told = [part.split(",")[0] for part in line.split("; then ")]
    assert set(told) <= set(degradations.__all__), line
    assert "Parametrized" not in repr(degradation)


def test_algorithm_1_learns_phi():
    cast = ColourCast()
    y = ColourCast((1.4, 1.0, 0.6))(photo(16, 16)).detach().float()
    prior = GaussianPrior(schedule=linear_schedule(30, 1e-3, 0.4))
    algorithm_1(y, cast, prior, 0.1, eta=0.01, generator=torch.Generator().manual_seed(0))
    gains = cast.phi()["gains"]
    assert float(gains.mean()) == pytest.approx(1, abs=1e-6)
    assert float((gains - 1).abs().max()) > 0.01


def test_phi_has_names_and_values():
    both = Compose(BlindBlur(5), LinearLight(SmoothExposure(0.5)))
    phi = both.phi()
    assert set(phi) == {"stages.0.kernel", "stages.1.inner.gain", "stages.1.inner.offset"}
    assert float(phi["stages.1.inner.gain"]) == pytest.approx(0.5)
    assert not phi["stages.0.kernel"].requires_grad
    other = copy.deepcopy(both).randomise(torch.Generator().manual_seed(0))
    assert float(both.phi()["stages.1.inner.gain"]) == pytest.approx(0.5)
    both.load_state_dict(other.state_dict())
    torch.testing.assert_close(both.phi(), other.phi())


def test_phi_at_random_is_repeatable_and_not_the_default():
    first, second = (Gamma().randomise(torch.Generator().manual_seed(s)).phi() for s in (0, 0))
    assert torch.equal(first["exponent"], second["exponent"])
    assert float(first["exponent"]) != pytest.approx(1, abs=1e-3)


def test_assign_keeps_the_range():
    gamma = Gamma()
    assign(gamma, "exponent", 2.2)
    assert float(gamma.phi()["exponent"]) == pytest.approx(2.2)
    with pytest.raises(ValueError, match=r"between 0\.1 and 10"):
        assign(gamma, "exponent", 11.0)
    assert float(gamma.phi()["exponent"]) == pytest.approx(2.2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        assign(BlindOcclusion((4, 4)), "mask", 1.5)
