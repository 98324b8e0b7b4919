"""Noise as phones leave it: its spectrum, whether it is noise, and what is taken away."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.phone import Capture, photograph
from gdp_lite.degradations import GaussianBlur
from gdp_lite.denoise import completion, denoise, limit_change
from gdp_lite.estimators import Estimate, NoiseSpectrum, estimate_noise_spectrum
from gdp_lite.estimators.noise import tails
from gdp_lite.estimators.noise_spectrum import network_output
from gdp_lite.estimators.noise_statistics import (
    PLANES,
    SHARES,
    noise_statistics,
    octave_levels,
    octaves,
    of_colours,
)
from gdp_lite.findings import of_noise
from gdp_lite.image import from_uint8
from gdp_lite.photos import read_photo

PHONE = Capture(
    iso=1600,
    shot=0.006,
    read=2e-5,
    blur=0.6,
    luma_denoise=2.0,
    chroma_denoise=8.0,
    luma_octaves=2,
    chroma_octaves=2,
    sharpen=0.8,
    quality=93,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def white(sigma, *size):
    return sigma * torch.randn(1, 3, *size, generator=generator())


@pytest.fixture(scope="module")
def captured():
    """(with its noise, without) of a photo that the estimator was not fitted to."""
    scene = data.coffee().astype(np.float32) / 255
    files = (photograph(scene, PHONE, rng, None) for rng in (np.random.default_rng(0), None))
    return tuple(read_photo(file).image for file in files)


def spectrum(levels, rms=0.05):
    return NoiseSpectrum(torch.tensor([levels, levels]), Estimate(rms, math.inf), 1.0)


def test_white_noise_has_one_level_in_all_octaves():
    levels = octave_levels(white(0.1, 256, 192))
    torch.testing.assert_close(levels, torch.full((2, 4), 0.1), rtol=0.1, atol=0)
    assert sum(SHARES) == pytest.approx(1 - math.pi / 32**2)


def test_octaves_lie_apart_and_lose_the_mean_alone():
    noise = white(0.1, 64, 64)
    parts = octaves(noise)
    assert torch.allclose(parts.square().sum(), parts.sum(0).square().sum(), rtol=0.05)
    assert octaves(noise + 0.3) == pytest.approx(parts, abs=1e-5)


def test_a_captures_noise_is_found_octave_by_octave(captured):
    noisy, quiet = captured
    truth, found = octave_levels(noisy - quiet), estimate_noise_spectrum(noisy)
    ratio = found.bands / truth
    assert float(ratio.log().abs().median().exp()) < 1.4
    assert float(ratio.max()) < 2.5
    rms = float((truth[0].square() * torch.tensor(SHARES)).sum().sqrt())
    assert found.rms == pytest.approx(rms, rel=0.4)


def test_noise_and_its_absence_are_told_apart(captured):
    noisy, quiet = (estimate_noise_spectrum(photo, iso=400) for photo in captured)
    assert noisy.present > 0.5
    assert quiet.present < 0.2


def test_the_iso_is_a_hint_and_no_more(captured):
    noisy = captured[0]
    chances = [estimate_noise_spectrum(noisy, iso).present for iso in (50, 400, 3200)]
    assert chances[0] < chances[1] < chances[2]
    levels = [estimate_noise_spectrum(noisy, iso).rms for iso in (50, 3200)]
    assert levels[0] == levels[1]


def test_white_noise_is_found_too():
    found = estimate_noise_spectrum((0.5 + white(20 / 255, 256, 300)).clamp(0, 1))
    assert found.present > 0.9
    assert 255 * found.rms == pytest.approx(20, rel=0.15)


def test_loud_noise_is_seen_as_with_less_contrast(monkeypatch):
    from gdp_lite.estimators import noise_spectrum

    x = from_uint8(data.chelsea()[:256, :320])
    noise = GaussianBlur(5, 0.6)(white(1.0, 256, 320))
    y = (x + 55 / 255 * noise / noise.std()).clamp(0.005, 0.98)  # neither black nor clipped
    true = octave_levels(y - x)
    rms = float((true[0].square() * torch.tensor(SHARES)).sum().sqrt())
    found = estimate_noise_spectrum(y)
    assert abs(math.log(found.rms / rms)) < 0.15
    monkeypatch.setattr(noise_spectrum, "LOUDEST", 1.0)
    assert estimate_noise_spectrum(y).rms < 0.8 * rms  # the network's own end


def printed(size, ink):
    """A page that is full of it, so that no square is smooth."""
    page, rng = Image.new("RGB", (512, 384), "#f4f4f0"), np.random.default_rng(0)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    for top in range(2, 384, int(1.3 * size)):
        draw.text((2, top), "".join(rng.choice(list("abcdefghijkLMNO 0123 "), 200)), ink, font)
    return from_uint8(np.asarray(page))


@pytest.mark.parametrize("ink", ["black", "#999999"])
@pytest.mark.parametrize("size", [7, 14])
def test_print_is_no_noise(size, ink):
    y = printed(size, ink)
    assert tails(y) > 1.6
    assert estimate_noise_spectrum(y).present < 0.25
    noisy = (0.2 + 0.5 * y + 20 / 255 * white(1.0, 384, 512)).clamp(0, 1)
    assert estimate_noise_spectrum(noisy).present > 0.9


@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("level", [25, 80])
def test_white_noise_is_gaussian_on_any_photo(shared, level, quality):
    for path in sorted(Path(shared, "train/val").glob("*.jpg"))[::12]:
        with Image.open(path) as picture:
            x = from_uint8(np.asarray(picture.convert("RGB")))
        y = (x + level / 255 * white(1.0, *x.shape[-2:])).clamp(0, 1)
        assert tails(y if quality is None else through_jpeg(y, quality)) < 1.25


def test_white_in_brightness_is_not_white_in_colour():
    x = from_uint8(data.coffee()[:256, :320])
    y, quiet = (through_jpeg(image, 85) for image in (x + 30 / 255 * white(1.0, 256, 320), x))
    found, true = estimate_noise_spectrum(y), octave_levels(y - quiet)
    assert true[1, 0] < 0.3 * true[0, 0]  # its JPEG has taken it
    assert found.bands[1, 0] < 0.4 * found.bands[0, 0]
    assert abs(math.log(found.bands[0, 0] / true[0, 0])) < 0.2


def test_texture_in_parts_of_a_photo_is_not_its_noise():
    flat, busy = white(0.012, 256, 512), white(0.12, 256, 512)
    photo = 0.5 + torch.cat([flat, busy], -2)
    assert 255 * estimate_noise_spectrum(photo).rms < 6
    assert 255 * estimate_noise_spectrum(0.5 + busy).rms > 10


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (20, 300), (128, 128)])
def test_photos_that_tell_nothing(value, size):
    found = estimate_noise_spectrum(torch.full((1, 3, *size), value))
    assert found.present < 0.5
    assert found.bands.isfinite().all()
    with pytest.raises(ValueError, match="one photo"):
        estimate_noise_spectrum(torch.full((2, 3, 64, 64), 0.5))


def test_noise_that_makes_every_tile_black_in_places_is_found():
    """Dark and very noisy: nowhere are 16 x 16 pixels without some that the noise took to 0."""
    dark = (0.12 + white(30 / 255, 256, 300)).clamp(0, 1)
    assert noise_statistics(dark) is None
    found = estimate_noise_spectrum(dark)
    assert found.present > 0.9
    assert 255 * found.rms == pytest.approx(25, abs=6)  # less than 30, of what is clipped


@pytest.mark.parametrize(("ink", "most"), [(1.0, 1.0), (0.6, 0.5)])
def test_a_drawing_of_dots_on_black_has_no_noise(ink, most):
    shade = torch.linspace(0, most, 256).expand(1, 1, 256, 256)
    dots = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0)) < shade
    assert estimate_noise_spectrum(ink * dots.float().expand(1, 3, -1, -1)).present == 0


def test_statistics_see_no_clipped_tile():
    photo = 0.5 + white(0.05, 128, 256)
    photo[..., 128:] = 1.0
    half = noise_statistics(photo[..., :128])
    both = noise_statistics(photo)
    assert half[:4] == pytest.approx(both[:4], abs=0.3)  # the finest octave's lower quantiles
    assert noise_statistics(torch.ones(1, 3, 128, 128)) is None


def test_what_is_taken_away_is_no_stronger_than_the_noise():
    """Morozov: where more would go, it was texture, and comes back."""
    y, x = white(0.1, 64, 64), torch.zeros(1, 3, 64, 64)
    weights = torch.tensor([0.299, 0.587, 0.114])
    gone = torch.einsum("c,bchw->bhw", weights / weights.norm(), y - limit_change(y, x, 0.05))
    assert float(gone.square().mean().sqrt()) == pytest.approx(0.05, rel=0.05)
    assert torch.equal(limit_change(y, x, 0.3), x)
    assert torch.equal(limit_change(y[..., :1, :1], y[..., :1, :1], 0.1), y[..., :1, :1])


class Recording:
    """A prior that returns what it is given, and remembers at which level it was asked."""

    def __init__(self):
        self.seen = []

    def __call__(self, x, sigma):
        self.seen.append((x, float(sigma)))
        return x


def coloured():
    """White noise, and more that was blurred, less of it in colour; and the octaves that it has."""
    fine, coarse = torch.randn(2, 1, 3, 576, 576, generator=generator(7))
    noise = 0.02 * fine + 0.1 * GaussianBlur(13, 1.0)(coarse)
    grey = noise.mean(1, keepdim=True)  # more in luma than in colour, as phones leave it
    noise = 1.5 * grey + 0.4 * (noise - grey)
    return noise, octave_levels(noise)


def test_completed_noise_is_white():
    """The noise, and what is added to it at random, have one level in all octaves and planes."""
    noise, bands = coloured()
    assert float(bands.max()) > 2 * float(bands.min())
    level = 1.1 * float(bands.max())
    total = noise + completion(bands, level, seed=1)
    torch.testing.assert_close(octave_levels(total) / level, torch.ones(2, 4), rtol=0.12, atol=0)
    wrong = noise + completion(0.6 * bands, level, seed=1)
    assert float((octave_levels(wrong) / level - 1).abs().max()) > 0.15


def test_nothing_completes_white_noise_and_one_call_is_enough():
    prior = Recording()
    y, white_noise = torch.rand(1, 3, 32, 48), spectrum([0.1] * 4, 0.1)
    assert float(completion(white_noise.bands, 0.1).abs().max()) < 0.001
    torch.testing.assert_close(denoise(y, white_noise, prior), y, atol=1e-3, rtol=0)
    assert [sigma for _, sigma in prior.seen] == [pytest.approx(0.1, rel=0.02)]


def test_the_prior_is_asked_about_both_signs_at_the_largest_level():
    prior, y = Recording(), 0.45 + 0.1 * torch.rand(1, 3, 64, 64)
    x = denoise(y, spectrum([0.02, 0.03, 0.05, 0.08], 0.03), prior)
    (plus, first), (minus, second) = prior.seen
    assert first == second == pytest.approx(0.08, rel=0.02)
    assert not torch.allclose(plus, y, atol=0.01)
    torch.testing.assert_close((plus + minus) / 2, y)
    torch.testing.assert_close(x, y, atol=1e-3, rtol=0)  # what was added is gone again


def test_loud_colour_has_a_level_of_its_own():
    prior, y = Recording(), 0.4 + 0.2 * torch.rand(1, 3, 64, 64)
    bands = torch.tensor([[0.01, 0.02, 0.02, 0.02], [0.05] * 4])
    denoise(y, NoiseSpectrum(bands, Estimate(0.02, math.inf), 1.0), prior)
    assert [sigma for _, sigma in prior.seen] == pytest.approx([0.02] * 2 + [0.05] * 2, rel=0.02)
    grey = NoiseSpectrum(bands.flip(0), Estimate(0.05, math.inf), 1.0)
    quieter = Recording()
    denoise(y, grey, quieter)
    assert [sigma for _, sigma in quieter.seen] == pytest.approx([0.05] * 2, rel=0.02)


def test_trust_in_the_photo_lowers_the_level():
    prior, y = Recording(), torch.rand(1, 3, 32, 32)
    denoise(y, spectrum([0.1] * 4, 0.1), prior, strength=4.0)
    assert prior.seen[0][1] == pytest.approx(0.05, rel=0.02)


def test_what_is_added_goes_on_across_tiles_and_periods():
    prior, y = Recording(), torch.full((1, 3, 40, 600), 0.5)
    noise = spectrum([0.02, 0.03, 0.05, 0.08], 0.03)
    denoise(y, noise, prior)
    denoise(y[..., 300:], noise, prior, corner=(0, 300))
    whole, part = prior.seen[0][0], prior.seen[2][0]
    torch.testing.assert_close(whole[..., 300:], part)
    torch.testing.assert_close(whole[..., 576:], whole[..., :24])


def test_no_call_is_spent_on_rounding():
    y = torch.rand(1, 3, 32, 32)
    assert torch.equal(denoise(y, spectrum([1e-4] * 4, 1e-4), None), y)


def test_the_posterior_of_a_gaussian_photo_is_met():
    """A white Gaussian photo: the prior's guess from y +- nu is the linear one, by hand."""
    scene = 0.05 * torch.randn(1, 3, 64, 64, generator=generator(5))
    bands = spectrum([0.005, 0.01, 0.02, 0.02]).bands
    known = NoiseSpectrum(bands, Estimate(1.0, math.inf), 1.0)  # so that nothing is held
    y, share = 0.5 + scene, 0.05**2 / (0.05**2 + 0.02**2)
    x = denoise(y, known, lambda z, sigma: 0.5 + share * (z - 0.5))
    torch.testing.assert_close(x, 0.5 + share * (y - 0.5), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_captures_noise_goes_and_the_picture_stays(captured, prior):
    noisy, quiet = (photo[..., 104:232, 204:332] for photo in captured)
    found = estimate_noise_spectrum(captured[0])
    x = denoise(noisy, found, prior)
    before, after = ((z - quiet).square().mean().sqrt() for z in (noisy, x))
    assert float(after) < 0.85 * float(before)  # 1.4 dB


def test_a_phone_photo_has_the_noise_of_its_flat_parts(shared):
    path = shared / "eval/phones/iphone_4.jpg"
    if not path.exists():
        pytest.skip("no phone photos here")
    photo = read_photo(path)
    found = estimate_noise_spectrum(photo.image, photo.iso)
    assert found.present > 0.9  # ISO 500, a receipt in dim light
    assert 4 < 255 * found.rms < 9


def test_doubtful_noise_goes_by_the_share_that_it_is_likely():
    """E[x | y] = p E[x | y, noise] + (1 - p) y; and where p is too small nothing is done."""
    noise = NoiseSpectrum(torch.full((2, 4), 0.1), Estimate(0.1, math.inf), 1.0)
    y = 0.5 + white(0.1, 64, 64)

    def flat(x, sigma):
        return x.mean((2, 3), keepdim=True).expand_as(x)

    whole = denoise(y, noise, flat)
    part = denoise(y, noise._replace(present=0.3), flat)
    assert torch.allclose(part, 0.3 * whole + 0.7 * y, atol=1e-6)
    seen = {p: of_noise(noise._replace(present=p), 1.0) for p in (0.1, 0.3, 0.9)}
    assert [finding.seen for finding in seen.values()] == [False, True, True]
    assert seen[0.3].line.startswith("perhaps noise of 25.5 of 255")
    assert "30% likely" in seen[0.3].line


def test_the_network_is_what_it_says():
    """One hidden layer by hand; numbers further out than four standard deviations tell no more."""
    first, last = torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0, 1.0]])
    arrays = {"weight_0": first, "bias_0": torch.tensor([0.5, 0.0])}
    arrays |= {"weight_1": last, "bias_1": torch.tensor([0.25])}

    def gelu(v):
        return v * (1 + math.erf(v / math.sqrt(2))) / 2

    z = torch.tensor([[1.0], [3.0], [4.0], [9.0], [-9.0]])
    expected = [2 * gelu(v + 0.5) + gelu(-v) + 0.25 for v in (1.0, 3.0, 4.0, 4.0, -4.0)]
    torch.testing.assert_close(network_output(arrays, z)[:, 0], torch.tensor(expected))


