"""Algorithm 1 and the practical sampler, in front of a prior that is known exactly."""

import copy
from itertools import pairwise

import pytest
import torch
from exact import GaussianPrior, normal
from skimage import data
from torch.nn.functional import avg_pool2d

from gdp_lite.algorithm import algorithm_1
from gdp_lite.book.capture import capture
from gdp_lite.book.metrics import psnr
from gdp_lite.chains import Chains
from gdp_lite.degradations import (
    BlindGaussianBlur,
    BlockAverage,
    BlockAverageSameSize,
    Compose,
    Degradation,
    Exposure,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    Occlusion,
    PoissonGaussianNoise,
    random_mask,
)
from gdp_lite.diffusion import posterior_mean, posterior_std, predict_x0
from gdp_lite.image import from_uint8, to_display, to_model
from gdp_lite.losses import fidelity_loss, total_loss
from gdp_lite.policy import error_of_draws
from gdp_lite.sampler import restore
from gdp_lite.schedule import linear_schedule, sigma_grid, time_grid

SHORT = linear_schedule(100, 1e-3, 0.2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_fidelity_is_a_sum():
    """||y - F(x)||^2 by hand: a mean would be 3 h w times smaller."""
    y, x = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2)
    assert float(fidelity_loss(y, x)) == 3.0
    assert float(total_loss(y, x, GaussianNoise(), lambda1=2.0)) == 6.0
    with_prior = total_loss(y, x, GaussianNoise(), 1.0, 0.5, perceptual=lambda z: z.sum() + 4)
    assert float(with_prior) == 5.0


def test_fidelity_refuses_to_broadcast():
    with pytest.raises(ValueError, match="and F"):
        fidelity_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 1, 1))


def test_algorithm_1_is_its_ten_lines():
    """Every state against the lines written out again with the gradient worked out by hand.

    L = ||y - F(x)||^2 in display range, x = (x_{0|t} + 1) / 2, F the blur: the gradient with
    respect to x_{0|t} is F^T (F(x) - y), the factor 2 of the square meeting the 1/2 of x.
    """
    prior, blur, y = GaussianPrior(schedule=SHORT), GaussianBlur(3, 1.0), normal(1, 3, 6, 5)
    seen = []
    result = algorithm_1(
        y, blur, prior, s=0.3, clip=False, generator=generator(), callback=seen.append
    )
    draws, g = [], generator()
    for _ in range(SHORT.T + 1):
        draws.append(torch.randn(y.shape, generator=g, dtype=y.dtype))
    x_t = draws[0]
    for t in range(SHORT.T, 0, -1):
        step = seen[SHORT.T - t]
        assert step.sigma == float(SHORT.sigma_bar[t])
        torch.testing.assert_close(step.state, to_display(x_t / SHORT.alpha_bar[t].sqrt()))
        x0_hat = predict_x0(x_t, t, prior.eps(x_t, t), SHORT)
        image = to_display(x0_hat)
        torch.testing.assert_close(step.x0_hat, image)
        assert step.loss == pytest.approx(float((y - blur(image)).square().sum()))
        gradient = blur.A_adjoint(blur(image) - y)
        mean = posterior_mean(x0_hat, x_t, t, SHORT)
        noise = draws[SHORT.T - t + 1]
        x_t = mean - 0.3 * gradient + posterior_std(t, SHORT) * noise
    torch.testing.assert_close(result, to_display(x_t))
    assert len(seen) == SHORT.T
    assert (seen[0].number, seen[-1].number) == (1, SHORT.T)


def test_guidance_pulls_towards_the_photo():
    """The residual falls with s; with the source's sign it would grow."""
    prior, y = GaussianPrior(schedule=SHORT), torch.full((1, 3, 8, 8), 0.9, dtype=torch.float64)
    residuals = [
        float(fidelity_loss(y, algorithm_1(y, GaussianNoise(), prior, s=s, generator=generator())))
        for s in (0.0, 0.05, 0.2)
    ]
    assert residuals[0] > 1.5 * residuals[1] > 2 * residuals[2]


