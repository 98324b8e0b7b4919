"""`restore_photo`, folders and previews: a cheap prior, small photos, real files."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps
from skimage import data
from torch.nn import functional

import gdp_lite
from gdp_lite import one_photo, records, restore_photo
from gdp_lite.cli import main
from gdp_lite.folder import is_whole, restore_folder, table
from gdp_lite.one_photo import default_output, repeat
from gdp_lite.photos import PhotoError
from gdp_lite.preview import in_words, parts_of, preview_photo
from gdp_lite.report import Report, checksum_of_prior, read_report

GPS = {1: "S", 2: (33.0, 51.0, 25.0), 3: "E", 4: (151.0, 12.0, 40.0)}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(gdp_lite.__file__).parents[1])}


def smooth(x, sigma):
    """A denoiser that is cheap."""
    return 0.7 * x + 0.3 * functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def picture(height=96, width=128):
    return Image.fromarray(data.astronaut()).resize((width, height))


def exif(orientation=1):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "Maker"
    tags.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return tags.tobytes()


def pixels(path):
    """The picture as a viewer shows it."""
    return np.asarray(ImageOps.exif_transpose(Image.open(path)), dtype=float)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a good photo, and a prior that costs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(one_photo, "load_prior", lambda *arguments: smooth)
    one_photo._load.cache_clear()
    picture().save("photo.jpg", exif=exif(6), quality=95)
    yield tmp_path
    one_photo._load.cache_clear()


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# One photo


def test_a_photo_in_which_nothing_is_wrong_is_copied_bit_for_bit(folder, monkeypatch):
    monkeypatch.setattr(one_photo, "load_prior", lambda *arguments: pytest.fail("loaded in vain"))
    said = []
    report = restore_photo("photo.jpg", say=said.append)
    assert Path("photo.restored.jpg").read_bytes() == Path("photo.jpg").read_bytes()
    assert (report.done, report.change, report.output) == ([], 0.0, "photo.restored.jpg")
    assert "bit for bit" in said[-1]


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("photo.jpg", "photo.restored.jpg"),
        ("a/b.c.PNG", "a/b.c.restored.PNG"),
        ("ü ☃.jpeg", "ü ☃.restored.jpeg"),
        ("-", "-"),
    ],
)
def test_default_name(path, output):
    assert str(default_output(path)) == output


def test_a_good_photo_as_another_kind_of_file_is_the_same_picture(folder):
    report = restore_photo("photo.jpg", "photo.png")
    assert report.change == 0
    assert np.array_equal(pixels("photo.png"), pixels("photo.jpg"))


def test_no_place_is_left_in_a_copy_when_told_so(folder):
    restore_photo("photo.jpg", "a.jpg")
    restore_photo("photo.jpg", "b.jpg", strip=True)
    assert Image.open("a.jpg").getexif().get_ifd(ExifTags.IFD.GPSInfo) == GPS
    assert Image.open("b.jpg").getexif().get_ifd(ExifTags.IFD.GPSInfo) == {}


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_size_orientation_and_exif_are_kept(folder, orientation):
    picture().save("photo.jpg", exif=exif(orientation), quality=95)
    report = restore_photo("photo.jpg", "out.jpg", noise=8)
    assert report.done == ["noise"]
    assert report.change > 0.5
    assert Image.open("out.jpg").size == (128, 96)
    assert Image.open("out.jpg").info["exif"] == exif(orientation)
    assert np.abs(pixels("out.jpg") - pixels("photo.jpg")).mean() < 10


@pytest.mark.parametrize(
    ("options", "done"),
    [
        ({"noise": 8}, ["noise"]),
        ({"blur": 1.0}, ["softness"]),
        ({"exposure": 0.5}, ["light"]),
        ({"exposure": 0.5, "noise": 8}, ["light", "noise"]),
        ({"exposure": 0.5, "noise": 8, "skip": ["light"]}, ["noise"]),
        ({"exposure": 0.5, "noise": 8, "only": ["light"]}, ["light"]),
        ({"noise": 8, "only": ["noise", "light"], "skip": ["noise"]}, []),
        ({"noise": 0, "blur": 0, "exposure": 0}, []),
        ({"noise": 8, "only": []}, []),
    ],
)
def test_what_is_told_is_done(folder, options, done):
    report = restore_photo("photo.jpg", "out.png", **options)
    assert report.done == done
    assert (report.change > 0) == bool(done)


def test_more_exposure_is_lighter_and_more_noise_told_takes_more(folder):
    light = [restore_photo("photo.jpg", f"{e}.png", exposure=e) and pixels(f"{e}.png").mean()
             for e in (-0.5, 0, 0.5)]  # fmt: skip
    assert light == sorted(light)
    change = [restore_photo("photo.jpg", f"n{n}.png", noise=n).change for n in (3, 8, 20)]
    assert change == sorted(change)


def test_strength_holds_the_result_to_the_photo(folder):
    change = [
        restore_photo("photo.jpg", f"{s}.png", blur=1.2, strength=s).change for s in (0.1, 1, 10)
    ]
    assert len(set(change)) == 3


def test_same_seed_same_bytes(folder):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        restore_photo("photo.jpg", f"{name}.jpg", blur=1.0, seed=seed)
    assert Path("a.jpg").read_bytes() == Path("b.jpg").read_bytes()
    assert Path("a.jpg").read_bytes() != Path("c.jpg").read_bytes()


def test_colours_stay_and_grey_stays_grey(folder, monkeypatch):
    tint = torch.tensor([0.04, -0.03, 0.0]).view(1, 3, 1, 1)
    monkeypatch.setattr(one_photo, "load_prior", lambda *a: lambda x, s: smooth(x, s) + tint)
    restore_photo("photo.jpg", "out.png", noise=10)
    gap = pixels("out.png").mean((0, 1)) - pixels("photo.jpg").mean((0, 1))
    assert np.abs(gap).max() < 0.5
    picture().convert("L").convert("RGB").save("grey.png")
    restore_photo("grey.png", "out.png", noise=10, exposure=0.5, overwrite=True)
    shown = pixels("out.png")
    assert np.array_equal(shown[..., 0], shown[..., 1])
    assert np.array_equal(shown[..., 0], shown[..., 2])
    picture().convert("L").save("grey.jpg")
    restore_photo("grey.jpg", noise=10)
    assert Image.open("grey.restored.jpg").mode == "L"


def test_transparency_and_sixteen_bits_are_kept(folder):
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save("alpha.png")
    restore_photo("alpha.png", noise=8)
    written = Image.open("alpha.restored.png")
    assert written.mode == "RGBA"
    assert np.array_equal(np.asarray(written)[..., 3], np.asarray(image)[..., 3])
    deep = (np.asarray(picture().convert("L"), dtype=np.uint16) * 257) ^ 5
    Image.fromarray(deep).save("deep.png")
    restore_photo("deep.png", exposure=0.3)
    written = np.asarray(Image.open("deep.restored.png"))
    assert written.dtype.itemsize >= 2
    assert len(np.unique(written)) > 200
    assert written.max() > 255


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (20, 20)])
@pytest.mark.parametrize("colour", [None, (0, 0, 0), (255, 255, 255), (90, 110, 130)])
def test_tiny_flat_black_and_white_photos(folder, size, colour):
    (picture(200, 200).resize(size) if colour is None else Image.new("RGB", size, colour)).save(
        "in.png"
    )
    for options in ({}, {"noise": 10, "blur": 1, "exposure": 0.5}):
        report = restore_photo("in.png", "out.png", overwrite=True, **options)
        assert Image.open("out.png").size == size
        if colour in ((0, 0, 0), (255, 255, 255)):
            assert report.change < 1
        if colour is not None and not options:
            assert report.done == []


# What is refused


def test_an_existing_file_is_replaced_only_when_told(folder):
    Path("out.jpg").write_text("somebody's")
    for output in ("out.jpg", "photo.jpg"):
        before = contents(folder)
        with pytest.raises(PhotoError, match=r"exists already|is the input itself"):
            restore_photo("photo.jpg", output, noise=8)
        assert contents(folder) == before
    restore_photo("photo.jpg", "out.jpg", noise=8, overwrite=True)
    assert Image.open("out.jpg").size == (128, 96)


def test_a_file_that_appears_meanwhile_is_not_replaced(folder, monkeypatch):
    work = one_photo.restore_image

    def slow(*arguments):
        Path("out.jpg").write_text("somebody's")
        return work(*arguments)

    monkeypatch.setattr(one_photo, "restore_image", slow)
    with pytest.raises(PhotoError, match="exists already"):
        restore_photo("photo.jpg", "out.jpg", noise=8)
    assert Path("out.jpg").read_text() == "somebody's"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"only": ["blur"]},
            "unknown kind 'blur'; there are light, colour, grey, softness, noise, resolution",
        ),
        ({"skip": ["x"]}, "unknown kind 'x'"),
        ({"device": "cuda:99"}, "'cuda:99' is not available here"),
        ({"output": "out.gif"}, "must end in one of"),
        ({"checksum": "0"}, "is not the photo of that report"),
    ],
)
def test_mistakes_are_one_line_before_the_work(folder, monkeypatch, options, message):
    monkeypatch.setattr(one_photo, "diagnose", lambda *a: pytest.fail("worked in vain"))
    with pytest.raises(ValueError, match=message) as error:
        restore_photo("photo.jpg", **options)
    assert "\n" not in str(error.value)
    assert set(contents(folder)) == {"photo.jpg"}


@pytest.mark.parametrize("error", [RuntimeError("can't allocate\nTrace"), MemoryError()])
def test_memory_that_is_used_up_is_one_line(folder, capsys, monkeypatch, error):
    def fail(x, sigma):
        raise error

    monkeypatch.setattr(one_photo, "load_prior", lambda *a: fail)
    assert main(["restore", "photo.jpg", "--noise", "8", "-q"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("gdp_lite: photo.jpg could not be restored: ")
    assert len(line.splitlines()) == 1
    assert set(contents(folder)) == {"photo.jpg"}


def test_ctrl_c_leaves_no_file(folder, capsys, monkeypatch):
    def stop(x, sigma):
        raise KeyboardInterrupt

    monkeypatch.setattr(one_photo, "load_prior", lambda *a: stop)
    before = contents(folder)
    assert main(["restore", "photo.jpg", "--noise", "8"]) == 130
    assert capsys.readouterr().err.endswith("gdp_lite: stopped\n")
    assert contents(folder) == before


# The report, and to do it again


def test_the_report_says_all(folder):
    report = restore_photo("photo.jpg", noise=8, seed=3)
    report.save("report.json")
    told = json.loads(Path("report.json").read_text())
    assert told["checksum"] == hashlib.sha256(Path("photo.jpg").read_bytes()).hexdigest()
    assert told["done"] == ["noise"]
    assert told["settings"]["seed"] == 3
    assert told["settings"]["kinds"] == ["noise"]
    assert told["settings"]["noise"] == 8
    assert told["versions"]["gdp_lite"] == gdp_lite.__version__
    assert told["findings"]["noise"]["phi"]["bands"]
    assert read_report("report.json").as_json() == told


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": 8},
        {"blur": 1.1, "exposure": 0.4, "seed": 7, "strength": 0.5},
        {"noise": 8, "exposure": 1, "skip": ["light"]},
        {"only": ["colour"], "strip": True},
    ],
)
def test_a_report_repeats_its_result_bit_for_bit(folder, options):
    restore_photo("photo.jpg", "a.jpg", **options).save("report.json")
    again = repeat("report.json", output="b.jpg")
    assert Path("a.jpg").read_bytes() == Path("b.jpg").read_bytes()
    assert again.settings == read_report("report.json").settings
    again.save("again.json")
    repeat("again.json", output="c.jpg")
    assert Path("c.jpg").read_bytes() == Path("a.jpg").read_bytes()


def test_a_report_is_not_repeated_on_another_photo_nor_over_its_result(folder):
    restore_photo("photo.jpg", "a.jpg", noise=8).save("report.json")
    with pytest.raises(PhotoError, match="exists already"):
        repeat("report.json")
    picture().save("photo.jpg", quality=60)
    with pytest.raises(ValueError, match=r"photo.jpg is not the photo of that report"):
        repeat("report.json", output="b.jpg")
    assert not Path("b.jpg").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"photo": 1}', "[" * 5000, "\xff"])
def test_what_is_no_report_is_told_so(folder, capsys, text):
    Path("report.json").write_text(text)
    assert main(["restore", "--from", "report.json"]) == 2
    assert capsys.readouterr().err == "gdp_lite: report.json is no report of `restore`\n"
    assert main(["restore", "--from", "none.json"]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_another_version_is_said(folder):
    restore_photo("photo.jpg", "a.jpg").save("report.json")
    told = json.loads(Path("report.json").read_text())
    told["versions"]["torch"] = "0.1"
    Path("report.json").write_text(json.dumps(told))
    said = []
    repeat("report.json", output="b.jpg", say=said.append)
    assert any(line.startswith("torch was 0.1, now ") for line in said)


# Folders


@pytest.fixture
def holiday(folder):
    (folder / "in" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.PNG", "sub/c.jpg"):
        picture().save(folder / "in" / name)
    (folder / "in" / "bad.jpg").write_text("no photo")
    (folder / "in" / "notes.txt").write_text("no photo, and does not say so")
    (folder / "in" / ".hidden.jpg").write_text("")
    return folder


def test_one_bad_file_does_not_stop_the_rest(holiday):
    rows = restore_folder("in", "out", noise=8, reports="reports")
    assert [(r.name, r.done) for r in rows] == [
        ("a.jpg", "noise"),
        ("b.PNG", "noise"),
        ("bad.jpg", ""),
        ("sub/c.jpg", "noise"),
    ]
    assert "bad.jpg is no readable" in rows[2].error
    written = {n for n in contents(holiday) if n.startswith(("out", "reports"))}
    names = ("a.jpg", "b.PNG", "sub/c.jpg")
    records = {f"out/.gdp-lite/{n}.json" for n in names}
    assert written == {f"out/{n}" for n in names} | {f"reports/{n}.json" for n in names} | records
    lines = table(rows)
    assert lines[-1] == "3 written, 0 there already, 1 failed"
    assert len(lines) == 6


def test_a_folder_is_gone_on_with(holiday, monkeypatch):
    calls = []

    def counted(path, *arguments, **options):
        calls.append(Path(path).name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return restore_photo(path, *arguments, **options)

    monkeypatch.setattr("gdp_lite.folder.restore_photo", counted)
    with pytest.raises(KeyboardInterrupt):
        restore_folder("in", "out", noise=8)
    first = (holiday / "out" / "a.jpg").read_bytes()
    restore_folder("in", "out", noise=8)
    assert calls == ["a.jpg", "b.PNG", "b.PNG", "bad.jpg", "c.jpg"]
    assert (holiday / "out" / "a.jpg").read_bytes() == first
    (holiday / "out" / "a.jpg").write_bytes(first[:-200])  # half written by somebody
    rows = restore_folder("in", "out", noise=8)
    assert [r.done for r in rows] == ["noise", "there already", "", "there already"]
    assert (holiday / "out" / "a.jpg").read_bytes() == first
    assert restore_folder("in", "out", noise=8, overwrite=True)[0].done == "noise"


def done(**options):
    said = []
    rows = restore_folder("in", "out", say=said.append, **options)
    told = [line for line in said if line.startswith("out")]
    return [row.done for row in rows if not row.error], [t for t in told if "changed by" not in t]


@pytest.mark.slow
def test_what_was_done_otherwise_is_done_again(holiday, monkeypatch):
    """By its options, by the photo's bytes, by the versions; and a line says why."""
    there = ["there already"] * 3
    assert done(noise=8)[0] == ["noise"] * 3
    assert done(noise=8, device="cpu") == (there, [])
    again, told = done(noise=8, exposure=0.5)
    assert again == ["light, noise"] * 3
    assert told[0] == "out/a.jpg is done again: exposure was as found, is 0.5"
    assert done(noise=8, exposure=0.5)[0] == there
    last = {"noise": 8, "exposure": 0.5, "skip": ["light"], "seed": 1}
    again, told = done(**last)
    assert again == ["noise"] * 3
    assert told[2] == "out/sub/c.jpg is done again: skip was nothing, is light, seed was 0, is 1"
    picture(96, 128).rotate(180).save("in/b.PNG")
    again, told = done(**last)
    assert [n for n, what in enumerate(again) if what != "there already"] == [1]
    assert told == ["out/b.PNG is done again: the photo is another one"]
    monkeypatch.setattr(gdp_lite, "__version__", "99")
    assert done(**last)[1][0] == "out/a.jpg is done again: gdp_lite is another version"
    assert done(**last) == (there, [])


