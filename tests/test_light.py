"""Exposure, clipping, gamma, contrast, linear light; colour casts and the channel mean."""

import math

import pytest
import torch
from exact import normal
from operators import SIZES, adjoint_mismatch, fit, gradients_agree, photo, prox_slope, wild

from gdp_lite.degradations import (
    ChannelMean,
    Clip,
    ColourCast,
    ColourMatrix,
    Compose,
    Contrast,
    Gamma,
    GaussianBlur,
    LinearLight,
    SmoothExposure,
    assign,
)
from gdp_lite.estimators import Reference, cast_posterior, exposure_posterior
from gdp_lite.image import linear_to_srgb, srgb_to_linear


def bent():
    """Every degradation of light, and the learnable colour ones, with Phi away from the default."""
    generator = torch.Generator().manual_seed(0)
    return {
        "exposure": SmoothExposure(0.4, (5, 4), channels=3).randomise(generator),
        "gamma": Gamma(2.2),
        "gamma, brighter": Gamma(0.5),
        "contrast": Contrast(0.5),
        "light": LinearLight(SmoothExposure(0.3)),
        "over-exposed": LinearLight(Compose(SmoothExposure(1.5), Clip())),
        "cast in light": LinearLight(ColourCast((1.3, 1.0, 0.7))),
        "matrix in light": LinearLight(ColourMatrix((1.3, 1.0, 0.7), 0.05)),
        "blur in light": LinearLight(GaussianBlur(5, 1.0)),
        "cast": ColourCast((1.2, 1.1, 0.7)),
        "matrix": ColourMatrix().randomise(generator),
        "gamma, contrast": Compose(Gamma(1.4), Contrast(0.7)),
    }


def test_srgb_is_the_standards():
    """IEC 61966-2-1: middle grey 0.5 is 0.2140 of the light; back and forth to 1e-7."""
    assert float(srgb_to_linear(torch.tensor(0.5).double())) == pytest.approx(0.21404114, abs=1e-8)
    x = torch.linspace(-0.2, 1.5, 2001).double().requires_grad_()
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(x)), x, rtol=0, atol=1e-7)
    assert bool(torch.autograd.grad(srgb_to_linear(x).sum(), x)[0].isfinite().all())
    light = torch.linspace(-0.2, 1.5, 2001).double().requires_grad_()
    assert bool(torch.autograd.grad(linear_to_srgb(light).sum(), light)[0].isfinite().all())


@pytest.mark.parametrize("name", bent())
def test_gradients(name):
    assert gradients_agree(bent()[name].double())


@pytest.mark.parametrize("rho", [0.01, 1.0])
@pytest.mark.parametrize("name", sorted(set(bent()) - {"over-exposed"}))
def test_prox_is_a_minimum(name, rho):
    """Closed forms and Newton in each pixel to rounding, Gauss-Newton to 1%; without kinks."""
    degradation = bent()[name].double()
    y = degradation(photo(37, 53, 2, seed=1)).detach() + 0.02 * normal(2, 3, 37, 53)
    exact = degradation.pointwise or not isinstance(degradation, LinearLight)
    degradation.tolerance = 1e-8
    assert prox_slope(degradation, photo(37, 53, 2), y, rho) < (1e-5 if exact else 1e-2)


