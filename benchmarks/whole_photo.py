"""What restoring a photo costs, file to file, in passes of the network over its pixels.

    python benchmarks/whole_photo.py --megapixels 12

`restore_photo` with the bundled prior on scikit-image's astronaut, repeated to the size and made
noisy or soft, as a JPEG; noise of 8 of 255 or a blur of 1.2 pixels told, so that every tile is
worked on; in float32 and, on a processor that has it, in bfloat16, each in a process of its own.
passes: pixels that the network saw, of the photo's. ratio: processor time of all, from file to
file, in that of one bare pass in the same precision, which calls on a tile before and after tell;
loading the network is left out. memory: peak of the process, GB. agreement: of the two results,
dB. One thread; processor time, as the machine may be busy. Writes
gdp_lite/book/results/whole_photo.csv. A megapixel takes two to three minutes.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from common import show
from PIL import Image
from scipy import ndimage
from skimage import data

from gdp_lite import load_prior, restore_photo
from gdp_lite.book.results import save_results
from gdp_lite.precision import has_bfloat16, with_precision
from gdp_lite.restoring import OVERLAP, TILE
from gdp_lite.tiling import fitted_side

TOLD = {"noise": {"noise": 8.0, "only": ["noise"]}, "softness": {"blur": 1.2, "only": ["softness"]}}


class Counted:
    """A prior that counts the pixels it is shown."""

    def __init__(self, prior):
        self.prior, self.pixels = prior, 0
        self.schedule, self.multiple = prior.schedule, prior.multiple

    def __call__(self, x, sigma):
        self.pixels += x.shape[-2] * x.shape[-1]
        return self.prior(x, sigma)


def photo(kind, height, width):
    """(height, width, 3) uint8."""
    tiles = np.tile(data.astronaut(), (-(-height // 512), -(-width // 512), 1))[:height, :width]
    made = tiles.astype(np.float32)
    if kind == "noise":
        made += 8 * np.random.default_rng(0).normal(size=made.shape)
    else:
        made = ndimage.gaussian_filter(made, (1.2, 1.2, 0))
    return made.clip(0, 255).round().astype(np.uint8)


def bare(prior, side, calls=1):
    """Seconds of processor time of a call, for each pixel."""
    x = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    began = time.process_time()
    with torch.no_grad():
        for _ in range(calls):
            prior(x, 0.05)
    return (time.process_time() - began) / calls / side**2


def measured(kind, precision, height, width, folder):
    """A row of the table; the result is left in the folder."""
    torch.set_num_threads(1)
    prior = with_precision(load_prior(), "cpu", precision)
    counted, side = Counted(prior), fitted_side(width, TILE, OVERLAP)
    bare(prior, 64)
    before, began = bare(prior, side), time.process_time()
    target = f"{folder}/{kind}-{precision}.jpg"
    restore_photo(f"{folder}/{kind}.jpg", target, prior=counted, device="cpu", **TOLD[kind])
    seconds = time.process_time() - began
    a_pass = (before + bare(prior, side)) / 2 * width * height
    return {
        "kind": kind, "precision": precision, "megapixels": width * height / 1e6,
        "passes": counted.pixels / (width * height), "ratio": seconds / a_pass,
        "seconds": seconds, "bare pass": a_pass,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12.0)
    args = parser.parse_args()
    width = round((args.megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    precisions = ("no", "bf16") if has_bfloat16() else ("no",)
    rows, own = [], multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, own, max_tasks_per_child=1) as processes,
    ):
        for kind in TOLD:
            made = Image.fromarray(photo(kind, height, width))
            made.save(f"{folder}/{kind}.jpg", quality=92)
            for precision in precisions:
                case = (kind, precision, height, width, folder)
                rows.append(processes.submit(measured, *case).result())
                results = [
                    np.asarray(Image.open(f"{folder}/{kind}-{name}.jpg"), dtype=np.float32)
                    for name in ("no", precision)
                ]
                error = np.square(results[0] - results[1]).mean()
                rows[-1]["agreement"] = float(10 * np.log10(255**2 / error)) if error else ""
                show(rows[-1])
    save_results("whole_photo", rows)


if __name__ == "__main__":
    main()
