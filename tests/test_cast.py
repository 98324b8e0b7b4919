"""Colour casts told by all of a photo's colours, and the chance that there is one."""

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional

from gdp_lite.estimators import anchors, cast_posterior, chroma, estimate_cast
from gdp_lite.findings import of_colour
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear

WARM = torch.tensor([1.35, 1.0, 0.65])
PHOTOS = ("coffee", "rocket", "astronaut")


def scene(name):
    """In light, small."""
    x = from_uint8(np.ascontiguousarray(getattr(data, name)()[..., :3]))
    return srgb_to_linear(functional.avg_pool2d(x, 2))


def cast(light, gains=WARM):
    """As a file has it, in light."""
    y = linear_to_srgb((light * gains.view(3, 1, 1)).clamp(0, 1))
    return srgb_to_linear((255 * y).round() / 255)


def test_a_cast_moves_the_histograms_by_whole_bins():
    """Of an exposure that clips nothing, and of what is brighter than rounding."""
    light = (
        0.1 + 0.2 * torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)).double()
    )
    shift = torch.tensor([3.0, 0.0, -2.0])
    moved = (light * (chroma.WIDTH * shift).exp().view(3, 1, 1)).float()
    before, after = (chroma.histograms(x, clipped=False) for x in (light.float(), moved))
    for number in (0, 4):  # which are bright or dark may change with the cast
        same = torch.roll(before[number], (-3, 2), (0, 1))
        assert float((after[number] - same).abs().sum()) < 0.05, "but for rounding at bins' ends"
        assert float(before[number].sum()) == pytest.approx(1)


def test_scores_are_read_between_the_bins():
    """Linear in u and v; columns are v, rows u."""
    axis = (torch.arange(chroma.BINS) - chroma.BINS // 2) * chroma.WIDTH
    plane = 3 * axis[:, None] + 5 * axis
    log_gains = 0.7 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double() / 3
    u, v = log_gains[:, 1] - log_gains[:, 0], log_gains[:, 1] - log_gains[:, 2]
    torch.testing.assert_close(chroma.at(plane, log_gains), 3 * u + 5 * v, rtol=1e-3, atol=1e-4)
    far = torch.tensor([[-9.0, 0.0, -9.0]]).double()
    assert float(chroma.at(plane, far)) == pytest.approx(float(plane[-1, -1]))


def test_histograms_leave_less_of_a_cast(monkeypatch):
    """Less than brightest values alone, also where the brightest third is cut out."""
    left = {"with": [], "alone": []}
    logs = WARM.log() - WARM.log().mean()
    for name in PHOTOS:
        light = scene(name)
        dim = light.where(light.mean(1, keepdim=True) < light.mean(1).quantile(0.67), 0.0)
        for x, sign in ((light, 1), (light, -1), (dim, 1), (dim, -1)):
            y = cast(x, (sign * logs).exp())
            for way, errors in left.items():
                with monkeypatch.context() as patched:
                    if way == "alone":
                        nothing = torch.zeros(chroma.BINS, chroma.BINS)
                        patched.setattr(chroma, "score", lambda *_, nothing=nothing: nothing)
                        patched.setattr(anchors, "EVIDENCE", 1.0)
                    found = cast_posterior(y, linear=True).log().mean(0)
                errors.append(float((sign * logs - found + found.mean()).norm() / logs.norm()))
    assert np.mean(left["with"]) < np.mean(left["alone"]) - 0.05


@pytest.mark.parametrize("name", PHOTOS)
def test_the_chance_of_a_cast(name):
    light = scene(name)
    none, warm = (estimate_cast(cast(light, g), linear=True).chance for g in (torch.ones(3), WARM))
    assert none < 0.35
    assert warm > none + 0.15


def test_where_casts_are_rarer_the_chance_is_less(monkeypatch):
    """Odds of one in five are a quarter of even ones."""
    light = cast(scene("coffee"))
    even = estimate_cast(light, linear=True).chance
    monkeypatch.setattr(anchors, "OFTEN", 0.2)
    rare = estimate_cast(light, linear=True).chance
    assert rare / (1 - rare) == pytest.approx(even / (1 - even) / 4)


def test_the_likely_part_of_a_cast_is_undone():
    for gains in (torch.tensor([1.5, 1.0, 0.5]), torch.ones(3)):
        y = linear_to_srgb(cast(scene("coffee"), gains))
        found = of_colour(y, 0.0)
        samples, chance = estimate_cast(srgb_to_linear(y), linear=True)
        torch.testing.assert_close(samples, cast_posterior(srgb_to_linear(y), linear=True))
        whole = samples.log().mean(0)
        assert found.seen == ("% of it is undone" in found.line) == bool(gains[0] > 1)
        share = chance if found.seen else 1.0  # whoever asks is not doubted
        told = found.detail.log()
        expected = share * (whole - whole.mean()).float()
        torch.testing.assert_close(told - told.mean(), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_any_photo_has_a_posterior(size, value):
    y = torch.full((2, 3, *size), value)
    assert bool(torch.isfinite(cast_posterior(y)).all())
    assert 0 <= estimate_cast(y).chance <= 1


def test_a_chance_needs_three_channels():
    with pytest.raises(ValueError, match="photos"):
        estimate_cast(torch.zeros(1, 1, 4, 4))
