"""Two processes on CPUs, really started by accelerate, do what one does."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from gdp_lite import train
from gdp_lite.cli import main
from gdp_lite.pairs.evaluate import PART, TABLE, evaluate_pairs
from gdp_lite.pairs.kinds import Kind
from gdp_lite.pairs.prepare import prepare_pairs
from gdp_lite.pairs.rows import Rows
from gdp_lite.precision import precision_of
from gdp_lite.processes import Processes

# Without a GPU, accelerate 1.15 starts one process with --cpu, and two with --multi_gpu.
LAUNCH = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
RUN = [
    "--channels",
    "8",
    "16",
    "--crops",
    "16",
    "--device",
    "cpu",
    "--threads",
    "1",
    "--every",
    "0",
]
LR = 1e-3  # of the runs here: an Adam step of a weight


def launched(*command):
    """The command under ``accelerate launch``, two processes on a free port."""
    started = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    started += [*LAUNCH.split(), "--main_process_port", "0", *map(str, command)]
    return subprocess.run(started, capture_output=True, text=True, timeout=240)


@pytest.fixture
def photos(tmp_path):
    """Coloured blobs."""
    (tmp_path / "photos").mkdir()
    draw = np.random.default_rng(0)
    for n in range(3):
        blobs = draw.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        large = Image.fromarray(blobs).resize((48, 40), Image.Resampling.BICUBIC)
        large.save(tmp_path / "photos" / f"{n}.png")
    return tmp_path / "photos"


def state(run):
    return torch.load(run / "state.pt", weights_only=True)


def differences(one, other):
    """Largest and root mean square difference of all weights."""
    apart = torch.cat([(one["unet"][n] - other["unet"][n]).flatten() for n in one["unet"]])
    return float(apart.abs().max()), float(apart.square().mean().sqrt())


def losses(run):
    with open(run / "log.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--pixels", "3328", "--steps", "8"],  # 13 crops: shares of 6 and 7
        ["--pixels", "3328", "--steps", "8", "--accumulate", "3"],
        ["--pixels", "256", "--steps", "4"],  # a single crop for two processes
    ],
    ids=["uneven", "accumulated", "idle"],
)
def test_two_processes_train_what_one_trains(photos, tmp_path, options):
    """Weights within a fifth of a step, losses to the digits that are written, float32."""
    command = ["train", "--photos", str(photos), *RUN, *options]
    alone = [c for c in command if c not in ("--accumulate", "3")] if len(options) > 4 else command
    assert main([*alone, "--out", str(tmp_path / "one")]) == 0
    done = launched("-m", "gdp_lite", *command, "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("step 2,") == 1, "one process speaks for both"
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    largest, usual = differences(one, two)
    assert largest < 0.2 * LR
    assert usual < 0.005 * LR
    assert torch.equal(one["generator"], two["generator"])
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), abs=2e-5)
    start = train._Run.begin((8, 16), 1, LR, 0, torch.device("cpu"))
    assert differences({"unet": start.unet.state_dict()}, two)[0] > LR, "something was learned"


@pytest.mark.slow
def test_a_stopped_run_of_two_goes_on_as_one(photos, tmp_path):
    """Killed after step 3 of 6: the rest in one process, the same as unbroken."""
    script = tmp_path / "stops.py"
    script.write_text(
        "import os, sys\n"
        "from gdp_lite import train\n"
        "from gdp_lite.cli import main\n"
        "report = train._report\n"
        "def stop(out, run, *rest):\n"
        "    report(out, run, *rest)\n"
        "    if run.step == 3:\n"
        "        os._exit(9)\n"
        "train._report = stop\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = ["train", "--photos", str(photos), *RUN, "--pixels", "3328", "--steps", "6"]
    assert launched(script, *command, "--out", tmp_path / "stopped").returncode
    assert state(tmp_path / "stopped")["step"] == 3
    assert main([*command, "--out", str(tmp_path / "stopped")]) == 0
    assert main([*command, "--out", str(tmp_path / "unbroken")]) == 0
    one, other = state(tmp_path / "unbroken"), state(tmp_path / "stopped")
    assert one["step"] == other["step"] == 6
    assert differences(one, other)[0] < 0.2 * LR


@pytest.fixture
def pairs(photos, tmp_path):
    prepare_pairs(photos, tmp_path / "pairs", Kind("blocks", 4))
    return tmp_path / "pairs"


def restored(folder):
    return {p.name: np.asarray(Image.open(p)).astype(int) for p in folder.rglob("*.png")}


@pytest.mark.slow
def test_two_processes_evaluate_what_one_evaluates(pairs, tmp_path):
    command = ["evaluate", "--pairs", str(pairs), "--steps", "2", "--device", "cpu"]
    assert main([*command, "-o", str(tmp_path / "one")]) == 0
    done = launched("-m", "gdp_lite", *command, "-o", tmp_path / "two")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("3 scored") == 1, "one table"
    one, two = (Rows(tmp_path / name / "scores.csv", TABLE).rows for name in ("one", "two"))
    assert list(one) == list(two), "in the order of the manifest"
    for name, row in one.items():
        assert float(row["psnr"]) == pytest.approx(float(two[name]["psnr"]), abs=0.01)
        assert row["pair"] == two[name]["pair"]
    assert not list((tmp_path / "two").glob(PART.format("*")))
    for name, picture in restored(tmp_path / "one").items():
        assert np.abs(picture - restored(tmp_path / "two")[name]).max() <= 1
    # Nothing is left to do, for any number of processes.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "two").rglob("*.png")}
    assert main([*command, "-o", str(tmp_path / "two")]) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_rows_of_a_stopped_process_are_taken_in(pairs, tmp_path):
    """Two processes were killed: what the second wrote counts, and is not done again."""

    def flat(x, sigma):
        return x.mean((-2, -1), keepdim=True).expand_as(x)

    out, options = tmp_path / "out", {"prior": flat, "steps": 1, "device": "cpu"}
    whole = evaluate_pairs(pairs, out, **options)
    table = Rows(out / "scores.csv", TABLE)
    other = Rows(out / PART.format(1), TABLE)
    other.add(whole[1])
    kept = {row["name"]: row for row in (whole[0], whole[2])}
    table.clear()
    for row in kept.values():
        table.add(row)
    seen = []
    again = evaluate_pairs(pairs, out, **options, progress=lambda *n: seen.append(n))
    assert again == whole
    assert seen == [(3, 3)], "nothing was left to do"
    assert not (out / PART.format(1)).exists()


def test_shares_cover_everything_once():
    for number, count in ((0, 2), (1, 2), (13, 4), (5, 8)):
        ends = [Processes(index, count, "cpu").share(number) for index in range(count)]
        assert [a for a, _ in ends[1:]] == [b for _, b in ends[:-1]]
        assert (ends[0][0], ends[-1][1]) == (0, number)
        assert max(b - a for a, b in ends) - min(b - a for a, b in ends) <= 1


def test_accumulation_takes_the_same_steps(photos, tmp_path):
    command = ["train", "--photos", str(photos), *RUN, "--pixels", "1280", "--steps", "4"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert main([*command, "--accumulate", "3", "--out", str(tmp_path / "parts")]) == 0
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert differences(whole, parts)[0] < 0.2 * LR
    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "parts"), abs=2e-5)


def test_precision_is_asked_for_told_by_accelerate_or_usual(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    assert precision_of(None, "cpu") == torch.float32
    assert precision_of(None, "cuda") == torch.bfloat16
    assert precision_of(None, "cuda", usual="no") == torch.float32
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    assert precision_of(None, "cuda") == torch.float16
    assert precision_of("no", "cuda") == torch.float32
    with pytest.raises(ValueError, match="needs CUDA"):
        precision_of(None, "cpu")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(ValueError, match="not fp8"):
        precision_of(None, "cuda")


def test_bf16_is_near_and_another_result(pairs, tmp_path, capsys):
    command = ["evaluate", "--pairs", str(pairs), "--steps", "1", "--device", "cpu", "--count", "1"]
    assert main([*command, "-o", str(tmp_path / "full")]) == 0
    half = [*command, "--precision", "bf16", "-o", str(tmp_path / "half")]
    assert main(half) == 0
    [(_, a)], [(_, b)] = (restored(tmp_path / n).items() for n in ("full", "half"))
    assert 0 < np.abs(a - b).max() < 12
    assert main([*command, "-o", str(tmp_path / "half")]) == 2
    assert "precision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "device", "message"),
    [({"WORLD_SIZE": "2"}, "cuda:1", "a device of its own"), ({"WORLD_SIZE": "1"}, "no", "no")],
)
def test_impossible_devices_are_one_line(monkeypatch, told, device, message):
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        Processes.begin(device)


def test_one_process_where_several_were_asked_for_is_said(monkeypatch, capsys):
    for name, value in {"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "True"}.items():
        monkeypatch.setenv(name, value)
    assert Processes.begin("cpu").count == 1
    assert "--multi_gpu" in capsys.readouterr().err
