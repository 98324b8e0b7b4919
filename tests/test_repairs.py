"""JPEG marks, missing parts, overlays: found in real files, undone where they are."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from torch.nn import functional

from gdp_lite import one_photo, read_photo, restore_photo
from gdp_lite.cli import main
from gdp_lite.degradations import JPEG
from gdp_lite.diagnosis import diagnose, told
from gdp_lite.estimators.coding import Coding, estimate_coding, quality_of, tables_of_quality
from gdp_lite.files import pixels
from gdp_lite.image import from_uint8
from gdp_lite.one_photo import repeat
from gdp_lite.preview import preview_photo
from gdp_lite.repairs.cells import unmarked
from gdp_lite.repairs.covered import of_overlay, uncovered
from gdp_lite.repairs.jpeg import degradation_of, mark_of, of_coding
from gdp_lite.restoring import needs_prior, restore_image

INK = (255, 140, 20)


def smooth(x, sigma):
    """A denoiser that is cheap."""
    return 0.3 * x + 0.7 * functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def picture(width=160, height=128):
    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.LANCZOS)


def coded(image, quality, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def stamped(image, height=20):
    """A date in one colour, and where it is."""
    layer = Image.new("L", image.size)
    font = ImageFont.load_default(height)
    at = (image.width - 8, image.height - 8)
    ImageDraw.Draw(layer).text(at, "24.12.'98", 255, font, anchor="rs")
    return Image.composite(Image.new("RGB", image.size, INK), image, layer), np.asarray(layer) > 127


def rms(x):
    return 255 * float(x.square().mean().sqrt())


def psnr(x, y):
    return -20 * math.log10(rms(x - y) / 255)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(one_photo, "load_prior", lambda *arguments: smooth)
    one_photo._load.cache_clear()
    yield tmp_path
    one_photo._load.cache_clear()


# JPEG


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 5])
def test_the_grid_of_a_file_lies_right_over_its_upright_photo(orientation, subsampling):
    """Coded again there nothing changes but by rounding; a grid one pixel off changes a lot."""
    exif = Image.Exif()
    exif[274] = orientation
    file = coded(picture(117, 91), 15, subsampling=subsampling, exif=exif)
    photo = read_photo(file)
    assert photo.orientation == orientation
    y, coding = photo.image, photo.coding
    assert coding.subsampling == (
        "4:4:0" if orientation >= 5 and subsampling == "4:2:2" else subsampling
    )
    inner = (..., slice(16, -16), slice(16, -16))
    right = rms((degradation_of(coding)(y) - y)[inner])
    rows, columns = coding.offset
    for other in ((rows, (columns + 3) % 8), ((rows + 3) % 8, columns)):
        assert right < 0.6 * rms((degradation_of(coding._replace(offset=other))(y) - y)[inner])


def test_an_offset_is_that_of_a_crop():
    x = from_uint8(np.asarray(picture()))
    whole = JPEG.from_quality(20)
    tables = tables_of_quality(20)
    y = whole(x)
    part = (..., slice(5, 90), slice(21, 130))
    again = JPEG(*tables, offset=(5, 5))(y[part])
    inner = (..., slice(16, -16), slice(16, -16))
    assert rms((again - whole(y)[part])[inner]) < 0.2
    z = JPEG(*tables, offset=(5, 5)).prox(x[part], y[part], 0.1)
    assert torch.allclose(z[inner], whole.prox(x, y, 0.1)[part][inner], atol=1e-4)
    with pytest.raises(ValueError, match="offset"):
        JPEG(*tables, offset=(16, 0))


def test_tiles_of_whole_blocks_give_what_the_whole_gives():
    """The prior says one grey: what is left is the nearest picture that the file allows, which no
    noise changes, so that tiles and the whole agree to rounding wherever tiles end."""
    grey = lambda x, sigma: torch.full_like(x, 0.5)  # noqa: E731
    photo = read_photo(coded(picture(), 20, subsampling="4:2:0"))
    coding = photo.coding._replace(offset=(3, 9))  # any grid will do
    whole = unmarked(photo.image, mark_of(coding), grey, 576, 24)
    tiles = unmarked(photo.image, mark_of(coding), grey, 90, 10)
    assert 255 * float((whole - tiles).abs().max()) < 0.01
    assert rms(whole - photo.image) > 1


def test_a_coarse_file_is_seen_and_gets_nearer_to_the_scene():
    face = Image.fromarray(data.astronaut()[60:188, 150:310])
    x, photo = from_uint8(np.asarray(face)), read_photo(coded(face, 10))
    found = diagnose(photo.image, photo.iso, photo.coding)
    assert "jpeg" in found.seen
    assert "quality 10" in found.findings["jpeg"].line
    assert needs_prior(found, ["jpeg"])
    seen = []
    z = restore_image(photo.image, found, smooth, ["jpeg"], progress=lambda *n: seen.append(n))
    assert psnr(z, x) > psnr(photo.image, x) + 0.1
    assert seen == [(1, 1)]


@pytest.mark.parametrize("quality", [85, 95])
def test_a_phones_own_quality_is_left_alone(folder, quality):
    """The bar: bit for bit."""
    Path("photo.jpg").write_bytes(coded(picture(), quality))
    report = restore_photo("photo.jpg", only=["jpeg"] if quality > 90 else None, skip=["light"])
    if quality > 90:  # even when it is asked for, what was found is told; unasked nothing is done
        assert "too fine" in report.findings["jpeg"]["line"]
    else:
        assert report.done == []
        assert Path("photo.restored.jpg").read_bytes() == Path("photo.jpg").read_bytes()


@pytest.mark.parametrize("again", [None, 95])
def test_a_coarse_jpeg_is_found_in_a_later_copy(again):
    image = Image.fromarray(data.astronaut()[:330, 90:420])
    once = Image.open(io.BytesIO(coded(image, 20, subsampling="4:2:0")))
    later = once.crop((3, 5, 325, 325))
    if again:
        photo = read_photo(coded(later, again))
        y, finest = photo.image, photo.coding.luma
    else:
        y, finest = from_uint8(np.asarray(later)), None
    coding = estimate_coding(y, finest)
    assert coding is not None
    assert not coding.stored
    assert (coding.offset[0] % 8, coding.offset[1] % 8) == (5, 3)
    assert quality_of(coding.luma) == pytest.approx(20, abs=4)
    low = tables_of_quality(20)[0][:3, :3]
    assert float(((coding.luma[:3, :3] - low).abs() <= 2).float().mean()) > 0.7
    assert of_coding(y, None if finest is None else photo.coding).seen


def test_no_earlier_jpeg_is_found_where_there_was_none():
    for image in (data.astronaut()[:256, :256], data.coffee()[:200, :300]):
        assert estimate_coding(from_uint8(image)) is None
    photo = read_photo(coded(Image.fromarray(data.astronaut()[:256, :256]), 92))
    assert estimate_coding(photo.image, photo.coding.luma) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 60), (50, 50)])
@pytest.mark.parametrize("value", [None, 0.0, 1.0])
def test_tiny_flat_black_and_white(size, value):
    y = torch.rand(1, 3, *size) if value is None else torch.full((1, 3, *size), value)
    assert not of_coding(y, None).seen
    coding = Coding(*tables_of_quality(10), (7, 3), True)
    assert of_coding(y, coding).seen
    x = unmarked(y, mark_of(coding), smooth, 576, 24)
    assert x.shape == y.shape
    assert bool(x.isfinite().all())


def test_a_grey_file_stays_grey(folder):
    Path("grey.jpg").write_bytes(coded(picture().convert("L"), 10))
    report = restore_photo("grey.jpg", "out.png", only=["jpeg"])
    assert report.done == ["jpeg"]
    assert Image.open("out.png").mode == "L"


def test_noise_before_the_file_is_told_to_its_degradation():
    photo = read_photo(coded(picture(), 20))
    found = told(diagnose(photo.image, None, photo.coding), noise=5)
    whole = found.degradation(["noise", "jpeg"])
    assert [type(stage).__name__ for stage in whole.stages] == ["JPEG"]
    assert whole.sigma == pytest.approx(5 / 255)
    soft = told(found, blur=1.5).degradation(["softness", "noise", "jpeg"])
    assert [type(stage).__name__ for stage in soft.stages] == ["GaussianBlur", "JPEG"]
    assert soft.sigma > 4 / 255


# Missing parts


@pytest.fixture
def masked(folder):
    picture().save("photo.png")
    mask = Image.new("L", picture().size)
    mask.paste(255, (60, 50, 80, 90))
    mask.save("mask.png")
    return np.asarray(mask) > 127


def test_what_a_mask_names_is_invented_and_nothing_else(masked):
    report = restore_photo("photo.png", "out.png", mask="mask.png", skip=["light", "colour"])
    assert report.done == ["missing"]
    before, after = (np.asarray(Image.open(f"{n}.png")).astype(int) for n in ("photo", "out"))
    assert np.array_equal(before[~masked], after[~masked])
    assert np.abs(before - after)[masked].max() > 20
    finding = report.findings["missing"]
    assert finding["phi"]["box"] == [50, 60, 90, 80]
    assert finding["estimate"] == pytest.approx(masked.mean(), abs=1e-4)


def test_missing_goes_with_the_other_kinds(masked):
    report = restore_photo("photo.png", "out.png", mask="mask.png", noise=8, exposure=0.5)
    assert {"light", "noise", "missing"} <= set(report.done)
    report.save("report.json")
    repeat("report.json", output="again.png")
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_a_hole_larger_than_a_tile_is_filled_smoothly():
    y, mask = torch.full((1, 3, 200, 200), 0.4), torch.ones(200, 200)
    mask[20:180, 20:180] = 0
    y = torch.where(mask == 1, y, torch.ones(()))
    x = uncovered(y, mask, smooth, 64, 8)
    assert float((x - 0.4).abs().max()) < 0.05
    assert torch.equal(x[..., mask == 1], y[..., mask == 1])


def test_a_preview_shows_what_is_covered(masked):
    preview = preview_photo("photo.png", "preview.png", mask="mask.png")
    assert "missing" in preview.kinds


def test_the_command_line_takes_a_mask(masked, capsys):
    assert main(["restore", "photo.png", "-o", "a.png", "--mask", "mask.png"]) == 0
    assert "missing: 3.9% are missing" in capsys.readouterr().err
    assert main(["restore", "photo.png", "-o", "b.png", "--only", "missing"]) == 2
    assert "needs --mask" in capsys.readouterr().err
    assert main(["restore", "photo.png", "-o", "b.png", "--mask", "photo.png"]) == 2
    assert "no mask" in capsys.readouterr().err
    assert main(["restore", ".", "-o", "out", "--mask", "mask.png"]) == 2
    assert "single photo" in capsys.readouterr().err


# Overlays


def test_a_stamp_is_told_and_left_unless_asked(folder):
    image, where = stamped(picture(224, 192))
    image.save("photo.png")
    report = restore_photo("photo.png", "left.png")
    assert "overlay" not in report.done
    assert "#ff8c14" in report.findings["overlay"]["line"]
    assert report.findings["overlay"]["phi"]["colour"] == pytest.approx(
        [c / 255 for c in INK], abs=0.01
    )
    report = restore_photo("photo.png", "out.png", only=["overlay"])
    assert report.done == ["overlay"]
    after, before = (np.asarray(Image.open(n)).astype(int) for n in ("out.png", "photo.png"))
    assert np.abs(after - INK).max(2)[where].mean() > 60
    changed = (after != before).any(2)
    assert changed[where].mean() > 0.95
    assert changed.mean() < 3.5 * where.mean()


@pytest.mark.slow
def test_the_mask_of_a_stamp_is_written_when_asked(folder, capsys):
    image, where = stamped(picture(224, 192))
    image.save("photo.png")
    picture().save("clean.png")
    assert main(["diagnose", "photo.png", "--mask", "mask.png"]) == 0
    mask = np.asarray(Image.open("mask.png")) > 127
    assert mask[where].mean() > 0.95
    assert main(["diagnose", "photo.png", "--mask", "mask.png"]) == 2
    assert main(["diagnose", "clean.png", "--mask", "none.png"]) == 0
    assert "not written" in capsys.readouterr().err
    assert not Path("none.png").exists()
    assert main(["restore", "photo.png", "-o", "out.png", "--mask", "mask.png"]) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (40, 40)])
@pytest.mark.parametrize("value", [None, 0.0, 1.0, 0.5])
def test_no_stamp_on_tiny_flat_black_and_white(size, value):
    y = torch.rand(1, 3, *size) if value is None else torch.full((1, 3, *size), value)
    found = of_overlay(y)
    assert found.visible == 0
    assert found.detail.mask.shape == size


def test_turned_grids_are_those_of_turned_pixels():
    """The table of turns is that of `files.pixels.upright`."""
    for orientation, (swap, rows, columns) in pixels.TURNS.items():
        grid = np.arange(6).reshape(2, 3)
        turned = grid.T if swap else grid
        turned = turned[::-1] if rows else turned
        turned = turned[:, ::-1] if columns else turned
        assert np.array_equal(pixels.upright(grid, orientation), turned)
