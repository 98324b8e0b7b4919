"""Operators: adjoints by dot products, proximal points by their optimality, known values."""

import numpy as np
import pytest
import torch
from exact import normal
from scipy import ndimage

from gdp_lite.degradations import (
    BlockAverage,
    BlockAverageSameSize,
    Compose,
    Exposure,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    random_mask,
)

SIZES = [(16, 24), (15, 21), (37, 53), (1, 9), (5, 5)]


def linear(height, width):
    """Every linear degradation, for images of this size."""
    generator = torch.Generator().manual_seed(0)
    mask = random_mask(height, width, generator=generator)
    size = (height, width)
    return {
        "noise": GaussianNoise(0.1),
        "blur": GaussianBlur(),
        "narrow blur": GaussianBlur(3, 0.7),
        "average 2": BlockAverage(2, size),
        "average 4": BlockAverage(4, size),
        "average 8": BlockAverage(8, size),
        "same size 2": BlockAverageSameSize(2),
        "same size 8": BlockAverageSameSize(8),
        "mask": Inpainting(mask),
        "blur, average": Compose(GaussianBlur(5, 1.0), BlockAverage(4, size)),
        "mask, blur": Compose(Inpainting(mask), GaussianBlur(5, 1.0)),
    }


CASES = [(size, name) for size in SIZES for name in linear(*size)]


