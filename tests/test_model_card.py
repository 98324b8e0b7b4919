"""The model card says what the stored results say."""

import csv
import sys
from pathlib import Path

from gdp_lite.prior import BUNDLED

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import model_card


def test_the_card_is_the_one_that_the_results_give():
    """Where it fails, run `python benchmarks/model_card.py` again."""
    assert (BUNDLED / "README.md").read_text(encoding="utf-8") == model_card.card()


def test_every_training_photo_has_a_licence():
    with open(BUNDLED / "ATTRIBUTION.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["set"] for row in rows} == set(model_card.SETS)
    assert all(row["licence"] for row in rows)
    # Creative Commons' BY asks for the author's name, which these tables give.
    named = {"nips17_imagenet", "cq100"}
    assert all(row["author"] for row in rows if row["set"] in named)