@pytest.mark.parametrize("name", ["over-exposed", "gamma", "light"])
def test_prox_of_a_pixel_is_the_best_of_all(name):
    """Against all values of a fine grid: clipping makes two valleys, x may lie in the wrong one."""
    degradation = bent()[name].double()
    x, y = torch.rand(2, 1, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    y[0, :, 0] = 1.0
    with torch.no_grad():
        z = degradation.prox(x, y, 0.05)

        def loss(z):
            return (degradation(z) - y).square() + 0.05 * (z - x).square()

        grid = torch.stack([loss(torch.full_like(x, v)) for v in torch.linspace(-0.5, 1.5, 801)])
        assert bool((loss(z) <= grid.min(0).values + 1e-6).all())


def test_clip_and_its_prox():
    clip, x = Clip(), torch.linspace(-1, 2, 61).double().view(1, 1, 1, -1)
    assert torch.equal(clip(x), x.clamp(0, 1))
    for value in (0.0, 0.4, 1.0):
        y = torch.full_like(x, value)
        z = clip.prox(x, y, 0.1)

        def loss(z, y=y):
            return (clip(z) - y).square() + 0.1 * (z - x).square()

        grid = torch.stack([loss(torch.full_like(x, v)) for v in torch.linspace(-1.2, 2.2, 1701)])
        assert bool((loss(z) <= grid.min(0).values + 1e-9).all())


def test_the_chapters_exposure_is_a_composition():
    """decode, times 2^stops, clip, encode: book/what_goes_wrong.ipynb."""
    x = photo(20, 30)
    light = (srgb_to_linear(x) * 2.0**1.5).clamp(0, 1)
    over = LinearLight(Compose(SmoothExposure(2.0**1.5), Clip()))
    torch.testing.assert_close(over(x), linear_to_srgb(light), rtol=0, atol=1e-6)
    torch.testing.assert_close(Gamma(2.2)(x), x**2.2, rtol=0, atol=1e-6)
    torch.testing.assert_close(Contrast(0.45)(x), 0.5 + 0.45 * (x - 0.5), rtol=0, atol=1e-6)


def test_smooth_offset_is_smooth_and_in_range():
    exposure = SmoothExposure(grid=(4, 6)).double()
    assign(exposure, "offset", 0.3)
    flat = exposure.M(photo(37, 53)).detach()
    torch.testing.assert_close(flat, torch.full((1, 37, 53), 0.3).double(), rtol=0, atol=1e-6)
    wild(exposure, 3)
    offset = exposure.M(photo(512, 300)).detach()
    assert float(offset.abs().max()) <= 0.5 + 1e-12
    bend = offset.diff(n=2, dim=-1).abs().max()  # a grid cell is 100 pixels wide
    assert 0 < float(bend) < 4 * 0.5 / 100**2 * 1.01


@pytest.mark.parametrize("seed", range(4))
def test_ranges_hold_for_any_raw_value(seed):
    assert 1 / 64 <= float(wild(SmoothExposure(), seed)["gain"]) <= 64
    assert 0.1 <= float(wild(Gamma(), seed)["exponent"]) <= 10
    assert 0.05 <= float(wild(Contrast(), seed)["contrast"]) <= 20
    matrix = ColourMatrix()
    phi = wild(matrix, seed)
    assert float(phi["gains"].mean()) == pytest.approx(1, abs=1e-6)
    assert float(phi["gains"].min()) >= 0
    assert float(phi["leak"].abs().max()) <= 0.24
    rows = matrix.matrix.detach().sum(1)
    torch.testing.assert_close(rows, phi["gains"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [ChannelMean, ColourCast, ColourMatrix])
def test_adjoint(make, size):
    degradation = make().double().randomise(torch.Generator().manual_seed(0))
    assert adjoint_mismatch(degradation, size) < 1e-14


def test_decolorize_is_a_projection_with_an_exact_prox():
    degradation, x = ChannelMean(), photo(37, 53, 2)
    y = degradation(x)
    assert y.shape == x.shape
    torch.testing.assert_close(degradation(y), y)
    torch.testing.assert_close(y[:, 0], x.mean(1))
    assert prox_slope(degradation, photo(37, 53, 2, seed=1), y, 0.1) < 1e-12


RECOVER = {
    "exposure": SmoothExposure(0.4),
    "gamma": Gamma(1.8),
    "contrast": Contrast(0.6),
    "cast": ColourCast((1.3, 1.0, 0.7)),
    "matrix": ColourMatrix((1.3, 1.0, 0.7), 0.05),
    "over-exposed": LinearLight(Compose(SmoothExposure(1.6), Clip())),
    "dark and yellow": LinearLight(Compose(ColourCast((1.3, 1.0, 0.7)), SmoothExposure(0.2))),
}


@pytest.mark.parametrize("name", RECOVER)
def test_phi_is_found_from_pairs(name):
    """With the scene known, gradient descent from a random start finds Phi to 1%."""
    degradation = RECOVER[name].double()
    truth, x = degradation.phi(), photo(24, 32, 2) + 0.1 * normal(2, 3, 24, 32)
    y = degradation(x).detach()
    degradation.randomise(torch.Generator().manual_seed(1))
    found = fit(degradation, x, y, steps=150)
    for key, value in truth.items():
        if "offset" not in key:  # M's control points beyond the corners hardly show in a photo
            torch.testing.assert_close(found[key], value, rtol=0.01, atol=0.01)
    torch.testing.assert_close(degradation(x).detach(), y, rtol=0, atol=0.01)


def test_guesses_from_the_photo():
    """The anchors are a white spot, a mean of 0.45, colours about grey: they are left alone."""
    x = photo(40, 60)
    x = x.mean(1, keepdim=True) + 0.1 * (x - x.mean(1, keepdim=True))
    x = x * 0.45 / x.mean((2, 3), keepdim=True)
    x[..., 10:14, 20:24] = 0.98
    for make, key, value in (
        (lambda: SmoothExposure(0.3), "gain", 0.3),
        (lambda: Gamma(2.0), "exponent", 2.0),
        (lambda: ColourCast((1.2, 1.0, 0.8)), "gains", (1.2, 1.0, 0.8)),
        (lambda: ColourMatrix((1.2, 1.0, 0.8), 0.1), "gains", (1.2, 1.0, 0.8)),
        (lambda: LinearLight(SmoothExposure(0.2)), "inner.gain", 0.2),
        (lambda: LinearLight(ColourCast((0.7, 1.0, 1.3))), "inner.gains", (0.7, 1.0, 1.3)),
    ):
        y = make()(x).detach()
        guess = make().randomise(torch.Generator().manual_seed(0)).initialise(y).phi()[key]
        torch.testing.assert_close(guess, torch.tensor(value), rtol=0.1, atol=0)
    both = Compose(ColourCast(), Gamma()).initialise(Gamma(2.0)(x).detach())
    assert float(both.phi()["stages.1.exponent"]) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("extreme", [0.01, 0.99])
@pytest.mark.parametrize("contrast", [0.2, 0.5, 1.0, 1.5])
def test_contrast_is_told_by_black_or_white(contrast, extreme):
    """A pale wall with one dark or white window: its spread, a tenth of a usual one, tells nothing.

    Within 5%; under noise, beyond [0, 1], in the light as well; one number far off does not count.
    """
    x = 0.6 + 0.1 * photo(128, 160)
    x[..., 40:64, 48:72] = extreme
    y = Contrast(contrast, 2 / 255).simulate(x, torch.Generator().manual_seed(0)).detach()
    y[:, 1, 10, 10] = 4.0
    guess = Contrast().initialise(y)
    assert float(guess.contrast) == pytest.approx(contrast, rel=0.05)
    assert not any(p.requires_grad for p in guess.parameters()), "held"
    light = LinearLight(Contrast(contrast))
    found = LinearLight(Contrast()).initialise(light(x).detach()).phi()["inner.contrast"]
    assert float(found) == pytest.approx(contrast, rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (37, 53)])
def test_a_photo_of_one_colour_has_a_contrast(size):
    """That of its distance from 1/2; the least there is if it is 1/2."""
    for value, contrast in ((0.5, 0.06), (0.0, 1.01), (1.0, 1.01), (0.25, 0.505)):
        guess = Contrast().initialise(torch.full((1, 3, *size), value))
        assert float(guess.contrast) == pytest.approx(contrast, rel=1e-3)


def test_draws_spread_as_the_posterior_does():
    """A clipped channel tells only a bound: wider than where nothing is clipped."""
    x = photo(40, 60)
    x = x.mean(1, keepdim=True) + 0.1 * (x - x.mean(1, keepdim=True))
    x = x / x.amax()
    cast = ColourCast((1.3, 1.0, 0.7))
    draws = {}
    for name, y in (("whole", cast(x).detach()), ("clipped", cast(x).detach().clamp(0, 1))):
        generator = torch.Generator().manual_seed(0)
        found = [ColourCast().initialise(y, generator=generator).phi()["gains"] for _ in range(50)]
        draws[name] = torch.stack(found)
        torch.testing.assert_close(draws[name].mean(1), torch.ones(50))
    assert float(draws["clipped"].std(0).max()) > 1.2 * float(draws["whole"].std(0).max())
    twice = [ColourCast().initialise(cast(x).detach()).phi()["gains"] for _ in range(2)]
    assert torch.equal(*twice)


def test_an_over_exposed_photo_is_not_taken_for_a_dark_one():
    x = photo(40, 60)
    y = (2 * x).clamp(0, 1)
    assert float(SmoothExposure().initialise(y).gain) > 1
    assert float(SmoothExposure().initialise(0.5 * x).gain) < 1
    noisy = y + 0.05 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    assert float(Compose(SmoothExposure(), Clip(0.05)).initialise(noisy).stages[0].gain) > 1


@pytest.mark.parametrize("linear", [False, True])
def test_a_grey_card_pins_the_scale(linear):
    """Within 5% and 2 degrees, whatever the brightest spot says; a card of another grey as well."""
    for grey in (0.3, 0.6):
        x = photo(40, 60)
        x[..., 8:24, 8:24] = grey
        reference = Reference((8, 8, 16, 16), grey)
        for make, key, truth in (
            (SmoothExposure, "gain", torch.tensor(0.4)),
            (ColourCast, "gains", torch.tensor([1.3, 1.0, 0.7])),
        ):
            damage, found = make(truth), make(reference=reference)
            if linear:
                damage, found, key = LinearLight(damage), LinearLight(found), f"inner.{key}"
            found = found.initialise(damage(x).detach()).phi()[key]
            torch.testing.assert_close(found, truth, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (Reference((30, 0, 16, 16), 0.5), "outside"),
        (Reference((0, 0, 4, 4), 0.0), "above 0"),
        (Reference((0, 0, 4, 4), 0.5, 0.0), "above 0"),
    ],
)
def test_references_that_are_none(reference, message):
    for make in (SmoothExposure, ColourCast):
        with pytest.raises(ValueError, match=message):
            make(reference=reference).initialise(photo(40, 60))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SmoothExposure(0.0), "between"),
        (lambda: SmoothExposure(grid=(3, 4)), "4 x 4"),
        (lambda: SmoothExposure(math.nan), "between"),
        (lambda: Gamma(20.0), "between"),
        (lambda: Contrast(-1.0), "between"),
        (lambda: ColourCast((1.0, 1.0)), "three gains"),
        (lambda: ColourCast((2.0, 2.0, 2.0)), "mean 1"),
        (lambda: ColourCast((3.0, 0.5, -0.5)), "positive"),
        (lambda: ColourMatrix(leak=0.3), "0.24"),
        (lambda: ColourMatrix(leak=torch.zeros(9)), "one number or six"),
        (lambda: assign(ColourCast(), "gains", [1.0, 1.0]), "gains is"),
        (lambda: assign(ColourCast(), "gain", 1.0), "no Phi"),
        (lambda: Gamma(target=1.0), "between 0 and 1"),
        (lambda: SmoothExposure(grid=4), "grid is two"),
        (lambda: LinearLight(Clip), "needs a degradation"),
        (lambda: exposure_posterior(torch.full((1, 3, 4, 4), torch.nan)), "finite"),
        (lambda: cast_posterior(torch.zeros(1, 1, 4, 4)), "photos"),
        (lambda: LinearLight(GaussianBlur(3, 1.0, sigma=0.1)), "encoding"),
        (lambda: ColourCast().check_measurement(torch.zeros(1, 1, 4, 4)), "three channels"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
