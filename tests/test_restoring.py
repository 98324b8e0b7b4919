"""From findings to a restored picture: tiles, light, noise that grows with it, colour."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch.nn import functional

from gdp_lite import restoring
from gdp_lite.degradations import ToneMap
from gdp_lite.diagnosis import diagnose, told
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear
from gdp_lite.prior import Prior
from gdp_lite.restoring import needs_prior, relit, restore_image
from gdp_lite.schedule import linear_schedule
from gdp_lite.tiling import fitted_side, fitted_tiles


def photo(height=160, width=192):
    image = Image.fromarray(data.astronaut()).resize((width, height))
    return from_uint8(np.asarray(image))


def smooth(x, sigma):
    """A denoiser that is cheap and sees 4 pixels far: a Gaussian of a width that sigma says."""
    reach = torch.arange(-4, 5)
    width = 0.3 + 8 * float(torch.as_tensor(sigma).max())
    kernel = torch.exp(-(reach**2) / (2 * width**2)).to(x)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    x = functional.pad(x, (4, 4, 4, 4), "replicate")
    x = functional.conv2d(x, kernel, groups=3)
    return functional.conv2d(x, kernel.transpose(2, 3), groups=3)


class Recording:
    """A denoiser that notes what it is asked."""

    def __init__(self):
        self.sizes, self.sigmas = [], []

    def __call__(self, x, sigma):
        self.sizes.append(tuple(x.shape[-2:]))
        self.sigmas.append(float(torch.as_tensor(sigma).max()))
        return smooth(x, sigma)


@pytest.fixture(scope="module")
def noisy():
    noise = torch.randn(1, 3, 160, 192, generator=torch.Generator().manual_seed(0))
    return (photo() + 8 / 255 * noise).clamp(0, 1)


@pytest.fixture(scope="module")
def found(noisy):
    return told(diagnose(noisy), noise=8, blur=0, exposure=0)


def rms(x):
    return 255 * float(x.square().mean().sqrt())


def test_nothing_to_do_gives_the_photo_itself(noisy, found):
    assert restore_image(noisy, found, None, kinds=[]) is noisy


def test_noise_is_taken_away(noisy, found):
    x = restore_image(noisy, found, smooth, ["noise"])
    assert x.shape == noisy.shape
    assert rms(x - noisy) > 2
    flat = (..., slice(20, 50), slice(150, 185))
    assert x[flat].std() < noisy[flat].std()


def test_the_photo_is_left_as_it_was(noisy, found):
    y = noisy.clone()
    restore_image(y, told(found, blur=1.0, exposure=1), smooth, list(found.findings))
    assert torch.equal(y, noisy)


def test_same_seed_same_numbers_and_another_seed_others(noisy, found):
    soft = told(found, blur=1.2)
    a, b, c = (restore_image(noisy, soft, smooth, ["softness"], seed=s) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_softness_is_undone_by_its_share_and_wholly_when_asked(noisy, found):
    """What is seen is doubted a little, what a person asks for is not."""
    wide = told(found, blur=1.2, noise=0)
    whole = restore_image(noisy, wide, smooth, ["softness"])
    old = wide.findings["softness"]

    def undone(present, visible, doubt=""):
        detail = old.detail._replace(present=present)
        finding = replace(old, detail=detail, visible=visible, doubt=doubt)
        diagnosis = replace(wide, findings={**wide.findings, "softness": finding})
        return restore_image(noisy, diagnosis, smooth, ["softness"])

    some = undone(0.8, 0.9) - noisy  # but for what is clipped it is a share
    assert rms(some) == pytest.approx(0.8 * rms(whole - noisy), rel=0.03)
    assert rms(some - 0.8 * (whole - noisy)) < 0.05 * rms(some)
    assert rms(whole - noisy) > 1
    assert torch.equal(undone(0.8, 0.1), whole), "not seen: a person has asked"
    assert torch.equal(undone(0.8, 0.9, "few edges"), whole), "doubted: a person has asked"


def test_a_prior_is_asked_for_where_it_is_needed(noisy, found):
    assert needs_prior(found, ["noise"])
    assert needs_prior(told(found, blur=1.0), ["softness"])
    assert not needs_prior(told(found, blur=0.3), ["softness"])
    assert not needs_prior(found, ["light", "colour"])
    with pytest.raises(ValueError, match="needs a prior"):
        restore_image(noisy, found, None, ["noise"])


def test_a_seam_between_tiles_is_invisible(monkeypatch, noisy, found):
    """Four tiles and one piece differ by less than one of 255, where they meet as well."""
    whole = restore_image(noisy, found, smooth, ["noise"])
    monkeypatch.setattr(restoring, "TILE", 128)
    seen = []
    parts = restore_image(noisy, found, smooth, ["noise"], progress=lambda *done: seen.append(done))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert 255 * (parts - whole).abs().max() < 1


def test_no_line_is_drawn_where_tiles_with_noise_of_their_own_meet(monkeypatch, noisy, found):
    """Softness draws new noise in each tile; the steps between neighbours are as elsewhere."""
    wide = told(found, blur=1.0, noise=2)
    whole = restore_image(noisy, wide, smooth, ["softness"])
    monkeypatch.setattr(restoring, "TILE", 128)
    parts = restore_image(noisy, wide, smooth, ["softness"])
    steps = (parts - whole).diff(dim=-1).abs().mean((0, 1, 2))
    middle = steps[84:108].max()  # both tiles are 112 wide and share the 32 in the middle
    assert middle < 1.5 * steps[:70].mean()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (576, 577), (1000, 700), (3024, 4032)])
def test_tiles_cover_all_and_are_few(height, width):
    weights, count = torch.zeros(height, width), 0
    for place, weight in fitted_tiles(height, width, 576, 24):
        assert max(weight.shape) <= 576
        weights[place[1:]] += weight
        count += weight.numel()
    assert weights.min() > 0
    assert count <= 1.1 * height * width
    assert fitted_side(height, 576, 24) % 8 == 0 or height <= 576


def test_twelve_megapixels_take_less_than_six_passes_of_noise_and_eight_of_softness():
    """In pictures that the network sees, of the photo's size: four calls where colour is loud."""
    tiles = sum(w.numel() for _, w in fitted_tiles(3024, 4032, restoring.TILE, restoring.OVERLAP))
    each = tiles / (3024 * 4032)
    assert 4 * each <= 6
    assert restoring.SOFT_STEPS * each <= 8


