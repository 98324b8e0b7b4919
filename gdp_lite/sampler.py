"""Guided sampling: the source's Algorithm 1, and the form that is used in practice.

Both take a measurement ``y`` in display range, a degradation and a prior, and call
``callback(Step(...))`` after every step: plots, progress and tests all hang there.
"""

import copy
import math
from dataclasses import dataclass
from numbers import Integral, Real

import torch

from gdp_lite.degradations import Degradation, GaussianNoise, check_photo
from gdp_lite.diffusion import (
    add_noise,
    posterior_mean,
    posterior_std,
    predict_x0,
    to_display,
    to_model,
)
from gdp_lite.losses import fidelity_loss, total_loss

PHI_FROM = 0.5  # noise level, display range, under which a guess is good enough to fit Phi to
# A noisy photo led back in steps without new noise keeps some of its own, so that it is begun a
# little above: better by 0.2 to 0.6 decibels on photos held back from training.
ABOVE = 1.15
FAR = (-10.0, 70.0)  # no photo in display range lies beyond, whatever its exposure
NO_NOISE = 1e-8  # the smallest rho: where y has no noise, blur still needs one to divide by


@dataclass(frozen=True)
class Step:
    """What a sampler's callback sees after the step from time t.

    number, steps: 1..steps and their count. t: the time that was left behind.
    x_t: the state at t, model range. x0_hat: x_{0|t}, display range.
    loss: what the sampler minimises, at x0_hat, a float: the total loss in Algorithm 1, the
    fidelity loss in `restore`. phi: the degradation's parameters by name, each in its own unit;
    in `restore` with one more axis in front, the chains'.
    """

    number: int
    steps: int
    t: int
    x_t: torch.Tensor
    x0_hat: torch.Tensor
    loss: float
    phi: dict


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for n samples of each of B photos.

    samples: (n, B, 3, H, W), display range, not clipped. phi: by name, (n, B, ...), in its unit;
    empty where the degradation has none. residual: (n, B), root mean square of F_Phi(sample) - y
    over the pixels that y shows, display range, to be compared with ``sigma``, the noise that was
    assumed, or found, then its mean over the chains. trace: a dict for
    every step: ``t``, ``sigma_bar`` (display range), ``loss`` and ``phi`` (chains in front).
    """

    samples: torch.Tensor
    phi: dict
    residual: torch.Tensor
    sigma: float
    trace: list

    @property
    def image(self):
        """The mean of the samples, (B, 3, H, W): nearest to the scene, a little softer."""
        return self.samples.mean(0)

    @property
    def spread(self):
        """The samples' standard deviation at each number, (B, 3, H, W). ValueError for one."""
        if len(self.samples) < 2:
            raise ValueError("one sample has no spread: ask restore for samples=4 or more")
        return self.samples.std(0)