# Photos without colour


def test_numbers_of_colours_are_those_that_another_chroma_changes():
    luma, chroma = 0.5 + 0.05 * torch.randn(2, 160, 160, generator=generator())
    planes = [torch.tensor(plane)[:, None, None] for plane in PLANES]
    plain = (luma * planes[0])[None]
    told = noise_statistics(plain + ((chroma - 0.5) * planes[1])[None])
    other = noise_statistics(plain + ((chroma.roll(7, 0) - 0.5) * (planes[1] + planes[2]))[None])
    torch.testing.assert_close((told - other).abs() > 1e-4, of_colours())


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("spread", [0, 2])
def test_grey_detail_is_no_noise_for_want_of_colours(name, spread):
    x = from_uint8(getattr(data, name)()).mean(1, keepdim=True)
    off = torch.tensor([0.0, spread / 255, 0.0]).view(1, 3, 1, 1)  # as a JPEG in colour leaves it
    clean = estimate_noise_spectrum((x + off).clamp(0, 1))
    assert clean.present < 0.25
    noisy = x + 12 / 255 * torch.randn(x.shape, generator=generator())
    found = estimate_noise_spectrum((noisy + off).clamp(0, 1))
    assert found.present > 0.95
    assert abs(255 * float(found.rms) / (12 * 3**0.5) - 1) < 0.15  # in luma is all of it
    assert found.bands[1].abs().max() == 0
