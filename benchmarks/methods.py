"""Samplers with the same prior, and tools without one, on ten known degradations.

    python benchmarks/methods.py --shared ../shared [--every 4] [--slow] [--tasks TASK ...] [--full]

Centre crops of the Kodak photos, 96 x 96 (256 x 256 with --full, for a GPU), simulated with fixed
seeds; one thread. A row of gdp_lite/book/results/methods.csv for each task, method, kind of
settings and photo: PSNR in dB, SSIM, HaarPSI, FSIM, network calls, processor seconds, and the
settings. What is there is not computed again, so that an interrupted or a shorter run (--every
takes each n-th photo only, --slow the methods with 100 calls or more as well) is gone on with:
remove rows to make them anew. Runs with other --tasks may go on at once. "documented" settings are
the papers' or their codes'; "best" those with the best mean PSNR of five, tried on two crops of the
validation photos. Methods are short loops after the papers, with the degradations' own `start` and
`prox`, so that all know the same:

    restore      this package's: the mean it gives by default, one draw; a draw with 20 calls where
                 the default has 8, and holes with 8 where it has 20
    DPIR         Zhang et al. 2021: prox, then the denoiser of the level that follows
    DiffPIR      Zhu et al. 2023: proximal step, the noise computed again from its result
    DDRM         Kawar et al. 2022: by singular value; where they are known
    DPS          Chung et al. 2023: ancestral step less the gradient of the misfit's norm
    PiGDM        Song et al. 2023: the network's Jacobian times the proximal correction
    DAPS         Zhang et al. 2024: five steps to x_0, Langevin steps given y, noise again
    RED-diff     Mardani et al. 2023: Adam on an image, the misfit and the weighted noise residual
    Algorithm 1  the source's

DPS, PiGDM and Algorithm 1 take 100 steps here (1000 and 100 in the papers), DAPS 20 levels of 5.
The slow ones compute in bfloat16 where the processor has it: ten runs differed from float32's by
less than 0.2 dB, those without the network's gradient by 0.03. About 4 minutes a photo for all
tasks on one slow core, 20 with --slow, and 20 once to search the slow ones' settings.

--stronger, 10 minutes with --every 2, asks what happens where the photo has more noise than is
told, as JPEGs have (luma 1.3 to 1.4 times what their mean over the channels tells): the two blurs,
noise 1, 1.2 and 1.4 times the sigma that the methods know, the settings of the table.
methods_stronger.csv has PSNR less that of `restore` with the same noise, paired, means and standard
errors.

--memory, 3 minutes, writes methods_memory.csv: what a fresh process needs beside the loaded prior
while it restores one crop, MiB, in one of each method's tasks; in float32.

--picture, a minute, reads the table and writes what its numbers look like: one crop under the
Gaussian blur, 192 x 192 of scikit-image's cat, by every method of the table but the slow ones, each
with that of its two settings which has the higher mean PSNR there. methods_picture.jpg holds the
images below each other, methods_picture.csv says which is which.
"""

import csv
import multiprocessing
import time
from contextlib import suppress
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from common import (
    arguments,
    as_image,
    centre_crops,
    diffpir,
    mean_and_error,
    noise,
    seeded,
    show,
    weight,
    wiener,
)
from PIL import Image
from skimage import data, restoration

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.algorithm import algorithm_1
from gdp_lite.book.metrics import psnr
from gdp_lite.book.respacing import respaced
from gdp_lite.book.results import FOLDER, load_results, save_results
from gdp_lite.degradations import (
    JPEG,
    BlockAverage,
    Blur,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    motion_kernel,
    random_mask,
)
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.precision import in_precision, quickest
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

repair_torchvision()
import piq  # noqa: E402  # which imports torchvision

SIZE, SMALL, FULL = 96, 48, 256
SHOWN, CROP = "Gaussian blur", (slice(54, 246), slice(90, 282))  # of the picture; a cat's eye
TIMES = (1.0, 1.2, 1.4)  # how many times as strong as told the noise of --stronger is
OUT = Path(FOLDER, "methods.csv")
COLUMNS = ("task", "method", "settings", "image", "psnr", "ssim", "haarpsi", "fsim")
COLUMNS = (*COLUMNS, "calls", "seconds", "chosen")


