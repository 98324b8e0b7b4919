"""The command line, with the bundled prior: what it writes, what it says, what it refuses."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps
from skimage import data

import gdp_lite.prior
from gdp_lite.cli import MAX_PIXELS, TASKS, main

GPS = {1: "S", 2: (33.0, 51.0, 25.0), 3: "E", 4: (151.0, 12.0, 40.0)}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
REAL_COMMAND = [sys.executable, "-m", "gdp_lite"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(gdp_lite.__file__).parents[1])}


def picture(height=48, width=64):
    return Image.fromarray(data.astronaut()[20 : 20 + height, 180 : 180 + width])


def exif(orientation=1):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "Maker"
    tags.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return tags.tobytes()


def pixels(path):
    """The picture as a viewer shows it, (H, W, 3) or (H, W), float."""
    return np.asarray(ImageOps.exif_transpose(Image.open(path)), dtype=float)


@pytest.fixture
def folder(tmp_path, monkeypatch, prior):
    """The working folder: a photo lying on its side, a mask of it as shown, a file called old.

    The bundled prior is loaded once for all tests; the real command loads its own.
    """
    load = gdp_lite.prior.load_prior

    def loaded(path, device, say):
        return prior if (path, device) == (None, "cpu") else load(path, device, say)

    monkeypatch.setattr(gdp_lite.prior, "load_prior", loaded)
    monkeypatch.chdir(tmp_path)
    picture().save("in.jpg", exif=exif(6), icc_profile=PROFILE, quality=95)
    mask = Image.new("L", (48, 64))  # the photo is stored 64 x 48 and shown 48 x 64
    mask.paste(255, (10, 30, 20, 44))
    mask.save("mask.png")
    picture().save("old.png")
    return tmp_path


def restore(*arguments, source="in.jpg", out="out.jpg", task="denoise", steps=2):
    mask = ["--mask", "mask.png"] if task == "inpaint" and "--mask" not in arguments else []
    # These photos are not blocky; as noise the detail in their blocks is accepted.
    noise = ["--noise", "60"] if task == "superres" and "--noise" not in arguments else []
    options = ["-o", out, "--task", task, "--steps", str(steps)]
    return main(["restore", source, *options, *mask, *noise, *arguments])


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# What it writes


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_every_task_keeps_size_orientation_position_and_profile(folder, task, orientation):
    picture().save("in.jpg", exif=exif(orientation), icc_profile=PROFILE, quality=95)
    if orientation == 1:
        Image.open("mask.png").transpose(Image.Transpose.ROTATE_90).save("mask.png")
    before = contents(folder)
    assert restore(task=task) == 0
    written = Image.open("out.jpg")
    assert written.size == (64, 48)
    assert written.info["exif"] == exif(orientation)
    assert written.getexif().get_ifd(ExifTags.IFD.GPSInfo) == GPS
    assert written.info["icc_profile"] == PROFILE
    assert {name: contents(folder)[name] for name in before} == before
    assert set(contents(folder)) == {*before, "out.jpg"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_result_shows_the_photo_the_same_way_round(folder, orientation):
    """Near-zero noise: what comes out must look like what went in, pixel by pixel."""
    picture().save("in.jpg", exif=exif(orientation), quality=95)
    assert restore("--noise", "0", "--strength", "100", "-q") == 0
    assert Image.open("out.jpg").getexif()[ExifTags.Base.Orientation] == orientation
    assert np.abs(pixels("out.jpg") - pixels("in.jpg")).mean() < 4


def test_inpainting_replaces_the_white_and_only_the_white(folder):
    """The photo has a green box where the mask is white, in the photo as shown."""
    shown = picture(64, 48)
    shown.paste((0, 255, 0), (10, 30, 20, 44))
    stored = shown.transpose(Image.Transpose.ROTATE_90)  # orientation 6 turns it back
    stored.save("in.png", exif=exif(6))
    assert restore(source="in.png", out="out.png", task="inpaint", steps=4) == 0
    white = pixels("mask.png") == 255
    change = np.abs(pixels("out.png") - pixels("in.png")).mean(axis=-1)
    assert change[white].mean() > 60
    assert change[~white].max() == 0


@pytest.mark.parametrize("task", ["denoise", "deblur", "inpaint"])
def test_a_large_photo_in_tiles_is_nearly_that_photo_whole(folder, capsys, monkeypatch, task):
    options = {"denoise": ["--noise", "20"], "deblur": ["--blur", "1", "--noise", "5"]}.get(
        task, []
    )
    assert restore(*options, task=task, out="whole.png") == 0
    for name, value in {"WHOLE": 1000, "TILE": 32, "OVERLAP": 16}.items():
        monkeypatch.setattr(f"gdp_lite.tiling.{name}", value)
    capsys.readouterr()
    assert restore(*options, task=task, out="tiles.png") == 0
    assert "network call 12 of 12,    0 s left" in capsys.readouterr().err  # 2 steps, 2 x 3 tiles
    gap = np.square(pixels("tiles.png") - pixels("whole.png")).mean() ** 0.5
    change = np.square(pixels("whole.png") - pixels("in.jpg")).mean() ** 0.5
    assert 0 < gap < 0.3 * change  # tiles of 32 are the worst case: the network sees further


def test_a_mask_of_the_photo_as_stored_gives_the_same(folder):
    assert restore(task="inpaint", out="shown.png") == 0
    Image.open("mask.png").transpose(Image.Transpose.ROTATE_90).save("stored.png")
    assert restore("--mask", "stored.png", task="inpaint", out="out.png") == 0
    assert np.array_equal(pixels("out.png"), pixels("shown.png"))


def test_the_seed_decides(folder):
    for name, seed in {"a": "1", "b": "1", "c": "2"}.items():
        assert restore("--seed", seed, "--blur", "1", task="deblur", out=f"{name}.png") == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert not np.array_equal(pixels("a.png"), pixels("c.png"))


def test_what_needs_nothing_is_told_so(folder, capsys):
    """A sharp photo is left nearly as it is; one that is not blocky is not made so."""
    half = data.astronaut().reshape(256, 2, 256, 2, 3).mean((1, 3))[60:156, 70:166]
    Image.fromarray(half.round().astype(np.uint8)).save("sharp.png")
    assert restore(source="sharp.png", out="same.png", task="deblur", steps=8) == 0
    assert "looks sharp" in capsys.readouterr().err
    assert np.square(pixels("same.png") - pixels("sharp.png")).mean() < (255 / 100) ** 2  # 40 dB
    assert restore("--noise", "1", source="sharp.png", out="never.png", task="superres") == 2
    assert "not made of 2 x 2 blocks" in capsys.readouterr().err
    assert not Path("never.png").exists()


def test_strength_holds_the_result_to_the_photo(folder):
    distance = []
    for strength in ("0.1", "1", "10"):
        assert restore("--strength", strength, "--noise", "30", out=f"{strength}.png") == 0
        distance.append(np.abs(pixels(f"{strength}.png") - pixels("in.jpg")).mean())
    assert distance == sorted(distance, reverse=True)
    assert distance[0] > 1.5 * distance[-1]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (500, 1), (1, 500), (5, 4)])
def test_the_smallest_photos(folder, size, task):
    width, height = size
    image = picture(512, 332).resize(size)
    image.save("in.png")
    mask = Image.new("L", size)
    mask.putpixel((width - 1, height - 1), 255)
    mask.save("mask.png")
    if size == (1, 1) and task == "inpaint":
        assert restore(task=task, source="in.png", out="out.png") == 2  # nothing would be left
        return
    assert restore(task=task, source="in.png", out="out.png") == 0
    assert Image.open("out.png").size == size


@pytest.mark.parametrize("value", [0, 255])
def test_a_photo_of_one_colour(folder, value):
    """No noise to estimate, which must not end in a division by zero."""
    Image.new("L", (40, 30), value).save("in.png")
    assert restore(source="in.png", out="out.png") == 0
    written = Image.open("out.png")
    assert (written.mode, written.size) == ("L", (40, 30))
    assert np.abs(pixels("out.png") - value).mean() < 8


def test_names_with_spaces_umlauts_and_capitals(folder):
    Path("in.jpg").rename("Mein Foto ☃ ü.JPG")
    assert restore(source="Mein Foto ☃ ü.JPG", out="sauber ☃ é.JPEG") == 0
    assert Image.open("sauber ☃ é.JPEG").format == "JPEG"


def test_a_phone_photo(shared, folder):
    with Image.open(shared / "eval" / "phones" / "iphone_4s.jpg") as large:
        block = large.info["exif"]
        large.crop((1000, 1000, 1072, 1048)).save("in.jpg", exif=block)
    assert restore() == 0
    written = Image.open("out.jpg")
    assert written.size == (72, 48)
    assert written.getexif()[ExifTags.Base.Orientation] == 6
    preview = block.index(b"\xff\xd8\xff")  # made anew, and before it the size alone
    changed = [i for i in range(preview) if written.info["exif"][i] != block[i]]
    assert len(written.info["exif"]) == len(block)
    assert len(changed) <= 4


def test_every_phone_photo_is_small_enough(shared):
    for path in sorted((shared / "eval" / "phones").glob("*.jpg")):
        with Image.open(path) as picture:
            assert picture.width * picture.height <= MAX_PIXELS, path.name


# What it says


def test_progress_with_the_time_left_and_a_final_line(folder, capsys):
    assert restore("--noise", "12", steps=3) == 0
    output, lines = capsys.readouterr()
    assert output == ""
    for number in (1, 2, 3):
        assert re.search(rf"\rnetwork call +{number} of 3, +\d+ s left ", lines)
    assert lines.splitlines()[-2] == (
        "out.jpg: denoise, 48 x 64, assumed GaussianNoise, noise 12.0 of 255;"
    )
    assert re.search(r"differs from the photo by \d+\.\d of 255$", lines.splitlines()[-1])


@pytest.mark.parametrize(
    ("source", "task", "calls"),
    [("in.jpg", "denoise", 5), ("old.png", "denoise", 1), ("in.jpg", "inpaint", 20)],
)
def test_steps_unless_told(folder, capsys, source, task, calls):
    """A noisy JPEG takes five, noise without JPEG one, everything else twenty."""
    mask = ["--mask", "mask.png"] if task == "inpaint" else []
    noise = ["--noise", "25"]  # enough that no two steps coincide
    command = ["restore", source, "-o", "out.png", "--task", task, *mask, *noise]
    assert main(command) == 0
    assert f"network call {calls} of {calls}," in capsys.readouterr().err


def test_quiet(folder, capsys):
    assert restore("-q") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_a_user_sees_no_warnings(folder):
    """The real command, on a photo that makes NumPy and Pillow remark on something."""
    Image.new("RGB", (30, 20)).save("in.jpg", exif=exif(6)[:20])
    command = [*REAL_COMMAND, "restore", "in.jpg", "-o", "out.jpg", "--task", "denoise"]
    done = subprocess.run(
        [*command, "--steps", "1"], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    first, *steps, what, how = done.stderr.splitlines()
    assert first == "loading the prior ..."
    assert all(re.fullmatch(r"|network call +\d+ of 1, +\d+ s left ", line) for line in steps)
    assert re.fullmatch(
        r"out\.jpg: denoise, 30 x 20, assumed GaussianNoise, noise \d+\.\d of 255;", what
    )
    assert re.fullmatch(r"degraded again, .* differs from the photo by \d+\.\d of 255", how)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["restore", "--help"], 0), ([], 2), (["restore", "x", "--steps", "no"], 2)],
)
def test_help_and_typing_errors_do_not_wait_for_torch(folder, arguments, code):
    program = (
        "import sys; from gdp_lite.cli import main\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        "assert 'torch' not in sys.modules\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == code
    if code == 0:
        assert done.stdout.startswith("usage: python -m gdp_lite")
        assert done.stderr == ""
    else:
        assert re.fullmatch(r"gdp_lite: .* \(see python -m gdp_lite.* --help\)\n", done.stderr)


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit) as end:
        main(["restore", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "--task",
        "--mask",
        "--strength",
        "--steps",
        "--seed",
        "--device",
        *("--only", "--skip", "--noise", "--blur", "--exposure", "--report", "--from", "--preview"),
        *("--overwrite", "--strip", "--prior", "--output", "--quiet", "--factor"),
    ):
        assert re.search(rf"^  .*{option}\b", text, re.MULTILINE)
    for task in TASKS:
        assert re.search(rf"^  {task} +\w", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines()) <= 100


# What it refuses


def _large():
    Image.new("L", (5000, 4000)).save("large.png")


def _text():
    Path("text.jpg").write_text("no photo")


def _cut():
    Path("cut.jpg").write_bytes(Path("in.jpg").read_bytes()[:200])


def _cut_mask():
    Path("cut.png").write_bytes(Path("mask.png").read_bytes()[:-30])


def _turned_mask():
    Image.open("mask.png").crop((0, 0, 40, 64)).save("small.png")


OK = ["in.jpg", "-o", "out.jpg", "--task", "denoise"]
INPAINT = ["in.jpg", "-o", "out.jpg", "--task", "inpaint"]
ERRORS = {
    "no arguments": ([], "required: photo"),
    "no output": (["in.jpg", "--task", "denoise"], "--task needs -o"),
    "another task": ([*OK[:-1], "colour"], "choose from '?denoise"),
    "an unknown option": ([*OK, "--sharper"], "unrecognized arguments: --sharper"),
    "noise nan": ([*OK, "--noise", "nan"], "--noise: must be a number from 0 to 255"),
    "noise inf": ([*OK, "--noise", "inf"], "--noise: must be a number"),
    "negative noise": ([*OK, "--noise=-3"], "--noise: must be a number"),
    "strength 0": ([*OK, "--strength", "0"], "--strength: must be a number from 0.01 to 100"),
    "strength 1e-300": ([*OK, "--strength", "1e-300"], "--strength: must be a number"),
    "blur in words": ([*OK, "--blur", "strong"], "--blur: must be a number"),
    "factor 3": ([*OK, "--factor", "3"], "--factor: invalid choice"),
    "no steps": ([*OK, "--steps", "0"], "--steps: must be a whole number from 1 to 1000"),
    "half a step": ([*OK, "--steps", "2.5"], "--steps: must be a whole number"),
    "a seed too large": ([*OK, "--seed", "1" + 20 * "0"], "--seed: must be a whole number"),
    "a device that does not exist": ([*OK, "--device", "bogus"], "--device: must be auto, cpu"),
    "a device without numbers": ([*OK, "--device", "meta"], "--device: must be auto, cpu"),
    "a device that is not here": ([*OK, "--device", "cuda:99"], "'cuda:99' is not available here"),
    "another prior": ([*OK, "--prior", "in.jpg"], "no diffusion prior could be loaded from in.jpg"),
    "inpainting without a mask": (INPAINT, "--task inpaint needs --mask"),
    "a mask with another task": ([*OK, "--mask", "mask.png"], "--mask goes with --task inpaint"),
    "a mask that is missing": ([*INPAINT, "--mask", "no.png"], "no.png does not exist"),
    "a mask without a name": ([*INPAINT, "--mask", ""], "does not exist"),
    "a mask cut short": ([*INPAINT, "--mask", "cut.png"], "cut.png is damaged", _cut_mask),
    "a smaller mask": (
        [*INPAINT, "--mask", "small.png"],
        "the mask small.png is 40 x 64, the photo 48 x 64",
        _turned_mask,
    ),
    "a photo that is missing": (["no.jpg", *OK[1:]], "no.jpg does not exist"),
    "a photo without a name": (["", *OK[1:]], "does not exist"),
    "a name of two lines": (["a\nb.jpg", *OK[1:]], "a b.jpg does not exist"),
    "a folder": ([".", *OK[1:]], "is a folder"),
    "no picture": (["text.jpg", *OK[1:]], "no readable JPEG", _text),
    "a photo cut short": (["cut.jpg", *OK[1:]], "cut.jpg is no readable JPEG", _cut),
    "too large a photo": (["large.png", *OK[1:]], r"20\.0 megapixels .* at most 16\.5", _large),
    "output to the input": (["in.jpg", "-o", "in.jpg", *OK[3:]], "in.jpg is the input itself"),
    "output to a file": (["in.jpg", "-o", "old.png", *OK[3:]], "old.png exists already"),
    "output to the mask": (
        ["in.jpg", "-o", "mask.png", "--task", "inpaint", "--mask", "mask.png"],
        "mask.png exists already",
    ),
    "output to a folder": (["in.jpg", "-o", ".", *OK[3:]], "must end in one of"),
    "output in no folder": (["in.jpg", "-o", "no/out.jpg", *OK[3:]], "folder no does not exist"),
    "output of no name": (["in.jpg", "-o", "", *OK[3:]], "must end in one of"),
    "output as GIF": (["in.jpg", "-o", "out.gif", *OK[3:]], "must end in one of .jpg"),
    "too long a name": (["in.jpg", "-o", "n" * 300 + ".jpg", *OK[3:]], "File name too long"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_get_one_line_and_exit_code_2(folder, capsys, name):
    arguments, message, *prepare = ERRORS[name]
    for make in prepare:
        make()
    before = contents(folder)
    assert main(["restore", *arguments]) == 2
    output, lines = capsys.readouterr()
    assert output == ""
    line = lines.removeprefix("loading the prior ...\n")
    assert line.startswith("gdp_lite: ")
    assert len(line.splitlines()) == 1
    assert re.search(message, line)
    assert contents(folder) == before


@pytest.mark.parametrize("way", ["same", "other spelling", "soft link", "hard link"])
def test_the_input_is_overwritten_only_when_told(folder, way):
    name = {"same": "in.jpg", "other spelling": f"../{folder.name}/in.jpg"}.get(way, "link.jpg")
    if way == "soft link":
        Path("link.jpg").symlink_to("in.jpg")
    if way == "hard link":
        os.link("in.jpg", "link.jpg")
    before = contents(folder)
    assert restore(out=name) == 2
    assert contents(folder) == before
    assert restore("--overwrite", out=name) == 0
    assert Path(name).read_bytes() != before["in.jpg"]
    assert Image.open(name).info["exif"] == exif(6)


def test_a_file_that_appears_meanwhile_is_not_overwritten(folder, capsys, monkeypatch):
    """The work takes minutes, and the name may be taken by then."""
    from gdp_lite import sampler

    work = sampler.restore

    def slow(*arguments, **options):
        Path("out.jpg").write_text("somebody else's")
        return work(*arguments, **options)

    monkeypatch.setattr(sampler, "restore", slow)
    assert restore("-q") == 2
    assert Path("out.jpg").read_text() == "somebody else's"
    assert capsys.readouterr().err.startswith("gdp_lite: out.jpg exists already")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("can't allocate memory\nTraceback ..."), "on cpu: can't allocate memory\n"),
        (MemoryError(), "on cpu: out of memory\n"),
    ],
)
def test_memory_that_is_used_up(folder, capsys, monkeypatch, error, line):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("gdp_lite.sampler.restore", fail)
    before = contents(folder)
    assert restore("-q", "--device", "cpu") == 2
    assert capsys.readouterr().err == f"gdp_lite: in.jpg could not be restored {line}"
    assert contents(folder) == before


def _heed_ctrl_c():
    """Where the tests run in a shell's background, they and their children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_ctrl_c_leaves_no_file(folder):
    """The real command, interrupted between two steps."""
    Image.effect_noise((256, 256), 60).save("in.png")
    before = contents(folder)
    command = [*REAL_COMMAND, "restore", "in.png", "-o", "out.png", "--task", "denoise"]
    options = {"env": ENVIRONMENT, "stderr": subprocess.PIPE, "preexec_fn": _heed_ctrl_c}
    with subprocess.Popen([*command, "--steps", "500"], **options) as process:
        said = b""
        while b"call 2 of" not in said:
            more = os.read(process.stderr.fileno(), 64)
            assert more, f"it ended: {said!r}"
            said += more
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest.endswith(b"\ngdp_lite: stopped\n")
    assert b"Traceback" not in rest
    assert contents(folder) == before


@pytest.mark.slow
def test_nobody_listening_does_not_stop_the_work(folder):
    """As in ``... 2>&1 | head -1``: stderr is a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*REAL_COMMAND, "restore", "in.jpg", "-o", "out.jpg", "--task", "denoise"]
    done = subprocess.run([*command, "--steps", "2"], env=ENVIRONMENT, stderr=writer)
    os.close(writer)
    assert done.returncode == 0
    assert Image.open("out.jpg").size == (64, 48)


def test_training_options_are_there(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--photos" in capsys.readouterr().out
    assert main(["train"]) == 2
    assert re.fullmatch("gdp_lite: .* required: --photos, --out .*\n", capsys.readouterr().err)


def test_warnings_are_as_before_afterwards(folder):
    """A program that calls `main` keeps its own filters, and torch its number of threads."""
    import warnings

    filters, threads = list(warnings.filters), torch.get_num_threads()
    assert restore("-q") == 0
    assert list(warnings.filters) == filters
    assert torch.get_num_threads() == threads
