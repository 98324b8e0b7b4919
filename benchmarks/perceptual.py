"""Perceptual terms switched on, one at a time: what they do to a restoration and what they cost.

    python benchmarks/perceptual.py --shared ../shared [--only CASE ...]

96 x 96 centre crops of every third Kodak photo, simulated degradations, the bundled prior, 20
steps, fixed seeds. For each term and lambda2 the PSNR in dB and HaarPSI (Reisenhofer et al. 2018)
of the restored photos, their mean difference from the same restoration without the term with the
standard error of that paired difference, and the time relative to it. LPIPS takes part where its
backbone can be had. Writes gdp_lite/book/results/perceptual.csv. About 10 minutes on one core;
--only makes the rows of these cases anew.
"""

import time

import torch
from common import arguments, haarpsi, kodak, mean_and_error, save_anew, show

from gdp_lite.book.metrics import psnr
from gdp_lite.book.perceptual import (
    ColourConstancy,
    ExposureControl,
    Lpips,
    PriorFeatures,
    TotalVariation,
)
from gdp_lite.book.results import save_results
from gdp_lite.degradations import (
    BlockAverage,
    ColourCast,
    GaussianBlur,
    GaussianNoise,
    Inpainting,
    SmoothExposure,
    random_mask,
)
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE = 96


def cases():
    """(name, degradation, where Phi starts, terms: name, made from prior and start, lambda2)."""
    texture = [
        ("total variation", lambda prior, start: TotalVariation(), (0.003, 0.01, 0.03)),
        ("the prior's features", PriorFeatures, (0.01, 0.1)),
        ("LPIPS", lambda prior, start: Lpips(start), (0.1,)),
    ]
    mask = random_mask(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    yield "noise, sigma 25", GaussianNoise(25 / 255), "photo", texture
    yield "blur 1.5 px, sigma 5", GaussianBlur(9, 1.5, 5 / 255), "photo", texture
    yield "block average 4, sigma 2", BlockAverage(4, sigma=2 / 255), "photo", texture
    yield "25% missing, sigma 1", Inpainting(mask, 1 / 255), "photo", texture
    light = [("exposure control", lambda prior, start: ExposureControl(), (0.1, 1.0, 10.0))]
    colour = [("colour constancy", lambda prior, start: ColourConstancy(), (0.1, 1.0, 10.0))]
    for way, initial in (("held", "photo"), ("learned from random", "random")):
        yield f"exposure 0.4, {way}", SmoothExposure(0.4, sigma=2 / 255), initial, light
        yield f"cast, {way}", ColourCast((1.2, 1.0, 0.8), 2 / 255), initial, colour


class WithTerm:
    """A `Denoiser`: the prior's guess, then -lambda2 sigma^2 / 2 times the term's gradient."""

    def __init__(self, prior, term, lambda2):
        self.prior, self.term, self.lambda2 = prior, term, lambda2
        self.schedule = prior.schedule

    def __call__(self, x, sigma):
        x0_hat = self.prior(x, sigma).clamp(0, 1).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.term(x0_hat), x0_hat)
        return (x0_hat - 0.5 * self.lambda2 * sigma**2 * gradient).detach()


def main():
    parser, names = arguments(__doc__), [what for what, *_ in cases()]
    parser.add_argument("--only", nargs="*", choices=names, help="these cases alone")
    args = parser.parse_args()
    x = torch.cat(kodak(args.shared, SIZE, every=3))
    prior, rows = load_prior(), []
    for what, degradation, initial, terms in cases():
        if what not in (args.only or names):
            continue
        y = degradation.simulate(x, torch.Generator().manual_seed(1)).detach()

        def score(denoiser, degradation=degradation, y=y, initial=initial):
            began, generator = time.process_time(), torch.Generator().manual_seed(2)
            found = restore(y, degradation, denoiser, initial=initial, generator=generator)
            seconds = time.process_time() - began
            return psnr(found.image, x).double(), haarpsi(found.image, x), seconds

        score(prior)  # the first call is slower
        plain = score(prior)
        for name, make, weights in terms:
            try:
                term = make(prior, degradation.start(y).detach())
            except ValueError as error:
                print(f"{what}, {name}: left out, {error}", flush=True)
                continue
            for lambda2 in weights:
                found = score(WithTerm(prior, term, lambda2))
                row = {"what": what, "term": name, "lambda2": lambda2}
                for kind, new, old in zip(("psnr", "haarpsi"), found[:2], plain[:2], strict=True):
                    row[kind] = float(new.mean())
                    row[f"{kind}_change"], row[f"{kind}_error"] = mean_and_error(new - old)
                row["time"] = found[2] / plain[2]
                rows.append(row)
                show(row)
    if args.only:
        save_anew("perceptual", rows, "what")
    else:
        save_results("perceptual", rows)


if __name__ == "__main__":
    main()
