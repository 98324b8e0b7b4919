"""Processor time and memory of the command line by the size of the photo.

    python benchmarks/megapixel.py

`python -m gdp_lite restore` in a process of its own, one thread, on scikit-image's astronaut,
repeated to the size; one step of denoise, 20 of deblur; above 1.35 megapixels the network sees
tiles. Seconds of processor time with loading, peak memory in GB. Writes
gdp_lite/book/results/megapixel.csv. About 4 minutes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from gdp_lite.book.results import save_results

# task, side of the photo, steps
RUNS = (("denoise", 512, 1), ("denoise", 1024, 1), ("denoise", 1536, 1), ("deblur", 512, 20))


def main():
    rows = []
    for task, side, steps in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            photo = np.tile(data.astronaut(), (3, 3, 1))[:side, :side]
            Image.fromarray(photo).save(Path(folder) / "photo.jpg", quality=90)
            command = [sys.executable, "-m", "gdp_lite", "restore", f"{folder}/photo.jpg", "-q"]
            command += ["-o", f"{folder}/out.jpg", "--task", task, "--steps", str(steps)]
            command += ["--blur", "1"] if task == "deblur" else []
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, env=environment)
            _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{task} of {side} x {side} failed")
        rows.append({
            "task": task, "megapixels": side**2 / 1e6,
            "seconds": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024**2,
        })  # fmt: skip
        print(rows[-1], flush=True)
    save_results("megapixel", rows)


if __name__ == "__main__":
    main()
