"""ToneMap and estimate_light: exact inverses, proximal points, and what is done to which photo."""

import pytest
import torch
from exact import normal
from operators import gradients_agree, photo, prox_slope, wild

from gdp_lite.curve import Tone, applied, inverted, lifted
from gdp_lite.degradations import Compose, GaussianBlur, ToneMap
from gdp_lite.estimators import Light, estimate_light
from gdp_lite.estimators.light import LEFT, fitted, losses
from gdp_lite.estimators.light_statistics import FAULTS, expected, small, summary
from gdp_lite.image import linear_to_srgb, srgb_to_linear


def tone_map(seed=0):
    stops = 1.5 * normal(4, 5, seed=seed).float()
    return ToneMap(stops, white=-0.7, veil=0.06, contrast=-0.6).double()


def numbers(image):
    return torch.as_tensor(image, dtype=torch.float64)


def scene(height=96, width=128, seed=0):
    """Bright and dark parts, colours, an edge, black and white."""
    x = photo(height, width, seed=seed)
    x = ((x - x.min()) / (x.max() - x.min())) ** 1.2
    x[..., :4, :4], x[..., :4, -4:] = 0, 1
    return x


def test_in_linear_light_a_white_one_is_an_exposure_of_the_logit():
    u, stops = torch.linspace(0.01, 0.99, 50).double(), torch.tensor(1.7).double()
    value, slope = lifted(u, stops)
    torch.testing.assert_close(value.logit(), u.logit() + 1.7 * torch.tensor(2.0).double().log())
    step = (lifted(u + 1e-6, stops)[0] - lifted(u - 1e-6, stops)[0]) / 2e-6
    torch.testing.assert_close(slope, step, rtol=1e-6, atol=1e-8)


def test_exposures_add_up():
    u = torch.linspace(-0.5, 1.5, 41).double()
    one, two = numbers(0.8), numbers(-2.1)
    torch.testing.assert_close(lifted(lifted(u, one)[0], two)[0], lifted(u, one + two)[0])


def test_a_dark_scene_gets_the_gain_of_its_stops():
    """Next to black, exposure by the map is exposure of light: 2^stops."""
    x = torch.full((1, 3, 8, 8), 1e-4, dtype=torch.float64)
    light = srgb_to_linear(ToneMap(-2.0).double()(x))
    torch.testing.assert_close(light, srgb_to_linear(x) / 4, rtol=1e-4, atol=0)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 5)])
def test_the_inverse_is_exact_and_monotone(size):
    degradation = tone_map()
    x = 0.5 + 0.8 * normal(2, 3, *size)  # also beyond black and white
    y = degradation(x)
    torch.testing.assert_close(degradation.inverse(y), x, rtol=0, atol=1e-10)
    assert bool((degradation(x + 0.01) > y).all())


def test_black_and_white_stay():
    x = torch.tensor([0.0, 1.0]).double().view(1, 1, 1, 2).expand(1, 3, 1, 2)
    for stops in (-4.0, 3.0):
        degradation = ToneMap(stops, contrast=0.9).double()
        torch.testing.assert_close(degradation(x), x)
        torch.testing.assert_close(degradation.inverse(x), x)


def test_nothing_is_bit_for_bit_nothing():
    y = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    degradation = ToneMap().requires_grad_(False)
    assert torch.equal(degradation.inverse(y), y)
    assert torch.equal(degradation(y), y)
    assert bool((degradation.noise_gain(y) == 1).all())


def test_the_map_is_where_it_says():
    stops = torch.zeros(4, 4)
    stops[0], stops[1] = -4, -3
    y = ToneMap(stops)(torch.full((1, 3, 40, 40), 0.5)).detach()
    assert float(y[..., 0, :].mean()) < 0.3 < 0.42 < float(y[..., -1, :].mean())


@pytest.mark.parametrize("rho", [0.0, 1e-3, 0.1, 2.0])
def test_prox(rho):
    degradation, x = tone_map(), scene(12, 13)
    y = degradation(x).detach() + 0.05 * normal(*x.shape, seed=1)
    assert prox_slope(degradation, x.flip(-1), y, rho) < 1e-4
    if not rho:
        z = degradation.prox(x.flip(-1), y, 0.0)
        torch.testing.assert_close(z, degradation.inverse(y), rtol=0, atol=1e-9)


def test_gradients_and_wild_phi():
    assert gradients_agree(tone_map())
    for seed in range(4):
        degradation = ToneMap().double()
        wild(degradation, seed)
        x = scene(6, 6)
        back = degradation.inverse(degradation(x))
        assert float((back - x).detach().abs().max()) < 1e-3