def operators(size):
    some, most = (
        random_mask(size, size, share, torch.Generator().manual_seed(seed))
        for seed, share in ((0, 0.25), (1, 0.9))
    )
    return {
        "Gaussian blur": GaussianBlur(9, 1.5, 5 / 255),
        "motion blur": Blur(motion_kernel(9, 30), 5 / 255),
        "blocks x2": BlockAverage(2, sigma=2 / 255),
        "blocks x4": BlockAverage(4, sigma=2 / 255),
        "25% missing": Inpainting(some, 2 / 255),
        "90% missing": Inpainting(most, 2 / 255),
        "noise 25": GaussianNoise(25 / 255),
        "noise 50": GaussianNoise(50 / 255),
        "JPEG 10": JPEG.from_quality(10),
        "JPEG 30": JPEG.from_quality(30),
    }


class Counted:
    """A prior that counts its calls."""

    def __init__(self, prior):
        self.prior, self.schedule, self.calls = prior, prior.schedule, 0

    def __call__(self, x, sigma):
        self.calls += 1
        return self.prior(x, sigma)

    def eps(self, x_t, t):
        self.calls += 1
        return self.prior.eps(x_t, t)


def even_levels(prior, steps):
    """The levels of `steps` times, evenly spaced from T to 1."""
    times = torch.linspace(prior.schedule.T, 1, steps).round().long().tolist()
    return [float(prior.schedule.sigma_bar[t]) for t in times]


def ours(y, F, prior, strength=1.0, draw=False, steps=None):
    return restore(y, F, prior, steps, strength, draw=draw, generator=seeded()).image


@torch.no_grad()
def one_call(y, F, prior, sigma):
    """The denoiser alone, on the first image."""
    return prior(F.start(y), F.sigma or sigma).clamp(0, 1)


@torch.no_grad()
def dpir(y, F, prior, share, start, steps=8):
    least = max(F.sigma, 1 / 255)
    levels = np.geomspace(max(start / 255, least), least, steps).tolist()
    x = F.start(y)
    for sigma in levels:
        x = prior(F.prox(x, y, weight(F, sigma**2 / share)), sigma).clamp(0, 1)
    return x


@torch.no_grad()
def ddrm(y, F, prior, eta, eta_b, steps=20):
    """Singular values that are known: a blur that is symmetric, blocks, masks, noise alone."""
    generator, by_value, levels = seeded(), spectrum(F), even_levels(prior, steps)
    data = by_value(F.A_adjoint(y), lambda s: torch.where(s > 0.03, 1 / s.clamp(min=1e-9) ** 2, 0))
    x = F.start(y) + levels[0] * noise(F.start(y), generator)
    for sigma, then in zip(levels, [*levels[1:], 0.0], strict=True):
        x0 = prior(x, sigma).clamp(0, 1)
        if not then:
            return x0
        eps_hat, fresh = (x - x0) / sigma, noise(x, generator)

        def of(s, kind, then=then):
            """What multiplies each part, for a singular value s: seen well, seen, not seen."""
            seen, error = s > 0.03, F.sigma / s.clamp(min=1e-9)  # of the photo, along s
            well = seen & (then >= error)
            partly = (1 - eta**2) ** 0.5 * then / error.clamp(min=1e-9)
            parts = {
                "data": (torch.full_like(s, eta_b), partly),
                "fresh": ((then**2 - (eta_b * error) ** 2).clamp(min=0).sqrt(), eta * then),
            }[kind]
            rest = {"data": 0.0, "fresh": eta * then}[kind]
            return torch.where(well, parts[0], torch.where(seen, parts[1], rest))

        towards = by_value(data - x0, partial(of, kind="data"))
        hidden = by_value(eps_hat, lambda s, then=then: (s <= 0.03) * (1 - eta**2) ** 0.5 * then)
        x = x0 + towards + hidden + by_value(fresh, partial(of, kind="fresh"))
    return x0


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


def guided(y, F, prior, step, eta, levels):
    """Steps of DDIM in display range; `step(x0_hat, x, sigma, sigma_next)` is what is added."""
    generator = seeded()
    x = F.start(y) + levels[0] * noise(F.start(y), generator)
    for sigma, then in zip(levels, [*levels[1:], 0.0], strict=True):
        x = x.detach().requires_grad_()
        x0_hat = prior(x, sigma).clamp(0, 1)
        added = step(x0_hat, x, sigma, then)
        x, x0_hat = x.detach(), x0_hat.detach()
        var = eta**2 * then**2 * (1 - then**2 / sigma**2)
        eps_hat = (x - x0_hat) / sigma
        x = x0_hat + (then**2 - var) ** 0.5 * eps_hat + var**0.5 * noise(x, generator) + added
    return x