def test_phi_is_learned_while_sampling():
    """Line 7: from a random start, gain and offset move so that the loss falls; eta = 0 does not.

    The prior's pixels have a known mean and spread, which is what pins the exposure here.
    """
    prior = GaussianPrior(mean=0.2, var=0.09, schedule=SHORT)
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 12, 12))
    y = Exposure(0.5, 0.1).double()(x).detach()
    exposure = Exposure().double().randomise(generator(1))
    before = {k: float(p.detach()) for k, p in exposure.named_parameters()}
    algorithm_1(y, exposure, prior, s=0.05, eta=0.0, generator=generator())
    assert {k: float(p.detach()) for k, p in exposure.named_parameters()} == before
    seen = []
    algorithm_1(y, exposure, prior, s=0.05, eta=5e-4, generator=generator(), callback=seen.append)
    assert seen[-1].loss < 0.2 * seen[0].loss
    fitted = exposure(to_display(torch.full_like(x, prior.mean))).mean()
    assert float(fitted.detach()) == pytest.approx(float(y.mean()), abs=0.03)
    assert set(seen[-1].phi) == {"gain", "offset"}


def test_algorithm_1_with_a_smaller_measurement():
    prior, average = GaussianPrior(schedule=SHORT), BlockAverage(4, (9, 14))
    y = average(torch.full((1, 3, 9, 14), 0.8, dtype=torch.float64))
    result = algorithm_1(y, average, prior, s=1.0, generator=generator())
    assert result.shape == (1, 3, 9, 14)
    # s is much smaller than 1 / ||A||^2 = 16: the blocks are pulled to 0.8, not forced there.
    assert float((average(result) - y).abs().mean()) < 0.1


def state(step, t):
    """x_t of a step of Algorithm 1, model range."""
    return SHORT.alpha_bar[t].sqrt() * to_model(step.state)


def test_algorithm_1_weighs_both_losses():
    """The first step by hand, with lambda1, lambda2 and a perceptual term. Eq. (8)."""
    prior, blur, y = GaussianPrior(schedule=SHORT), GaussianBlur(3, 1.0), normal(1, 3, 6, 5)
    weights = {"lambda1": 2.0, "lambda2": 0.5, "perceptual": lambda image: image.square().sum()}
    weights["clip"], seen = False, []
    algorithm_1(y, blur, prior, s=0.1, generator=generator(), callback=seen.append, **weights)
    g = generator()
    torch.randn(y.shape, generator=g, dtype=y.dtype)
    image, last = seen[0].x0_hat, SHORT.T
    gradient = 2.0 * blur.A_adjoint(blur(image) - y) + 0.5 * image
    mean = posterior_mean(to_model(image), state(seen[0], last), last, SHORT)
    noise = torch.randn(y.shape, generator=g, dtype=y.dtype)
    expected = mean - 0.1 * gradient + posterior_std(last, SHORT) * noise
    torch.testing.assert_close(state(seen[1], last - 1), expected)


def test_restore_is_its_lines():
    """Noise, guess, agreement, written out: every state and the result."""
    prior, blur, y = (
        GaussianPrior(var=1.0),
        GaussianBlur(3, 1.0, 0.05),
        to_display(normal(1, 3, 6, 5)),
    )
    seen, levels = [], sigma_grid(prior.schedule, 0.3, 4)
    settings = {"steps": 4, "strength": 2.0, "start_sigma": 0.3, "zeta": 0.49}
    result = restore(y, blur, prior, generator=generator(), callback=seen.append, **settings)
    x0, g = y, generator()
    nexts = [4 * 0.51 * sigma**2 for sigma in [*levels[1:], 0.0]]
    trusts = [max(n, sigma**2) for n, sigma in zip(nexts, levels, strict=True)]
    for step, sigma, trust in zip(seen, levels, trusts, strict=True):
        x = x0 + 0.7 * sigma * torch.randn(y.shape, generator=g, dtype=y.dtype)
        x0_hat = prior(x, sigma).clamp(0, 1)
        assert step.sigma == sigma
        torch.testing.assert_close(step.state, x)
        torch.testing.assert_close(step.x0_hat, x0_hat)
        x0 = blur.prox(x0_hat, y, 0.05**2 / (2.0 * trust))
    torch.testing.assert_close(result.image, x0)


