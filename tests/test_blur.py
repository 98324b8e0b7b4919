"""Blur with any kernel: known values, adjoint, prox, gradients, and kernels found again."""

import math

import numpy as np
import pytest
import torch
from exact import normal
from operators import SIZES, adjoint_mismatch, fit, gradients_agree, photo, prox_slope, wild
from scipy import ndimage
from skimage import data
from torch.nn import functional

from gdp_lite.book.metrics import similarity
from gdp_lite.degradations import (
    BlindBlur,
    BlindGaussianBlur,
    Blur,
    Compose,
    GaussianBlur,
    GaussianNoise,
    assign,
    defocus_kernel,
    gaussian_kernel,
    motion_kernel,
    random_motion_kernel,
)
from gdp_lite.estimators import coarse_to_fine_kernel, estimate_blur_width
from gdp_lite.image import from_uint8

KERNELS = {
    "motion": motion_kernel(7, 30),
    "hand": random_motion_kernel(9, torch.Generator().manual_seed(1)),
    "defocus": defocus_kernel(2.5),
    "row": torch.tensor([[5.0, 4, 3, 2, 1]]),
    "one": torch.ones(1, 1),
}
CASES = [(size, name) for size in SIZES for name in KERNELS]


def moments(kernel):
    """Centre of mass (row, column) from the middle pixel, and the standard deviations."""
    places = [torch.arange(n).to(kernel) - n // 2 for n in kernel.shape]
    lines = kernel.sum(1), kernel.sum(0)
    centre = [float(p @ k) for p, k in zip(places, lines, strict=True)]
    return centre, [float((p**2 @ k).sqrt()) for p, k in zip(places, lines, strict=True)]


@pytest.mark.parametrize(("size", "name"), CASES)
def test_adjoint(size, name):
    assert adjoint_mismatch(Blur(KERNELS[name].double()), size) < 1e-14


def test_adjoint_of_blind_ones():
    for degradation in (BlindBlur(7).randomise(torch.Generator().manual_seed(0)),):
        assert adjoint_mismatch(degradation, (37, 53)) < 1e-14
    assert adjoint_mismatch(BlindGaussianBlur(9, 1.3), (37, 53)) < 1e-14


@pytest.mark.parametrize("name", KERNELS)
def test_blur_is_scipys_convolution(name):
    x, kernel = normal(1, 1, 20, 31), KERNELS[name].double()
    theirs = ndimage.convolve(x[0, 0].numpy(), (kernel / kernel.sum()).numpy(), mode="reflect")
    np.testing.assert_allclose(Blur(kernel)(x)[0, 0].numpy(), theirs, atol=1e-13)


def test_gaussians_agree():
    x = normal(2, 3, 37, 53)
    expected = GaussianBlur(9, 2.0)(x)
    torch.testing.assert_close(Blur(gaussian_kernel(9, 2.0))(x), expected)
    torch.testing.assert_close(BlindGaussianBlur(9, 2.0)(x), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(Blur(gaussian_kernel(9, 2.0))(x.float()), expected.float())


@pytest.mark.parametrize("rho", [1e-3, 1.0])
@pytest.mark.parametrize("name", KERNELS)
def test_prox_is_the_minimum(name, rho):
    """20 conjugate gradients bring the slope down to 1%, enough of them to rounding."""
    degradation = Blur(KERNELS[name].double())
    y = degradation(photo(37, 53, 2, seed=1)) + 0.02 * normal(2, 3, 37, 53)
    assert prox_slope(degradation, photo(37, 53, 2), y, rho) < 1e-2
    degradation.iterations, degradation.tolerance = 400, 1e-9
    assert prox_slope(degradation, photo(37, 53, 2), y, rho) < 1e-8


def test_prox_of_blind_ones():
    y = photo(37, 53, seed=1)
    assert prox_slope(BlindBlur(9).double(), photo(37, 53), y, 0.01) < 1e-3
    assert prox_slope(BlindGaussianBlur(9).double(), photo(37, 53), y, 0.01) < 1e-9


def test_large_images_and_kernels():
    x = photo(512, 512).float()
    y = Blur(random_motion_kernel(31, torch.Generator().manual_seed(0)))(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert Blur(motion_kernel(40))(photo(5, 9)).shape == (1, 3, 5, 9)


def test_kernels_are_what_they_say():
    """Second moments: length^2 / 12 along a movement, radius^2 / 4 across a disc."""
    centre, (rows, columns) = moments(motion_kernel(15, 0))
    assert centre == pytest.approx([0, 0], abs=1e-12)
    assert (rows, columns) == pytest.approx((0, 15 / 12**0.5), abs=0.05)
    assert moments(motion_kernel(15, 90))[1][0] == pytest.approx(15 / 12**0.5, abs=0.05)
    upward = motion_kernel(9, 45)  # counter-clockwise: from lower left to upper right
    middle = len(upward) // 2
    assert float(upward[middle - 2, middle + 2]) > 10 * float(upward[middle + 2, middle + 2])
    assert moments(defocus_kernel(4.3))[1] == pytest.approx([4.3 / 2] * 2, rel=0.02)
    for seed in range(5):
        kernel = random_motion_kernel(15, torch.Generator().manual_seed(seed))
        assert moments(kernel)[0] == pytest.approx([0, 0], abs=1e-9)
        assert float(kernel.sum()) == pytest.approx(1)
        assert float(kernel.min()) >= 0


@pytest.mark.parametrize("seed", range(4))
def test_blind_kernels_stay_centred_on_the_simplex(seed):
    blind = BlindBlur(9).double()
    kernel = wild(blind, seed)["kernel"]
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-12)
    assert moments(kernel)[0] == pytest.approx([0, 0], abs=1e-6)
    width = wild(BlindGaussianBlur(9), seed)["width"]
    assert 0.2 <= float(width) <= 2.25


@pytest.mark.parametrize("degradation", [BlindBlur(3), BlindGaussianBlur(5, 0.9), BlindBlur(5)])
def test_gradients(degradation):
    generator = torch.Generator().manual_seed(0)
    assert gradients_agree(degradation.double().randomise(generator))


def test_kernel_and_width_are_found_from_pairs():
    x = photo(48, 64) + 0.1 * normal(1, 3, 48, 64)
    truth = motion_kernel(5, 30).double()
    y = Blur(truth)(x)
    found = fit(BlindBlur(7).double(), x, y)["kernel"]
    assert float((found - truth).abs().sum()) < 0.05
    found = fit(BlindGaussianBlur(13).double(), x, GaussianBlur(13, 2.2)(x))["width"]
    assert float(found) == pytest.approx(2.2, rel=1e-3)


@pytest.fixture(scope="module")
def sharp():
    """A photo, 256 x 256, halved, because the file has a blur of its own."""
    return functional.avg_pool2d(from_uint8(data.astronaut()), 2)


@pytest.mark.parametrize("sigma", [0.0, 2 / 255, 5 / 255])
@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_width_is_estimated_from_a_photo(sharp, width, sigma):
    """Within 10%, also as a stage of a composition, which knows the noise."""
    y = GaussianBlur(25, width, sigma).simulate(sharp, torch.Generator().manual_seed(0))
    assert estimate_blur_width(y, sigma) == pytest.approx(width, rel=0.1)
    both = Compose(BlindGaussianBlur(25), GaussianNoise(sigma)).initialise(y)
    assert float(both.phi()["stages.0.width"]) == pytest.approx(width, rel=0.1)
    assert not any(p.requires_grad for p in both.parameters())


def test_a_sharp_photo_has_no_width(sharp):
    assert estimate_blur_width(sharp) < 0.4
    assert estimate_blur_width(torch.rand(1, 3, 37, 53)) < 0.4
    assert 0 < estimate_blur_width(torch.zeros(1, 3, 64, 64)) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_movement_is_found_in_a_photo(sharp, seed):
    """Nearer to the truth than any Gaussian is."""
    truth = random_motion_kernel(13, torch.Generator().manual_seed(seed)).float()
    y = Blur(truth, 1 / 255).simulate(sharp[..., 40:168, 40:168], torch.Generator().manual_seed(0))
    found = BlindBlur(17).initialise(y).phi()["kernel"]
    centre, _ = moments(found)
    assert centre == pytest.approx([0, 0], abs=1e-5)
    best = max(similarity(gaussian_kernel(17, w / 4), truth) for w in range(1, 18))
    assert similarity(found, truth) > best + 0.05


def test_similarity():
    kernel = random_motion_kernel(9, torch.Generator().manual_seed(0))
    assert similarity(kernel, kernel) == pytest.approx(1)
    assert similarity(functional.pad(kernel, (4, 0, 0, 2)), kernel) == pytest.approx(1)
    assert similarity(motion_kernel(15, 0), motion_kernel(15, 90)) < 0.3
    assert float(coarse_to_fine_kernel(torch.zeros(1, 3, 64, 64), 9)[4, 4]) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blur(torch.ones(2, 3)), "odd"),
        (lambda: Blur(torch.ones(3)), "odd"),
        (lambda: Blur(-torch.ones(3, 3)), "negative"),
        (lambda: Blur(torch.zeros(3, 3)), "positive"),
        (lambda: BlindBlur(6), "odd"),
        (lambda: BlindBlur(7, torch.ones(3, 3)), "7 x 7"),
        (lambda: BlindGaussianBlur(9, 40.0), "between"),
        (lambda: motion_kernel(0), "length"),
        (lambda: random_motion_kernel(math.nan), "length"),
        (lambda: defocus_kernel(-1), "radius"),
        (lambda: motion_kernel(5.0, math.nan), "movement"),
        (lambda: estimate_blur_width(torch.full((1, 3, 64, 64), torch.nan)), "finite"),
        (lambda: BlindBlur(5).initialise(torch.zeros(2, 3, 64, 64)), "one photo"),
        (lambda: assign(BlindBlur(5), "kernel", torch.ones(3, 3)), "kernel is"),
        (lambda: estimate_blur_width(torch.zeros(1, 3, 64, 9)), "16 x 16"),
        (lambda: BlindBlur(25).initialise(torch.zeros(1, 3, 64, 40)), "larger photo"),
        (lambda: assign(BlindBlur(3), "kernel", -torch.ones(3, 3)), "negative"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