def dps(y, F, prior, scale, steps=100):
    def step(x0_hat, x, sigma, then):
        misfit = 2 * (y - F(x0_hat)).flatten(1).norm(dim=1).sum()  # model range, as theirs
        [gradient] = torch.autograd.grad(misfit, x)
        # Theirs steps in x_t and model range; x is x_t / sqrt(alpha_bar_t), halved, so that a
        # gradient in x has half of a model range's factor, and x_(t-1) another scale.
        now, after = ((1 + 4 * s**2) ** -0.5 for s in (sigma, then))  # sqrt(alpha_bar)
        pixels = x.shape[-1] / 256  # of theirs; a norm's gradient falls with the root of pixels
        return -scale * pixels * gradient / (4 * now * after)

    return guided(y, F, prior, step, 1.0, even_levels(prior, steps))


def pigdm(y, F, prior, share, eta, steps=100):
    def step(x0_hat, x, sigma, then):
        trust = share * 0.25 * 4 * sigma**2 / (1 + 4 * sigma**2)  # r_t^2 of a unit variance
        with torch.no_grad():
            towards = F.prox(x0_hat, y, weight(F, trust)) - x0_hat
        [pulled] = torch.autograd.grad(x0_hat, x, towards)
        return pulled * (1 + 4 * then**2) ** 0.5

    return guided(y, F, prior, step, eta, even_levels(prior, steps))


@torch.no_grad()
def daps(y, F, prior, lr, tau, levels=20, inner=5, langevin=100):
    """Theirs: rho = 7, the last level 0.1 of a model range, `langevin` steps from the guess; lr and
    tau are in model range, too, and lr falls to a hundredth."""
    generator = seeded()
    start = float(prior.schedule.sigma_bar[-1])
    roots = np.linspace(start ** (1 / 7), 0.05 ** (1 / 7), levels) ** 7
    x0 = F.start(y)
    for number, sigma in enumerate(roots.tolist()):
        x = x0 + sigma * noise(x0, generator)
        line = [*np.linspace(sigma ** (1 / 7), 0.005 ** (1 / 7), inner) ** 7, 0.0]
        for now, then in pairwise(line):
            guess = prior(x, float(now)).clamp(0, 1)
            x = guess + then / now * (x - guess)
        x0, step = x, lr * (1 - 0.99 * number / levels) / 4  # a quarter: of display range
        for _ in range(langevin):
            score = F.A_adjoint(y - F.A(x0)) / (tau / 2) ** 2 + (x - x0) / sigma**2
            x0 = x0 + step * score + (2 * step) ** 0.5 * noise(x0, generator)
    return x0


def red_diff(y, F, prior, grad_weight, lr, steps=100):
    """Their weight of the noise residual is 1 / SNR's root; times fall from T to 1."""
    generator, image = seeded(), F.start(y).clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=lr, betas=(0.9, 0.99))
    for sigma in even_levels(prior, steps):
        eps = noise(image, generator)
        with torch.no_grad():
            x = image + sigma * eps
            eps_hat = (x - prior(x, sigma).clamp(0, 1)) / sigma
        model = 2 * image - 1  # their range
        misfit = 4 * (y - F(image)).square().sum() / 2
        inner = ((eps_hat - eps) * model).sum()
        optimiser.zero_grad()
        (misfit + grad_weight * 2 * sigma * inner).backward()
        optimiser.step()
    return image.detach()


class Fewer:
    """A trained prior that is asked at `steps` of its times only."""

    def __init__(self, prior, steps):
        self.prior = prior
        self.schedule, self.times = respaced(prior.schedule, steps)

    def eps(self, x_t, t):
        return self.prior.eps(x_t, self.times[t])


def source(y, F, prior, s, steps=100):
    return algorithm_1(y, F, Fewer(prior, steps), s=s, generator=seeded())


def each(y, function):
    arrays = y.permute(0, 2, 3, 1).double().numpy()
    return torch.cat([as_image(function(array)) for array in arrays])


def bicubic(y, F, prior):
    return F.start(y)


def kernel_of(F):
    return F.kernel.numpy() if F.kernel.ndim == 2 else torch.outer(F.kernel, F.kernel).numpy()


def wiener_filter(y, F, prior, balance):
    return each(y, lambda array: wiener(array, kernel_of(F), balance))