def algorithm_1(
    y,
    degradation,
    prior,
    s=1.0,
    eta=0.0,
    lambda1=1.0,
    lambda2=0.0,
    perceptual=None,
    clip=True,
    generator=None,
    callback=None,
):
    """The source's Algorithm 1, line by line, its misprints corrected; T network calls.

    y: (B, 3, h, w), display range. s: gradient step; like the source's it is not normalised,
    so its best value depends on the degradation, the image's size and T. eta: learning rate
    of Phi, the degradation's parameters (0 leaves them). lambda1, lambda2, perceptual: see
    `total_loss`. clip: keep x_{0|t} in [-1, 1]; the source does not, but line 3 multiplies a
    trained network's error by 1 / sqrt(alpha_bar_t), 157 at t = 1000, and guidance then
    diverges. generator: a CPU generator for the noise.
    Returns x_0, (B, 3, H, W), display range, not clipped. Raises ValueError where y does not
    fit the degradation, before the first network call.

    Corrected: line 3 has alpha_bar, line 4 the coefficients of Eq. (4), line 5 the standard
    deviation, line 8 a minus. As the source has it: line 8 takes the gradient with respect to
    x_{0|t}, computed before Phi is updated, and adds it to x_{t-1}.
    """
    _check_photo(y, degradation)
    if not all(map(math.isfinite, (s, eta, lambda1, lambda2))) or not eta >= 0:
        raise ValueError(f"s, eta >= 0, lambda1, lambda2 are finite: {s, eta, lambda1, lambda2}")
    degradation.check_measurement(y)
    schedule = prior.schedule
    phi = [p for p in degradation.parameters() if p.requires_grad] if eta else []
    with torch.no_grad():
        start = degradation.start(y)
    if perceptual is not None and lambda2:
        _check_perceptual(perceptual, start)
    size = start.shape
    x_t = _noise(size, y, generator)  # 1: x_T ~ N(0, I)
    for t in range(schedule.T, 0, -1):  # 2
        with torch.no_grad():
            x0_hat = predict_x0(x_t, t, prior.eps(x_t, t), schedule)  # 3: Eq. (5)
            x0_hat = x0_hat.clamp(-1, 1) if clip else x0_hat
            mu_t = posterior_mean(x0_hat, x_t, t, schedule)  # 4: Eq. (4)
            sigma_t = posterior_std(t, schedule).to(x_t)  # 5
        with torch.enable_grad():
            x0_hat.requires_grad_(True)
            loss = total_loss(  # 6: Eq. (8)
                y, to_display(x0_hat), degradation, lambda1, lambda2, perceptual
            )
            gradient, *gradient_phi = torch.autograd.grad(loss, [x0_hat, *phi])
        with torch.no_grad():
            for p, g in zip(phi, gradient_phi, strict=True):
                p -= eta * g  # 7
            x_prev = mu_t - s * gradient + sigma_t * _noise(size, y, generator)  # 8
        if callback is not None:
            number = schedule.T - t + 1
            image = to_display(x0_hat.detach())
            callback(Step(number, schedule.T, t, x_t, image, loss.item(), degradation.phi()))
        x_t = x_prev
    return to_display(x_t)  # 9


def time_grid(t_start, steps):
    """At most `steps` decreasing times from t_start to 1, quadratically denser near 1."""
    if steps < 1:
        raise ValueError(f"at least one step is needed, got {steps}")
    root = torch.linspace(t_start**0.5, 1, steps, dtype=torch.float64)
    return sorted({round(float(r**2)) for r in root}, reverse=True)


def usual_steps(degradation, samples=1):
    """How many steps `restore` takes unless told: 20, but one for noise alone, of which a single
    step is nearer to the scene than any more (benchmarks/noise_steps.py), unless several samples
    are asked for, which one step would make all the same."""
    return 1 if isinstance(degradation, GaussianNoise) and samples == 1 else 20


