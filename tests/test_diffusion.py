"""Schedules and Eqs. (2)-(5), against diffusers in float64 and against each other."""

import pytest
import torch
from exact import GaussianPrior, normal

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.respacing import respaced
from gdp_lite.diffusion import (
    add_noise,
    ancestral_step,
    guided_mean,
    posterior_mean,
    posterior_mean_from_eps,
    posterior_std,
    posterior_var,
    predict_eps,
    predict_x0,
)
from gdp_lite.image import to_display, to_model
from gdp_lite.prior_files.parts import schedule_from_config
from gdp_lite.schedule import NoiseSchedule, cosine_schedule, linear_schedule

repair_torchvision()
from diffusers import DDPMScheduler  # noqa: E402 (must come after the repair)

SCHEDULES = {
    "linear": (linear_schedule(), {"beta_schedule": "linear"}),
    "cosine": (cosine_schedule(), {"beta_schedule": "squaredcos_cap_v2"}),
    "short": (linear_schedule(50), {"beta_schedule": "linear", "num_train_timesteps": 50}),
}


@pytest.fixture(params=SCHEDULES)
def pair(request):
    """One of our schedules and diffusers' scheduler with its tables in float64."""
    schedule, config = SCHEDULES[request.param]
    scheduler = DDPMScheduler(**config, clip_sample=False)
    # diffusers' own float32 tables agree to float32's precision ...
    torch.testing.assert_close(
        schedule.alpha_bar[1:].float(), scheduler.alphas_cumprod, rtol=2e-4, atol=1e-7
    )
    # ... and the formulas are compared on the same float64 tables.
    scheduler.alphas_cumprod = schedule.alpha_bar[1:]
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    return schedule, scheduler