def richardson_lucy(y, F, prior, iterations):
    kernel, edge = kernel_of(F), len(F.kernel)

    def channel(a):
        wide = np.pad(a.clip(1e-3, 1), edge, mode="symmetric")
        return restoration.richardson_lucy(wide, kernel, iterations)[edge:-edge, edge:-edge]

    return each(y, lambda array: np.dstack([channel(array[..., c]) for c in range(3)]))


def biharmonic(y, F, prior):
    holes = F.mask.numpy() == 0
    return each(y, lambda a: restoration.inpaint_biharmonic(a, holes, channel_axis=-1))


def means(y, F, prior, h):
    settings = {"patch_size": 5, "patch_distance": 6, "sigma": F.sigma, "channel_axis": -1}
    return each(y, lambda a: restoration.denoise_nl_means(a, h=h * F.sigma, **settings))


def total_variation(y, F, prior, scale):
    return each(y, lambda a: restoration.denoise_tv_chambolle(a, scale * F.sigma, channel_axis=-1))


BLURS, BLOCKS = {"Gaussian blur", "motion blur"}, {"blocks x2", "blocks x4"}
HOLES, NOISE = {"25% missing", "90% missing"}, {"noise 25", "noise 50"}
LINEAR = BLURS | BLOCKS | HOLES | NOISE
ANY = LINEAR | {"JPEG 10", "JPEG 30"}
# name: function, tasks, names of the settings, the documented ones, four more to choose from. Slow
# ones have 100 calls or more.
FAST = {
    "restore": (ours, ANY, ("strength",), (1.0,), ((0.5,), (2.0,), (3.0,), (5.0,))),
    "restore, one draw": (ours, ANY, ("draw",), (True,), ()),
    # As many calls as the samplers beside it have: a draw 20 where it has 8, as DiffPIR and DDRM,
    # holes 8 where they have 20, as DPIR.
    "restore, one draw, 20 calls": (
        *(ours, ANY - HOLES - NOISE, ("draw", "steps"), (True, 20)),
        (),
    ),
    "restore, 8 calls": (ours, HOLES, ("steps",), (8,), ()),
    "one call": (one_call, ANY, ("sigma",), (3 / 255,), ()),
    "DPIR": (
        *(dpir, ANY, ("share", "start"), (0.23, 49)),
        ((0.1, 49), (0.5, 49), (0.23, 25), (0.23, 100)),
    ),
    "DiffPIR": (
        *(diffpir, ANY, ("share", "zeta"), (7.0, 0.3)),
        ((1.0, 0.3), (1.0, 1.0), (0.25, 0.3), (0.25, 1.0)),
    ),
    "DDRM": (
        *(ddrm, LINEAR - {"motion blur"}, ("eta", "eta_b"), (0.85, 1.0)),
        ((1.0, 1.0), (0.5, 1.0), (0.0, 1.0), (0.85, 0.5)),
    ),
    "Wiener": (wiener_filter, BLURS, ("balance",), (0.1,), ((0.03,), (0.3,), (1.0,), (3.0,))),
    "Richardson-Lucy": (richardson_lucy, BLURS, ("iterations",), (10,), ((3,), (5,), (8,), (20,))),
    "biharmonic": (biharmonic, HOLES, (), (), ()),
    "bicubic": (bicubic, BLOCKS, (), (), ()),
    "NLM": (means, NOISE, ("h",), (0.8,), ((0.4,), (0.6,), (1.0,), (1.2,))),
    "TV": (total_variation, NOISE, ("scale",), (1.0,), ((0.5,), (0.7,), (1.5,), (2.0,))),
}
SLOW = {
    "DPS": (dps, LINEAR, ("scale",), (0.3,), ((1.0,), (3.0,), (10.0,), (30.0,))),
    "PiGDM": (
        *(pigdm, ANY, ("share", "eta"), (1.0, 1.0)),
        ((0.25, 1.0), (4.0, 1.0), (1.0, 0.0), (4.0, 0.0)),
    ),
    "DAPS": (
        *(daps, LINEAR, ("lr", "tau"), (1e-4, 0.01)),
        ((1e-5, 0.01), (1e-4, 0.04), (1e-5, 0.04), (1e-4, 0.1)),
    ),
    "RED-diff": (
        *(red_diff, ANY, ("grad_weight", "lr"), (0.25, 0.05)),
        ((0.25, 0.02), (1.0, 0.02), (4.0, 0.02), (1.0, 0.05)),
    ),
    "Algorithm 1": (source, LINEAR, ("s",), (1.0,), ((0.25,), (0.5,), (2.0,), (4.0,))),
}