def test_a_tile_without_noise_costs_no_call(noisy, found):
    calls = Recording()
    restore_image(noisy, told(found, noise=0.5), calls, ["noise"])
    assert calls.sizes == []


# Light and colour


def test_the_light_is_inverted(found):
    y = ToneMap(-1.5)(photo()).detach()
    x = restore_image(y, told(found, exposure=1.5), None, ["light"])
    assert rms(x - photo()) < 0.1
    assert rms(y - photo()) > 30


def test_noise_grows_with_the_light_and_that_is_told(noisy, found):
    dark = told(found, noise=4, exposure=2)
    y = ToneMap(-2.0)(noisy).detach()
    _, gain = relit(y, dark, ["light"])
    exact = ToneMap.held(dark.findings["light"].detail.tone).noise_gain(y).mean(1, keepdim=True)
    assert gain.shape == (1, 1, 160, 192)
    assert float(gain.mean()) == pytest.approx(float(exact.mean()), rel=0.02)
    assert gain.mean() > 1.3
    levels = []
    for kinds in (["noise"], ["light", "noise"]):
        calls = Recording()
        restore_image(y, dark, calls, kinds)
        levels.append(max(calls.sigmas))
    assert levels[1] > 1.2 * levels[0]


def test_a_cast_is_undone_and_white_stays_white(found):
    gains = torch.tensor([1.2, 1.0, 0.8]).view(1, 3, 1, 1)
    cast = linear_to_srgb(srgb_to_linear(photo()) * gains).clamp(0, 1)
    cast[..., :8] = 1
    diagnosis = diagnose(cast)
    finding = diagnosis.findings["colour"]
    findings = {**diagnosis.findings, "colour": finding}
    from dataclasses import replace

    findings["colour"] = replace(finding, detail=gains.flatten() / gains.mean())
    x = restore_image(cast, type(diagnosis)(findings), None, ["colour"])
    assert (x[..., :8] == 1).all()
    inner = (..., slice(60, 90), slice(60, 150))
    assert rms(x[inner] - photo()[inner]) < 0.3 * rms(cast[inner] - photo()[inner])


