"""What a diagnosis says of one photo, and what becomes of it when a person knows better."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from skimage import data

from gdp_lite.degradations import GaussianBlur, ToneMap
from gdp_lite.diagnosis import KINDS, diagnose, told
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear
from gdp_lite.report import findings_of


def photo(size=192):
    """A good one: sharp, without noise."""
    return from_uint8(np.asarray(Image.fromarray(data.astronaut()).resize((size, size))))


@pytest.fixture(scope="module")
def good():
    return diagnose(photo())


def test_every_kind_has_its_finding_in_capture_order(good):
    assert KINDS[:5] == ("light", "colour", "grey", "softness", "noise")
    assert KINDS[5:] == ("resolution", "missing", "overlay", "jpeg")
    assert tuple(good.findings) == tuple(
        k for k in KINDS if k not in ("grey", "resolution", "missing")
    )
    for kind, finding in good.findings.items():
        assert finding.kind == kind
        assert 0 <= finding.visible <= 1
        assert finding.line
        assert "\n" not in finding.line
    assert good.lines == [f"{k}: {f.line}" for k, f in good.findings.items()]


def test_a_good_photo_has_nothing_to_undo(good):
    assert good.seen == []
    assert good.degradation() is None


def test_noise_is_found_with_its_level():
    """Smoothed, as a phone leaves it, in a smooth scene; more is the estimator's own tests'."""
    scene = torch.linspace(0.3, 0.6, 192).expand(1, 3, 192, 192)
    noise = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    noise = GaussianBlur(13, 1.0)(noise)
    noise = noise / noise.std()
    found = diagnose(scene + 6 / 255 * noise, iso=1600)
    assert "noise" in found.seen
    assert 3.5 < found.findings["noise"].estimate < 9
    assert "GaussianNoise" in found.degradation(["noise"]).describe()


def test_darkness_is_found_and_how_much_lighter_it_should_be():
    dark = ToneMap(-2.5)(photo()).detach()
    found = diagnose(dark).findings["light"]
    assert found.seen
    assert found.unit == "stops"
    assert 0.7 < found.estimate < 4


def test_a_cast_is_found_by_its_name():
    light = srgb_to_linear(photo()) * torch.tensor([1.0, 0.75, 0.5]).view(1, 3, 1, 1)
    found = diagnose(linear_to_srgb(light))
    assert "colour" in found.seen
    assert "blue" not in found.findings["colour"].line.split(" cast")[0]
    gains = found.findings["colour"].detail
    assert gains.argmax() == 0
    assert gains.argmin() == 2
    assert gains.mean() == pytest.approx(1)


def test_noise_that_the_light_will_lift_is_seen_sooner():
    noise = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    y = (ToneMap(-3.0)(photo()).detach() + 2 / 255 * noise).clamp(0, 1)
    found = diagnose(y, iso=1600)
    assert found.findings["light"].seen
    flat = told(found, exposure=0.0).findings["noise"]
    assert found.findings["noise"].visible >= flat.visible
    from gdp_lite.findings import of_noise

    spectrum = found.findings["noise"].detail
    assert of_noise(spectrum, 3.0).visible > of_noise(spectrum, 1.0).visible


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (20, 1), (2, 3), (7, 5), (20, 20)])
def test_tiny_photos(size):
    y = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    found = diagnose(y)
    assert set(found.seen) <= {"light", "colour"}  # nothing else can be told from so few pixels
    assert all(math.isfinite(f.estimate) for f in found.findings.values())


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (0.3, 0.3, 0.3), (0.2, 0.5, 0.4)])
def test_a_single_tone_tells_nothing(colour):
    found = diagnose(torch.tensor(colour).float().view(1, 3, 1, 1).expand(1, 3, 64, 64).clone())
    assert found.seen == []


def test_a_grey_photo_has_no_cast():
    y = photo().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    found = diagnose(y).findings["colour"]
    assert found.visible == 0
    assert torch.equal(found.detail, torch.ones(3))


@pytest.mark.parametrize("y", [torch.rand(2, 3, 8, 8), torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8)])
def test_anything_but_one_photo_is_refused(y):
    with pytest.raises(ValueError, match="photo"):
        diagnose(y)


def test_numbers_that_are_not_finite_are_refused():
    for bad in (math.nan, math.inf, -math.inf):
        y = torch.rand(1, 3, 8, 8)
        y[0, 1, 2, 3] = bad
        with pytest.raises(ValueError, match="finite"):
            diagnose(y)


# What is told


def test_what_is_told_is_what_is_found(good):
    found = told(good, noise=6, blur=1.5, exposure=-0.5)
    assert found.seen == ["light", "softness", "noise"]
    assert {k: float(f.estimate) for k, f in found.findings.items() if k in found.seen} == {
        "light": -0.5,
        "softness": 1.5,
        "noise": 6.0,
    }
    assert all("as told" in found.findings[k].line for k in found.seen)
    assert found.findings["noise"].detail.rms == pytest.approx(6 / 255)
    assert found.findings["noise"].detail.level(slice(0, 4)) == pytest.approx(6 / 255, rel=1e-4)
    stops = found.findings["light"].detail.tone.stops
    assert torch.equal(stops, torch.full((4, 4), 0.5))  # the photo was half a stop too light
    assert found.degradation().describe().count("GaussianBlur") == 1
    assert good.seen == [], "the other diagnosis is left as it was"


def test_what_is_told_to_be_nothing_is_not_seen():
    noise = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    y = ToneMap(-2.5)(GaussianBlur(13, 2.0)(photo())).detach() + 8 / 255 * noise
    found = told(diagnose(y.clamp(0, 1)), noise=0, blur=0, exposure=0)
    assert set(found.seen) <= {"colour"}


def test_a_blur_too_narrow_to_be_undone_is_said_to_be(good):
    found = told(good, blur=0.3)
    assert found.seen == []
    assert "too narrow" in found.findings["softness"].line


def test_the_shares_of_the_octaves_stay_when_the_level_is_told():
    soft = Image.effect_noise((192, 192), 60).filter(ImageFilter.GaussianBlur(2))
    y = from_uint8(np.asarray(soft.convert("RGB")))
    found = diagnose(y)
    bands = found.findings["noise"].detail.bands
    again = told(found, noise=5).findings["noise"].detail.bands
    assert torch.allclose(again / again.sum(), bands / bands.sum(), atol=1e-6)


def test_findings_are_numbers_words_and_lists_for_json(good):
    import json

    text = json.dumps(findings_of(told(good, exposure=1)), allow_nan=False)
    back = json.loads(text)
    assert list(back) == [k for k in KINDS if k not in ("grey", "resolution", "missing")]
    assert set(back["noise"]) == {"estimate", "std", "unit", "visible", "line", "phi"}
    assert back["light"]["phi"]["stops"] == [[-1.0] * 4] * 4
    assert len(back["noise"]["phi"]["bands"]) == 2
    empty = json.loads(json.dumps(findings_of(diagnose(torch.zeros(1, 3, 8, 8))), allow_nan=False))
    assert empty["noise"]["std"] is None  # nothing is known, and JSON has no infinity
