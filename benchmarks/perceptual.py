"""Perceptual terms switched on, one at a time: what they do to a restoration and what they cost.

    python benchmarks/perceptual.py --shared ../shared

96 x 96 centre crops of every third Kodak photo, simulated degradations, the bundled prior, 20
steps, fixed seeds. For each term and lambda2 the PSNR in dB and HaarPSI (Reisenhofer et al. 2018)
of the restored photos, their mean difference from the same restoration without the term with the
standard error of that paired difference, and the time relative to it. LPIPS takes part where its
backbone can be had. Writes gdp_lite/book/results/perceptual.csv. About 10 minutes on one core.
"""

import argparse
import time

import torch
from first_restoration import centre_crops

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.metrics import psnr
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
from gdp_lite.perceptual import (
    ColourConstancy,
    ExposureControl,
    Lpips,
    PriorFeatures,
    TotalVariation,
)
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

repair_torchvision()
import piq  # noqa: E402 - it imports torchvision

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    args = parser.parse_args()
    x = torch.cat([x for _, x in centre_crops(f"{args.shared}/eval/kodak24", SIZE)][::3])
    prior, rows = load_prior(), []
    for what, degradation, initial, terms in cases():
        y = degradation.simulate(x, torch.Generator().manual_seed(1)).detach()

        def score(perceptual=None, lambda2=0.0, degradation=degradation, y=y, initial=initial):
            began, generator = time.process_time(), torch.Generator().manual_seed(2)
            image = restore(
                y, degradation, prior, initial=initial, perceptual=perceptual, lambda2=lambda2,
                generator=generator,
            ).image  # fmt: skip
            seconds = time.process_time() - began
            haar = piq.haarpsi(image.clamp(0, 1), x, reduction="none")
            return psnr(image, x).double(), haar.double(), seconds

        score()  # the first call is slower
        plain = score()
        for name, make, weights in terms:
            try:
                term = make(prior, degradation.start(y).detach())
            except ValueError as error:
                print(f"{what}, {name}: left out, {error}", flush=True)
                continue
            for lambda2 in weights:
                found = score(term, lambda2)
                row = {"what": what, "term": name, "lambda2": lambda2}
                for kind, new, old in zip(("psnr", "haarpsi"), found[:2], plain[:2], strict=True):
                    gap = new - old
                    row[kind] = float(new.mean())
                    row[f"{kind}_change"] = float(gap.mean())
                    row[f"{kind}_error"] = float(gap.std() / len(gap) ** 0.5)
                row["time"] = found[2] / plain[2]
                rows.append(row)
                print(row, flush=True)
    save_results("perceptual", rows)


if __name__ == "__main__":
    main()
