"""The search for changes that no check notices finds one, and lets a noticed one go."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def notebook(*sources):
    cells = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "source": s, "outputs": []}
        for i, s in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def workplace(place, *sources):
    """A project with this one chapter, "toy"."""
    for folder in ("tests", "book"):
        (place / folder).mkdir()
    shutil.copy(HERE / "mutate.py", place / "tests")
    (place / "book" / "toy.ipynb").write_text(notebook(*sources))


def mutate(place, *options):
    command = [sys.executable, str(place / "tests" / "mutate.py"), *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_survivors_are_found_named_and_remembered(tmp_path):
    workplace(tmp_path, "a = 2 + 3\nb = 7 - 4", "assert a == 5", "print(b)")
    run = mutate(tmp_path, "toy", "--sample", "99")
    assert run.returncode == 1, run.stderr
    assert "Add -> Sub: cell-1" in run.stdout, "the check notices a"
    assert "constant 7 -> 8: SURVIVED" in run.stdout, "nothing checks b"
    assert "6 changes, 3 survived, 3 of them without a reason" in run.stdout

    again = mutate(tmp_path, "toy", "--sample", "99")
    assert "6 changes, 3 survived" in again.stdout
    assert "SURVIVED" not in again.stdout, "nothing is tried twice"

    lines = ["chapter,cell,line,change,reason"]
    for change in ("Sub -> Add", "constant 7 -> 8", "constant 4 -> 5"):
        lines.append(f"toy,cell-0,b = 7 - 4,{change},a toy")
    (tmp_path / "tests" / "mutants.csv").write_text("\n".join(lines))
    assert mutate(tmp_path, "toy", "--sample", "99").returncode == 0


def test_an_endless_change_is_noticed(tmp_path):
    workplace(tmp_path, "k = 0", "while k < 3:\n    k = k + 1", "assert k == 3")
    run = mutate(tmp_path, "toy", "--sample", "99", "--limit", "1")
    assert "Add -> Sub: endless" in run.stdout, run.stderr


def test_a_change_does_not_see_what_another_wrote(tmp_path):
    """mkdir fails where the folder is there: in the second fork, and in the chapter itself."""
    make = "import pathlib, tempfile\nplace = pathlib.Path(tempfile.mkdtemp())"
    workplace(
        tmp_path,
        make,
        "a = 7 - 4\nplace.joinpath('made').mkdir()",
        "place.joinpath('made', 'there').mkdir()",
    )
    run = mutate(tmp_path, "toy", "--sample", "99")
    assert "3 changes, 3 survived" in run.stdout, run.stderr