def test_noise_grows_as_it_says():
    """Against noise drawn: to the 3% that 2,000 draws give."""
    degradation, x = tone_map().requires_grad_(False), scene(6, 5)
    y = degradation(x)
    draws = degradation.inverse(y + 1e-4 * normal(2000, *x.shape[1:]))
    ratio = draws.std(0) / 1e-4 / degradation.noise_gain(y)[0]
    assert float((ratio - 1).abs().max()) < 0.1


def test_it_composes():
    both = Compose(GaussianBlur(5, 1.0), ToneMap(-1.5, sigma=0.01).requires_grad_(False))
    x = scene(20, 20).float()
    y = both.simulate(x, torch.Generator().manual_seed(0))
    assert float((both.start(y) - x).abs().mean()) < 0.06
    assert "ToneMap" in both.describe()


@pytest.mark.parametrize("stops", [[[0.0] * 3] * 4, [0.0] * 4])
def test_a_small_map_is_refused(stops):
    with pytest.raises(ValueError, match="4 x 4"):
        ToneMap(torch.tensor(stops))


# -- estimate_light --


def exposed(x, stops):
    return linear_to_srgb(srgb_to_linear(x) * 2.0**stops).clamp(0, 1)


def good():
    x = scene()
    return 0.05 + 0.9 * x + 0.02 * normal(*x.shape)


def test_a_dark_photo_is_lifted():
    x = good().clamp(0, 1)
    y = exposed(x, -2.5)
    found = estimate_light(y)
    assert found.fault == "too dark"
    assert "too dark" in found.line
    error = [float((z - x).square().mean()) for z in (y, ToneMap.held(found.tone).inverse(y))]
    assert error[1] < 0.4 * error[0]
    assert found.stops > 0.5
    assert 0 < found.stops.std < 3


def test_a_lamp_makes_a_dark_photo_no_brighter():
    y = exposed(good().clamp(0, 1), -3.0)
    y[..., 20:34, 30:44] = 1
    found = estimate_light(y)
    assert found.fault == "too dark"
    z = ToneMap.held(found.tone).inverse(y)
    assert float(z.mean()) > float(y.mean()) + 0.05
    torch.testing.assert_close(z[..., 25, 35], torch.ones(1, 3).double(), atol=0.02, rtol=0)


def test_what_is_clipped_stays_white():
    y = exposed(good().clamp(0, 1), 2.0)
    found = estimate_light(y)
    assert found.fault == "too bright"
    z = ToneMap.held(found.tone).inverse(y)
    assert float(z[y == 1].min()) > 0.98
    assert float(z.mean()) < float(y.mean())


@pytest.mark.parametrize("stops", [1.6, 2.0])
def test_a_bright_photo_gets_darker_by_about_what_was_too_much(stops):
    """Where nothing was clipped: by three fifths of it at least."""
    x = good().clamp(0, 1)
    y = exposed(x, stops)
    z = ToneMap.held(estimate_light(y).tone).inverse(y)
    left = (y < 0.98).all(1, keepdim=True).expand_as(y)
    error = [float((image - x)[left].abs().mean()) for image in (y, z)]
    assert error[1] < 0.4 * error[0]


