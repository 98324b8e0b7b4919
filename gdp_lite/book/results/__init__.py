"""Scores of the long runs in ``benchmarks/``, which chapters read instead of running them.

Each table was written by the script of the same name. They travel with the package, so that
a chapter opened alone, in Colab say, finds them.
"""

import csv
from pathlib import Path

FOLDER = Path(__file__).parent


def load_results(name):
    """The rows of one table, a list of dicts; numbers are floats. Raises FileNotFoundError."""
    with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
        return [{k: _number(v) for k, v in row.items()} for row in csv.DictReader(file)]


def save_results(name, rows):
    """Write rows, dicts with the same keys, as the table `name`; floats to three decimals."""
    with open(FOLDER / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _rounded(v) if isinstance(v, float) else v for k, v in row.items()})


def _rounded(number):
    return round(number, 3) + 0.0  # no -0.0


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text
