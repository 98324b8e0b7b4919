"""The classical chain for a phone's photo."""

import math
from dataclasses import replace

import pytest
import torch

from gdp_lite.book.classical import classical, non_local
from gdp_lite.degradations import GaussianBlur
from gdp_lite.diagnosis import Diagnosis, diagnose, told
from gdp_lite.estimators import Estimate, NoiseSpectrum


def square(side=64):
    x = torch.full((1, 3, side, side), 0.3)
    x[..., side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 0.6
    return x


def noisy(level=0.05):
    return square() + level * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def rms(x):
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize(("luma", "chroma"), [(0.0, 0.2), (0.7, 0.0)])
def test_planes_are_smoothed_apart(luma, chroma):
    y, noise = noisy(), NoiseSpectrum(torch.full((2, 4), 0.05), Estimate(0.05, math.inf), 1.0)
    x = non_local(y, noise, luma, chroma)
    grey = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    before, after = ((grey * z).sum(1) for z in (y, x))
    if luma:
        assert rms(after - (grey * square()).sum(1)) < 0.6 * rms(before - (grey * square()).sum(1))
    else:
        assert rms(after - before) < 0.2 * rms(x - y), "only colour"


def test_of_a_doubtful_noise_its_share_is_taken():
    y = noisy()
    found = told(diagnose(y), noise=10)
    finding = found.findings["noise"]
    half = replace(finding, detail=finding.detail._replace(present=0.5))
    doubtful = Diagnosis({**found.findings, "noise": half})
    one = torch.ones(1, 1, 64, 64)
    whole, part = (classical(y, one, d, ["noise"]) for d in (found, doubtful))
    assert rms(whole - square()) < 0.9 * rms(y - square())
    assert torch.allclose(part - y.clamp(0, 1), (whole - y.clamp(0, 1)) / 2, atol=1e-5)


def test_noise_that_grew_with_the_light_is_told_as_such():
    y, one = noisy(), torch.ones(1, 1, 64, 64)
    found = told(diagnose(y), noise=3)
    weak, strong = (classical(y, k * one, found, ["noise"]) for k in (1, 4))
    assert rms(strong - y) > 1.5 * rms(weak - y)


def test_softness_is_undone_by_its_own_width():
    soft = GaussianBlur(13, 1.5)(square())
    found = told(diagnose(soft), blur=1.5)
    x = classical(soft, torch.ones(1, 1, 64, 64), found, ["softness"])
    inner = (..., slice(8, -8), slice(8, -8))
    assert rms((x - square())[inner]) < 0.95 * rms((soft - square())[inner])