def restore(
    y,
    degradation,
    prior,
    steps=None,
    strength=1.0,
    samples=1,
    initial="photo",
    learn=True,
    perceptual=None,
    lambda2=1.0,
    start_sigma=None,
    zeta=None,
    generator=None,
    callback=None,
):
    """The practical form: few steps, a warm start, and a proximal step instead of a gradient.

    Each step denoises, x_{0|t} by Eq. (5), then solves for the image that agrees with the
    photo and stays near x_{0|t},

        x0 = argmin_z ||F(z) - y||^2 + rho_t ||z - x_{0|t}||^2,
        rho_t = sigma_n^2 / (strength * sigma_bar_t^2),

    and adds noise again, x_{t'} = sqrt(alpha_bar_t') x0 + sqrt(zeta (1 - alpha_bar_t')) eps.
    No gradient passes through the network. The proximal step is the one of DiffPIR (Zhu et
    al. 2023); adding only the share zeta of the noise's variance is not: x0 has an error of
    its own, which the network takes for noise, so that with zeta = 1 there is more noise in
    x_t' than the network is told.

    A photo that is only noisy (`GaussianNoise`) is a diffused image already: it is taken for
    the x_t whose noise is sigma_n / sqrt(strength), and Eq. (4) leads back from there, with zeta
    times its noise (the square of DDIM's eta), so that y is not used twice. One step, the default,
    is Eq. (5) alone, the mean; several, with zeta = 0, begin at 1.15 times the noise.

    y: (B, 3, h, w), display range. degradation: is left as it is; with a learnable Phi every
    chain (sample of a photo) has a copy, and `Degradation.fit` learns it on x_{0|t} in each
    step from sigma_bar_t = 1/2 downwards. ``degradation.requires_grad_(False)`` makes Phi known,
    and so does learn = False after it was set. initial: where Phi starts: "photo" (guessed
    from y; drawn from its posterior, where there is one, if samples > 1), "random" (as in the
    source) or "given" (as it is).
    steps: network calls at most, `usual_steps` by default. strength: unitless trust in the photo,
    larger follows it more closely. samples: how many, in one batch. perceptual: a function of an
    image that returns a scalar, see `gdp_lite.perceptual`; x_{0|t} takes a gradient step on it,
    -lambda2 sigma_bar_t^2 / 2 times the gradient, before the proximal step. start_sigma: noise
    level of the start, display range; the degradation's own by default. zeta: in [0, 1]; 0 is
    deterministic and near a posterior mean, 1 nearest to a sample. Even at 1 the spread over
    seeds is not the posterior's: it is smaller. generator: a CPU generator.
    Returns a `Restoration`. Raises ValueError for settings out of range and where y does not
    fit the degradation, before the first network call.
    """
    _check_photo(y, degradation)
    steps = usual_steps(degradation, samples) if steps is None else steps
    _check(steps, strength, samples, initial, zeta, start_sigma, lambda2)
    ys = y.detach().repeat(samples, 1, 1, 1)
    degradation.check_measurement(ys)
    schedule, chains = prior.schedule, len(ys)
    members = _members(degradation, ys, initial, samples > 1, generator)
    noise_only = isinstance(degradation, GaussianNoise)
    if noise_only and not degradation.sigma:
        raise ValueError("GaussianNoise with sigma = 0: there is nothing to restore")
    if zeta is None:
        zeta = 0.25 if not noise_only else float(samples > 1)
    with torch.no_grad():
        x0 = _each(members, lambda d, y: d.start(y), ys)
        again = _each(members, lambda d, x: d(x), x0)
    if again.shape != ys.shape:
        name = type(degradation).__name__
        raise ValueError(f"{name} makes {tuple(again.shape)} photos, y has {tuple(ys.shape)}")
    if perceptual is not None and lambda2:
        _check_perceptual(perceptual, x0)
    if noise_only:
        start = degradation.sigma / strength**0.5 * (1.0 if zeta or steps == 1 else ABOVE)
    else:
        start = max(d.start_sigma for d in members) if start_sigma is None else start_sigma
    times = time_grid(schedule.nearest_t(start), steps)
    if noise_only:
        x_t = float(schedule.alpha_bar[times[0]]) ** 0.5 * to_model(x0)
    else:
        x_t = add_noise(
            to_model(x0), times[0], zeta**0.5 * _noise(x0.shape, y, generator), schedule
        )
    trace = []
    for number, (t, t_next) in enumerate(zip(times, [*times[1:], 0], strict=True), 1):
        sigma_bar = float(schedule.sigma_bar[t])
        with torch.no_grad():
            x0_hat = to_display(predict_x0(x_t, t, prior.eps(x_t, t), schedule)).clamp(0, 1)
        if perceptual is not None and lambda2:
            x0_hat = _towards(perceptual, x0_hat, 0.5 * lambda2 * sigma_bar**2)
        if learn and sigma_bar <= PHI_FROM:
            for member, y_of, x_of in _split(members, ys, x0_hat):
                member.fit(y_of, x_of, sigma_bar)
        with torch.no_grad():
            x0, trust = x0_hat, strength * sigma_bar**2
            if not noise_only:
                x0 = _each(members, lambda d, x, y, v=trust: d.prox(x, y, _rho(d, v)), x0_hat, ys)
            loss = sum(float(fidelity_loss(b, d(a))) for d, a, b in _split(members, x0_hat, ys))
        phi = _stacked(members, chains)
        trace.append({"t": t, "sigma_bar": sigma_bar, "loss": loss, "phi": phi})
        if callback is not None:
            callback(Step(number, len(times), t, x_t, x0_hat, loss, phi))
        if t_next:
            noise = _noise(x0.shape, y, generator)
            if noise_only:
                x_t = _reverse(x_t, to_model(x0), t, t_next, zeta, noise, schedule)
            else:
                x_t = add_noise(to_model(x0), t_next, zeta**0.5 * noise, schedule)
    with torch.no_grad():
        residual = _each(members, lambda d, x, y: d.residual(x, y), x0, ys)
    shape = (samples, len(y))
    return Restoration(
        x0.view(*shape, *x0.shape[1:]),
        {name: value.view(*shape, *value.shape[1:]) for name, value in phi.items()},
        residual.view(shape),
        sum(d.sigma for d in members) / len(members),
        trace,
    )