def times(schedule):
    return [1, 2, schedule.T // 3, schedule.T - 1, schedule.T]


def test_schedule_conventions(pair):
    schedule, _ = pair
    assert schedule.alpha_bar[0] == 1
    assert len(schedule.beta) == len(schedule.alpha) == len(schedule.alpha_bar) == schedule.T + 1
    assert schedule.alpha_bar.dtype == torch.float64
    torch.testing.assert_close(schedule.alpha_bar[1:], schedule.alpha[1:].cumprod(0))
    assert bool((schedule.alpha_bar.diff() < 0).all())


def test_linear_schedule_runs_from_1e_4_to_0_02():
    beta = linear_schedule().beta
    assert len(beta) == 1001
    assert beta[1] == 1e-4
    assert beta[1000] == 0.02


def test_sigma_bar_is_the_noise_seen_in_display_range():
    """x_t / sqrt(alpha_bar) in display range is the photo plus noise of sigma_bar."""
    schedule = linear_schedule()
    x0 = torch.zeros(1, 3, 200, 200, dtype=torch.float64)
    x_t = add_noise(to_model(x0), 300, normal(*x0.shape), schedule)
    seen = to_display(x_t / schedule.alpha_bar[300].sqrt())
    # The estimate's standard error is sigma / sqrt(2 n), 0.2%; the tolerance five times that.
    assert float(seen.std()) == pytest.approx(float(schedule.sigma_bar[300]), rel=0.01)


def test_nearest_t_inverts_sigma_bar():
    schedule = linear_schedule()
    assert [schedule.nearest_t(float(schedule.sigma_bar[t])) for t in (1, 33, 1000)] == [
        1,
        33,
        1000,
    ]
    assert schedule.nearest_t(1e9) == 1000
    with pytest.raises(ValueError, match="positive"):
        schedule.nearest_t(0)


@pytest.mark.parametrize("betas", [[], [0.1, 1.0], [0.0, 0.1], [[0.1]], [float("nan")]])
def test_impossible_betas_are_refused(betas):
    with pytest.raises(ValueError, match="betas"):
        NoiseSchedule.from_betas(betas)


def test_eq_2_equals_diffusers(pair):
    schedule, scheduler = pair
    x0, eps = normal(2, 3, 5, 7), normal(2, 3, 5, 7, seed=1)
    for t in times(schedule):
        theirs = scheduler.add_noise(x0, eps, torch.tensor([t - 1]))
        torch.testing.assert_close(add_noise(x0, t, eps, schedule), theirs, rtol=0, atol=1e-10)


def test_eqs_3_4_5_equal_diffusers(pair):
    """The mean, the standard deviation and x_{0|t} of diffusers' DDPM step."""
    schedule, scheduler = pair
    x_t, eps = normal(2, 3, 5, 7), normal(2, 3, 5, 7, seed=1)
    for t in times(schedule):
        theirs = scheduler.step(eps, t - 1, x_t, generator=torch.Generator().manual_seed(5))
        drawn = normal(*x_t.shape, seed=5)
        x0_hat = predict_x0(x_t, t, eps, schedule)
        ours = ancestral_step(x_t, t, eps, drawn, schedule)
        through_x0 = posterior_mean(x0_hat, x_t, t, schedule) + posterior_std(t, schedule) * drawn
        close = {"rtol": 1e-10, "atol": 1e-10}
        torch.testing.assert_close(x0_hat, theirs.pred_original_sample, **close)
        torch.testing.assert_close(ours, theirs.prev_sample, **close)
        torch.testing.assert_close(through_x0, theirs.prev_sample, **close)


def test_posterior_var_equals_diffusers(pair):
    schedule, scheduler = pair
    for t in times(schedule)[1:]:
        theirs = float(scheduler._get_variance(t - 1))
        assert float(posterior_var(t, schedule)) == pytest.approx(theirs, rel=1e-10)


def test_last_step_adds_no_noise(pair):
    schedule, _ = pair
    assert posterior_std(1, schedule) == 0


def test_eq_4_is_the_gaussian_posterior():
    """By grid integration of p(x_{t-1} | x_0) p(x_t | x_{t-1}), without any of our formulas."""
    schedule = linear_schedule()
    x0, x_t, t = 0.25, -0.75, 400  # exact in binary
    alpha_bar_prev = float(schedule.alpha_bar[t - 1])
    grid = torch.linspace(-6, 6, 200_001, dtype=torch.float64)
    log_p = -0.5 * (grid - alpha_bar_prev**0.5 * x0) ** 2 / (1 - alpha_bar_prev)
    log_p -= 0.5 * (x_t - schedule.alpha[t].sqrt() * grid) ** 2 / schedule.beta[t]
    p = torch.softmax(log_p, 0)
    mean = float((p * grid).sum())
    std = float((p * (grid - mean) ** 2).sum().sqrt())
    ours = posterior_mean(torch.tensor([x0]).double(), torch.tensor([x_t]).double(), t, schedule)
    assert float(ours) == pytest.approx(mean, abs=1e-9)
    assert float(posterior_std(t, schedule)) == pytest.approx(std, rel=1e-6)


def test_eqs_3_and_4_agree():
    schedule = cosine_schedule()
    x_t, eps = normal(4, 3, 6, 6), normal(4, 3, 6, 6, seed=1)
    t = torch.tensor([1, 10, 500, 999])
    x0_hat = predict_x0(x_t, t, eps, schedule)
    torch.testing.assert_close(
        posterior_mean(x0_hat, x_t, t, schedule), posterior_mean_from_eps(x_t, t, eps, schedule)
    )


@pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule(), linear_schedule(20)])
def test_the_guided_mean_is_that_of_a_prior_which_knows_y(schedule):
    """Eq. (6) for x_0 ~ N(mean, var), y = x_0 + N(0, 0.2^2): given y, x_0 is Gaussian again."""
    prior, x_t, y = GaussianPrior(schedule=schedule), normal(500), 0.5
    var = 1 / (1 / prior.var + 1 / 0.2**2)
    knowing = GaussianPrior(var * (prior.mean / prior.var + y / 0.2**2), var, schedule)
    for t in times(schedule):
        # log p(y | x_t) by hand: y is x_0 + noise, and x_0 given x_t is N(posterior mean, left)
        alpha_bar = float(schedule.alpha_bar[t])
        noisy = alpha_bar * prior.var + 1 - alpha_bar
        slope, left = alpha_bar**0.5 * prior.var / noisy, prior.var * (1 - alpha_bar) / noisy
        gradient = slope * (y - prior.posterior_mean_x0(x_t, t)) / (left + 0.2**2)
        ours = guided_mean(x_t, t, prior.eps(x_t, t), gradient, schedule)
        expected = posterior_mean(knowing.posterior_mean_x0(x_t, t), x_t, t, schedule)
        # float64; the cosine schedule's last step multiplies rounding errors by 32
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("steps", [1, 7, 20, 1000])
def test_a_respaced_schedule_has_the_noise_of_the_other_at_its_times(steps):
    schedule = linear_schedule()
    few, times = respaced(schedule, steps)
    assert (few.T, times[0], times[-1], len(set(times))) == (steps, 0, 1000, steps + 1)
    assert all(abs(t - number * 1000 / steps) <= 0.5 for number, t in enumerate(times))
    # float64; a single step keeps 4e-5 of 1, and the difference loses five digits
    torch.testing.assert_close(few.alpha_bar, schedule.alpha_bar[times], rtol=1e-10, atol=0)


