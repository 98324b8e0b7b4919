"""What `restore` and `algorithm_1` gave, in float64, before the package was rebuilt.

`CASES` names every degradation with the settings that it is run with; `results` runs one of them on
a small scene with a Wiener filter as the prior and returns a few numbers, which tests/frozen.json
keeps. tests/test_frozen.py compares. Where a result is changed on purpose, its numbers are made
anew by `python tests/frozen.py NAME ...`, and the commit says why.
"""

import json
import math
import sys
from pathlib import Path

import torch

STORED = Path(__file__).with_name("frozen.json")
SIZE = 40


class Wiener:
    """E[x_0 | x_0 + sigma n = x] for a stationary Gaussian scene; also as a noise predictor."""

    multiple = 1

    def __init__(self, schedule):
        self.schedule = schedule

    def __call__(self, x, sigma):
        rows = torch.fft.fftfreq(x.shape[-2], dtype=x.dtype)[:, None]
        columns = torch.fft.rfftfreq(x.shape[-1], dtype=x.dtype)
        power = 0.002 / (rows.square() + columns.square() + 0.0005)
        sigma = torch.as_tensor(sigma, dtype=x.dtype).reshape(-1, 1, 1, 1)
        share = power / (power + sigma**2)
        return 0.45 + torch.fft.irfft2(share * torch.fft.rfft2(x - 0.45), s=x.shape[-2:])

    def eps(self, x_t, t):
        scale = float(self.schedule.alpha_bar[t]) ** 0.5
        sigma = float(self.schedule.sigma_bar[t])
        x = (x_t / scale + 1) / 2
        return (x - self(x, sigma)) / sigma


def scene():
    place = torch.linspace(0, 1, SIZE)
    waves = [torch.sin(7 * place * (i + 1))[:, None] * torch.cos(5 * place + i) for i in range(3)]
    x = 0.5 + 0.3 * torch.stack(waves)[None]
    x[..., 10:22, 12:30] = torch.tensor([0.9, 0.2, 0.6]).view(3, 1, 1)
    return x.clamp(0, 1)


def mask():
    rows, columns = torch.arange(SIZE)[:, None], torch.arange(SIZE)
    return ((3 * rows + 5 * columns) % 7 > 1).float()


