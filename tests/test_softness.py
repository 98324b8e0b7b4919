"""Softness by the sharpest edges, the blur that it implies, and the cap on what deblurring adds."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import data
from torch.nn import functional

from gdp_lite.degradations import Blur, GaussianBlur, motion_kernel
from gdp_lite.degradations.softness import softness_degradation
from gdp_lite.estimators import Estimate, Softness, estimate_softness
from gdp_lite.estimators.edge_profiles import find_edges
from gdp_lite.estimators.finest import finest_detail
from gdp_lite.findings import SHARE, of_softness
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.overshoot import limit_overshoot


@pytest.fixture(scope="module")
def sharp():
    """A photo, 256 x 256, halved, because the file has a blur of its own."""
    return functional.avg_pool2d(from_uint8(data.astronaut()), 2)


def discs(size=256, low=0.25, high=0.65):
    """Four sharp discs: steps of every direction; (1, 3, size, size)."""
    rows, columns = np.mgrid[:size, :size] % (size // 2) - size / 4
    inside = np.clip(size / 6 - np.hypot(rows, columns) + 0.5, 0, 1)
    grey = torch.tensor(low + (high - low) * inside).float()
    return grey.expand(1, 3, size, size)


def as_jpeg(photo, quality=90):
    file = io.BytesIO()
    Image.fromarray(to_uint8(photo)).save(file, "JPEG", quality=quality)
    return from_uint8(np.asarray(Image.open(file)))


def noisy(photo, sigma, seed=0):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(seed))
    return photo + sigma * noise


@pytest.mark.parametrize("width", [0.8, 1.5, 3.0])
def test_width_of_a_blurred_photo(sharp, width):
    """Within 0.3 pixels or a fifth, through noise and JPEG."""
    blurred = GaussianBlur(25, width)(sharp)
    found = estimate_softness(as_jpeg(noisy(blurred, 2 / 255)), 2 / 255)
    assert found.width == pytest.approx(width, rel=0.2, abs=0.2)
    assert found.kind == "gaussian"
    assert found.visible > 0.5 or width < 1


def test_a_sharp_photo_is_sharp(sharp):
    found = estimate_softness(sharp)
    assert found.width < 0.4
    assert found.visible < 0.3
    assert "as sharp as in a good photo" in found.line
    assert softness_degradation(found) is None


def test_a_sharp_subject_before_a_soft_background(sharp):
    """A sixteenth of the photo is sharp; the cells say where."""
    soft = GaussianBlur(25, 2.5)(sharp).repeat(1, 1, 4, 4)
    photo = soft.clone()
    photo[..., :256, :256], photo[..., 512:768, 512:768] = sharp, sharp
    found = estimate_softness(photo)
    assert found.width < 0.5
    assert found.cells.shape == (4, 4)
    assert float(found.cells[0, 0]) < 0.5 < 1.5 < float(found.cells[1, 1])


@pytest.mark.parametrize("angle", [20, 110])
def test_a_movement(angle):
    photo = as_jpeg(noisy(Blur(motion_kernel(6, angle))(discs()), 1 / 255))
    found = estimate_softness(photo, 1 / 255)
    assert found.kind == "motion"
    assert abs((found.angle - angle + 90) % 180 - 90) < 10
    assert found.length == pytest.approx(6, rel=0.3)
    assert isinstance(softness_degradation(found), Blur)
    assert "how long" in found.doubt  # told too long, deblurring leaves streaks
    assert not of_softness(found).seen


def test_halo_is_told_from_blur():
    soft = GaussianBlur(13, 0.9)(discs())
    sharpened = soft + 1.0 * (soft - GaussianBlur(25, 1.5)(soft))
    before, after = estimate_softness(soft), estimate_softness(sharpened)
    # The truth: how far the sharpened discs exceed their levels, of a step of 0.4.
    truth = float((sharpened.max() - 0.65 + 0.25 - sharpened.min()) / 0.8)
    assert after.overshoot == pytest.approx(truth, rel=0.25)
    assert before.overshoot < 0.02
    assert after.width < before.width
    assert "halo" in after.line


@pytest.mark.parametrize(
    "photo",
    [
        torch.zeros(1, 3, 1, 1),
        torch.full((1, 3, 64, 64), 0.5),
        torch.ones(1, 3, 40, 300),
        noisy(torch.full((1, 3, 128, 128), 0.5), 10 / 255),
        torch.linspace(0, 1, 200).expand(1, 3, 200, 200),
    ],
    ids=["pixel", "grey", "white", "noise", "ramp"],
)
def test_without_edges_it_says_so(photo):
    found = estimate_softness(photo, 10 / 255)
    assert (found.kind, float(found.width), found.width.std) == ("none", 0, math.inf)
    assert found.visible == 0
    assert "no edge" in found.line
    assert softness_degradation(found) is None


@pytest.fixture(scope="module")
def plain():
    """A whole photo, blurred by nothing but a lens."""
    return GaussianBlur(13, 1.5)(from_uint8(data.coffee()))


def test_a_plain_blur_is_undone_unasked_by_most_of_it(plain):
    found = estimate_softness(plain)
    assert found.doubt == ""
    finding = of_softness(found)
    assert finding.seen
    assert finding.detail.present == SHARE == 0.8
    assert finding.line.endswith("undone by 80%")
    noisy_one = of_softness(found, 4 / 255)  # what holds it back is the noise that is assumed
    assert noisy_one.detail.present == 1
    assert noisy_one.line.endswith("; undone")


def test_of_few_edges_none_need_be_sharp(plain):
    """A part of the same photo: as soft, and too little to tell whose softness it is."""
    found = estimate_softness(plain[..., 100:300, 100:300])
    assert found.visible > 0.5
    assert "few edges" in found.doubt
    finding = of_softness(found)
    assert not finding.seen
    assert finding.doubt
    assert "left as it is, so few edges" in finding.line


def test_the_widest_blurs_are_told_only():
    """Steps of every direction, as many as can be asked for; 3 pixels are the widest tried."""
    found = estimate_softness(GaussianBlur(37, 4.6)(discs(1024).repeat(1, 1, 2, 2)))
    assert found.width == pytest.approx(4.6, abs=0.7)
    assert "too much would be invented" in found.doubt
    assert not of_softness(found).seen


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_what_has_nothing_finer_than_its_edges_is_left(plain, monkeypatch, share):
    """As a phone's file, whose details were taken for noise and whose edges were sharpened."""
    monkeypatch.setattr("gdp_lite.estimators.softness.finest_detail", lambda *_: share)
    found = estimate_softness(plain)
    assert ("sharpened what is left" in found.doubt) == (share > 0.95)
    assert of_softness(found).seen == (share < 0.95)


