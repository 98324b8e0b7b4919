"""Training data as the source prescribes it, and the experiment on it."""

import csv
import json
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from gdp_lite.cli import main
from gdp_lite.cli.parser import PAIRS
from gdp_lite.pairs.evaluate import evaluate_pairs
from gdp_lite.pairs.kinds import KINDS, Kind
from gdp_lite.pairs.paired import paired
from gdp_lite.pairs.prepare import prepare_pairs
from gdp_lite.pairs.rows import Rows, begin
from gdp_lite.pairs.scores import Scores
from gdp_lite.pairs.sources import outputs_of
from gdp_lite.pairs.table import table

SIZE = (26, 34)


def picture(seed, size=SIZE):
    """A smooth picture with a texture, uint8."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 20
    waves = [np.sin(x * a + b) * np.cos(y * b) for a, b in draw.uniform(1, 4, (3, 2))]
    texture = draw.normal(0, 8, (*size, 3))
    return np.clip(128 + 70 * np.stack(waves, -1) + texture, 0, 255).astype(np.uint8)


@pytest.fixture
def classes(tmp_path):
    """Like ImageNet: a folder a class; one file that is none, one that is hidden, one of two."""
    for n, name in enumerate(("n01/a.JPEG", "n01/b.JPEG", "n02/a.JPEG", "n02/c.png", "n02/c.webp")):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(n)).save(file, quality=95)
    (tmp_path / "in" / "n01" / "broken.JPEG").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    (tmp_path / "in" / "n01" / ".hidden.JPEG").write_bytes(b"")
    (tmp_path / "in" / "readme.txt").write_text("no picture")
    return tmp_path / "in"


def load(path):
    return np.asarray(Image.open(path)).astype(np.int64)


def manifest(out):
    with open(out / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


def towards_grey(x, sigma):
    return 0.5 + (x - 0.5) / (1 + 4 * sigma)


@pytest.mark.parametrize("factor", [4, 8])
def test_blocks_are_means(classes, tmp_path, factor):
    out = tmp_path / "out"
    done = prepare_pairs(classes, out, Kind("blocks", factor))
    assert tuple(done) == (5, 0, 1)
    for row in manifest(out):
        clean, small = load(out / row["clean"]), load(out / row["degraded"])
        h, w = (n // factor for n in SIZE)
        assert clean.shape == (h * factor, w * factor, 3)
        means = clean.reshape(h, factor, w, factor, 3).mean((1, 3))
        assert small.shape == means.shape
        assert np.abs(small - means).max() <= 0.51


def test_grey_is_the_mean_of_the_channels(classes, tmp_path):
    prepare_pairs(classes, tmp_path / "out", Kind("grey"))
    for row in manifest(tmp_path / "out"):
        clean, grey = (
            load(tmp_path / "out" / row["clean"]),
            load(tmp_path / "out" / row["degraded"]),
        )
        assert np.abs(grey - clean.mean(2, keepdims=True)).max() <= 0.51


def test_blur_is_a_convolution_with_a_gaussian(classes, tmp_path):
    prepare_pairs(classes, tmp_path / "out", Kind("blur", size=5, width=1.2))
    line = np.exp(-0.5 * (np.arange(-2, 3) / 1.2) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    for row in manifest(tmp_path / "out"):
        clean, soft = (
            load(tmp_path / "out" / row["clean"]),
            load(tmp_path / "out" / row["degraded"]),
        )
        padded = np.pad(clean, ((2, 2), (2, 2), (0, 0)), "symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
        assert np.abs(soft - (windows * kernel).sum((-1, -2))).max() <= 0.52


def test_masks_are_random_and_the_product_is_hadamards(classes, tmp_path):
    out = tmp_path / "out"
    prepare_pairs(classes, out, Kind("mask"), seed=5)
    masks = []
    for row in manifest(out):
        mask = load(out / row["mask"])
        assert set(np.unique(mask)) == {0, 255}
        product = load(out / row["clean"]) * (mask // 255)[..., None]
        assert np.array_equal(load(out / row["degraded"]), product)
        masks.append(mask == 0)
    assert 0.22 < np.mean(masks) < 0.28
    assert not np.array_equal(masks[0], masks[1])
    prepare_pairs(classes, tmp_path / "again", Kind("mask"), seed=5)
    prepare_pairs(classes, tmp_path / "other", Kind("mask"), seed=6)
    name = manifest(out)[0]["mask"]
    assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    assert (tmp_path / "other" / name).read_bytes() != (out / name).read_bytes()


def test_names_stay_and_none_is_lost(classes, tmp_path):
    prepare_pairs(classes, tmp_path / "out", Kind("grey"))
    names = {
        p.relative_to(tmp_path / "out" / "clean").as_posix() for p in _files(tmp_path, "clean")
    }
    assert names == {"n01/a.png", "n01/b.png", "n02/a.png", "n02/c.png.png", "n02/c.webp.png"}
    with open(tmp_path / "out" / "unreadable.csv", newline="") as file:
        (left,) = csv.DictReader(file)
    assert left["name"] == "n01/broken.JPEG"
    assert left["reason"]
    assert outputs_of(["A.jpg", "a.png"]) == {"A.jpg": "A.jpg.png", "a.png": "a.png.png"}


def _files(tmp_path, part):
    return [path for path in (tmp_path / "out" / part).rglob("*") if path.is_file()]


def test_a_stopped_run_goes_on_and_nothing_is_overwritten(classes, tmp_path):
    out, calls = tmp_path / "out", []

    def stop(done, of):
        calls.append((done, of))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_pairs(classes, out, Kind("mask"), progress=stop)
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    text = (out / "manifest.csv").read_text()
    (out / "manifest.csv").write_text(text + "n02/a.JPEG,abc")  # killed while it wrote a row
    assert tuple(prepare_pairs(classes, out, Kind("mask"))) == (3, 2, 1)
    assert {path: path.stat().st_mtime_ns for path in first} == first
    prepare_pairs(classes, tmp_path / "unbroken", Kind("mask"))
    for path in out.rglob("*.png"):
        other = tmp_path / "unbroken" / path.relative_to(out)
        assert path.read_bytes() == other.read_bytes()
    assert tuple(prepare_pairs(classes, out, Kind("mask"))) == (0, 5, 1)
    # A file in the way is left alone, and said.
    (out / "clean" / "n01" / "a.png").write_bytes(b"mine")
    (out / "degraded" / "n01" / "a.png").unlink()
    said = []
    prepare_pairs(classes, out, Kind("mask"), say=said.append)
    assert (out / "clean" / "n01" / "a.png").read_bytes() == b"mine"
    assert any("left as it is" in line for line in said)
    for wrong, match in (
        ({"kind": Kind("mask", missing=0.5)}, "missing 0.25, not 0.5"),
        ({"kind": Kind("mask"), "seed": 1}, "seed 0, not 1"),
        ({"kind": Kind("grey")}, "degrade mask, not grey"),
    ):
        with pytest.raises(ValueError, match=match):
            prepare_pairs(classes, out, **wrong)
    with pytest.raises(ValueError, match="not empty"):
        prepare_pairs(classes, classes / "n01", Kind("grey"))
    with pytest.raises(ValueError, match="the source itself"):
        prepare_pairs(classes, classes, Kind("grey"))


def test_squares_and_counts(classes, tmp_path):
    out = tmp_path / "out"
    prepare_pairs(classes, out, Kind("grey"), side=16, count=2)
    few = {row["name"] for row in manifest(out)}
    assert len(few | {"n01/broken.JPEG"}) in (2, 3)
    assert all(load(out / row["clean"]).shape == (16, 16, 3) for row in manifest(out))
    prepare_pairs(classes, out, Kind("grey"), side=16, count=4)
    assert few <= {row["name"] for row in manifest(out)}
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    Image.new("L", (3, 1)).save(tiny / "a.png")
    assert tuple(prepare_pairs(tiny, tmp_path / "t", Kind("blocks"))) == (0, 0, 1)
    assert tuple(prepare_pairs(tiny, tmp_path / "u", Kind("blur"))) == (1, 0, 0)


@pytest.mark.parametrize("several", [False, True])
def test_an_lmdb_is_read_like_lsuns(tmp_path, several):
    lmdb = pytest.importorskip("lmdb")
    places = ["church_val_lmdb", "bedroom_val_lmdb"] if several else ["."]
    keys = [b"0a1b2c", b"../../evil", b"bad"]
    for place in places:
        (tmp_path / "db" / place).mkdir(parents=True)
        base = lmdb.open(str(tmp_path / "db" / place), map_size=1 << 22)
        with base.begin(write=True) as change:
            for n, key in enumerate(keys):
                file = tmp_path / "x.webp"
                Image.fromarray(picture(n)).save(file, lossless=True)
                change.put(key, b"no picture" if key == b"bad" else file.read_bytes())
        base.close()
    done = prepare_pairs(tmp_path / "db", tmp_path / "out", Kind("blocks"))
    assert tuple(done) == (2 * len(places), 0, len(places))
    assert {path.parent for path in tmp_path.rglob("*evil*")} <= {
        tmp_path / "out" / part / place for part in ("clean", "degraded") for place in places
    }
    row = next(row for row in manifest(tmp_path / "out") if row["name"].endswith("0a1b2c"))
    assert np.array_equal(load(tmp_path / "out" / row["clean"]), picture(0)[:24, :32])


def test_without_lmdb_a_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "data.mdb").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "lmdb", None)
    line = ["--source", str(tmp_path / "db"), "--out", str(tmp_path / "out")]
    assert main(["prepare", "--degrade", "grey", *line]) == 2
    assert "`pip install lmdb`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_lmdb_is_one_line(tmp_path):
    pytest.importorskip("lmdb")
    (tmp_path / "data.mdb").write_bytes(b"nonsense" * 1000)
    with pytest.raises(ValueError, match="no readable LMDB"):
        prepare_pairs(tmp_path, tmp_path / "out", Kind("grey"))


def test_pairs_that_are_there_are_taken_as_they_are(tmp_path):
    for n, name in enumerate(
        ("our485/low/1.png", "our485/high/1.png", "eval15/low/1.png", "eval15/high/1.png")
    ):
        file = tmp_path / "lol" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(n)).save(file)
    (tmp_path / "lol" / "eval15" / "low" / "2.png").write_bytes(
        (tmp_path / "lol" / "eval15" / "low" / "1.png").read_bytes()
    )
    out = tmp_path / "out"
    assert tuple(prepare_pairs(tmp_path / "lol", out, Kind("as-is"))) == (3, 0, 0)
    rows = {row["name"]: row for row in manifest(out)}
    assert rows["eval15/low/2.png"]["clean"] == ""
    row = rows["our485/low/1.png"]
    for part, theirs in (("degraded", "low"), ("clean", "high")):
        source = tmp_path / "lol" / "our485" / theirs / "1.png"
        assert (out / row[part]).read_bytes() == source.read_bytes()


def test_which_is_the_clean_one():
    names = ["Set/INPUT_IMAGES/a_1_N1.5.JPG", "Set/INPUT_IMAGES/a_1_0.JPG", "Set/GT_IMAGES/a_1.jpg"]
    assert set(paired(names).values()) == {names[2]}
    assert paired(["v2/Low/low007.png", "v2/Normal/normal007.png"]) == {
        "v2/Low/low007.png": "v2/Normal/normal007.png"
    }
    assert paired(["input/3.png", "GT/3.jpg"]) == {"input/3.png": "GT/3.jpg"}
    assert paired(["a/1.jpg", "b/1.jpg"]) == {"a/1.jpg": "", "b/1.jpg": ""}


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_the_experiment_is_two_calls(classes, tmp_path, kind):
    out = tmp_path / "out"
    prepare_pairs(classes, out, Kind(kind))
    rows = evaluate_pairs(out, prior=towards_grey, steps=2, device="cpu")
    assert len(rows) == 5
    for row in rows:
        assert not row["error"]
        assert 5 < float(row["psnr"]) < 101
        assert 0 < float(row["ssim"]) <= 1
        assert float(row["psnr_before"]) > 5
    restored = load(out / "restored" / "n01" / "b.png")
    truth = load(out / "clean" / "n01" / "b.png")
    error = -10 * np.log10(np.mean((restored - truth) ** 2) / 255**2)
    assert abs(error - float(rows[1]["psnr"])) < 1e-9  # of the file, as it is written


def test_evaluation_goes_on_and_one_bad_file_stops_nothing(classes, tmp_path):
    out, calls = tmp_path / "out", []
    prepare_pairs(classes, out, Kind("blocks"))
    (out / "degraded" / "n01" / "b.png").write_bytes(b"damaged since")

    def prior(x, sigma):
        calls.append(sigma)
        return towards_grey(x, sigma)

    rows = evaluate_pairs(out, prior=prior, steps=2, device="cpu")
    assert [bool(row["error"]) for row in rows] == [False, True, False, False, False]
    assert "1 failed" in table(rows)[-1]
    assert "4 scored" in table(rows)[-1]
    before = len(calls)
    again = evaluate_pairs(out, prior=prior, steps=2, device="cpu")
    assert len(calls) == before  # the damaged one is read again, the rest is there
    assert [row["psnr"] for row in again] == [row["psnr"] for row in rows]
    (out / "restored" / "n01" / "a.png").unlink()
    evaluate_pairs(out, prior=prior, steps=2, device="cpu")
    assert len(calls) > before
    with pytest.raises(ValueError, match="steps 2, not 3"):
        evaluate_pairs(out, prior=prior, steps=3, device="cpu")
    with pytest.raises(ValueError, match="holds no pairs"):
        evaluate_pairs(classes, prior=prior)
    for text in ("nonsense", "[]", "{}", '{"degrade": "blocks", "factor": "4"}'):
        (out / "prepare.json").write_text(text)
        with pytest.raises(ValueError, match="pairs") as error:
            evaluate_pairs(out, prior=prior)
        assert "\n" not in str(error.value)


def test_dark_pictures_are_made_brighter(tmp_path):
    scene = data.astronaut()[::3, ::3]
    for name, array in (("low/1.png", scene // 6), ("high/1.png", scene)):
        (tmp_path / "lol" / name).parent.mkdir(parents=True)
        Image.fromarray(array).save(tmp_path / "lol" / name)
    prepare_pairs(tmp_path / "lol", tmp_path / "out", Kind("as-is"))
    (row,) = evaluate_pairs(tmp_path / "out", prior=lambda x, sigma: x, device="cpu")
    assert float(row["psnr"]) > float(row["psnr_before"]) + 3


def test_scores_are_the_usual_ones():
    said = []
    scores = Scores(said.append)
    assert all("\n" not in line and "left out" in line for line in said)
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    same, off = scores(x, x), scores(0.9 * x, x)
    assert same["psnr"] == 100
    assert same["ssim"] == pytest.approx(1)
    assert all(off[name] < same[name] for name in off if name != "lpips")
    if "haarpsi" in same:
        assert same["haarpsi"] == pytest.approx(1, abs=1e-3)
    assert set(scores(x[..., :4, :4], x[..., :4, :4])) == {"psnr"}


def test_rows_with_anything_in_them(tmp_path):
    rows = Rows(tmp_path / "t.csv", ("name", "why"))
    rows.add({"name": 'a, "b"\nc', "why": "ü\n2"})
    rows.add({"name": "d", "why": None})
    again = Rows(tmp_path / "t.csv", ("name", "why"))
    assert again.rows == rows.rows
    assert again.rows['a, "b"\nc']["why"] == "ü\n2"
    with pytest.raises(ValueError, match="another table"):
        Rows(tmp_path / "t.csv", ("name",))


@pytest.mark.parametrize("content", [b"{", b"[1]", b"3", b"\xff\xfe"])
def test_a_damaged_note_of_how_a_run_was_begun_is_one_line(tmp_path, content):
    (tmp_path / "made.json").write_bytes(content)
    with pytest.raises(ValueError, match="does not tell how") as error:
        begin(tmp_path / "made.json", {"seed": 0})
    assert "\n" not in str(error.value)
    assert (tmp_path / "made.json").read_bytes() == content


def test_a_run_goes_on_only_as_it_was_begun(tmp_path):
    place = tmp_path / "folder" / "made.json"
    begin(place, {"seed": 0})
    for other in ({"seed": 1}, {"seed": 0, "side": 64}, {}):
        with pytest.raises(ValueError, match="was made with"):
            begin(place, other)
    begin(place, {"seed": 0})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="cannot be made"):
        begin(tmp_path / "file" / "made.json", {})


def test_the_commands(classes, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["prepare", "--source", str(classes), "--degrade", "blocks", "--out", out]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "5 pairs made, 0 there already, 1 left out" in said.err
    line = ["evaluate", "--pairs", out, "--steps", "1", "--count", "2", "--device", "cpu"]
    assert main(line) == 0
    said = capsys.readouterr()
    assert "PSNR, dB" in said.out
    assert "2 scored" in said.out
    assert json.loads((tmp_path / "out" / "restored" / "evaluate.json").read_text())["steps"] == 1
    assert tuple(PAIRS) == KINDS
    wrong = (
        ["prepare", "--source", "nowhere", "--degrade", "grey", "--out", out + "2"],
        ["prepare", "--source", str(classes), "--degrade", "blur", "--size", "4", "--out", out],
        ["prepare", "--source", str(classes), "--degrade", "fog", "--out", out],
        ["prepare", "--source", "", "--degrade", "grey", "--out", out + "2"],
        ["evaluate", "--pairs", ""],
        ["evaluate", "--pairs", str(classes)],
        ["evaluate", "--pairs", out, "--prior", "nowhere", "-o", out + "3"],
    )
    for line in wrong:
        assert main(line) == 2
        said = capsys.readouterr().err
        assert said.startswith("gdp_lite: ")
        assert said.count("\n") == 1


def test_a_picture_that_ends_early_is_no_truth(tmp_path):
    """A reader's grey or black where pixels are missing must not be learned or scored."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.png", "whole.jpg"):
        Image.fromarray(picture(1, (80, 90))).save(folder / name)
    for name in ("a.jpg", "b.png"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    said = []
    done = prepare_pairs(folder, tmp_path / "out", Kind("grey"), say=said.append)
    assert tuple(done) == (1, 0, 2)
    assert all("ends early" in line for line in said)
    lol = tmp_path / "lol"
    (lol / "low").mkdir(parents=True)
    (lol / "high").mkdir()
    (lol / "low" / "1.jpg").write_bytes((folder / "whole.jpg").read_bytes())
    (lol / "high" / "1.jpg").write_bytes((folder / "a.jpg").read_bytes())
    assert tuple(prepare_pairs(lol, tmp_path / "as", Kind("as-is"))) == (0, 0, 1)


def test_linked_folders_are_looked_into_once(tmp_path):
    """As subsets of ImageNet are made: a folder of links to classes that lie elsewhere."""
    whole, some = tmp_path / "all", tmp_path / "some"
    for name in ("n01", "n02", "n03"):
        (whole / name).mkdir(parents=True)
        Image.fromarray(picture(0)).save(whole / name / "a.png")
    some.mkdir()
    (some / "n01").symlink_to(whole / "n01")
    (some / "n02").symlink_to(whole / "n02")
    (some / "again").symlink_to(whole / "n02")
    (some / "back").symlink_to(some)
    (whole / "n01" / "up").symlink_to(whole)
    prepare_pairs(some, tmp_path / "out", Kind("grey"))
    assert [row["name"] for row in manifest(tmp_path / "out")] == ["again/a.png", "n01/a.png"]


def test_pictures_that_are_not_read_are_listed(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.bmp", "b.gif", "c.jfif", "d.png"):
        kind = "JPEG" if name == "c.jfif" else None
        Image.fromarray(picture(0)).save(tmp_path / "in" / name, kind)
    said = []
    assert tuple(
        prepare_pairs(tmp_path / "in", tmp_path / "out", Kind("grey"), say=said.append)
    ) == (
        2,
        0,
        2,
    )
    assert any("a.bmp is a BMP picture" in line for line in said)


def test_a_name_that_no_table_can_hold_stops_nothing(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(picture(0)).save(folder / "a.png")
    try:
        (folder / os.fsdecode(b"\xff.png")).write_bytes((folder / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    said = []
    for n, kind in enumerate(("mask", "as-is")):
        done = prepare_pairs(folder, tmp_path / str(n), Kind(kind), count=2, say=said.append)
        assert tuple(done) == (1, 0, 1)
    assert set(said) == {r"left out: \udcff.png: its name is not in UTF-8: rename it"}
    with open(tmp_path / "0" / "unreadable.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [r"\udcff.png"]


def test_an_lmdb_that_was_cut_off_is_one_line(tmp_path, capsys):
    """LMDB maps its file: to read beyond the end would end the process without a word."""
    lmdb = pytest.importorskip("lmdb")
    base = lmdb.open(str(tmp_path / "db"), map_size=1 << 22)
    with base.begin(write=True) as change:
        for n in range(50):
            change.put(b"%03d" % n, bytes(10_000))
    base.close()
    place = tmp_path / "db" / "data.mdb"
    data = place.read_bytes()
    place.write_bytes(data[: len(data) // 2])
    line = ["prepare", "--source", str(tmp_path / "db"), "--out", str(tmp_path / "out")]
    assert main([*line, "--degrade", "grey"]) == 2
    said = capsys.readouterr().err
    assert "ends early" in said
    assert said.count("\n") == 1