def test_colours_and_means_are_the_photos(noisy, found):
    """A denoiser that tints everything does not tint the result."""
    tint = torch.tensor([0.03, -0.02, 0.0]).view(1, 3, 1, 1)
    x = restore_image(noisy, found, lambda x, s: smooth(x, s) + tint, ["noise"])
    assert ((x - noisy).mean((2, 3)).abs() < 0.5 / 255).all()


def test_grey_photos_stay_grey(noisy, found):
    grey = noisy.mean(1, keepdim=True).expand(-1, 3, -1, -1).clone()
    told_all = told(diagnose(grey), noise=8, blur=1, exposure=0.5)
    x = restore_image(grey, told_all, smooth, list(told_all.findings))
    assert torch.equal(x[:, 0], x[:, 1])
    assert torch.equal(x[:, 0], x[:, 2])


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 20)])
@pytest.mark.parametrize("value", [None, 0.0, 1.0, 0.4])
def test_tiny_flat_black_and_white_photos(size, value):
    y = torch.rand(1, 3, *size) if value is None else torch.full((1, 3, *size), value)
    diagnosis = told(diagnose(y), noise=10, blur=1, exposure=1)
    x = restore_image(y, diagnosis, smooth, list(diagnosis.findings))
    assert x.shape == y.shape
    assert bool(x.isfinite().all())
    assert 0 <= x.min() <= x.max() <= 1
    if value in (0.0, 1.0):
        assert float((x - y).abs().max()) < 2 / 255


# Where the network is


class Elsewhere(torch.nn.Module):
    """A network on a device that holds no numbers, which answers from this one."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta", dtype=torch.float16))
        self.seen = []

    def forward(self, x, times):
        self.seen.append((x.device.type, times.device.type, x.dtype))
        return type("Output", (), {"sample": torch.zeros(x.shape, dtype=x.dtype)})


def test_a_network_on_another_device_gets_its_tiles_there_and_gives_them_back(noisy, found):
    network = Elsewhere()
    prior = Prior(network, linear_schedule(), multiple=8)
    x = restore_image(noisy, found, prior, ["noise"])
    assert set(network.seen) == {("meta", "meta", torch.float16)}
    assert x.device.type == "cpu"
    assert x.dtype == torch.float32
    assert bool(x.isfinite().all())


def test_a_person_who_asks_for_noise_is_not_doubted():
    """Where none is seen, the share that it is likely would make next to nothing of the wish."""
    y = photo()
    diagnosis = diagnose(y)
    finding = diagnosis.findings["noise"]
    spectrum = told(diagnosis, noise=8).findings["noise"].detail
    doubted = replace(finding, visible=0.1, detail=spectrum._replace(present=0.1))
    asked = replace(diagnosis, findings={**diagnosis.findings, "noise": doubted})

    def flat(x, sigma):
        return x.mean((2, 3), keepdim=True).expand_as(x)

    certain = restore_image(y, told(diagnosis, noise=8), flat, ["noise"])
    assert torch.allclose(restore_image(y, asked, flat, ["noise"]), certain, atol=1e-6)
    assert torch.equal(restore_image(y, asked, flat), y)
    half = replace(finding, visible=0.4, detail=spectrum._replace(present=0.4))
    part = replace(diagnosis, findings={**diagnosis.findings, "noise": half})
    some = restore_image(y, part, flat, ["noise"])
    assert float((some - y).abs().mean()) < 0.6 * float((certain - y).abs().mean())