@pytest.mark.parametrize(("zeta", "above"), [(0.5, 1.0), (0.0, 1.15)])
def test_noise_alone_is_reversed_from_the_photo(zeta, above):
    """A noisy photo is an x_t: the states are DDIM's, written out; strength moves the start."""
    prior, noise = GaussianPrior(var=1.0), GaussianNoise(0.1)
    y, seen = to_display(normal(1, 3, 6, 5)), []
    settings = {"steps": 4, "strength": 4.0, "zeta": zeta}
    result = restore(y, noise, prior, generator=generator(), callback=seen.append, **settings)
    times = time_grid(prior.schedule.nearest_t(above * 0.05), 4)
    bar = [float(prior.schedule.alpha_bar[t]) for t in [*times, 0]]
    x_t, g = bar[0] ** 0.5 * to_model(y), generator()
    for step, t, now, then in zip(seen, times, bar[:-1], bar[1:], strict=True):
        torch.testing.assert_close(step.state, to_display(x_t / now**0.5))
        x0 = to_model(to_display(predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule)).clamp(0, 1))
        eps_hat = (x_t - now**0.5 * x0) / (1 - now) ** 0.5
        var = zeta * (1 - then) / (1 - now) * (1 - now / then)
        x_t = then**0.5 * x0 + (1 - then - var) ** 0.5 * eps_hat
        if then < 1:
            x_t = x_t + var**0.5 * torch.randn(y.shape, generator=g, dtype=y.dtype)
    torch.testing.assert_close(result.image, to_display(x_t))


def test_noise_alone_is_one_call_by_default():
    """The photo as the x_t of its own noise, Eq. (5): the prior's posterior mean, here known."""
    prior, noise = GaussianPrior(mean=0.2, var=0.04), GaussianNoise(0.1)
    y, seen = to_display(0.2 + 0.3 * normal(1, 3, 6, 5)), []
    result = restore(y, noise, prior, callback=seen.append)
    t = prior.schedule.nearest_t(0.1)
    assert [(step.sigma, step.steps) for step in seen] == [(float(prior.schedule.sigma_bar[t]), 1)]
    var_noise = (2 * float(prior.schedule.sigma_bar[t])) ** 2
    mean = (0.04 * to_model(y) + var_noise * 0.2) / (0.04 + var_noise)
    torch.testing.assert_close(result.image, to_display(mean).clamp(0, 1))
    several = restore(y, noise, prior, samples=3, generator=generator())
    assert float(several.spread.mean()) > 0
    assert len(several.trace) > 10


def test_samples_of_a_noisy_photo_are_posterior_samples():
    """Mean and spread over samples against the Gaussian posterior, which is known.

    zeta = 1 in small steps is ancestral sampling: variance v s^2 / (v + s^2), in model range.
    """
    prior, noise = GaussianPrior(mean=0.2, var=0.04), GaussianNoise(0.1)
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 24, 24))
    y = noise.simulate(x, generator(1))
    result = restore(y, noise, prior, steps=60, samples=64, generator=generator(2))
    var_noise = (2 * noise.sigma) ** 2
    mean = (prior.var * to_model(y) + var_noise * prior.mean) / (prior.var + var_noise)
    std = 0.5 * (prior.var * var_noise / (prior.var + var_noise)) ** 0.5
    assert float((result.image - to_display(mean)).square().mean()) < 0.15 * std**2
    assert float(result.spread.mean()) == pytest.approx(std, rel=0.05)


