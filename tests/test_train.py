"""Training: the crops, the clock, resuming, and that it learns."""

import argparse
import csv
import functools
import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gdp_lite import train
from gdp_lite.album import Photos
from gdp_lite.cli import main
from gdp_lite.cli.train import add_arguments
from gdp_lite.prior import load_prior
from gdp_lite.schedule import linear_schedule
from gdp_lite.train import annealed, draw_times

SMALL = [
    "--channels",
    "8",
    "16",
    "--crops",
    "16",
    "--pixels",
    "1024",
    "--device",
    "cpu",
    "--every",
    "0",
]


@pytest.fixture
def folder(tmp_path):
    """Three pictures of different sizes; the value of a pixel tells where it lies."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, (height, width) in enumerate([(20, 30), (40, 24), (16, 16)]):
        rows, columns = np.mgrid[:height, :width]
        picture = np.stack([rows * 5, columns * 5, np.full_like(rows, 60 * i)], axis=-1)
        Image.fromarray(picture.astype(np.uint8)).save(photos / f"{i}.png")
    return photos


def test_zoomed_crops_show_more_of_the_photo(folder):
    """Shrunk by two, the rows of the ramp lie twice as far apart, away from the edges."""
    photos = Photos(folder, 16)
    crops = photos.crops(20, 8, torch.Generator().manual_seed(0), zoom=2.0) * 255
    assert crops.shape == (20, 3, 8, 8)
    steps = crops[:, 0].diff(dim=1)[:, 2:-2]
    assert torch.allclose(steps, torch.full_like(steps, 10.0), atol=1e-3)


def test_crops_are_whole_pieces_of_photos(folder):
    photos = Photos(folder, 16)
    crops = (photos.crops(400, 16, torch.Generator().manual_seed(0)) * 255).round().int()
    assert crops.shape == (400, 3, 16, 16)
    rows, columns, which = crops.unbind(1)
    assert bool((rows.diff(dim=1) == 5).all())
    steps = columns.diff(dim=2)
    assert bool(((steps == 5) | (steps == -5)).all())
    mirrored = (steps[:, 0, 0] == -5).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    counts = [int((which[:, 0, 0] == 60 * i).sum()) for i in range(3)]
    assert min(counts) > 100  # equal probability: standard deviation of a count is 9
    limits = torch.tensor([(19, 29), (39, 23), (15, 15)]) * 5
    for i in range(3):
        mine = which[:, 0, 0] == 60 * i
        assert rows[mine].max() == limits[i, 0]
        assert columns[mine].max() == limits[i, 1]


def test_views_of_one_original_share_its_weight(folder):
    lines = ["file,source_set,source_file"]
    lines += [f"photos/{i}.png,set,{'same' if i < 2 else 'other'}" for i in range(3)]
    (folder.parent / "SOURCES.csv").write_text("\n".join(lines) + "\n")
    assert Photos(folder, 16).weights.tolist() == [0.5, 0.5, 1.0]


def test_too_small_photos_are_left_out_and_none_is_an_error(folder):
    assert len(Photos(folder, 20).sizes) == 2
    with pytest.raises(ValueError, match="no photo of at least 64"):
        Photos(folder, 64)


def test_classes_are_looked_into_and_bad_files_left_out(folder):
    """A tree such as ImageNet's, or `prepare`'s clean pictures; upright, all 16 bits seen."""
    (folder / "n01" / "deep").mkdir(parents=True)
    (folder / "0.png").rename(folder / "n01" / "deep" / "0.png")
    whole = (folder / "1.png").read_bytes()
    (folder / "n01" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "n01" / "bad.jpg").write_bytes(b"no picture")
    said = []
    assert len(Photos(folder, 16, say=said.append).sizes) == 3
    assert sorted(line.rsplit("/", 1)[1].split()[0] for line in said) == ["bad.jpg", "cut.png"]
    other = folder.parent / "other"
    other.mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (20, 16)).save(other / "a.jpg", exif=turned)
    deep = np.full((16, 20), 25_700, np.uint16)
    Image.fromarray(deep).save(other / "b.png")
    photos = Photos(other, 16)
    assert photos.sizes.tolist() == [[20, 16], [16, 20]]
    assert photos.pixels[-1].tolist() == [100, 100, 100]


def test_times_cover_the_schedule_and_lean_to_low_noise():
    t = draw_times(100_000, 1000, 2.0, torch.Generator().manual_seed(0))
    assert (int(t.min()), int(t.max())) == (1, 1000)
    # P(t <= 250) = P(u^2 < 1/4) = 1/2.
    assert float((t <= 250).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_learning_rate_rises_and_ends_at_zero():
    assert annealed(0) == 0
    assert annealed(0.02) > 0.99
    assert annealed(1) == 0
    assert annealed(2) == 0


def rows(run):
    with open(run / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_training_learns_resumes_and_writes_a_prior(folder, tmp_path):
    run = tmp_path / "run"
    command = ["train", "--photos", str(folder), "--val", str(folder), "--out", str(run), *SMALL]
    # The validation set wants 64-pixel photos: these are smaller, and that is said.
    assert main([*command, "--steps", "2"]) == 2
    command = ["train", "--photos", str(folder), "--out", str(run), *SMALL, "--lr", "3e-3"]
    assert main([*command, "--steps", "40"]) == 0
    assert float(rows(run)[-1]["loss"]) < 0.8 < float(rows(run)[0]["loss"])
    prior = load_prior(run / "prior")
    assert prior.schedule.T == 1000
    assert main([*command, "--steps", "42"]) == 0
    assert [int(row["step"]) for row in rows(run)][-2:] == [41, 42]


def test_the_function_does_what_the_command_does(folder, tmp_path):
    """Every option reaches the argument of its name, and an option not given its default."""
    options = [*SMALL, "--crops", "8", "16", "--zooms", "1", "1.5", "--steps", "2", "--seed", "3"]
    options += ["--layers", "2", "--lr", "2e-3", "--time-power", "1", "--threads", "1"]
    assert (
        main(["train", "--photos", str(folder), "--out", str(tmp_path / "command"), *options]) == 0
    )
    prior = train.train_prior(
        folder, tmp_path / "function", channels=(8, 16), crops=(8, 16), zooms=(1.0, 1.5),
        pixels=1024, layers=2, lr=2e-3, time_power=1.0, steps=2, seed=3, every=0, threads=1,
        device="cpu",
    )  # fmt: skip
    assert prior == tmp_path / "function" / "prior"
    by_command, by_function = (
        load_prior(tmp_path / name / "prior").unet.state_dict() for name in ("command", "function")
    )
    assert all(torch.equal(by_command[name], by_function[name]) for name in by_command)
    losses = [[row["loss"] for row in rows(tmp_path / name)] for name in ("command", "function")]
    assert losses[0] == losses[1]


def test_every_argument_has_an_option_with_its_default():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = vars(parser.parse_args(["--photos", "a", "--out", "b"]))
    parameters = inspect.signature(train.train_prior).parameters
    assert set(given) == set(parameters)
    assert all(
        given[name] == p.default for name, p in parameters.items() if p.default is not p.empty
    )


def test_a_stopped_run_continues_as_if_unbroken(folder, tmp_path, monkeypatch):
    """Killed after step 3 of 6 and started again: the same weights as without the stop."""
    command = ["train", "--photos", str(folder), *SMALL, "--crops", "8", "16", "--steps", "6"]
    assert main([*command, "--out", str(tmp_path / "unbroken")]) == 0
    report = train._report

    def stop(out, run, *rest):
        report(out, run, *rest)
        if run.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "_report", stop)
        assert main([*command, "--out", str(tmp_path / "stopped")]) == 130
    assert main([*command, "--out", str(tmp_path / "stopped")]) == 0
    files = [tmp_path / name / "state.pt" for name in ("unbroken", "stopped")]
    one, other = (torch.load(file, weights_only=True) for file in files)
    assert one["step"] == other["step"] == 6
    for name, weight in one["average"].items():
        assert torch.equal(weight, other["average"][name])
    assert torch.equal(one["generator"], other["generator"])


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    code = main(["train", "--photos", str(tmp_path / "no"), "--out", str(tmp_path / "run")])
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_loss_counts_from_0():
    seen = {}

    def network(x, t):
        seen["t"] = t
        return SimpleNamespace(sample=torch.zeros_like(x))

    ones = torch.ones(2, 3, 4, 4)
    loss = train.noise_loss(network, ones, torch.tensor([1, 1000]), ones, linear_schedule())
    assert seen["t"].tolist() == [0, 999]
    assert float(loss) == 1


@pytest.fixture
def spy(monkeypatch):
    """What the training gives to `noise_loss`: its arguments after the network."""
    calls, real = [], train.noise_loss

    def noise_loss(unet, *rest):
        calls.append(rest)
        return real(unet, *rest)

    monkeypatch.setattr(train, "noise_loss", noise_loss)
    return calls


def test_training_and_validation_are_in_model_range(folder, tmp_path, spy):
    for name, value in {"black": 0, "white": 255}.items():
        Image.fromarray(np.full((64, 64, 3), value, np.uint8)).save(folder / f"{name}.png")
    out = str(tmp_path / "run")
    assert main(["train", "--photos", str(folder), "--out", out, *SMALL, "--steps", "8"]) == 0
    assert min(float(x0.min()) for x0, *_ in spy) == -1
    assert max(float(x0.max()) for x0, *_ in spy) == 1
    x0, *_ = train._validation_set(folder, linear_schedule(), "cpu")
    assert (float(x0.min()), float(x0.max())) == (-1, 1)


def test_the_saved_schedule_is_the_one_trained_with(folder, tmp_path, spy):
    out = str(tmp_path / "run")
    assert main(["train", "--photos", str(folder), "--out", out, *SMALL, "--steps", "1"]) == 0
    assert torch.equal(load_prior(tmp_path / "run" / "prior").schedule.beta, spy[0][-1].beta)


def test_the_average_follows_the_weights():
    average, unet = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    expected = 0.1 * average.weight + 0.9 * unet.weight
    train.update_average(average, unet, 0)
    torch.testing.assert_close(average.weight, expected)


def test_a_resumed_clock_does_not_start_again(folder, tmp_path):
    command = ["train", "--photos", str(folder), "--out", str(tmp_path), *SMALL]
    assert main([*command, "--steps", "1"]) == 0
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.save({**state, "spent": 600.0}, tmp_path / "state.pt")
    assert main([*command, "--minutes", "0.02"]) == 0
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "0"], "minutes must be above 0"),
        (["--steps", "0"], "steps must be above 0"),
        (["--crops", "15"], "crops must be multiples of 2"),
        (["--channels", "7", "16"], "channels must be multiples of 8"),
        (["--device", "cuda:99"], "not available"),
        (["--val", "nowhere"], "nowhere is no folder"),
    ],
)
def test_impossible_options_are_one_line(folder, tmp_path, capsys, options, message):
    out = ["--out", str(tmp_path / "run")]
    assert main(["train", "--photos", str(folder), *out, *SMALL, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_training_starts_from_a_prior(folder, tmp_path, capsys):
    """With a learning rate of nearly nothing, the weights it began with come out."""
    command = ["train", "--photos", str(folder), *SMALL, "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "one"), "--seed", "5"]) == 0
    again = [*command, "--start", str(tmp_path / "one" / "prior"), "--lr", "1e-12"]
    assert main([*again, "--out", str(tmp_path / "two")]) == 0
    one, two = (load_prior(tmp_path / name / "prior").unet.state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    shape = again.index("--channels")
    untold = again[:shape] + again[shape + 3 :]
    assert main([*untold, "--out", str(tmp_path / "three")]) == 0, "the shape is the start's"
    assert main([*again, "--out", str(tmp_path / "four"), "--channels", "16", "16"]) == 2
    assert "another network" in capsys.readouterr().err


@pytest.mark.slow
def test_compiled_training_takes_the_same_steps(folder, tmp_path, monkeypatch):
    """What torch.compile is given computes what the module computes (traced, without its C++)."""
    whole = functools.partial(torch.compile, backend="eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", whole)
    command = ["train", "--photos", str(folder), *SMALL, "--steps", "3", "--lr", "1e-2"]
    for name, options in (("plain", []), ("compiled", ["--compile"])):
        assert main([*command, "--out", str(tmp_path / name), *options]) == 0
    one, other = (load_prior(tmp_path / n / "prior").unet for n in ("plain", "compiled"))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)  # fp16, and bf16 in between


def test_a_damaged_state_is_one_line(folder, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", "--photos", str(folder), "--out", str(run), *SMALL]
    assert main([*command, "--steps", "1"]) == 0
    place, whole = run / "state.pt", (run / "state.pt").read_bytes()
    state = torch.load(place, weights_only=True)
    torch.save({"a": 1}, tmp_path / "other.pt")
    torch.save({**state, "unet": {}}, tmp_path / "less.pt")
    others = [(tmp_path / name).read_bytes() for name in ("other.pt", "less.pt")]
    for damaged in (b"", b"hello\n", b"{}", whole[:5000], *others):
        place.write_bytes(damaged)
        capsys.readouterr()
        assert main([*command, "--steps", "2"]) == 2
        said = capsys.readouterr().err
        assert "state.pt is damaged" in said
        assert said.count("\n") == 1
    place.write_bytes(whole)
    assert main([*command, "--steps", "2"]) == 0


def test_another_network_does_not_resume(folder, tmp_path, capsys):
    command = ["train", "--photos", str(folder), "--out", str(tmp_path), *SMALL, "--steps", "1"]
    assert main(command) == 0
    assert main([*command, "--channels", "16", "16"]) == 2
    assert "another network" in capsys.readouterr().err
