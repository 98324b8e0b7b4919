"""The constants of `gdp_lite.policy` that are no row of its table.

    python benchmarks/sampler_constants.py --shared ../shared

Centre crops of photos of train/val, which no table reports, 48 x 48 of their halves, fixed seeds.

- ABOVE: a noisy photo led back in 5 and 20 steps, begun at a multiple of its noise; white noise,
  and noise under a JPEG of quality 92. PSNR in dB, and its paired difference from 1.
- DRAW: variance of a guess's error in a draw of 8 and of 20 calls. Nine draws a photo: how much of
  the scene lies within all of them, pixels and means of luma in squares of 8, 0.8 for a perfect
  sampler. And what a draw is worth, HaarPSI.
- PHI_FROM: restored from sigma = 1 on, Phi found in the photo and learned from a level downwards:
  the error of Phi, the share by which it is off, and PSNR.

Writes gdp_lite/book/results/sampler_constants.csv. About 12 minutes on one core; --part makes the
rows of one constant anew, and leaves the others as they are.
"""

from itertools import product
from unittest.mock import patch

import torch
from common import arguments, centre, haarpsi, mean_and_error, photos, save_parts, squares
from torch.nn.functional import avg_pool2d

from gdp_lite import sampler
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import (
    BlockAverage,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    random_mask,
)
from gdp_lite.prior import load_prior
from gdp_lite.tasks import degradation_for

SIZE = 48


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def above(x, prior):
    for level in (10, 25):
        y = GaussianNoise(level / 255).simulate(x, seeded(level))
        coded = [through_jpeg(part.clamp(0, 1), 92) for part in y.split(1)]
        for kind, photo in (("white", y), ("coded", torch.cat(coded))):
            for steps in (5, 20):
                scores = {}
                for factor in (1.0, 1.05, 1.15, 1.3):
                    found = []
                    for part in photo.split(1) if kind == "coded" else [photo]:
                        known = GaussianNoise(level / 255)
                        told = degradation_for("denoise", part) if kind == "coded" else known
                        image = sampler.restore(
                            part, told, prior, steps, start_sigma=factor * told.sigma, zeta=0.0
                        ).image
                        found.append(image)
                    scores[factor] = psnr(torch.cat(found), x).double()
                    gap, error = mean_and_error(scores[factor] - scores[1.0])
                    yield {
                        "constant": "ABOVE", "value": factor,
                        "on": f"{kind} noise {level}, {steps} steps",
                        "psnr": float(scores[factor].mean()), "difference": gap, "error": error,
                    }  # fmt: skip


def draws(x, prior):
    mask = random_mask(SIZE, SIZE, generator=seeded())
    for name, F in {
        "blur": GaussianBlur(9, 1.5, 5 / 255),
        "block average 4": BlockAverage(4, sigma=2 / 255),
        "25% missing": Inpainting(mask, 2 / 255),
    }.items():
        y = F.simulate(x, seeded(1))
        for steps, value in product((8, 20), (0.1, 0.15, 0.2, 0.3, 0.5)):
            with patch.object(sampler, "error_of_draws", lambda _, value=value: value):
                result = sampler.restore(
                    y, F, prior, steps, samples=9, draw=True, generator=seeded(2)
                )
            found, scene = result.samples, x.clamp(0, 1)
            yield {
                "constant": "DRAW", "value": value, "on": f"{name}, {steps} calls",
                "psnr": float(psnr(result.image, x).mean()),
                "pixels_within": within(found, x),
                "squares_within": within(squares(found), squares(x)),
                "haarpsi": float(torch.stack([haarpsi(one, scene) for one in found]).mean()),
            }  # fmt: skip


def within(samples, x):
    return float(((samples.amin(0) <= x) & (x <= samples.amax(0))).double().mean())


def learned(x, prior):
    for name, make in {
        "gamma 2": (lambda *value: Gamma(*(value or [2.0]), sigma=2 / 255)),
        "contrast 0.5": (lambda *value: Contrast(*(value or [0.5]), sigma=2 / 255)),
    }.items():
        truth, scores = make().phi(), {value: [] for value in (0.1, 0.25, 0.5, 1.0)}
        for number, one in enumerate(x.split(1)):
            y = make().simulate(one, seeded(number)).detach()
            for value, found in scores.items():
                F = make().initialise(y).requires_grad_()
                with patch.object(sampler, "PHI_FROM", value):
                    result = sampler.restore(
                        y, F, prior, 8, start_sigma=1.0, initial="given", generator=seeded(2)
                    )
                off = [float((result.phi[n][0] / v - 1).abs().mean()) for n, v in truth.items()]
                found.append((float(psnr(result.image, one)), *off))
        for value, found in scores.items():
            score, off = torch.tensor(found).double().mean(0).tolist()
            yield {
                "constant": "PHI_FROM", "value": value, "on": name, "psnr": score, "phi_off": off,
            }  # fmt: skip


def main():
    parser = arguments(__doc__, "train/val")
    parser.add_argument("--part", choices=("ABOVE", "DRAW", "PHI_FROM"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    every = [photo for _, photo in photos(f"{args.shared}/train/val")][::12]
    x = torch.cat([centre(avg_pool2d(photo, 2), SIZE) for photo in every])
    prior, parts = (
        load_prior(),
        {"ABOVE": (above, 16), "DRAW": (draws, 6), "PHI_FROM": (learned, 8)},
    )
    some = parts.values() if args.part is None else [parts[args.part]]
    prior = load_prior()
    rows = (part(x[:count], prior) for part, count in some)
    save_parts("sampler_constants", rows, keep=args.part is not None)


if __name__ == "__main__":
    main()