def test_files_of_others_are_left_alone_and_said(holiday):
    (holiday / "out").mkdir()
    picture().rotate(180).save(holiday / "out" / "a.jpg")
    own = (holiday / "out" / "a.jpg").read_bytes()
    again, told = done(noise=8)
    assert again == ["there already", "noise", "noise"]
    line = "out/a.jpg was not made here: left as it is; --overwrite replaces it"
    assert told == [line]
    assert (holiday / "out" / "a.jpg").read_bytes() == own
    picture(96, 128).rotate(180).save(holiday / "out" / "b.PNG")  # edited after it was made
    assert done(noise=8)[1][1] == line.replace("a.jpg", "b.PNG").replace(
        "was not made here", "was changed since it was made"
    )
    (holiday / "out" / ".gdp-lite" / "sub" / "c.jpg.json").write_text("[]")
    assert len(done(noise=8)[1]) == 3
    assert done(noise=8, overwrite=True)[0] == ["noise"] * 3
    assert done(noise=8) == (["there already"] * 3, [])


def test_another_prior_is_another_version(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "x.safetensors").write_text(name)
    found = [checksum_of_prior(p) for p in (None, tmp_path / "a", tmp_path / "b", "hub/id", smooth)]
    assert len(set(found)) == 5
    assert found[3:] == ["hub/id", "function"]


