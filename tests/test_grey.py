"""Lost colour: strokes read from a painted copy, carried to the rest, joined to the grey."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exact import normal
from PIL import Image
from skimage import data
from torch.nn import functional

from gdp_lite import one_photo, read_photo, restore_photo
from gdp_lite.cli import main
from gdp_lite.degradations import Strokes
from gdp_lite.degradations.solvers import prox_of_linear
from gdp_lite.degradations.strokes import grey, spread
from gdp_lite.diagnosis import diagnose, told
from gdp_lite.image import LUMA, from_uint8, to_uint8
from gdp_lite.kept_colour import is_grey
from gdp_lite.one_photo import repeat
from gdp_lite.photos import PhotoError, read_strokes
from gdp_lite.preview import preview_photo
from gdp_lite.repairs.grey import coloured, joined, of_strokes, room

WIDTH, HEIGHT = 96, 72
BOXES = [(10, 8, 26, 12), (60, 10, 80, 14), (20, 50, 40, 54), (64, 52, 84, 57)]


def smooth(x, sigma):
    """A denoiser that is cheap."""
    return 0.3 * x + 0.7 * functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def scene():
    """A left half of one colour and a right half of another, both with light and shadow."""
    light = np.random.default_rng(0).uniform(-14, 14, (HEIGHT, WIDTH, 1))
    light += np.linspace(-20, 20, HEIGHT)[:, None, None]
    x = np.where(np.arange(WIDTH)[:, None] < WIDTH // 2, (170.0, 90, 60), (90, 130, 190))
    return Image.fromarray((x + light).clip(0, 255).round().astype(np.uint8))


def painted(photo, colours, boxes=BOXES):
    copy = photo.convert("RGB")
    for box in boxes:
        copy.paste(colours.crop(box), box)
    return copy


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def where(boxes=BOXES, shrink=0):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in boxes:
        mask[top + shrink : bottom - shrink, left + shrink : right - shrink] = True
    return mask


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(one_photo, "load_prior", lambda *arguments: smooth)
    one_photo._load.cache_clear()
    scene().convert("L").save("old.jpg", quality=95)
    grey_photo = Image.open("old.jpg")
    painted(grey_photo, scene()).save("painted.png")
    yield tmp_path
    one_photo._load.cache_clear()


# The file with the strokes


def test_strokes_are_where_the_copy_differs():
    photo = read_photo(encoded(scene().convert("L")))
    layer = read_strokes(encoded(painted(scene().convert("L"), scene())), photo)
    assert layer.shape == (1, 4, HEIGHT, WIDTH)
    assert np.array_equal(layer[0, 3].numpy() > 0, where(shrink=1)), "without a brush's soft edge"
    colours, there = to_uint8(layer[:, :3]), where(shrink=1)
    assert np.array_equal(colours[there], np.asarray(scene())[there])


def test_a_line_of_one_pixel_is_a_stroke_in_a_lossless_copy():
    photo = read_photo(encoded(scene().convert("L")))
    thin = [(10, 8, 40, 9)]
    layer = read_strokes(encoded(painted(scene().convert("L"), scene(), thin)), photo)
    assert np.array_equal(layer[0, 3].numpy() > 0, where(thin))


@pytest.mark.parametrize("quality", [60, 90])
def test_a_copy_stored_as_jpeg_has_no_strokes_elsewhere(quality):
    """What JPEG changes, at edges above all, is not painted; of strokes most is found."""
    old = Image.fromarray(data.camera()).resize((256, 256), Image.Resampling.LANCZOS)
    photo = read_photo(encoded(old, "JPEG", quality=95))
    boxes = [(20, 20, 60, 34), (150, 60, 200, 74)]
    red = Image.new("RGB", old.size, (200, 90, 60))
    layer = read_strokes(encoded(painted(old, red, boxes), "JPEG", quality=quality), photo)
    inside = np.zeros((256, 256), bool)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    found = layer[0, 3].numpy() > 0
    assert found[inside].mean() > 0.6
    assert not found[~inside].any()
    assert np.abs(to_uint8(layer[:, :3])[found].mean(0) - (200, 90, 60)).max() < 6


def test_of_a_layer_with_transparency_what_is_opaque_is_a_stroke():
    photo = read_photo(encoded(scene().convert("L")))
    layer = scene().convert("RGBA")
    layer.putalpha(Image.fromarray(np.where(where(), 255, 30).astype(np.uint8)))
    assert np.array_equal(read_strokes(encoded(layer), photo)[0, 3].numpy() > 0, where())
    copy = painted(scene().convert("L"), scene()).convert("RGBA")  # opaque: a copy like any other
    assert np.array_equal(read_strokes(encoded(copy), photo)[0, 3].numpy() > 0, where(shrink=1))


def test_the_photos_own_transparency_is_no_stroke():
    alpha = Image.new("L", (WIDTH, HEIGHT), 255)
    alpha.paste(0, (88, 0, WIDTH, HEIGHT))
    old = scene().convert("L").convert("LA")
    old.putalpha(alpha)
    copy = painted(scene().convert("L"), scene()).convert("RGBA")
    copy.putalpha(alpha)
    layer = read_strokes(encoded(copy), read_photo(encoded(old)))
    assert np.array_equal(layer[0, 3].numpy() > 0, where(shrink=1))


def test_strokes_on_a_photo_that_lies_on_its_side():
    """As a viewer shows it, or as it is stored."""
    stored = scene().convert("L").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read_photo(encoded(stored, "PNG", exif=exif))
    assert photo.image.shape[-2:] == (HEIGHT, WIDTH)
    copy = painted(scene().convert("L"), scene())
    for picture in (copy, copy.transpose(Image.Transpose.ROTATE_90)):
        layer = read_strokes(encoded(picture), photo)
        assert np.array_equal(layer[0, 3].numpy() > 0, where(shrink=1))


MISTAKES = {
    "another size": (lambda old, copy: copy.resize((50, 40)), "is 50 x 40, the photo 96 x 72"),
    "nothing painted": (lambda old, copy: old, "nothing is painted on the picture"),
    "grey strokes": (
        lambda old, copy: painted(old, Image.new("RGB", old.size, (90, 90, 90))),
        "tell no colour",
    ),
    "another picture": (
        lambda old, copy: Image.new("RGB", old.size, (200, 40, 10)),
        "differs from the photo in",
    ),
    "an empty layer": (
        lambda old, copy: Image.new("RGBA", old.size, (0, 0, 0, 0)),
        "transparent everywhere",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_no_picture_with_strokes_is_refused_in_one_line(name):
    make, message = MISTAKES[name]
    old = scene().convert("L")
    with pytest.raises(PhotoError, match=message) as error:
        read_strokes(encoded(make(old, painted(old, scene()))), read_photo(encoded(old)))
    assert len(str(error.value).splitlines()) == 1


# The degradation


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), LUMA])
def test_the_proximal_step_is_exact_for_any_grey(weights):
    generator = torch.Generator().manual_seed(0)
    x, guess = torch.rand(2, 1, 3, 12, 12, generator=generator, dtype=torch.float64)
    hint = Strokes((torch.rand(12, 12, generator=generator) < 0.2).float(), 0.0, weights).double()
    y = hint(x) + 0.01 * normal(1, 3, 24, 12)
    solved = prox_of_linear(hint.A, hint.A_adjoint, guess, y, 1e-2, 200, 1e-10)
    assert float((hint.prox(guess, y, 1e-2) - solved).abs().max()) < 1e-6
    back = hint.prox(guess, hint(x), 1e-8)
    assert float((grey(back - x, weights)).abs().max()) < 1e-6, "the grey is known everywhere"
    marked = hint.strokes.bool().expand_as(x)
    assert float((back - x)[marked].abs().max()) < 1e-5


def test_without_a_stroke_grey_stays_grey():
    y = torch.rand(1, 1, 6, 7).expand(1, 3, 6, 7)
    assert torch.equal(spread(y, torch.zeros(6, 7), y), y)


# The colours


def test_brightness_stays_where_colours_do_not_fit():
    luma = torch.linspace(0, 1, 20).view(1, 1, 1, 20)
    blue = torch.tensor([-0.11, -0.11, 0.0]) + torch.tensor([0.0, 0.0, 0.83])
    blue = (blue - (blue * torch.tensor(LUMA)).sum()).view(1, 3, 1, 1).expand(1, 3, 1, 20)
    x = luma + blue * room(luma, blue)
    assert float((grey(x, LUMA) - luma).abs().max()) < 1e-6
    assert float(x.min()) > -1e-6
    assert float(x.max()) < 1 + 1e-6
    assert float((x[0, 2] - x[0, 0])[0, 3]) > 0.05, "it is less colour, not none"


def test_colours_of_a_small_picture_follow_the_edges_of_the_large_grey():
    """Nearer to the truth than smooth enlarging, by the guided filter."""
    x = from_uint8(np.ascontiguousarray(data.coffee()[:384, :512]))
    luma = grey(x, LUMA)[:, :1]
    small = functional.adaptive_avg_pool2d(x, (48, 64))
    result = joined(luma, small)
    assert float((grey(result, LUMA) - luma).abs().max()) < 1e-5
    colour = small - grey(small, LUMA)
    plain = functional.interpolate(colour, luma.shape[-2:], mode="bilinear")
    plain = luma + plain * room(luma, plain)
    errors = [float((image - x).square().mean()) for image in (result, plain)]
    assert errors[0] < 0.8 * errors[1]


def test_both_halves_get_the_colour_of_their_strokes():
    x = from_uint8(np.array(scene()))
    y = grey(x, LUMA).contiguous()
    mask = torch.from_numpy(where()).float()
    finding = of_strokes(torch.cat([x, mask[None, None]], 1), y)
    assert finding.line == "4 strokes of colour on 4.7% of the photo: carried to the rest of it"
    result = coloured(y, finding.detail, smooth)
    assert float((grey(result, LUMA) - y).abs().max()) < 1e-5
    before, after = (float((image - x).square().mean().sqrt()) for image in (y, result))
    assert after < 0.45 * before
    warm, cold = (result[..., part].mean((0, 2, 3)) for part in (slice(0, 40), slice(56, 96)))
    assert float(warm[0] - warm[2]) > 0.3
    assert float(cold[2] - cold[0]) > 0.3
    again = coloured(y, finding.detail, smooth)
    assert torch.equal(again, result), "same seed, same picture"


def test_a_photo_larger_than_what_colours_are_carried_on():
    """A thin line of a large photo counts, though it fills a small part of small pixels."""
    y = torch.full((1, 3, 900, 1300), 0.5)
    layer = torch.zeros(1, 4, 900, 1300)
    layer[..., 400:402, 300:700] = torch.tensor([0.8, 0.4, 0.3, 1.0]).view(4, 1, 1)
    finding = of_strokes(layer, y)
    assert finding.detail.strokes.shape == (300, 434)
    assert finding.detail.numbers()["strokes"] == 1
    assert finding.detail.numbers()["colours"][0] == pytest.approx([0.8, 0.4, 0.3], abs=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (40, 40)])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, None])
def test_tiny_flat_black_and_white(size, value):
    y = torch.rand(1, 1, *size) if value is None else torch.full((1, 1, *size), value)
    y = y.expand(1, 3, *size)
    layer = torch.zeros(1, 4, *size)
    layer[..., :1, :2] = torch.tensor([0.9, 0.3, 0.2, 1.0]).view(4, 1, 1)
    x = coloured(y, of_strokes(layer, y).detail, smooth)
    assert x.shape == y.shape
    assert bool(x.isfinite().all())
    assert float((grey(x, LUMA) - y).abs().max()) < 1e-5


@pytest.mark.slow
def test_what_f_is_then():
    photo = torch.full((1, 3, 32, 32), 0.5)
    layer = torch.zeros(1, 4, 32, 32)
    layer[..., 8:12, 8:12] = torch.tensor([0.9, 0.3, 0.2, 1.0]).view(4, 1, 1)
    found = told(diagnose(photo), noise=5, blur=1.5, strokes=(layer, photo))
    assert found.seen[:3] == ["grey", "softness", "noise"]
    stages = found.degradation(["grey", "noise"]).stages
    assert [type(stage).__name__ for stage in stages] == ["ChannelMean", "GaussianNoise"]
    assert "whose own colours go" in of_strokes(layer, layer[:, :3]).line


# The command


@pytest.mark.slow
def test_a_grey_photo_in_colour(folder):
    report = restore_photo("old.jpg", strokes="painted.png", skip=["light", "noise"])
    assert report.done == ["grey"]
    assert report.settings["strokes"] == "painted.png"
    found = report.findings["grey"]
    assert found["phi"]["strokes"] == 4
    assert found["phi"]["share"] == pytest.approx(where(shrink=1).mean(), abs=1e-6)
    assert np.abs(np.array(found["phi"]["colours"]) * 255 - (130, 110, 125)).max() < 80
    with Image.open("old.restored.jpg") as picture:
        assert picture.mode == "RGB"
        after = np.asarray(picture).astype(float)
    before = np.asarray(Image.open("old.jpg")).astype(float)
    assert np.abs(after @ LUMA - before).max() < 3, "a JPEG of quality 95 and rounding"
    error = np.abs(after - np.asarray(scene())).mean()
    assert error < 0.45 * np.abs(before[..., None] - np.asarray(scene())).mean()
    report.save("report.json")
    repeat("report.json", output="again.jpg")
    assert Path("again.jpg").read_bytes() == Path("old.restored.jpg").read_bytes()
    old = json.loads(Path("report.json").read_text())
    del old["settings"]["strokes"]  # of a report that an older version wrote
    old["settings"]["kinds"] = []
    Path("older.json").write_text(json.dumps(old))
    assert repeat("older.json", output="older.jpg").done == []


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "RGB"])
def test_every_grey_file_is_answered_in_colour(folder, mode):
    old = scene().convert("L")
    if mode == "I;16":
        old = Image.fromarray(np.asarray(old).astype(np.uint16) * 257)
    old = old if mode == "I;16" else old.convert(mode)
    old.save("old.png")
    painted(scene().convert("L"), scene()).save("painted.png")
    restore_photo("old.png", "out.png", strokes="painted.png", only=["grey"])
    photo, result = read_photo("old.png"), read_photo("out.png")
    assert not is_grey(result.image, 0.1)
    assert result.bits == photo.bits
    assert (result.alpha is None) == (photo.alpha is None)
    light = grey(result.image, LUMA)
    assert float((light - photo.image).abs().max()) < 0.51 / 255, "to the last bit"


def test_strokes_go_with_the_other_kinds_and_can_be_left(folder):
    mask = Image.new("L", (WIDTH, HEIGHT))
    mask.paste(255, (44, 30, 50, 40))
    mask.save("mask.png")
    options = {"strokes": "painted.png", "mask": "mask.png", "noise": 6, "exposure": 0.5}
    report = restore_photo("old.jpg", "out.png", **options)
    assert {"light", "grey", "noise", "missing"} <= set(report.done)
    assert not is_grey(read_photo("out.png").image, 0.1)
    report = restore_photo("old.jpg", "left.png", skip=["grey"], **options)
    assert "grey" not in report.done
    assert is_grey(read_photo("left.png").image)


def test_a_preview_in_colour(folder):
    preview = preview_photo("old.jpg", "preview.png", strokes="painted.png", only=["grey"])
    assert preview.kinds == ["grey"]
    picture = np.asarray(Image.open("preview.png").convert("RGB")).astype(int)
    left, right = np.split(picture[16:], 2, axis=1)
    assert (right.max(2) - right.min(2)).max() > 60 > (left.max(2) - left.min(2)).max()


def test_the_command_line_takes_strokes(folder, capsys):
    assert main(["restore", "old.jpg", "--strokes", "painted.png", "-o", "a.png"]) == 0
    assert "grey: 4 strokes of colour on" in capsys.readouterr().err
    assert main(["diagnose", "old.jpg"]) == 0
    assert "or on a copy of it (restore --strokes COPY)" in capsys.readouterr().out
    for line, message in {
        "old.jpg -o b.png --only grey": "--only grey needs --strokes",
        "old.jpg -o b.png --strokes old.jpg": "nothing is painted on old.jpg",
        "old.jpg -o b.png --strokes none.png": "none.png does not exist",
        "old.jpg -o b.png --task denoise --strokes painted.png": "--strokes is for restoring",
        ". -o out --strokes painted.png": "--strokes is for a single photo",
        "--from r.json --strokes painted.png": "--strokes is in the report already",
    }.items():
        assert main(["restore", *line.split()]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert len(said.splitlines()) == 1
    Path("cut.png").write_bytes(Path("painted.png").read_bytes()[:200])
    assert main(["restore", "old.jpg", "-o", "b.png", "--strokes", "cut.png"]) == 2
    assert "cut.png is damaged" in capsys.readouterr().err