def table(step):
    return [min(255, 2 + step * (i // 8 + i % 8)) for i in range(64)]


def motion():
    kernel = torch.eye(7) + 0.2 * torch.eye(7).flip(0)
    return kernel / kernel.sum()


# name -> (how to make it from a namespace of the classes, settings for `restore`)
CASES = {
    "noise": (lambda d: d.GaussianNoise(0.05), {}),
    "noise-steps": (lambda d: d.GaussianNoise(0.05), {"steps": 5}),
    "noise-samples": (lambda d: d.GaussianNoise(0.05), {"samples": 2}),
    "noise-zeta": (lambda d: d.GaussianNoise(0.05), {"steps": 4, "zeta": 0.5, "strength": 2.0}),
    "poisson": (lambda d: d.PoissonGaussianNoise(0.005, 0.02), {}),
    "poisson-learned": (
        lambda d: d.PoissonGaussianNoise(0.005, 0.02).requires_grad_(),
        {"initial": "given", "steps": 8},
    ),
    "gaussian-blur": (lambda d: d.GaussianBlur(9, 1.5, sigma=0.02), {}),
    "gaussian-blur-6": (lambda d: d.GaussianBlur(9, 1.5, sigma=0.02), {"steps": 6, "zeta": 0.0}),
    "blur": (lambda d: d.Blur(motion(), sigma=0.02), {}),
    "blind-gaussian": (lambda d: d.BlindGaussianBlur(13, 1.2, sigma=0.02), {}),
    "blind-gaussian-random": (
        lambda d: d.BlindGaussianBlur(13, 1.2, sigma=0.02),
        {"initial": "random", "steps": 8},
    ),
    "blocks": (lambda d: d.BlockAverage(2, sigma=0.02), {}),
    "blocks-samples": (lambda d: d.BlockAverage(4, sigma=0.02), {"samples": 2, "zeta": 1.0}),
    "blocks-same-size": (lambda d: d.BlockAverageSameSize(2, sigma=0.02), {}),
    "bicubic": (lambda d: d.BicubicDownsampling(2, sigma=0.02), {}),
    "missing": (lambda d: d.Inpainting(mask(), sigma=0.02), {}),
    "missing-strength": (lambda d: d.Inpainting(mask()), {"strength": 3.0, "start_sigma": 1.0}),
    "occlusion": (lambda d: d.Occlusion(mask(), (1.0, 0.5, 0.0), sigma=0.02), {}),
    "blind-occlusion": (lambda d: d.BlindOcclusion((SIZE, SIZE), sigma=0.02), {}),
    "decolorize": (lambda d: d.ChannelMean(0.02), {}),
    "strokes": (lambda d: d.Strokes(1 - mask(), 0.02), {}),
    "cast": (lambda d: d.ColourCast((1.2, 1.0, 0.8), sigma=0.02), {}),
    "cast-samples": (lambda d: d.ColourCast((1.2, 1.0, 0.8), sigma=0.02), {"samples": 2}),
    "matrix": (lambda d: d.ColourMatrix((1.2, 1.0, 0.8), 0.05, sigma=0.02), {}),
    "exposure": (lambda d: d.Exposure(0.6, 0.1, sigma=0.02), {}),
    "exposure-random": (
        lambda d: d.Exposure(0.6, 0.1, sigma=0.02),
        {"initial": "random", "steps": 8},
    ),
    "smooth-exposure": (lambda d: d.SmoothExposure(0.6, sigma=0.02), {}),
    "linear-light": (
        lambda d: d.LinearLight(
            d.Compose(d.SmoothExposure(0.5), d.ColourCast((1.2, 1, 0.8))), 0.02
        ),
        {},
    ),
    "tone-map": (lambda d: d.ToneMap(-1.5, sigma=0.02), {"steps": 6}),
    "clip": (lambda d: d.Compose(d.SmoothExposure(1.6), d.Clip(0.02)), {}),
    "gamma": (lambda d: d.Gamma(1.8, sigma=0.02), {"steps": 8}),
    "contrast": (lambda d: d.Contrast(0.6, sigma=0.02), {"steps": 8}),
    "jpeg": (lambda d: d.JPEG(table(4), table(8)), {}),
    "jpeg-noise": (lambda d: d.JPEG(table(3), table(6), "4:4:4", sigma=0.03), {"steps": 6}),
    "compose": (
        lambda d: d.Compose(d.GaussianBlur(7, 1.0), d.Exposure(0.8), d.Inpainting(mask(), 0.02)),
        {},
    ),
    "compose-bent": (
        lambda d: d.Compose(d.GaussianBlur(7, 1.0), d.Gamma(1.4), d.JPEG(table(3), table(6))),
        {"steps": 5},
    ),
}


def classes():
    """Every degradation by its name."""
    import gdp_lite.degradations as found

    return found


def summary(image, phi):
    """Weighted sums that any change of any number moves, and Phi."""
    index = torch.arange(image.numel(), dtype=torch.float64)
    flat = image.flatten().double()
    sums = [float((flat * torch.cos(index * w)).sum()) for w in (0.0, 0.7, 1.9, 3.1)]
    return sums + [
        float(v.double().mul(torch.arange(1, v.numel() + 1).view_as(v)).sum()) for v in phi.values()
    ]


def results(name):
    """{"restore": numbers, "algorithm_1": numbers} of one case."""
    from gdp_lite import algorithm_1, restore
    from gdp_lite.schedule import linear_schedule

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        make, settings = CASES[name]
        degradation = make(classes())
        y = degradation.simulate(scene(), torch.Generator().manual_seed(1))
        y = y.detach()
        with torch.random.fork_rng():
            found = restore(
                y,
                degradation,
                Wiener(linear_schedule()),
                **settings,
                generator=torch.Generator().manual_seed(2),
            )
            numbers = {
                "restore": summary(found.samples, found.phi) + found.residual.flatten().tolist()
            }
            image = algorithm_1(
                y,
                degradation,
                Wiener(linear_schedule(25, 0.004, 0.4)),
                s=0.05,
                eta=0.0 if name.startswith("poisson") else 1e-4,
                generator=torch.Generator().manual_seed(3),
            )
        numbers["algorithm_1"] = summary(image, degradation.phi())
        assert all(math.isfinite(v) for values in numbers.values() for v in values), name
        return numbers
    finally:
        torch.set_default_dtype(before)


if __name__ == "__main__":
    torch.set_num_threads(1)
    kept = json.loads(STORED.read_text()) if STORED.exists() else {}
    kept.update({name: results(name) for name in sys.argv[1:] or CASES})
    STORED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