@pytest.mark.parametrize("steps", [0, 1001])
def test_a_schedule_is_not_respaced_to_more_times_than_it_has(steps):
    with pytest.raises(ValueError, match="steps must lie in"):
        respaced(linear_schedule(), steps)


def test_predict_eps_and_add_noise_invert_eq_5():
    schedule = linear_schedule()
    x_t, eps = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    t = torch.tensor([7, 800])
    x0_hat = predict_x0(x_t, t, eps, schedule)
    torch.testing.assert_close(predict_eps(x_t, t, x0_hat, schedule), eps)
    torch.testing.assert_close(add_noise(x0_hat, t, eps, schedule), x_t)


def test_a_batch_of_times_is_each_time_alone():
    schedule = linear_schedule()
    x_t, eps, noise = (normal(3, 3, 4, 4, seed=s) for s in range(3))
    times = torch.tensor([1, 250, 1000])
    together = ancestral_step(x_t, times, eps, noise, schedule)
    for i, t in enumerate(times.tolist()):
        alone = ancestral_step(x_t[i : i + 1], t, eps[i : i + 1], noise[i : i + 1], schedule)
        torch.testing.assert_close(together[i : i + 1], alone)
    together = guided_mean(x_t, times, eps, noise, schedule)
    alone = guided_mean(x_t[1:2], 250, eps[1:2], noise[1:2], schedule)
    torch.testing.assert_close(together[1:2], alone)


def test_float32_images_stay_float32():
    schedule = linear_schedule()
    image = torch.zeros(1, 3, 2, 2)
    assert ancestral_step(image, 5, image, image, schedule).dtype == torch.float32
    assert guided_mean(image, 5, image, image, schedule).dtype == torch.float32
    assert add_noise(image, torch.tensor([5]), image, schedule).dtype == torch.float32


def test_ancestral_sampling_gives_back_the_prior():
    """Exact network in, right mean and variance out: fails with the variance for the std.

    20,000 samples: standard error 0.2% of the mean's scale, 1% of the variance. What the usual
    sigma_t leaves out of the true reverse covariance lowers the variance by a few percent.
    """
    prior = GaussianPrior(schedule=linear_schedule(200, 5e-4, 0.1))
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    for t in range(prior.schedule.T, 0, -1):
        noise = torch.randn(x_t.shape, generator=generator, dtype=torch.float64)
        x_t = ancestral_step(x_t, t, prior.eps(x_t, t), noise, prior.schedule)
    assert float(x_t.mean()) == pytest.approx(prior.mean, abs=0.01)
    assert 0.85 * prior.var < float(x_t.var()) < 1.05 * prior.var


@pytest.mark.parametrize("t", [0, 1001, -1])
def test_times_outside_the_schedule_are_refused(t):
    image = torch.zeros(1, 3, 2, 2)
    with pytest.raises(ValueError, match=r"1\.\.1000"):
        predict_x0(image, t, image, linear_schedule())


def test_time_0_is_the_clean_image():
    image = normal(1, 3, 2, 2)
    assert torch.equal(add_noise(image, 0, normal(1, 3, 2, 2, seed=1), linear_schedule()), image)


def test_fractional_times_are_refused():
    image = torch.zeros(1, 3, 2, 2)
    with pytest.raises(ValueError, match="int"):
        predict_x0(image, 3.5, image, linear_schedule())


def test_ranges():
    image = torch.tensor([0.0, 0.5, 1.0])
    assert to_model(image).tolist() == [-1, 0, 1]
    torch.testing.assert_close(to_display(to_model(image)), image)


@pytest.mark.parametrize(
    "config",
    [
        {"beta_schedule": "linear"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0195},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"trained_betas": [0.1, 0.2, 0.3]},
        {"beta_schedule": "linear", "num_train_timesteps": 20, "beta_end": 0.3},
    ],
)
def test_schedule_from_config_equals_diffusers(config):
    scheduler = DDPMScheduler(**config)
    ours = schedule_from_config(scheduler.config)
    theirs = scheduler.alphas_cumprod.double()
    torch.testing.assert_close(ours.alpha_bar[1:], theirs, rtol=3e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"beta_schedule": "laplace"}, "not known"),
        ({"prediction_type": "v_prediction"}, "not epsilon"),
    ],
)
def test_unknown_schedules_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        schedule_from_config(dict(DDPMScheduler(**config).config))