def _check_photo(y, degradation):
    check_photo(y)
    low, high = (float(v) for v in y.detach().aminmax())
    if low < FAR[0] or high > FAR[1]:
        raise ValueError(f"y has {low:g} to {high:g}: display range is 0 to 1, divide by 255?")
    if not isinstance(degradation, Degradation):
        raise ValueError(f"a degradation of gdp_lite is needed, not {type(degradation).__name__}")
    if not degradation.sigma <= 1:
        raise ValueError(f"sigma {degradation.sigma:g} is no noise in display range, 0 to 1")


def _check(steps, strength, samples, initial, zeta, start_sigma, lambda2):
    settings = (strength, lambda2, *(v for v in (zeta, start_sigma) if v is not None))
    if not all(isinstance(value, Real) for value in settings):
        raise ValueError(f"strength, lambda2, zeta and start_sigma are numbers, not {settings}")
    if not 0 < strength < math.inf or not (zeta is None or 0 <= zeta <= 1):
        raise ValueError(f"strength must be positive and zeta in [0, 1], got {strength}, {zeta}")
    if not (start_sigma is None or 0 < start_sigma < math.inf) or not 0 <= lambda2 < math.inf:
        raise ValueError(f"start_sigma > 0 and lambda2 >= 0, please, not {start_sigma}, {lambda2}")
    if not all(isinstance(n, Integral) and n >= 1 for n in (steps, samples)):
        raise ValueError(f"at least one step and one sample, whole ones, not {steps}, {samples}")
    if initial not in ("photo", "random", "given"):
        raise ValueError(f'initial is "photo", "random" or "given", not {initial!r}')


def _check_perceptual(perceptual, image):
    """Whether such an image has one, with a gradient, before the first step depends on it."""
    try:
        with torch.enable_grad():
            value = perceptual(image.detach().requires_grad_())
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the perceptual term fails on {tuple(image.shape)}: {reason}") from error
    good = isinstance(value, torch.Tensor) and value.requires_grad and not value.ndim
    if not good or not bool(value.isfinite()):
        raise ValueError("a perceptual term is one finite number of shape () with a gradient")


def _rho(degradation, trust):
    return max(degradation.sigma**2 / trust, NO_NOISE)


def _members(degradation, ys, initial, spread, generator):
    """One degradation for all chains where Phi is known, else a copy for each."""
    if not any(p.requires_grad for p in degradation.parameters()):
        return [degradation]
    members = [copy.deepcopy(degradation) for _ in ys]
    for member, y in zip(members, ys, strict=True):
        member.check_measurement(y[None])  # a mask for each photo cannot be shared out
        if initial == "photo":
            member.initialise(y[None], generator=generator if spread else None)
        elif initial == "random":
            member.randomise(generator)
    return members


def _split(members, *images):
    """(degradation, its part of each batch), for every member."""
    parts = [[x] if len(members) == 1 else x.split(1) for x in images]
    return zip(members, *parts, strict=True)


def _each(members, function, *images):
    return torch.cat([function(*part) for part in _split(members, *images)])


def _stacked(members, chains):
    """Phi of all members by name, (chains, ...)."""
    phis = [member.phi() for member in members] * (chains // len(members))
    return {name: torch.stack([phi[name] for phi in phis]) for name in phis[0]}


def _towards(perceptual, image, step):
    """One gradient step down a perceptual loss."""
    with torch.enable_grad():
        image = image.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(perceptual(image), image)
    return (image - step * gradient).detach()


def _reverse(x_t, x0, t, t_next, zeta, noise, schedule):
    """From t to t_next through x0, Eq. (4) over several steps, with zeta times its variance."""
    now, then = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[t_next])
    eps_hat = (x_t - now**0.5 * x0) / (1 - now) ** 0.5
    var = zeta * (1 - then) / (1 - now) * (1 - now / then)
    return then**0.5 * x0 + (1 - then - var) ** 0.5 * eps_hat + var**0.5 * noise


def _noise(size, like, generator):
    """Standard normal noise, drawn on the CPU so that a seed gives the same noise everywhere."""
    return torch.randn(size, generator=generator, dtype=like.dtype).to(like.device)
