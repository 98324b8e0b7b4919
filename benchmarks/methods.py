"""Other samplers with the same prior, and methods without one, on three degradations.

    python benchmarks/methods.py --shared ../shared

96 x 96 centre crops of every fourth Kodak photo, known degradations, fixed seeds, one thread. Every
method's settings are those with the best mean PSNR on two centre crops (48 x 48; 24 for methods
without a network) of the validation photos, best of six or more for every sampler; the rows
"restore" have their defaults, one of them with zeta = 1. The samplers are short loops after the
papers, from pure noise, `restore` excepted. Their times are evenly spaced as in the papers' codes,
or their roots are, whichever is better on those crops (DiffPIR and `restore`: the roots):

    DPS          Chung et al. 2023: ancestral step, minus a constant times the gradient of the
                 misfit's norm, through the network; the constant as for 48 x 48
    DDNM         Wang et al. 2023: null-space step, by singular value where the noise is known,
                 85% of the new noise fresh, as in their code, or none
    DiffPIR      Zhu et al. 2023: proximal step, the noise computed again from its result
    Algorithm 1  the source's, as `gdp_lite.sampler.algorithm_1`

Writes gdp_lite/results/methods.csv: network calls, processor seconds a photo, PSNR in dB with its
standard error, and the paired difference from "restore": mean, its standard error, median, and the
photos where it is worst and best. About 45 minutes on one slow core.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from first_restoration import as_image, centre_crops, wiener
from skimage import restoration

from gdp_lite.degradations import BlockAverage, GaussianBlur, Inpainting, random_mask
from gdp_lite.diffusion import (
    add_noise,
    posterior_mean,
    posterior_std,
    predict_eps,
    predict_x0,
    to_display,
    to_model,
)
from gdp_lite.metrics import psnr
from gdp_lite.prior import load_prior
from gdp_lite.results import save_results
from gdp_lite.sampler import algorithm_1, restore, time_grid
from gdp_lite.schedule import NoiseSchedule

SIZE, SMALL = 96, 48


class Fewer:
    """A trained prior that is asked at `steps` of its times only; roots: theirs evenly spaced."""

    def __init__(self, prior, steps, roots):
        T = prior.schedule.T
        even = torch.linspace(0, T, steps + 1).round().long().tolist()
        self.prior, self.times = prior, [0, *time_grid(T, steps)[::-1]] if roots else even
        alpha_bar = prior.schedule.alpha_bar[self.times]
        self.schedule = NoiseSchedule.from_betas(1 - alpha_bar[1:] / alpha_bar[:-1])

    def eps(self, x_t, t):
        return self.prior.eps(x_t, self.times[t])


def operators(size):
    mask = random_mask(size, size, generator=torch.Generator().manual_seed(0))
    return {
        "block average 4": BlockAverage(4, sigma=2 / 255),
        "Gaussian blur": GaussianBlur(9, 1.5, 5 / 255),
        "25% missing": Inpainting(mask, 2 / 255),
    }


def seeded(number):
    return torch.Generator().manual_seed(number)


def noise(like, generator):
    return torch.randn(like.shape, generator=generator)


def estimate(x_t, t, prior):
    return predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule).clamp(-1, 1)


def dps(y, F, prior, step, roots, steps=100):
    prior, generator = Fewer(prior, steps, roots), seeded(2)
    x_t = noise(F.start(y), generator)
    for t in range(prior.schedule.T, 0, -1):
        x_t.requires_grad_()
        x0_hat = estimate(x_t, t, prior)
        misfit = (y - F(to_display(x0_hat))).flatten(1).norm(dim=1).sum()
        [gradient] = torch.autograd.grad(misfit, x_t)
        x_t, x0_hat = x_t.detach(), x0_hat.detach()
        mean = posterior_mean(x0_hat, x_t, t, prior.schedule)
        fresh = float(posterior_std(t, prior.schedule)) * noise(x_t, generator)
        # the gradient of a norm falls with the root of the number of pixels: the same at any size
        x_t = mean + fresh - step * (x_t.shape[-1] / SMALL) * gradient
    return to_display(x_t)


@torch.no_grad()
def ddnm(y, F, prior, noise_known, share, roots, threshold=0.03, steps=100):
    """noise_known: 1, or 0 for the form without noise. threshold: smaller singular values are 0."""
    prior, generator, by_value = Fewer(prior, steps, roots), seeded(2), spectrum(F)
    x_t, schedule = noise(F.start(y), generator), prior.schedule
    for t in range(schedule.T, 0, -1):
        x0_hat = estimate(x_t, t, prior)
        eps_hat = predict_eps(x_t, t, x0_hat, schedule)
        then = float(schedule.alpha_bar[t - 1])
        level, sigma_y = (1 - then) ** 0.5, then**0.5 * 2 * F.sigma * noise_known  # model range

        def step(s, level=level, sigma_y=sigma_y):  # towards the photo, for a singular value s
            whole = 1 / s.clamp(min=1e-9)
            part = torch.clamp(whole, max=level / sigma_y) if sigma_y else whole
            return torch.where(s > threshold, part, 0)

        def left(s, level=level, sigma_y=sigma_y, step=step):  # of the noise; the photo has some
            return (level**2 - (sigma_y * step(s)) ** 2).clamp(min=0).sqrt()

        back = F.A_adjoint(y - F(to_display(x0_hat)))  # has one factor s, which is divided out
        towards = by_value(back, lambda s, step=step: step(s) / s.clamp(min=1e-9))
        fresh = share * noise(x_t, generator) + (1 - share**2) ** 0.5 * eps_hat
        x_t = then**0.5 * (x0_hat + 2 * towards) + by_value(fresh, left)
    return to_display(x_t)


def spectrum(F):
    """by_value(x, f): V f(S) V^T x, with the singular vectors V and values S of F."""
    if isinstance(F, GaussianBlur):

        def by_value(x, f):
            n = x.shape[-1]
            k, j = torch.arange(n)[:, None], torch.arange(n)
            cosines = torch.cos(torch.pi * k * (j + 0.5) / n) * (2 / n) ** 0.5
            cosines[0] /= 2**0.5  # orthonormal
            gain = F._gain(2 * n, x)[:n].abs()
            values = gain[:, None] * gain
            return cosines.T @ (f(values) * (cosines @ x @ cosines.T)) @ cosines

        return by_value
    value = 1 / F.factor if isinstance(F, BlockAverage) else 1.0

    def by_value(x, f):
        seen = F.A_adjoint(F.A(x)) / value**2  # the projection onto what F sees
        seen_by, hidden_by = f(torch.tensor([value, 0.0]))
        return seen_by * seen + hidden_by * (x - seen)

    return by_value


@torch.no_grad()
def diffpir(y, F, prior, weight, zeta, steps=50):
    schedule, generator = prior.schedule, seeded(2)
    x_t, times = noise(F.start(y), generator), time_grid(schedule.T, steps)
    for t, t_next in zip(times, [*times[1:], 0], strict=True):
        rho = weight * F.sigma**2 / float(schedule.sigma_bar[t]) ** 2
        x0 = to_model(F.prox(to_display(estimate(x_t, t, prior)), y, rho))
        eps_hat = predict_eps(x_t, t, x0, schedule)
        fresh = (1 - zeta) ** 0.5 * eps_hat + zeta**0.5 * noise(x_t, generator)
        x_t = add_noise(x0, t_next, fresh, schedule)
    return to_display(x_t)


def source(y, F, prior, s, roots, steps=100):
    return algorithm_1(y, F, Fewer(prior, steps, roots), s=s, generator=seeded(2))


def ours(y, F, prior, strength=1.0, zeta=None):
    return restore(y, F, prior, strength=strength, zeta=zeta, generator=seeded(2)).image


def each(y, function):
    arrays = y.permute(0, 2, 3, 1).double().numpy()
    return torch.cat([as_image(function(array)) for array in arrays])


def bicubic(y, F, prior):
    return F.start(y)


def wiener_filter(y, F, prior, balance):
    kernel = torch.outer(F.kernel, F.kernel).numpy()
    return each(y, lambda array: wiener(array, kernel, balance))


def richardson_lucy(y, F, prior, iterations):
    kernel = torch.outer(F.kernel, F.kernel).numpy()
    edge = len(kernel)

    def channel(a):
        wide = np.pad(a.clip(1e-3, 1), edge, mode="symmetric")
        return restoration.richardson_lucy(wide, kernel, iterations)[edge:-edge, edge:-edge]

    return each(y, lambda array: np.dstack([channel(array[..., c]) for c in range(3)]))


def biharmonic(y, F, prior):
    holes = F.mask.numpy() == 0
    return each(y, lambda a: restoration.inpaint_biharmonic(a, holes, channel_axis=-1))


BOTH = (0, 1)
NULL_SPACE = {"noise_known": BOTH, "share": (0.0, 0.85), "roots": BOTH}
# name: function, network calls, settings to choose from, the degradations it is for (all: None)
METHODS = {
    "restore": (ours, 20, {}, None),
    "restore, zeta 1": (ours, 20, {"strength": (1.0,), "zeta": (1.0,)}, None),
    "restore, tuned": (ours, 20, {"strength": (1.0, 3.0), "zeta": (0.0, 0.25, 1.0)}, None),
    "DiffPIR": (diffpir, 50, {"weight": (0.3, 1.0, 4.0), "zeta": (0.3, 1.0)}, None),
    "DDNM": (ddnm, 100, NULL_SPACE, None),
    "DPS": (dps, 100, {"step": (1.0, 3.0, 9.0), "roots": BOTH}, None),
    "Algorithm 1": (source, 100, {"s": (0.5, 1.0, 2.0, 4.0), "roots": BOTH}, None),
    "bicubic": (bicubic, 0, {}, "block average 4"),
    "Wiener": (wiener_filter, 0, {"balance": (0.03, 0.1, 0.3, 1.0, 3.0)}, "Gaussian blur"),
    "Richardson-Lucy": (richardson_lucy, 0, {"iterations": (3, 5, 8, 12, 20)}, "Gaussian blur"),
    "biharmonic": (biharmonic, 0, {}, "25% missing"),
}


def tuned(task, method, held_back, prior):
    """The settings with the best mean on photos held back, {} where there are none to choose."""
    function, calls, settings, _ = METHODS[method]
    if not settings:
        return {}
    x, F = held_back[:2] if calls else held_back, operators(SMALL)[task]
    y, scores = F.simulate(x, seeded(3)), {}
    for values in itertools.product(*settings.values()):
        scores[values] = float(psnr(function(y, F, prior, *values), x).nan_to_num(0).mean())
        print(task, method, values, round(scores[values], 2), flush=True)
    return dict(zip(settings, max(scores, key=scores.get), strict=True))


def measured(task, x, held_back, prior):
    """The rows of one degradation."""
    F, n, usual = operators(SIZE)[task], len(x) ** 0.5, None
    y = F.simulate(x, seeded(1))
    for method, (function, calls, _, only) in METHODS.items():
        if only not in (None, task):
            continue
        settings = tuned(task, method, held_back, prior)
        began = time.process_time()
        scores = psnr(function(y, F, prior, **settings), x).double()
        seconds = (time.process_time() - began) / len(x)
        usual = scores if usual is None else usual
        gap = scores - usual
        row = {"task": task, "method": method, "calls": calls, "seconds": seconds}
        row |= {"psnr": float(scores.mean()), "psnr_error": float(scores.std() / n)}
        row |= {"minus_restore": float(gap.mean()), "error": float(gap.std() / n)}
        row |= {"median": float(gap.quantile(0.5))}
        row |= {"worst": float(gap.min()), "best": float(gap.max())}
        row["settings"] = ", ".join(f"{k} {v:g}" for k, v in settings.items())
        print(row, flush=True)
        yield row


def photos(shared):
    """The crops that are measured, and those that the settings are chosen on."""
    x = torch.cat([x for _, x in centre_crops(f"{shared}/eval/kodak24", SIZE)][::4])
    held_back = [x for _, x in centre_crops(f"{shared}/train/val", SMALL)]
    return x, torch.cat(held_back[:: len(held_back) // 24][:24])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24, train/val")
    args = parser.parse_args()
    torch.set_num_threads(1)
    x, held_back = photos(args.shared)
    save_results(
        "methods",
        [row for task in operators(SIZE) for row in measured(task, x, held_back, load_prior())],
    )


if __name__ == "__main__":
    main()