def test_restore_learns_phi():
    """Gain and offset move so that the fidelity falls; known or held, they stay."""
    prior = GaussianPrior(mean=0.2, var=0.04)
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 16, 16))
    y = Exposure(0.5, 0.1).double()(x).detach()
    exposure = Exposure(1.2, -0.1, sigma=0.02).double()
    learned = restore(y, exposure, prior, initial="given", generator=generator())
    held = restore(y, exposure, prior, initial="given", learn=False, generator=generator())
    known = copy.deepcopy(exposure).requires_grad_(False)
    assert torch.equal(restore(y, known, prior, generator=generator()).samples, held.samples)
    first = {"gain": torch.full((1, 1), 1.2).double(), "offset": torch.full((1, 1), -0.1).double()}
    torch.testing.assert_close(held.phi, first)
    assert float(learned.phi["gain"]) < 1.1
    assert learned.trace[-1]["loss"] < held.trace[-1]["loss"]
    assert exposure.phi() == known.phi()  # what was given is left as it was


def test_every_chain_has_a_phi_of_its_own():
    """Two photos under two exposures, three random starts each, in one batch."""
    prior = GaussianPrior(mean=0.2, var=0.04)
    x = to_display(prior.mean + prior.var**0.5 * normal(2, 3, 16, 16))
    y = torch.cat([Exposure(0.5)(x[:1]), Exposure(0.9)(x[1:])]).detach()
    exposure = Exposure(sigma=0.02).double()
    result = restore(y, exposure, prior, samples=3, initial="random", generator=generator())
    gains = result.phi["gain"]
    assert gains.shape == (3, 2)
    assert len(gains.unique()) == 6
    assert float((gains[:, 1] - gains[:, 0]).min()) > 0.1
    assert result.samples.shape == (3, 2, 3, 16, 16)
    assert result.image.shape == result.spread.shape == (2, 3, 16, 16)
    assert result.residual.shape == (3, 2)
    assert {name: len(value) for name, value in result.trace[0]["phi"].items()} == {
        "gain": 6,
        "offset": 6,
    }


def test_residual_is_the_photo_degraded_again():
    prior, blur = GaussianPrior(), GaussianBlur(5, 1.0, 0.05)
    y = blur.simulate(to_display(normal(1, 3, 9, 8)), generator(1))
    result = restore(y, blur, prior, steps=3, samples=2, generator=generator())
    expected = [(blur(x) - y).square().mean().sqrt() for x in result.samples]
    torch.testing.assert_close(result.residual[:, 0], torch.stack(expected))
    assert result.sigma == 0.05
    one = restore(y, blur, prior, steps=1, generator=generator())
    with pytest.raises(ValueError, match="samples=4"):
        one.spread  # noqa: B018


def test_any_function_is_a_prior():
    """No schedule, no class: an image and a level in, an image out. Its level is the state's."""
    asked = []

    def shrink(x, sigma):
        asked.append(sigma)
        return 0.5 + (x - 0.5) / (1 + sigma)

    y = to_display(normal(1, 3, 6, 5)).clamp(0, 1)
    result = restore(y, GaussianBlur(3, 1.0, 0.05), shrink, 3, generator=generator())
    assert asked == sigma_grid(linear_schedule(), 0.25, 3)
    assert result.image.shape == y.shape


def test_the_start_that_is_asked_for_is_taken():
    """For noise as well: nothing a caller passes is ignored."""
    prior, y = GaussianPrior(), to_display(normal(1, 3, 6, 5)).clamp(0, 1)
    for degradation in (GaussianNoise(0.1), GaussianBlur(3, 1.0, 0.1)):
        seen = []
        restore(y, degradation, prior, 2, start_sigma=0.3, callback=seen.append)
        assert seen[0].sigma == sigma_grid(prior.schedule, 0.3, 1)[0]