def test_finest_detail_is_a_share_of_the_blur():
    """Of a line exp(0.5) / sqrt(2 pi) of its width; of a step as much as lies within 1.5 widths."""
    line, step = np.zeros((2, 700, 64), np.float32)
    line[:, 32], step[:, 32:] = 2.0, 0.5
    for scene, share in ((line, math.exp(0.5) / math.sqrt(2 * math.pi)), (step, 0.866)):
        found = finest_detail(ndimage.gaussian_filter(scene, 2.0), 2.0)
        assert found == pytest.approx(share, abs=0.07)
    assert math.isnan(finest_detail(np.full((9, 9), 0.5, np.float32), 1.0))
    assert math.isnan(finest_detail(np.zeros((1, 40), np.float32), 1.0))
    assert math.isnan(finest_detail(step[:, :40], 2.0, noise=0.5))


def test_finest_detail_takes_its_own_smoothing_out(monkeypatch):
    """Fine lines: half or all of the Gaussian against noise, nearly the same width."""
    lines, shares = np.zeros((128, 128), np.float32), []
    lines[:, ::16] = 5
    for grain in (0.3, 0.6):
        monkeypatch.setattr("gdp_lite.estimators.finest.GRAIN", grain)
        shares.append(finest_detail(ndimage.gaussian_filter(lines, 0.8), 0.8))
    assert shares[1] == pytest.approx(shares[0], rel=0.12)
    assert shares[0] == pytest.approx(0.66, rel=0.1)  # beside the step that the same blur makes


