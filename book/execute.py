"""Run chapters and store their outputs, so that only what changed differs from before.

    python book/execute.py [NOTEBOOK ...]

All chapters without an argument. One thread, as the tests run them; no times, no version of
Python and no progress bars are stored, and lines printed one after the other are one output.
"""

import os
import sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")  # inherited by the kernels

import nbformat
from nbclient import NotebookClient


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
        nbformat.write(notebook, path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