def test_holes_start_near_the_error_of_their_first_image(prior):
    """Nine tenths missing: 0.5 dB nearer than from 0.25, where other degradations start."""
    x = torch.cat(
        [
            from_uint8(data.chelsea()[118:182, 193:257]),
            from_uint8(data.coffee()[168:232, 268:332]),
        ]
    )
    F = Inpainting(random_mask(64, 64, 0.9, generator(1)), 2 / 255)
    y = F.simulate(x, generator())

    def score(start):
        result = restore(y, F, prior, start_sigma=start, generator=generator(2))
        return float(psnr(result.image, x).mean())

    assert score(None) > score(0.25) + 0.5


def test_composed_noise_is_noise():
    """The same walk as the noise alone: a capability decides, not a class."""
    prior, y = GaussianPrior(), to_display(normal(1, 3, 6, 5)).clamp(0, 1)
    for settings in ({}, {"steps": 4}, {"samples": 2}):
        alone, composed = (
            restore(y, d, prior, generator=generator(), **settings).samples
            for d in (GaussianNoise(0.1), Compose(GaussianNoise(), GaussianNoise(0.1)))
        )
        assert torch.equal(alone, composed)


def test_clipping_keeps_the_guess_in_range():
    prior, y, seen = GaussianPrior(mean=0.9, var=0.5, schedule=SHORT), normal(1, 3, 6, 5), []
    algorithm_1(y, GaussianNoise(), prior, s=0.1, generator=generator(), callback=seen.append)
    assert all(0 <= float(step.x0_hat.min()) <= float(step.x0_hat.max()) <= 1 for step in seen)
    assert max(float(step.x0_hat.max()) for step in seen) == 1


@pytest.mark.slow
def test_algorithm_1_restores_with_the_bundled_prior(prior):
    """All 1000 steps, a quarter of the pixels missing: better than filling with block means.

    Without clipping this ends in NaN; with the flipped sign, in noise.
    """
    x = from_uint8(data.chelsea()[96:120, 180:204])
    mask = Inpainting(random_mask(24, 24, generator=generator()), 1 / 255)
    y = mask.simulate(x, generator(1))
    result = algorithm_1(y, mask, prior, s=0.6, generator=generator(2))
    seen, kept = (avg_pool2d(z, 4) for z in (mask.mask * y, mask.mask[None, None]))
    means = (seen / kept).repeat_interleave(4, -1).repeat_interleave(4, -2)
    filled = torch.where(mask.mask == 0, means, y)
    assert float(psnr(result, x)) > float(psnr(filled, x)) + 1


def test_time_grid():
    assert time_grid(1, 20) == [1]
    assert time_grid(300, 1) == [300]
    times = time_grid(1000, 20)
    assert times[0] == 1000
    assert times[-1] == 1
    assert len(times) == 20
    gaps = [a - b for a, b in pairwise(times)]
    assert gaps == sorted(gaps, reverse=True)
    with pytest.raises(ValueError, match="at least one"):
        time_grid(100, 0)


def operators(height, width):
    mask = random_mask(height, width, generator=generator())
    sigma = 5 / 255
    return {
        "noise": GaussianNoise(60 / 255),
        "blur": GaussianBlur(5, 1.0, sigma),
        "average": BlockAverage(2, (height, width), sigma),
        "same size": BlockAverageSameSize(2, sigma),
        "mask": Inpainting(mask, sigma),
    }


@pytest.mark.parametrize("name", operators(8, 8))
def test_restore_finds_the_posterior_mean(name):
    """For a Gaussian prior argmin ||A x - y||^2 + (sigma^2 / var) ||x - m||^2 is E[x_0 | y].

    The average of samples must be nearer to it than the plain prior's mean and the start are,
    by a wide margin. It is not exact: the trust is the room that the next level leaves,
    whatever the prior. A white one wants a third of it where blur hides most.
    """
    prior = GaussianPrior(mean=0.2, var=0.02)
    degradation = operators(33, 22)[name]
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 33, 22))
    y = degradation.simulate(x, generator(1))
    display_mean = torch.full_like(x, (prior.mean + 1) / 2)
    rho = degradation.sigma**2 / (prior.var / 4)
    truth = degradation.prox(display_mean, y, rho)
    strength = 0.3 if name == "blur" else 1.0
    result = restore(y, degradation, prior, None, strength, samples=100, generator=generator())
    error = (result.image - truth).square().mean()
    of_mean = (display_mean - truth).square().mean()
    of_start = (degradation.start(y) - truth).square().mean()
    assert float(error) < 0.25 * min(float(of_mean), float(of_start))


