"""The level that the sampler starts from (`gdp_lite.policy.POLICY`), over tasks and photos.

    python benchmarks/start_levels.py --shared ../shared

96 x 96 centre crops of eight photos of train/val, which no table reports, fixed seeds. Pixels
missing (a quarter, nine tenths, a box) and what is sampled with the general row (two blurs, blocks
of 4): `restore` at its defaults but for the start. PSNR in dB and HaarPSI, means over the photos;
their paired difference from a start at 0.25, with its standard error; and what the first image
F.start(y) errs by, where pixels are missing there.

Then compositions with holes, which could be sampled as either: an old print (colour, contrast,
an overlay), holes after a blur, a box before blocks of 2; with the steps, level and zeta of each.

Writes gdp_lite/book/results/start_levels.csv. About 12 minutes on one core.
"""

import torch
from common import arguments, centre, haarpsi, mean_and_error, photos, show

from gdp_lite.book.gallery import ENTRIES, box
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import (
    BlockAverage,
    Blur,
    Compose,
    GaussianBlur,
    Inpainting,
    motion_kernel,
    random_mask,
)
from gdp_lite.policy import POLICY
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE, USUAL = 96, 0.25
LEVELS = (0.06, 0.12, USUAL, 0.4)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def operators():
    return {
        "25% missing": Inpainting(random_mask(SIZE, SIZE, 0.25, seeded(0)), 2 / 255),
        "90% missing": Inpainting(random_mask(SIZE, SIZE, 0.9, seeded(1)), 2 / 255),
        "a box missing": Inpainting(box(SIZE), 2 / 255),
        "Gaussian blur": GaussianBlur(9, 1.5, 5 / 255),
        "motion blur": Blur(motion_kernel(9, 30), 5 / 255),
        "blocks x4": BlockAverage(4, sigma=2 / 255),
    }


def compositions():
    some = random_mask(SIZE, SIZE, 0.25, seeded(0))
    return {
        "old print": ENTRIES["old-print"].make(SIZE),
        "blur, then 25% missing": Compose(GaussianBlur(9, 1.5), Inpainting(some, 5 / 255)),
        "box, then blocks x2": Compose(Inpainting(box(SIZE)), BlockAverage(2, sigma=2 / 255)),
    }


def ways(F):
    """(row of the policy, level) to compare, the one that others are compared with last."""
    if isinstance(F, Compose):
        kinds = "missing", "general", "missing among others"
        return [(kind, POLICY[kind].start_sigma) for kind in kinds]
    return [(F.kind, level) for level in LEVELS if level != USUAL] + [(F.kind, USUAL)]


def main():
    args = arguments(__doc__, "train/val").parse_args()
    torch.set_num_threads(1)
    scenes = [photo for _, photo in photos(f"{args.shared}/train/val")][5::23]
    x, prior, rows = torch.cat([centre(scene, SIZE) for scene in scenes]), load_prior(), []
    for task, F in (operators() | compositions()).items():
        y, scores = F.requires_grad_(False).simulate(x, seeded(1)).detach(), {}
        where = 1 - F.mask if isinstance(F, Inpainting) else torch.ones(())
        wrong = (F.start(y) - x).square().mean(1) * where
        error = float((wrong.mean() / where.mean()).sqrt())
        for kind, level in ways(F):
            steps, _, zeta = POLICY[kind].recipe(several=False, draw=False)
            image = restore(
                y, F, prior, steps, start_sigma=level, zeta=zeta, generator=seeded(2)
            ).image
            scores[kind, level] = psnr(image, x).double(), haarpsi(image, x)
        usual = scores[ways(F)[-1]]
        for (kind, level), both in scores.items():
            row = {"task": task, "photos": len(x), "start_errs_by": error, "row": kind}
            row["level"] = level
            for name, values, other in zip(("psnr", "haarpsi"), both, usual, strict=True):
                gap, spread = mean_and_error(values - other)
                row |= {name: float(values.mean()), f"{name}_gap": gap, f"{name}_error": spread}
            rows.append(row)
            show(row)
    save_results("start_levels", rows)


if __name__ == "__main__":
    main()