def test_what_is_clipped_has_no_noise_to_lift():
    """A white half costs nothing, however steep the inverse is there."""
    y = small(exposed(good().clamp(0, 1), 1.0)).clamp(max=0.9)
    y[..., y.shape[-1] // 2 :] = 1
    steep = Tone(torch.full((4, 4), 3.0).double(), *(torch.zeros(()).double() for _ in range(3)))
    whole = losses(y, steep, expected(y), 0.02)["noise"]
    part = losses(y[..., : y.shape[-1] // 2], steep, expected(y), 0.02)["noise"]
    torch.testing.assert_close(whole, part / 2)


def test_too_bright_expects_what_too_bright_scenes_are_alone():
    told = expected(small(exposed(good().clamp(0, 1), 2.0)))
    assert max(told.faults, key=lambda name: told.faults[name]) == "too bright"
    assert told.weights == {name: float(name == "too bright") for name in FAULTS}
    dark = expected(small(exposed(good().clamp(0, 1), -2.0)))
    assert 0 < dark.weights["too dark"] < 1
    assert sum(dark.weights.values()) == pytest.approx(1)


def test_a_veil_is_taken_away():
    y = 0.4 + 0.3 * good().clamp(0, 1)
    found = estimate_light(y)
    assert found.fault == "low contrast"
    assert float(ToneMap.held(found.tone).inverse(y).std()) > 1.2 * float(y.std())


def test_noise_that_is_left_is_not_lifted_beyond_what_it_was():
    y = exposed(good().clamp(0, 1), -5.0)
    told = expected(small(y))
    gains = []
    for noise in (0.0, 10 / 255):
        tone = fitted(small(y), told, noise)
        gains.append(float(ToneMap(*tone).double().noise_gain(y).mean().detach()))
    assert gains[0] > 1.2 / LEFT
    assert gains[1] < 1.1 / LEFT


@pytest.mark.parametrize("level", [3, 8, 25, 60])
def test_noise_is_not_hidden_by_darkening(level):
    """A dark photo gets no darker, however much noise it has; that is the denoiser's to take."""
    dark = exposed(good().clamp(0, 1), -2.5)
    dark = (dark + level / 255 * normal(*dark.shape, seed=3).to(dark)).clamp(0, 1)
    found = estimate_light(dark, level / 255)
    assert found.stops >= 0
    assert ToneMap.held(found.tone).inverse(dark).mean() >= dark.mean() - 1e-6


def test_dark_photos_with_noise_are_lifted_as_far_as_what_is_left_allows():
    """Noise that will be taken away does not keep a photo dark; what is left may grow to it."""
    dark = exposed(good().clamp(0, 1), -2.5)
    clean, some, much = (estimate_light(dark, level / 255).stops for level in (0, 8, 25))
    assert clean > 1
    assert some > 0.6 * clean
    assert 0.3 * clean < much < clean


def test_good_photos_are_left(shared):
    """Of every tenth of train/val three in four at least, and bit for bit."""
    from pathlib import Path

    import numpy as np
    from PIL import Image

    from gdp_lite.image import from_uint8

    files = sorted(Path(shared, "train/val").glob("*.jpg"))[::10]
    photos = [from_uint8(np.asarray(Image.open(f).convert("RGB"))) for f in files]
    chances = [1 - expected(small(y)).none for y in photos]
    assert sum(p < 0.6 for p in chances) > 0.75 * len(chances)
    y = photos[int(torch.tensor(chances).argmin())]
    found = estimate_light(y)
    assert found.fault == "none"
    assert torch.equal(ToneMap.held(found.tone).inverse(y), y)


@pytest.mark.parametrize(
    "y",
    [
        torch.rand(1, 3, 1, 1, generator=torch.Generator().manual_seed(0)),
        torch.zeros(1, 3, 20, 30),
        torch.ones(1, 3, 2, 300),
        torch.full((1, 3, 40, 40), 0.5),
        torch.full((1, 3, 5, 5), 0.02),
    ],
)
def test_odd_photos_have_an_answer(y):
    found = estimate_light(y)
    assert isinstance(found, Light)
    assert set(found.faults) == set(FAULTS)
    assert 0 <= found.visible <= 1
    assert bool(ToneMap.held(found.tone).inverse(y).isfinite().all())


def test_what_is_no_photo_is_refused():
    for y in (torch.rand(2, 3, 8, 8), torch.rand(1, 1, 8, 8), torch.full((1, 3, 8, 8), torch.nan)):
        with pytest.raises(ValueError, match="photo"):
            estimate_light(y)
    with pytest.raises(ValueError, match="noise"):
        estimate_light(torch.rand(1, 3, 8, 8), -1.0)


def test_the_fit_lowers_what_it_says():
    y = small(exposed(good().clamp(0, 1), -2.0))
    told = expected(y)
    zero = torch.zeros((), dtype=torch.float64)
    nothing = Tone(torch.zeros(4, 4).double(), zero, zero, zero)
    before, after = (losses(y, phi, told, 0.0) for phi in (nothing, fitted(y, told, 0.0)))
    assert sum(after.values()) < sum(before.values())
    assert float(before["spread"]) == float(before["smoothness"]) == 0


def test_summary_follows_the_scene():
    x = scene(48, 64)
    found = summary(x)
    assert bool((found[:7].diff() >= 0).all())
    grey = (x * numbers([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    torch.testing.assert_close(found[3], grey.median(), atol=0.01, rtol=0)
    tone = Tone(*(numbers(v) for v in (-1.0, 0.0, 0.0, 0.0)))
    torch.testing.assert_close(summary(inverted(applied(x, tone)[0], tone)), found)


def test_initialise_holds_what_was_found():
    y = exposed(good().clamp(0, 1), -2.5)
    degradation = ToneMap(sigma=0.01).initialise(y)
    assert float(degradation.stops.mean()) < -0.2 or float(degradation.white) < -0.2
    assert not any(p.requires_grad for p in degradation.parameters())