@pytest.mark.parametrize("name", operators(8, 8))
def test_restore_keeps_to_the_photo(name):
    """The result, degraded again, differs from y by about the noise: not less than a third."""
    prior, degradation = GaussianPrior(), operators(16, 24)[name]
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 16, 24))
    y = degradation.simulate(x, generator(1))
    result = restore(y, degradation, prior, generator=generator())
    assert float(result.residual) < 1.5 * degradation.sigma


def test_more_strength_is_nearer_to_the_photo():
    prior, noise = GaussianPrior(), GaussianNoise(0.1)
    y = noise.simulate(torch.full((1, 3, 16, 16), 0.9).double(), generator(1))
    residuals = [
        float(restore(y, noise, prior, strength=s, generator=generator()).residual)
        for s in (0.1, 1.0, 10.0)
    ]
    assert residuals[0] > residuals[1] > residuals[2]


def test_restore_is_reproducible_and_reports_every_step():
    prior, blur = GaussianPrior(), GaussianBlur(3, 1.0, 0.1)
    y = blur.simulate(normal(1, 3, 8, 8), generator(1))
    seen = []
    first = restore(y, blur, prior, steps=7, generator=generator(3), callback=seen.append).image
    assert torch.equal(first, restore(y, blur, prior, steps=7, generator=generator(3)).image)
    assert not torch.equal(first, restore(y, blur, prior, steps=7, generator=generator(4)).image)
    assert [s.number for s in seen] == list(range(1, 8))
    assert {s.steps for s in seen} == {7}
    assert seen[-1].sigma == float(prior.schedule.sigma_bar[1])


def test_restore_works_without_noise():
    prior, mask = GaussianPrior(), Inpainting(random_mask(16, 16, generator=generator()))
    x = to_display(normal(1, 3, 16, 16)).clamp(0, 1)
    result = restore(mask(x), mask, prior, steps=5, generator=generator()).image
    torch.testing.assert_close(mask(result), mask(x), atol=1e-6, rtol=0)


class Strange(Degradation):
    kind = "strange"


class Cropped(Degradation):
    """A reader's own kind that forgot to say what an x looks like."""

    def A(self, x):
        return x[..., 1:]


class Unused:
    """A prior that must not be called."""

    schedule = SHORT


