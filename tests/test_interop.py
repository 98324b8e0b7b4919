"""deepinv and this package, each in the other's place."""

import pytest
import torch
from exact import GaussianPrior, normal

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.degradations import (
    BicubicDownsampling,
    BlockAverage,
    Blur,
    ChannelMean,
    Clip,
    ColourCast,
    Compose,
    GaussianBlur,
    Inpainting,
    gaussian_kernel,
    motion_kernel,
    random_mask,
)
from gdp_lite.image import to_display
from gdp_lite.sampler import restore

repair_torchvision()
deepinv = pytest.importorskip("deepinv", reason="deepinv is an extra")
from gdp_lite.interop import AsDenoiser, AsPhysics, FromPhysics  # noqa: E402


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


MASK = random_mask(16, 18, generator=generator())
LINEAR = {
    "blur": GaussianBlur(5, 1.0, 0.02),
    "motion": Blur(motion_kernel(5, 30), 0.02),
    "average": BlockAverage(2, sigma=0.02),
    "bicubic": BicubicDownsampling(2, sigma=0.02),
    "mask": Inpainting(MASK, 0.02),
    "mean": ChannelMean(0.02),
    "cast": ColourCast((1.2, 1.0, 0.8), 0.02),
    "composed": Compose(GaussianBlur(5, 1.0), Inpainting(MASK, 0.02)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_our_operators_are_their_physics(name):
    """Their own test of the adjoint, and their proximal step against a dense solution."""
    degradation = LINEAR[name].double()
    physics, x = AsPhysics(degradation), to_display(normal(1, 3, 16, 18))
    y = physics.A(x)
    assert abs(float(physics.adjointness_test(x))) < 1e-8 * float(y.square().sum())
    z = to_display(normal(1, 3, 16, 18, seed=1))
    found = physics.prox_l2(z, y, gamma=4.0)
    gradient = 4.0 * physics.A_adjoint(physics.A(found) - y) + found - z
    assert float(gradient.abs().max()) < 1e-3, "their objective is not at its minimum"
    assert float(physics.noise_model.sigma) == pytest.approx(0.02)
    torch.testing.assert_close(physics.clone().A(x), y)


def test_a_bent_operator_is_no_linear_physics():
    with pytest.raises(ValueError, match="Clip is not linear"):
        AsPhysics(Clip())


def test_their_physics_is_our_degradation():
    """Inpainting of theirs and of ours: the same restored photo."""
    x, prior = to_display(normal(1, 3, 16, 18)).clamp(0, 1).float(), GaussianPrior()
    theirs = deepinv.physics.Inpainting(
        (3, 16, 18),
        mask=MASK.expand(1, 3, -1, -1),
        noise_model=deepinv.physics.GaussianNoise(0.05),
    )
    ours = Inpainting(MASK, 0.05)
    assert FromPhysics(theirs).sigma == pytest.approx(0.05)
    y = ours.simulate(x, generator(1))
    restored = []
    for degradation in (ours, FromPhysics(theirs)):
        torch.testing.assert_close(degradation(x), ours(x))
        prox = degradation.prox(x, y, 0.3)
        torch.testing.assert_close(prox, ours.prox(x, y, 0.3), rtol=1e-4, atol=1e-5)
        start = {"start_sigma": 1.0, "zeta": 1.0, "generator": generator(2)}
        restored.append(restore(y, degradation, prior, 10, **start).image)
    # Their start is the pseudo-inverse, black in the holes; ours is filled. Both are forgotten.
    hole = (restored[0] - restored[1])[..., MASK == 0]
    assert float((restored[0] - restored[1])[..., MASK == 1].abs().max()) < 1e-3
    assert float(hole.abs().mean()) < 0.02


def test_a_blur_of_theirs_starts_near_the_photo():
    """A_dagger would begin with the photo's noise, a hundred times as strong."""
    x = 0.5 + 0.2 * torch.nn.functional.avg_pool2d(normal(1, 3, 40, 40), 9, 1).float()
    kernel = gaussian_kernel(9, 1.5)[None, None].float()
    noise = deepinv.physics.GaussianNoise(0.02)
    physics = deepinv.physics.Blur(kernel, padding="circular", noise_model=noise)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = physics(x)
    degradation = FromPhysics(physics)
    assert float((degradation.start(y) - x).square().mean().sqrt()) < 0.125
    prior = GaussianPrior(mean=0.0, var=0.01)
    image = restore(y, degradation, prior, generator=generator()).image
    assert float((image - x).square().mean()) < float((y - x).square().mean())


def test_our_prior_is_their_denoiser():
    """Under their DiffPIR: nearer to the scene than the photo; levels in a batch are met.

    Their DPIR is prox and denoiser in turn, so that it is told to rounding.
    """
    prior = GaussianPrior(mean=0.2, var=0.04)
    x = to_display(0.2 + 0.2 * normal(2, 3, 16, 16)).float()
    denoiser = AsDenoiser(prior)
    expected = prior(x, 0.1)
    torch.testing.assert_close(denoiser(x, 0.1), expected)
    torch.testing.assert_close(denoiser(x, torch.tensor([0.1])), expected)
    physics = AsPhysics(Inpainting(random_mask(16, 16, generator=generator()), 0.05))
    y = physics(x)
    sampler = deepinv.sampling.DiffPIR(
        AsDenoiser(prior), data_fidelity=deepinv.optim.L2(), sigma=0.05, max_iter=10
    )
    restored = sampler(y, physics)
    assert float((restored - x).square().mean()) < 0.5 * float((y - x).square().mean())
    blur = GaussianBlur(5, 1.0, 0.02)
    y = blur.simulate(x, generator(1))
    z = blur.A_adjoint(y)
    for sigma in torch.logspace(*torch.tensor([49 / 255, 0.02]).log10().tolist(), 8).tolist():
        z = prior(blur.prox(z, y, 0.23 * 0.02**2 / sigma**2), sigma)
    dpir = deepinv.optim.DPIR(0.02, AsDenoiser(prior))
    torch.testing.assert_close(dpir(y, AsPhysics(blur)), z, rtol=1e-4, atol=1e-5)


def test_their_denoiser_is_our_prior():
    """A deepinv denoiser goes into `restore` as it is."""
    x = to_display(0.2 * normal(1, 3, 24, 24)).float()
    x = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    noise = GaussianBlur(3, 0.5, 0.05)
    y = noise.simulate(x, generator(1))
    median = deepinv.models.MedianFilter(kernel_size=3)
    restored = restore(y, noise, median, 4, zeta=0.0, generator=generator()).image
    assert float((restored - x).square().mean()) < 0.7 * float((y - x).square().mean())