def best(task, method, held_back, prior, chosen):
    """The settings with the best mean PSNR on two photos held back; those found before, if any."""
    function, _, names, usual, others = (FAST | SLOW)[method]
    if (task, method) not in chosen:
        F = operators(SMALL)[task].requires_grad_(False)
        y, scores = F.simulate(held_back, seeded(3)).detach(), {}
        for values in (usual, *others):
            result = function(y, F, prior, **dict(zip(names, values, strict=True)))
            scores[values] = float(psnr(result, held_back).nan_to_num(0).mean())
        chosen[task, method] = max(scores, key=scores.get)
        print(task, method, {k: round(v, 2) for k, v in scores.items()}, flush=True)
    return chosen[task, method]


def scored(x, result):
    images = result.nan_to_num(0).clamp(0, 1), x
    row = {"psnr": float(psnr(result.nan_to_num(0), x)), "ssim": float(piq.ssim(*images))}
    return row | {"haarpsi": float(piq.haarpsi(*images)), "fsim": float(piq.fsim(*images))}


def written(names, values):
    return ", ".join(f"{k} {v:g}" for k, v in zip(names, values, strict=True) if v is not None)


def read(names_of):
    """Keys of the rows that are there, and the best settings that they tell."""
    done, chosen = set(), {}
    with suppress(FileNotFoundError), open(OUT, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            done.add((row["task"], row["method"], row["settings"], row["image"]))
            if row["settings"] == "best" and row["method"] in names_of:
                _, _, names, usual, others = names_of[row["method"]]
                for values in (usual, *others):
                    if written(names, values) == row["chosen"]:
                        chosen[row["task"], row["method"]] = values
    return done, chosen


def in_table(method):
    """Settings of a method for the picture's task: of the two, those with the higher mean."""
    _, _, names, usual, others = (FAST | SLOW)[method]
    rows = [r for r in load_results("methods") if (r["task"], r["method"]) == (SHOWN, method)]
    scores = {
        kind: np.mean([r["psnr"] for r in rows if r["settings"] == kind])
        for kind in {r["settings"] for r in rows}
    }
    kind = "documented" if method == "restore" else max(scores, key=scores.get)  # ours as it comes
    told = next(r["chosen"] for r in rows if r["settings"] == kind)
    values = {written(names, v): v for v in (usual, *others)}[told]
    return kind, dict(zip(names, values, strict=True))


def picture(prior):
    """methods_picture.jpg and .csv."""
    x = from_uint8(data.chelsea()[CROP])
    F = operators(x.shape[-1])[SHOWN].requires_grad_(False)
    y = F.simulate(x, seeded(1)).detach()
    images, rows = [x, y], [{"image": "scene"}, {"image": "photo"}]
    for method, (function, tasks, *_) in FAST.items():
        if SHOWN in tasks:
            kind, settings = in_table(method)
            prior.calls = 0
            images.append(function(y, F, prior, **settings).clamp(0, 1))
            told = written(settings, settings.values())
            rows.append({"image": method, "settings": kind, "chosen": told, "calls": prior.calls})
    for row, image in zip(rows, images, strict=True):
        row["psnr"] = "" if image is x else round(float(psnr(image, x)), 2)
        print(row, flush=True)
    keys = ("image", "settings", "chosen", "calls", "psnr")
    save_results("methods_picture", [{k: row.get(k, "") for k in keys} for row in rows])
    sheet = Image.fromarray(to_uint8(torch.cat(images, -2)))
    sheet.save(OUT.with_name("methods_picture.jpg"), quality=94, subsampling=0)


def stronger(crops, prior):
    """methods_stronger.csv."""
    _, chosen = read(FAST)
    ways = [("restore", "documented"), ("restore", "strength 2"), ("DPIR", "documented")]
    ways += [("DPIR", "best"), ("DiffPIR", "documented"), ("DiffPIR", "best")]
    tasks = [(task, F) for task, F in operators(SIZE).items() if task in BLURS]
    rows = []
    for (task, F), times in product(tasks, TIMES):
        F.requires_grad_(False)
        told, scores = F.sigma, {way: [] for way in ways}
        for _, x in crops:
            F.sigma = times * told
            y = F.simulate(x, seeded(1)).detach()
            F.sigma = told
            for method, settings in ways:
                function, _, names, usual, _ = FAST[method]
                values = {"documented": usual, "strength 2": (2.0,)}.get(settings)
                values = dict(zip(names, values or chosen[task, method], strict=True))
                scores[method, settings].append(float(psnr(function(y, F, prior, **values), x)))
        for (method, settings), got in scores.items():
            gap, error = mean_and_error(np.subtract(got, scores[ways[0]]))
            row = {"task": task, "noise": times, "method": method, "settings": settings}
            row |= {"psnr": float(np.mean(got)), "minus_restore": gap, "error": error}
            rows.append(row)
            show(row)
    save_results("methods_stronger", rows)


def peak(task, method, x):
    """How many MiB more this process needs for one restoration. After a first call of the network,
    so that what is loaded once does not count."""
    torch.set_num_threads(1)
    prior, F = Counted(load_prior()), operators(SIZE)[task].requires_grad_(False)
    function, _, names, usual, _ = (FAST | SLOW)[method]
    y = F.simulate(x, seeded(1)).detach()
    prior(x[..., :8, :8], 0.1)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the highest so far is forgotten
    before = memory("VmRSS")
    function(y, F, prior, **dict(zip(names, usual, strict=True)))
    return memory("VmHWM") - before


def memory(key):
    """MiB of this process, on Linux: VmRSS now, VmHWM at most since it was last forgotten."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def memories(x):
    """methods_memory.csv."""
    rows = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for method, (_, tasks, *_) in (FAST | SLOW).items():
            task = min(tasks)
            needed = pool.apply(peak, (task, method, x))
            rows.append({"method": method, "memory": needed, "task": task})
            show(rows[-1])
    save_results("methods_memory", rows)


def main():
    parser = arguments(__doc__, "eval/kodak24, train/val")
    parser.add_argument("--every", type=int, default=1, help="each n-th photo only")
    parser.add_argument("--slow", action="store_true", help="methods with 100 calls as well")
    parser.add_argument("--tasks", nargs="*", choices=operators(SMALL), help="these alone")
    parser.add_argument("--full", action="store_true", help=f"{FULL} x {FULL} crops, on a GPU")
    parser.add_argument("--stronger", action="store_true", help="more noise than is told, alone")
    parser.add_argument("--memory", action="store_true", help="what each method needs, alone")
    parser.add_argument("--picture", action="store_true", help="one crop by all methods, alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.picture:
        picture(Counted(load_prior()))
        return
    if args.stronger or args.memory:
        crops = list(centre_crops(f"{args.shared}/eval/kodak24", SIZE))[:: args.every]
        stronger(crops, load_prior()) if args.stronger else memories(crops[0][1])
        return
    size, device = (FULL, "cuda") if args.full else (SIZE, "cpu")
    methods = FAST | SLOW if args.slow or args.full else FAST
    prior = load_prior(device=device)
    quick = Counted(in_precision(prior, quickest(prior)))
    prior = Counted(prior)
    crops = list(centre_crops(f"{args.shared}/eval/kodak24", size))[:: args.every]
    held_back = [x for _, x in centre_crops(f"{args.shared}/train/val", SMALL)]
    held_back = torch.cat([held_back[40], held_back[120]]).to(device)
    done, chosen = read(FAST | SLOW)
    new = not OUT.exists()
    with open(OUT, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        for name, x in crops:
            x = x.to(device)
            for task, F in operators(size).items():
                if args.tasks and task not in args.tasks:
                    continue
                F.requires_grad_(False).to(device)
                y = F.simulate(x, seeded(1)).detach()
                for method, (function, tasks, names, usual, others) in methods.items():
                    found = {}  # by settings
                    for kind in ("documented", "best") if others else ("documented",):
                        if task not in tasks or (task, method, kind, name) in done:
                            continue
                        values, by = usual, quick if method in SLOW else prior
                        if kind == "best":
                            values = best(task, method, held_back, by, chosen)
                        if values not in found:
                            by.calls, began = 0, time.process_time()
                            result = function(y, F, by, **dict(zip(names, values, strict=True)))
                            seconds = round(time.process_time() - began, 2)
                            scores = {k: round(v, 4) for k, v in scored(x, result).items()}
                            found[values] = scores | {"calls": by.calls, "seconds": seconds}
                        row = {"task": task, "method": method, "settings": kind, "image": name}
                        row |= found[values]
                        writer.writerow(row | {"chosen": written(names, values)})
                        file.flush()
                print(name, task, flush=True)


if __name__ == "__main__":
    main()