def test_a_wrong_measurement_is_refused_before_the_first_call():
    y, noise = torch.zeros(1, 3, 4, 4), GaussianNoise(0.1)
    with pytest.raises(ValueError, match="mask"):
        algorithm_1(y, Inpainting(torch.ones(5, 5)), Unused())
    with pytest.raises(ValueError, match="finite floats"):
        algorithm_1(y * torch.nan, noise, Unused())
    with pytest.raises(ValueError, match="are finite"):
        algorithm_1(y, noise, Unused(), s=torch.nan)
    with pytest.raises(ValueError, match="are finite"):
        algorithm_1(y, noise, Unused(), eta=-1.0)
    with pytest.raises(ValueError, match="one finite number"):
        algorithm_1(y, noise, Unused(), lambda2=1.0, perceptual=lambda x: x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"y": torch.zeros(1, 3, 5, 5)}, "the mask is 4 x 4"),
        ({"y": torch.zeros(3, 4, 4)}, "finite floats"),
        ({"y": torch.zeros(1, 1, 4, 4)}, "finite floats"),
        ({"y": torch.zeros(0, 3, 4, 4)}, "finite floats"),
        ({"y": None}, "NoneType"),
        ({"y": torch.zeros(1, 3, 4, 4).half()}, "float16"),
        ({"y": torch.full((1, 3, 4, 4), 255.0)}, "divide by 255"),
        ({"y": torch.full((1, 3, 4, 4), torch.nan)}, "finite floats"),
        ({"y": torch.zeros(1, 3, 4, 4, dtype=torch.uint8)}, "finite floats"),
        ({"strength": 0.0}, "strength"),
        ({"strength": torch.nan}, "strength"),
        ({"zeta": 1.5}, "zeta"),
        ({"steps": 0}, "at least one step"),
        ({"steps": 2.5}, "whole ones"),
        ({"steps": 2.0}, "whole ones"),
        ({"steps": "ten"}, "whole ones"),
        ({"samples": 1.5}, "whole ones"),
        ({"strength": None}, "are numbers"),
        ({"strength": "1"}, "are numbers"),
        ({"degradation": None}, "NoneType"),
        ({"degradation": GaussianNoise(25.0)}, "no noise in display range"),
        ({"degradation": GaussianNoise()}, "nothing to restore"),
        ({"y": torch.full((1, 3, 4, 4), -20.0)}, "divide by 255"),
        ({"start_sigma": 0.0}, "start_sigma"),
        ({"start_sigma": torch.nan}, "start_sigma"),
        ({"degradation": Occlusion(torch.ones(4, 4), torch.ones(3, 5, 4))}, "content is"),
        ({"degradation": Cropped()}, r"Cropped makes .* as its start\(y\) has them"),
        ({"degradation": Strange()}, "kind is one of"),
        (
            {
                "degradation": Compose(Exposure(), Inpainting(torch.ones(2, 1, 4, 4))),
                "samples": 2,
            },
            "2 masks for 1",
        ),
        ({"degradation": Compose(Inpainting(torch.ones(5, 4)), GaussianBlur(3))}, "mask"),
        ({"samples": 0}, "one sample"),
        ({"initial": "zero"}, "initial is"),
        ({"degradation": Inpainting(torch.ones(2, 1, 4, 4)), "samples": 3}, "2 masks for 3"),
    ],
)
def test_bad_settings_are_refused_before_the_first_call(settings, message):
    usual = {"y": torch.zeros(1, 3, 4, 4), "degradation": Inpainting(torch.ones(4, 4))}
    with pytest.raises(ValueError, match=message):
        restore(prior=Unused(), **usual | settings)


def test_every_photo_has_its_own_mask():
    """Two photos, two masks, three samples: each sample meets its photo's mask."""
    prior, y = GaussianPrior(), to_display(normal(2, 3, 8, 9)).clamp(0, 1)
    masks = torch.stack([random_mask(8, 9, generator=generator(n))[None] for n in range(2)])
    inpainting = Inpainting(masks)
    samples = restore(y, inpainting, prior, steps=2, samples=3, generator=generator()).samples
    seen = masks.expand(3, 2, 3, -1, -1) == 1
    torch.testing.assert_close(samples[seen], y.expand_as(samples)[seen], rtol=0, atol=1e-6)


def test_hidden_pixels_do_not_count_as_residual():
    prior, mask = GaussianPrior(), random_mask(16, 16, generator=generator())
    y = to_display(normal(1, 3, 16, 16)).clamp(0, 1)
    y[..., mask == 0] = 1.0
    result = restore(y, Inpainting(mask), prior, steps=2, generator=generator())
    assert float(result.residual) < 1e-3


def test_noise_that_is_found_is_the_noise_assumed():
    """Each chain's own level weighs its photo, and it is what the result reports."""
    prior, truth = GaussianPrior(mean=0.2, var=0.04), PoissonGaussianNoise(0.02, 0.02)
    x = to_display(prior.mean + prior.var**0.5 * normal(1, 3, 32, 32))
    y = truth.simulate(torch.nn.functional.avg_pool2d(x, 9, 1, 4), generator(1))
    wrong = PoissonGaussianNoise(1e-4, 1e-3).requires_grad_()
    result = restore(y, wrong, prior, steps=2, generator=generator())
    found = PoissonGaussianNoise().initialise(y)
    assert result.sigma == pytest.approx(found.sigma, rel=1e-5)
    assert float(result.phi["gain"]) == pytest.approx(float(found.gain), rel=1e-5)
    assert found.sigma > 5 * wrong.sigma


