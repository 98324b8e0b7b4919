"""The practical sampler: few steps, and agreement with the photo solved instead of stepped towards.

A state is an image in display range with white noise of standard deviation sigma. Both generators
read like Algorithm 1 with its lines exchanged: denoise, agree with the photo, put noise back.
"""

import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from gdp_lite.chains import Chains
from gdp_lite.degradations import Degradation
from gdp_lite.image import check_photo
from gdp_lite.policy import ABOVE, PHI_FROM, POLICY, check_settings, error_of_draws
from gdp_lite.prior import Denoiser, schedule_of
from gdp_lite.schedule import sigma_grid
from gdp_lite.step import Restoration, Step
from gdp_lite.tiling import fitted, how_seen

FAR = (-10.0, 70.0)  # no photo in display range lies beyond, whatever its exposure


def proximal_steps(
    chains: Chains,
    x0: Tensor,
    denoiser: Denoiser,
    sigmas: list[float],
    strength: float,
    zeta: float,
    learn: bool,
    draw: bool,
    noise: Callable[[], Tensor],
) -> Iterator[tuple[float, Tensor, Tensor, Tensor]]:
    """Yields (sigma, x, x_{0|t}, x_0) for every level, the guess before and after the photo."""
    x, share = x0 + zeta**0.5 * sigmas[0] * noise(), error_of_draws(len(sigmas))
    for sigma, sigma_next in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        with torch.no_grad():
            x0_hat = denoiser(x, sigma).clamp(0, 1)  # denoise: Eq. (5)
        if learn and sigma <= PHI_FROM:
            chains.fit(x0_hat, sigma)  # learn Phi: line 7
        agree = chains.draw if draw else chains.prox
        trust = share * sigma**2 if draw else max(4 * (1 - zeta) * sigma_next**2, sigma**2)
        x0 = agree(x0_hat, strength * trust)  # agree with the photo
        yield sigma, x, x0_hat, x0
        if sigma_next:
            x = x0 + zeta**0.5 * sigma_next * noise()  # put noise back: Eq. (2)


def denoising_steps(
    x: Tensor, denoiser: Denoiser, sigmas: list[float], zeta: float, noise: Callable[[], Tensor]
) -> Iterator[tuple[float, Tensor, Tensor, Tensor]]:
    """The same for a photo x that is a state itself: Eq. (4) leads back, y is not used twice."""
    for sigma, sigma_next in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        with torch.no_grad():
            x0 = denoiser(x, sigma).clamp(0, 1)
        yield sigma, x, x0, x0
        if sigma_next:
            eps_hat = (x - x0) / sigma
            var = zeta * sigma_next**2 * (1 - sigma_next**2 / sigma**2)
            x = x0 + (sigma_next**2 - var) ** 0.5 * eps_hat + var**0.5 * noise()