def test_the_result_may_lie_within_the_folder(holiday):
    restore_folder("in", "in/better", noise=8)
    rows = restore_folder("in", "in/better", noise=8)
    assert {r.name for r in rows} == {"a.jpg", "b.PNG", "bad.jpg", "sub/c.jpg"}


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("in", "in", "no other folder"),
        ("in", "photo.jpg", "no other folder"),
        ("in", "photo.jpg/out", "cannot be made"),
        ("empty", "out", "there is no photo in empty"),
    ],
)
def test_folders_that_cannot_be(holiday, source, target, message):
    Path("empty").mkdir()
    before = contents(holiday)
    if "made" in message:  # of each file, as the folder of another may be there
        assert all(message in row.error for row in restore_folder(source, target))
    else:
        with pytest.raises(PhotoError, match=message):
            restore_folder(source, target)
    assert contents(holiday) == before


def test_whole_is_what_can_be_decoded_and_has_the_size(folder):
    data_ = Path("photo.jpg").read_bytes()
    turned = picture(128, 96)
    turned.save("turned.png")
    picture(10, 10).save("small.jpg")
    Path("cut.jpg").write_bytes(data_[: len(data_) // 2])
    photo = Path("photo.jpg")
    assert is_whole(photo, photo)
    assert is_whole(Path("turned.png"), photo)
    assert not is_whole(Path("small.jpg"), photo)
    assert not is_whole(Path("cut.jpg"), photo)
    assert not is_whole(Path("none.jpg"), photo)


# Previews


def test_a_preview_shows_three_parts_before_and_after(folder):
    noisy = np.asarray(picture(800, 900), dtype=float)
    noisy[:256, :256] = 128 + 25 * np.random.default_rng(0).normal(size=(256, 256, 3))
    noisy[:256, 512:768] = 0
    noisy[:256, 512:768:8] = 255
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save("large.png")
    said = []
    made = preview_photo("large.png", noise=20, say=said.append)
    assert made.places == [(0, 0), (0, 512), (272, 322)]
    assert made.kinds[-1] == "noise"
    assert made.seconds > 0
    shown = pixels("large.preview.jpg")
    assert shown.shape == (16 + 4 + 3 * 260, 2 * 256 + 12, 3)
    before, after = shown[20:276, 4:260], shown[20:276, 264:520]
    assert np.abs(before - noisy[:256, :256].clip(0, 255)).mean() < 6
    assert after.std() < 0.95 * before.std()
    assert said[-1].startswith("the whole would take about ")
    assert set(contents(folder)) == {"photo.jpg", "large.png", "large.preview.jpg"}


@pytest.mark.parametrize("size", [(1, 1), (300, 20), (256, 256)])
def test_previews_of_small_photos(folder, size):
    picture(300, 300).resize(size).save("small.png")
    made = preview_photo("small.png", "p.png", noise=5, blur=1.0, exposure=1.0)
    assert Image.open(made.output).format == "PNG"
    assert len(made.places) == 3
    with pytest.raises(PhotoError, match="exists already"):
        preview_photo("small.png", "p.png")


def test_parts_are_different_ones_where_there_are_enough():
    y = torch.rand(1, 3, 800, 800, generator=torch.Generator().manual_seed(0))
    places = parts_of(y, torch.ones(1, 1, 800, 800))
    assert places[2] == (272, 272)
    for i, one in enumerate(places):
        for other in places[:i]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 256


def test_times_in_words():
    assert [in_words(s) for s in (1, 42, 89, 100, 720, 6000)] == [
        *("5 seconds", "45 seconds", "90 seconds", "2 minutes", "12 minutes", "1.7 hours")
    ]


# The command


def test_the_options_reach_restore_photo(folder, monkeypatch):
    seen = {}

    def fake(path, output, **options):
        seen.update(options, path=path, output=output)
        return Report(path, "out", "", {}, [], 0.0, [], {}, {}, 0.0)

    monkeypatch.setattr(one_photo, "restore_photo", fake)
    line = "restore photo.jpg --only light,noise --skip colour --noise 3 --blur 0.8 --exposure=-1"
    line += " --strength 2 --seed 5 --device cpu --precision bf16 --prior x"
    line += " --overwrite --strip -q --report r.json"
    assert main(line.split()) == 0
    assert seen == {
        **{"path": "photo.jpg", "output": None, "only": ["light", "noise"], "skip": ["colour"]},
        **{
            "strokes": None,
            "noise": 3,
            "blur": 0.8,
            "exposure": -1,
            "strength": 2,
            "seed": 5,
            "device": "cpu",
            "precision": "bf16",
        },
        **{"mask": None, "prior": "x", "overwrite": True, "strip": True},
    }
    assert json.loads(Path("r.json").read_text())["photo"] == "photo.jpg"


def test_what_the_command_says_and_writes(folder, capsys):
    assert main(["restore", "photo.jpg", "--noise", "8"]) == 0
    output, lines = capsys.readouterr()
    assert output == ""
    assert [line.split(":")[0] for line in lines.splitlines()[:7]] == [
        *("light", "colour", "softness", "noise", "overlay", "jpeg", "undoing")
    ]
    assert "tile 1 of 1" in lines
    assert "photo.restored.jpg: changed by" in lines
    assert set(contents(folder)) == {"photo.jpg", "photo.restored.jpg"}
    assert main(["restore", "photo.jpg", "--noise", "8"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["restore", "photo.jpg", "--noise", "8", "-q", "--overwrite"]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_asked_for_and_not_there_is_said(folder, capsys):
    Image.new("RGB", (40, 30), (90, 110, 130)).save("flat.png")
    assert main(["restore", "flat.png", "--only", "softness"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "asked for, though not seen for certain: softness" in lines
    assert "there is nothing to undo: flat.restored.png is a copy, bit for bit" in lines
    assert Path("flat.restored.png").read_bytes() == Path("flat.png").read_bytes()


def test_a_prior_that_is_not_there_is_an_error_where_none_is_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), (90, 110, 130)).save("flat.png")
    assert main(["restore", "flat.png", "--prior", "nonsense"]) == 2
    assert "no diffusion prior could be loaded from nonsense" in capsys.readouterr().err
    assert not Path("flat.restored.png").exists()


def test_the_command_repeats_a_report(folder):
    assert main(["restore", "photo.jpg", "--noise", "8", "-q", "--report", "r.json"]) == 0
    assert main(["restore", "--from", "r.json", "-o", "b.jpg", "-q"]) == 0
    assert Path("b.jpg").read_bytes() == Path("photo.restored.jpg").read_bytes()


def test_the_command_does_a_folder(holiday, capsys):
    assert main(["restore", "in", "-o", "out", "--noise", "8"]) == 2  # one of them is no photo
    output, lines = capsys.readouterr()
    assert output == ""
    assert lines.splitlines()[-1] == "3 written, 0 there already, 1 failed"
    (holiday / "in" / "bad.jpg").unlink()
    assert main(["restore", "in", "-o", "out", "--noise", "8", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["restore", "in"]) == 2
    assert "-o says the folder" in capsys.readouterr().err


def test_the_command_previews(folder):
    assert main(["restore", "photo.jpg", "--preview", "--noise", "8", "-q"]) == 0
    assert set(contents(folder)) == {"photo.jpg", "photo.preview.jpg"}


FOUND = ["light", "colour", "softness", "noise", "overlay", "jpeg"]


def test_diagnose_prints_and_writes_nothing(folder, capsys):
    assert main(["diagnose", "photo.jpg"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[2:].split()[0] for line in lines[:6]] == FOUND
    assert lines[6] == "nothing that `restore` would undo"
    assert main(["diagnose", "photo.jpg", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == FOUND
    assert set(contents(folder)) == {"photo.jpg"}
    assert main(["diagnose", "none.jpg"]) == 2
    assert capsys.readouterr().err == "gdp_lite: none.jpg does not exist\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "photo.jpg --only blur",
            "--only: knows light, colour, grey, softness, noise, resolution, missing",
        ),
        ("photo.jpg --exposure 9", "--exposure: must be a number from -5 to 5"),
        ("photo.jpg --mask m.png", "m.png does not exist"),
        ("photo.jpg --steps 3", "--steps goes with --task"),
        ("photo.jpg -o b.jpg --task denoise --exposure 1", "--exposure is for restoring without"),
        ("photo.jpg -o b.jpg --task denoise --preview", "--preview is for restoring without"),
        ("photo.jpg -o b.jpg --task deblur --blur 0", "--blur: --task deblur needs at least 0.1"),
        ("photo.jpg --from r.json --noise 3", "--noise is in the report already"),
        ("photo.jpg --task denoise", "--task needs -o"),
        ("none.jpg", "none.jpg does not exist"),
        ("", "required: photo"),
    ],
)
def test_mistakes_of_the_command(folder, capsys, line, message):
    assert main(["restore", *line.split()]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert set(contents(folder)) == {"photo.jpg"}


def test_a_pipe(folder):
    """The real command: a photo on standard input, the result alone on standard output."""
    command = [sys.executable, "-m", "gdp_lite", "restore", "-", "-o", "-", "--exposure", "0.5"]
    source = Path("photo.jpg").read_bytes()
    done = subprocess.run(command, input=source, env=ENVIRONMENT, capture_output=True, check=True)
    restore_photo("photo.jpg", "out.jpg", exposure=0.5)
    assert done.stdout == Path("out.jpg").read_bytes()
    assert b"standard output: changed by" in done.stderr
    assert set(contents(folder)) == {"photo.jpg", "out.jpg"}


@pytest.mark.slow
def test_a_folder_that_is_killed_is_gone_on_with(holiday):
    """With the bundled prior; the signal that no program can heed."""
    for number in range(6):
        picture().save(holiday / "in" / f"{number}.jpg")
    command = [sys.executable, "-m", "gdp_lite", "restore", "in", "-o", "out", "--noise", "8"]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        said = b""
        while b"3 of 10" not in said:
            more = os.read(process.stderr.fileno(), 64)
            assert more, f"it ended: {said!r}"
            said += more
        process.send_signal(signal.SIGKILL)
    for path in (holiday / "out").rglob("*.*"):
        if path.suffix == ".json":
            assert records.read(path)
        elif not path.is_dir():
            assert is_whole(path, holiday / "in" / path.relative_to(holiday / "out"))
    assert (holiday / "out" / "0.jpg").exists()
    assert records.place_of(holiday / "out", Path("0.jpg")).exists()
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "7 written, 2 there already, 1 failed"
