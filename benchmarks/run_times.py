"""How long every chapter takes and how much memory: the page of run times, written anew.

    python benchmarks/run_times.py

Runs a copy of every notebook of the table of contents from top to bottom, one after the other,
each in a fresh kernel on one thread, as the tests do; the stored notebooks stay as they are.
Writes book/run_times.md: wall time, import of the libraries included, and peak memory.
"""

import os
import platform
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")  # inherited by the kernels

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
PEAK = "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
SHOWN = ("torch", "diffusers", "numpy", "scikit-image", "pillow", "matplotlib", "jupyter-book")

PAGE = """# Run times and versions

Every chapter, run from top to bottom on one thread of {processor}, {date}. A GPU is not
needed and not used.

| chapter | seconds | memory, GB | notebook, MB |
|---|---|---|---|
{rows}

Together {total:.0f} seconds. Made by `python benchmarks/run_times.py`.

## Versions

The book is built and tested with exactly the versions in `requirements.txt`; these matter most:

| Python | {names} |
|---|{line}|
| {python} | {versions} |

The package itself accepts a wide range (`pyproject.toml`), so that Colab's own versions stay as
they are. A test runs every chapter with the versions of diffusers (0.39) and ipywidgets (7.7) that
Colab had in August 2026.
"""


def measure(path):
    """Seconds and peak memory in GB of one notebook, run in a kernel of its own."""
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    began = time.monotonic()
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    client.execute(cwd=str(path.parent))
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return time.monotonic() - began, int(notebook.cells[-1].outputs[0].text) * unit / 1e9


def processor():
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def main():
    chapters = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text())
    notebooks = [p for p in (ROOT / f"{c}.ipynb" for c in chapters) if p.is_file()]
    rows, total = [], 0.0
    for path in notebooks:
        seconds, memory = measure(path)
        total += seconds
        title = re.search(r"^# (.+)", nbformat.read(path, 4).cells[0].source, re.M)[1]
        size = path.stat().st_size / 1e6
        rows.append(f"| [{title}]({path.name}) | {seconds:.0f} | {memory:.1f} | {size:.1f} |")
        print(rows[-1], flush=True)
    page = PAGE.format(
        processor=processor(),
        date=time.strftime("%B %Y"),
        rows="\n".join(rows),
        total=total,
        names=" | ".join(SHOWN),
        line="---|" * (len(SHOWN) - 1) + "---",
        python=platform.python_version(),
        versions=" | ".join(version(name).split("+")[0] for name in SHOWN),
    )
    (ROOT / "book" / "run_times.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