def test_a_known_stage_stays_known_in_a_composition():
    prior, y = GaussianPrior(), to_display(normal(1, 3, 16, 16))
    blur = BlindGaussianBlur(9, 1.7).requires_grad_(False)
    chain = Compose(blur, Exposure(0.5, sigma=0.02))
    for initial in ("photo", "random", "given"):
        phi = restore(y, chain, prior, 2, initial=initial, generator=generator()).phi
        assert float(phi["stages.0.width"]) == pytest.approx(1.7)
        assert float(phi["stages.1.gain"]) != 0.5


def test_a_photo_with_a_gradient_is_only_a_photo():
    """Learning Phi leaves no gradient in it."""
    y = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    restore(y, Exposure(0.5, sigma=0.1), GaussianPrior(), 2, generator=generator())
    assert y.grad is None


def test_draws_are_as_far_from_each_other_as_from_the_scene(prior):
    """Spread over error of the mean: near 1 for draws, far below for the default's samples."""
    x = from_uint8(data.chelsea()[100:132, 124:156])
    blur = GaussianBlur(9, 1.5, 5 / 255)
    y = blur.simulate(x, generator(1))
    ratios = []
    for draw in (True, False):
        result = restore(y, blur, prior, samples=5, draw=draw, generator=generator())
        error = (result.image.clamp(0, 1) - x).square().mean().sqrt()
        ratios.append(float(result.spread.square().mean().sqrt() / error))
    assert 0.6 < ratios[0] < 1.8  # too wide on so smooth a scene, 0.7 on rough ones
    assert ratios[1] < 0.4


def test_a_guess_is_given_more_error_the_more_calls_a_draw_has():
    shares = [error_of_draws(steps) for steps in (1, 5, 8, 20, 50, 200, 1000)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[2] == 0.15
    assert shares[3] == pytest.approx(0.3, abs=0.01)
    assert shares[-2:] == [1.0, 1.0], "no more than its level"


def test_a_draw_has_the_posterior_that_it_is_from():
    """Masked Gaussian: mean and variance of y and guess together where seen, the guess's else."""
    mask = Inpainting(torch.tensor([[1.0, 0.0]]).double(), 0.1)
    chains = Chains(mask, torch.full((40_000, 3, 1, 2), 0.8).double(), "given", False, generator())
    drawn = chains.draw(torch.full((40_000, 3, 1, 2), 0.5).double(), 0.04).flatten(0, 2)
    seen, hidden = drawn[:, 0], drawn[:, 1]
    var = 1 / (1 / 0.04 + 1 / 0.01)
    # 120,000 draws: the mean to 0.3 percent of the width, the variance to 0.4 percent
    assert abs(float(seen.mean()) - var * (0.5 / 0.04 + 0.8 / 0.01)) < 4 * 0.003 * var**0.5
    assert abs(float(seen.var()) / var - 1) < 4 * 0.004
    assert abs(float(hidden.mean()) - 0.5) < 4 * 0.003 * 0.2
    assert abs(float(hidden.var()) / 0.04 - 1) < 4 * 0.004


def test_noise_that_is_stronger_than_told_is_not_blown_up(prior):
    """A JPEG's noise is 1.4 times as strong in luma as white noise of its rms: no collapse."""
    x = from_uint8(data.chelsea()[80:144, 170:266])
    blur = GaussianBlur(9, 1.0, 10.9 / 255)
    y = capture(x, GaussianBlur(9, 1.0), 15 / 255, 92, generator())
    assert float(psnr(restore(y, blur, prior, generator=generator()).image, x)) > 28.5
    far = restore(y, blur, prior, strength=1.7, generator=generator()).image
    assert float(psnr(far, x)) < 26  # more room than there is
