"""The prior's design, one choice at a time: the same minutes of training for each.

    python benchmarks/prior_sweep.py --shared ../shared --work FOLDER --start PRIOR --threads 1

Trains every variant of VARIANTS for the same time on the same processor: what concerns the
network from scratch, what concerns its training from the weights of PRIOR, where the seed
matters less. Then scores it on photos held back from training (the first 48 of train/val,
centre 128 x 128): one-step denoising at sigma 15, 25, 50 of 255, the difference from the base
paired by photo with its standard error, and the processor time of one 256 x 256 call.
Writes gdp_lite/book/results/prior_sweep.csv. A variant whose run is in FOLDER is not trained again.
On equal time a larger network sees fewer photos; that is the question asked here, not which
network is best when there is no limit.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from common import arguments, centre_crops, mean_and_error, one_call, show

from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.prior import load_prior

# Every group's first variant is what the others of the group are compared with.
VARIANTS = {
    "from scratch": {
        "base": "",
        "base, other seed": "--seed 1",
        "2 blocks a level": "--layers 2",
        "widths 32 64 128 256": "--channels 32 64 128 256",
        "widths 64 64 128 128": "--channels 64 64 128 128",
        "3 levels, 32 64 128": "--channels 32 64 128",
    },
    "continued": {
        "before": None,  # the weights of --start themselves
        "base": "",
        "base, other seed": "--seed 1",
        "t = T u": "--time-power 1",
        "t = T u^3": "--time-power 3",
        "crops 32 64 96": "--crops 32 64 96",
        "zooms 1, 1.5, 2": "--zooms 1 1.5 2",
        "learning rate 2e-4": "--lr 2e-4",
    },
}
SIGMAS = (15, 25, 50)


def scores(prior, crops):
    """PSNR of one call for each sigma: an array of shape (sigmas, photos)."""
    rows = []
    for sigma in SIGMAS:
        generator = torch.Generator().manual_seed(sigma)
        noisy = [x + sigma / 255 * torch.randn(x.shape, generator=generator) for x in crops]
        pairs = zip(noisy, crops, strict=True)
        rows.append([float(psnr(one_call(y, sigma / 255, prior), x)) for y, x in pairs])
    return np.array(rows)


def seconds(prior):
    """Processor time of one call at 256 x 256 on one thread, fp32: the least of five."""
    x, found = torch.zeros(1, 3, 256, 256), []
    torch.set_num_threads(1)
    with torch.no_grad():
        for _ in range(6):
            began = time.process_time()  # not the clock: other work does not count
            prior.eps(x, 100)
            found.append(time.process_time() - began)
    return min(found[1:])


def main():
    parser = arguments(__doc__, "train/photos, train/val")
    parser.add_argument("--work", required=True, help="folder for the runs")
    parser.add_argument("--start", required=True, help="prior that the second group continues")
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    crops = [x for _, x in centre_crops(f"{args.shared}/train/val", 128)][:48]
    rows, bases = [], {}
    for group, name, options in ((g, n, o) for g, v in VARIANTS.items() for n, o in v.items()):
        run = Path(args.work) / f"{group} {name}".replace(" ", "_").replace(",", "")
        command = [sys.executable, "-m", "gdp_lite", "train", *(options or "").split()]
        command += ["--photos", f"{args.shared}/train/photos", "--out", str(run)]
        command += ["--minutes", str(args.minutes), "--threads", str(args.threads)]
        if group == "continued":
            command += ["--start", args.start]
        if options is not None and not (run / "log.csv").exists():
            subprocess.run([*command, "--every", "100000"], check=True)
        prior = load_prior(args.start if options is None else run / "prior")
        torch.set_num_threads(args.threads)
        found = scores(prior, crops)
        gap = found - bases.setdefault(group, found)
        row = {"group": group, "variant": name, "options": options or "", "steps": 0}
        if options is not None:
            row["steps"] = int((run / "log.csv").read_text().splitlines()[-1].split(",")[0])
        row["millions"] = sum(p.numel() for p in prior.unet.parameters()) / 1e6
        row["call_256_s"] = seconds(prior)
        for sigma, mine, extra in zip(SIGMAS, found, gap, strict=True):
            row[f"psnr_{sigma}"] = float(mine.mean())
            row[f"gap_{sigma}"], row[f"se_{sigma}"] = mean_and_error(extra)
        rows.append(row)
        show(row)
    save_results("prior_sweep", rows)


if __name__ == "__main__":
    main()
