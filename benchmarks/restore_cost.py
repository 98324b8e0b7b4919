"""Time and memory of the command line on a 512 x 512 photo, with its own number of steps.

    python benchmarks/restore_cost.py [--size 512] [--task denoise]

Runs ``python -m gdp_lite restore`` as a user would, in a process of its own, on a crop of
scikit-image's astronaut, and prints its wall time and its peak resident memory.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="side of the photo in pixels")
    parser.add_argument("--task", default="denoise")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = np.tile(data.astronaut(), (3, 3, 1))[: args.size, : args.size]
        Image.fromarray(photo).save(Path(folder) / "photo.jpg", quality=90)
        command = [sys.executable, "-m", "gdp_lite", "restore", f"{folder}/photo.jpg"]
        began = time.perf_counter()
        subprocess.run([*command, "-o", f"{folder}/out.jpg", "--task", args.task], check=True)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2  # Linux counts in KiB
    print(f"{args.task}, {args.size} x {args.size}: {seconds:.0f} s, {peak:.2f} GiB")


if __name__ == "__main__":
    main()