def restore(
    y: Tensor,
    degradation: Degradation,
    prior: Denoiser,
    steps: int | None = None,
    strength: float = 1.0,
    samples: int = 1,
    initial: str = "photo",
    learn: bool = True,
    start_sigma: float | None = None,
    zeta: float | None = None,
    draw: bool = False,
    generator: Generator | None = None,
    callback: Callable[[Step], object] | None = None,
) -> Restoration:
    """Restore photos: few steps, a warm start, and a proximal step instead of a gradient.

    Each step denoises, x_{0|t} = prior(x, sigma), then solves for the image that agrees with the
    photo and stays near x_{0|t}, with rho = sigma_n^2 / (strength r^2),

        x_0 = argmin_z ||F(z) - y||^2 + rho ||z - x_{0|t}||^2,

    and adds noise again, x = x_0 + sqrt(zeta) sigma' n. No gradient passes through the network. The
    proximal step is DiffPIR's (Zhu et al. 2023), the trust is not: at no frequency is the photo's
    noise in x_0 above r / 2, and r^2 = 4 (1 - zeta) sigma'^2 leaves it room, beside the new noise,
    in the next level sigma'. It is sigma^2 at least, as at the last level.

    Where there is nothing but white noise (``degradation.noise_only``), the photo is a diffused
    image already: it is taken for a state with noise sigma_n / sqrt(strength), and Eq. (4) leads
    back from there, with zeta times its noise (the square of DDIM's eta). One step, the default,
    is Eq. (5) alone, the mean; several, with zeta = 0, begin at `policy.ABOVE` times the noise.

    Parameters
    ----------
    y : (B, 3, h, w), display range.
    degradation : left as it is. With a learnable Phi every chain (sample of a photo) has a copy,
        and `Degradation.fit` learns it on x_{0|t} from sigma = `policy.PHI_FROM` downwards.
        ``degradation.requires_grad_(False)`` makes Phi known.
    prior : any function of an image and a noise level, see `Denoiser`. One with a native size is
        shown that size, in tiles or padded, and a warning says so.
    steps : network calls at most. `policy.POLICY` has the defaults of each kind.
    strength : unitless trust in the photo; larger follows it more closely.
    samples : how many of each photo, in one batch.
    initial : where Phi starts: "photo" (guessed from y; drawn from its posterior, where there is
        one, if samples > 1), "random" (as in the source) or "given" (as it is).
    learn : whether Phi is learned after that.
    start_sigma : noise level of the first step, display range.
    zeta : share of the noise's variance that is put back; 0 is deterministic.
    draw : take each x_0 from the Gaussian posterior of guess and photo, with zeta = 1 and r^2 =
        `policy.error_of_draws` sigma^2: the scene then lies among the samples about as often as it
        should. With less strength they are sharper and nearer to each other.
    generator : a CPU generator, so that a seed gives the same picture everywhere.
    callback : called with a `Step` after every step.

    Returns
    -------
    A `Restoration`.

    Raises
    ------
    ValueError : for settings out of range and where y does not fit the degradation, in one line,
        before the first network call.

    Examples
    --------
    >>> from gdp_lite.degradations import GaussianNoise
    >>> towards_grey = lambda x, sigma: 0.5 + (x - 0.5) / (1 + 4 * sigma)
    >>> result = restore(torch.zeros(1, 3, 8, 8), GaussianNoise(0.05), towards_grey)
    >>> round(float(result.image.mean()), 2)
    0.08
    """
    _check_photo(y, degradation)
    usual = POLICY[degradation.kind].recipe(samples != 1, draw)
    steps = usual[0] if steps is None else steps
    start_sigma = usual[1] if start_sigma is None else start_sigma
    zeta = usual[2] if zeta is None else zeta
    check_settings(steps, strength, samples, initial, zeta, start_sigma)
    ys = y.detach().repeat(samples, 1, 1, 1)
    degradation.check_measurement(ys)
    if degradation.noise_only and not degradation.sigma:
        raise ValueError("noise with sigma = 0: there is nothing to restore")
    chains = Chains(degradation, ys, initial, samples > 1, generator)
    x0 = chains.start()
    if (again := chains.photos(x0)).shape != ys.shape:
        name = type(degradation).__name__
        raise ValueError(
            f"{name} makes {tuple(again.shape)} photos of {tuple(x0.shape)}, as its start(y) has "
            f"them, and y has {tuple(ys.shape)}"
        )

    if (shown := fitted(prior)) is not prior:
        if line := how_seen(prior, *x0.shape[-2:]):
            warnings.warn(line, stacklevel=2)
        prior = shown

    def noise() -> Tensor:  # drawn on the CPU, so that a seed gives the same noise everywhere
        return torch.randn(x0.shape, generator=generator, dtype=y.dtype).to(y.device)

    if start_sigma is None:  # the photo's own noise
        start_sigma = degradation.sigma / strength**0.5 * (1.0 if zeta or steps == 1 else ABOVE)
    sigmas = sigma_grid(schedule_of(prior), start_sigma, steps)
    if degradation.noise_only:
        walk = denoising_steps(x0, prior, sigmas, zeta, noise)
    else:
        walk = proximal_steps(chains, x0, prior, sigmas, strength, zeta, learn, draw, noise)
    trace: list[dict] = []
    for number, (sigma, x, x0_hat, x0) in enumerate(walk, 1):  # noqa: B007
        trace.append({"sigma": sigma, "loss": chains.loss(x0_hat), "phi": chains.phi()})
        if callback is not None:
            callback(Step(number, len(sigmas), state=x, x0_hat=x0_hat, **trace[-1]))
    shape = (samples, len(y))
    return Restoration(
        x0.view(*shape, *x0.shape[1:]),
        {name: value.view(*shape, *value.shape[1:]) for name, value in chains.phi().items()},
        chains.residual(x0).view(shape),
        chains.sigma,
        trace,
    )


def _check_photo(y: Tensor, degradation: Degradation) -> None:
    check_photo(y)
    low, high = (float(v) for v in y.detach().aminmax())
    if low < FAR[0] or high > FAR[1]:
        raise ValueError(f"y has {low:g} to {high:g}: display range is 0 to 1, divide by 255?")
    if not isinstance(degradation, Degradation):
        raise ValueError(f"a degradation of gdp_lite is needed, not {type(degradation).__name__}")
    if degradation.kind not in POLICY:
        raise ValueError(f"kind is one of {', '.join(POLICY)}, not {degradation.kind!r}")
    if not degradation.sigma <= 1:
        raise ValueError(f"sigma {degradation.sigma:g} is no noise in display range, 0 to 1")
