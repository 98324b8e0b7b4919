"""Run chapters and store their outputs, so that only what changed differs from before.

    python book/execute.py [NOTEBOOK ...]

All chapters without an argument. One thread, as the tests run them; no times, no version of
Python and no progress bars are stored, and lines printed one after the other are one output.

Plots have two pixels for one (the chapters' set-up cell says so) and 256 colours: they are a third
of what matplotlib writes.
"""

import base64
import io
import os
import sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")  # inherited by the kernels

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

COLOURS = 256  # as many as a PNG's palette holds
NEAR = 1.5  # levels, root mean square: 19 plots were off by 1.0 at most, 28 of 33 photos by more


def smaller(png):
    """A plot with a palette of `COLOURS`; where they are too few, in all its colours.

    png: a file without transparency, as bytes.
    """
    with Image.open(io.BytesIO(png)) as file:
        plot = file.convert("RGB")
    few = plot.quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    error = np.subtract(plot, few.convert("RGB"), dtype=float)
    written = io.BytesIO()
    (few if np.sqrt((error**2).mean()) < NEAR else plot).save(written, "PNG", optimize=True)
    return written.getvalue()


def main():
    book = Path(__file__).parent
    for path in map(Path, sys.argv[1:] or sorted(book.glob("*.ipynb"))):
        notebook = nbformat.read(path, 4)
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(book)}},
        )
        client.execute()
        notebook.metadata["language_info"] = {"name": "python"}
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        for data in [output.data for output in outputs if "image/png" in output.get("data", {})]:
            plot = smaller(base64.b64decode(data["image/png"]))
            data["image/png"] = base64.b64encode(plot).decode()
        nbformat.write(notebook, path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