@pytest.mark.parametrize(("size", "name"), CASES)
def test_adjoint_by_dot_product(size, name):
    """<A x, y> = <x, A^T y> for random x, y: to float64's rounding, or it is no adjoint."""
    degradation = linear(*size)[name]
    x = normal(2, 3, *size)
    image = degradation(x)
    y = normal(*image.shape, seed=1)
    back = degradation.A_adjoint(y)
    assert back.shape == x.shape
    torch.testing.assert_close((image * y).sum(), (x * back).sum(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rho", [0.01, 1.0])
@pytest.mark.parametrize(("size", "name"), CASES)
def test_prox_is_the_minimiser(size, name, rho):
    """At the minimum A^T (A z - y) + rho (z - x) = 0: exact forms to rounding, CG to 1e-3."""
    degradation = linear(*size)[name]
    x = normal(2, 3, *size)
    y = degradation(normal(2, 3, *size, seed=1))
    z = degradation.prox(x, y, rho)
    gradient = degradation.A_adjoint(degradation(z) - y) + rho * (z - x)
    start = degradation.A_adjoint(degradation(x) - y)
    bound = 2e-3 if isinstance(degradation, Compose) else 1e-9
    assert float(gradient.norm()) <= bound * float(start.norm()) + 1e-12


def test_prox_without_noise_is_the_null_space_projection():
    """rho = 0: A z = y exactly, and z - x lies in the range of A^T."""
    size = (37, 53)
    for name in ("average 4", "same size 8", "mask"):
        degradation = linear(*size)[name]
        x, y = normal(1, 3, *size), degradation(normal(1, 3, *size, seed=1))
        z = degradation.prox(x, y, 0.0)
        torch.testing.assert_close(degradation(z), y)
        torch.testing.assert_close(degradation.prox(z, y, 0.0), z)


@pytest.mark.parametrize("blur", [GaussianBlur(), GaussianBlur(7, 1.0)])
def test_prox_of_blur_stays_put_at_a_solution(blur):
    """In float32 and with next to no noise: what blur has erased must not come back as rounding."""
    x = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blur.prox(x, blur(x), 1e-8), x, atol=2e-2, rtol=0)


def test_prox_of_exposure():
    exposure = Exposure(1.3, -0.1).double()
    x, y = normal(1, 3, 4, 4), normal(1, 3, 4, 4, seed=1)
    z = exposure.prox(x, y, 0.2)
    gradient = exposure.gain * (exposure(z) - y) + 0.2 * (z - x)
    assert float(gradient.detach().norm()) < 1e-10


def test_blur_is_scipys():
    """Mirrored boundary with the edge repeated, which scipy calls "reflect"."""
    x = normal(1, 3, 37, 53)
    ours = GaussianBlur(9, 2.0)(x)[0].numpy()
    taps = np.exp(-0.5 * (np.arange(-4, 5) / 2.0) ** 2)
    taps /= taps.sum()
    theirs = ndimage.correlate1d(x[0].numpy(), taps, axis=-1, mode="reflect")
    theirs = ndimage.correlate1d(theirs, taps, axis=-2, mode="reflect")
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_blur_keeps_flat_pictures():
    flat = torch.full((1, 3, 3, 20), 0.7, dtype=torch.float64)
    torch.testing.assert_close(GaussianBlur(15, 4.0)(flat), flat)


def test_block_average_by_hand():
    """3 x 5 pixels, d = 2: the last row and column of blocks have fewer pixels."""
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    expected = torch.tensor([[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]])
    degradation = BlockAverage(2, (3, 5))
    assert torch.equal(degradation(x)[0, 0], expected)
    same = BlockAverageSameSize(2)(x)[0, 0]
    assert torch.equal(same, expected.repeat_interleave(2, 0).repeat_interleave(2, 1)[:3, :5])


def test_same_size_average_is_a_projection():
    degradation, x = BlockAverageSameSize(4), normal(1, 3, 37, 53)
    torch.testing.assert_close(degradation(degradation(x)), degradation(x))
    assert degradation(x).shape == x.shape


def test_random_mask_misses_a_quarter():
    mask = random_mask(400, 400, generator=torch.Generator().manual_seed(0))
    # Standard error sqrt(0.25 * 0.75 / 160000) = 0.1%.
    assert float(mask.mean()) == pytest.approx(0.75, abs=0.005)


def test_mask_hides_and_keeps():
    mask = random_mask(8, 9, generator=torch.Generator().manual_seed(0))
    x = normal(2, 3, 8, 9)
    y = Inpainting(mask)(x)
    assert bool((y[..., mask == 0] == 0).all())
    assert torch.equal(y[..., mask == 1], x[..., mask == 1])


def test_inpainting_starts_from_the_surroundings():
    """Kept pixels stay, holes take values between those kept; an empty mask gives grey."""
    x = torch.linspace(0.2, 0.8, 33)[None, None, None, :].expand(1, 3, 20, 33).contiguous()
    mask = torch.ones(20, 33)
    mask[5:15, 8:25] = 0
    start = Inpainting(mask).start(mask * x)
    assert torch.equal(start[..., mask == 1], x[..., mask == 1])
    assert 0.1999 < float(start.min()) < float(start.max()) < 0.8001
    hidden = Inpainting(torch.zeros(20, 33))
    assert torch.equal(hidden.start(hidden(x)), torch.full_like(x, 0.5))


def test_simulated_noise_has_the_level_asked_for():
    x = torch.full((1, 3, 300, 300), 0.5, dtype=torch.float64)
    y = GaussianNoise(25 / 255).simulate(x, torch.Generator().manual_seed(0))
    # Standard error of the estimate: sigma / sqrt(2 n), 0.14%. Not clipped: the tails remain.
    assert float((y - x).std()) == pytest.approx(25 / 255, rel=0.01)
    again = GaussianNoise(25 / 255).simulate(x, torch.Generator().manual_seed(0))
    assert torch.equal(y, again)


def test_composition_applies_the_first_stage_first():
    x = normal(1, 3, 8, 8)
    blur, average = GaussianBlur(3, 1.0), BlockAverage(2)
    both = Compose(blur, average)
    torch.testing.assert_close(both(x), average(blur(x)))
    assert both.start(both(x)).shape == x.shape
    assert Compose(blur, BlockAverage(2, sigma=0.1)).sigma == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianNoise(-1), "standard deviation"),
        (lambda: GaussianNoise(float("nan")), "standard deviation"),
        (lambda: GaussianBlur(4), "odd"),
        (lambda: GaussianBlur(5, 0), "positive"),
        (lambda: BlockAverage(0), "factor"),
        (lambda: BlockAverageSameSize(1.5), "factor"),
        (lambda: Inpainting(torch.tensor([[0.5]])), "0 .missing. and 1"),
        (lambda: Inpainting(torch.ones(3, 4, 4)), "a mask is"),
        (lambda: random_mask(4, 4, 1.5), "share"),
        (lambda: GaussianBlur(9.5), "odd"),
        (lambda: GaussianNoise(float("inf")), "standard deviation"),
        (lambda: BlockAverage(4, (3, 8, 8)), "image_size is two"),
        (lambda: BlockAverage(4, 8), "image_size is two"),
        (lambda: Exposure(float("nan")), "finite"),
        (lambda: Compose([GaussianBlur(), GaussianNoise()]), "only degradations"),
        (lambda: Compose(), "nothing"),
        (lambda: Compose(GaussianNoise(0.1), GaussianBlur()), "last"),
    ],
)
def test_impossible_degradations_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_measurements_of_the_wrong_size_are_refused():
    with pytest.raises(ValueError, match="image_size"):
        BlockAverage(4)(torch.zeros(1, 3, 9, 9))
    with pytest.raises(ValueError, match="mask"):
        Inpainting(torch.ones(4, 4)).check_measurement(torch.zeros(1, 3, 4, 5))
    with pytest.raises(ValueError, match="blocks"):
        BlockAverage(4, (9, 9)).check_measurement(torch.zeros(1, 3, 2, 3))