def test_finest_detail_is_the_same_in_strips(monkeypatch):
    luma = np.random.default_rng(0).random((90, 70)).astype(np.float32)
    whole = finest_detail(luma, 1.3)
    monkeypatch.setattr("gdp_lite.estimators.finest.STRIP", 11)
    assert finest_detail(luma, 1.3) == pytest.approx(whole, rel=1e-5)


def test_edges_beside_others_clipped_or_faint_are_left_out():
    step = np.where(np.arange(128) < 64, 0.2, 0.7)[None].repeat(128, 0).astype(np.float32)
    smooth = ndimage.gaussian_filter(step, 1.0)
    assert len(find_edges(smooth).width) > 20
    stripes = ndimage.gaussian_filter(0.2 + 0.5 * (np.indices((128, 128))[1] // 3 % 2), 0.7)
    assert not len(find_edges(stripes.astype(np.float32)).width)
    assert not len(find_edges(np.clip(smooth * 2, 0, 1)).width)
    assert not len(find_edges(0.4 + 0.1 * smooth).width)
    assert not len(find_edges(smooth, noise=0.06).width)


def test_degradation_of_a_movement_is_both_kernels():
    found = Softness(Estimate(0.8, 0.1), "motion", 6.0, 30.0, 0.0, 500, 1.0, "", torch.zeros(1, 1))
    blur = softness_degradation(found, 1 / 255)
    x = discs(64).double()
    expected = GaussianBlur(7, 0.8)(Blur(motion_kernel(6.0, 30.0))(x))
    torch.testing.assert_close(blur(x)[..., 9:-9, 9:-9], expected[..., 9:-9, 9:-9])
    assert blur.sigma == pytest.approx(5 / 255)


def test_cap_takes_halos_away():
    photo = GaussianBlur(13, 1.0)(discs())
    with_halo = photo + 1.5 * (photo - GaussianBlur(25, 1.5)(photo))
    capped = limit_overshoot(with_halo, photo, 1.0)
    assert float(with_halo.max()) > 0.7
    assert 0.249 < float(capped.min()) < float(capped.max()) < 0.651
    inside = (with_halo > 0.25) & (with_halo < 0.65)
    assert float((capped - with_halo)[inside].abs().max()) < 1e-6


@pytest.mark.parametrize("bright", [True, False])
def test_cap_leaves_thin_lines_their_height(bright):
    """A line a pixel wide, blurred and given back: a tenth of its height may be lost."""
    scene = torch.full((1, 3, 64, 64), 0.2)
    scene[..., 32] = 0.7
    scene = scene if bright else 0.9 - scene
    photo = GaussianBlur(13, 1.0)(scene)
    assert float((limit_overshoot(scene, photo, 1.0) - scene).abs().max()) < 0.05
    assert float((limit_overshoot(scene, photo, 0.1) - scene).abs().max()) > 0.1


def test_cap_allows_noise_and_refuses_sizes():
    photo = torch.full((1, 3, 8, 8), 0.5)
    capped = limit_overshoot(photo + 0.1, photo, 1.0, noise=0.02)
    torch.testing.assert_close(capped, photo + 0.02)
    assert limit_overshoot(torch.ones(2, 3, 1, 1), torch.zeros(2, 3, 1, 1), 2.0).sum() == 0
    with pytest.raises(ValueError, match="a result of"):
        limit_overshoot(photo, photo[..., :4], 1.0)
    with pytest.raises(ValueError, match="not negative"):
        limit_overshoot(photo, photo, -1.0)
    with pytest.raises(ValueError, match="one photo"):
        estimate_softness(photo.repeat(2, 1, 1, 1))


def test_cap_is_the_same_in_strips(monkeypatch):
    photo = noisy(GaussianBlur(13, 1.0)(discs(96)), 0.05)
    restored = noisy(photo, 0.2, seed=1)
    whole = limit_overshoot(restored, photo, 1.2, 0.01)
    monkeypatch.setattr("gdp_lite.overshoot.STRIP", 7)
    torch.testing.assert_close(limit_overshoot(restored, photo, 1.2, 0.01), whole)
