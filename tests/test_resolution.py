"""Photos of blocks: found, told from other photos, and given detail."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from skimage import data

from gdp_lite import diagnose, one_photo
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import BlockAverage, BlockAverageSameSize
from gdp_lite.estimators.blocks import INSIDE, NONE, RATIO, estimate_blocks, likeliest, within
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.one_photo import restore_photo
from gdp_lite.preview import preview_photo
from gdp_lite.prior import load_prior
from gdp_lite.repairs.cells import Cells, unmarked, unmarked_part, whole_cells
from gdp_lite.repairs.resolution import DRAWN, FLAT, degradation_of, mark_of, of_blocks
from gdp_lite.restoring import calls, passes, restore_image


def photo(top=0, left=100, height=160, width=176):
    return from_uint8(data.astronaut()[top : top + height, left : left + width])


def stored(x, quality, subsampling=0):
    file = io.BytesIO()
    Image.fromarray(to_uint8(x)).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return from_uint8(np.asarray(Image.open(file)))


def still(x, sigma):
    return x


# The map


def test_with_an_offset_it_is_a_projection_with_whole_and_cut_blocks():
    average = BlockAverageSameSize(4, offset=(1, 3))
    x = torch.rand(2, 3, 22, 21, dtype=torch.float64)
    y = average.A(x)
    torch.testing.assert_close(average.A(y), y)
    torch.testing.assert_close(y[..., 0, 0], x[..., :3, :1].mean((-1, -2)))  # cut on two sides
    torch.testing.assert_close(y[..., 5, 6], x[..., 3:7, 5:9].mean((-1, -2)))
    torch.testing.assert_close(y[..., -1, -1], x[..., 19:, 17:].mean((-1, -2)))
    z = torch.rand_like(x)
    torch.testing.assert_close((average.A(x) * z).sum(), (x * average.A_adjoint(z)).sum())


def test_without_an_offset_it_is_the_block_average_spread_out():
    x = torch.rand(1, 3, 18, 20, dtype=torch.float64)
    small = BlockAverage(4, (18, 20))
    torch.testing.assert_close(BlockAverageSameSize(4).A(x), small.replicate(small.A(x)))


@pytest.mark.parametrize("offset", [(4, 0), (0, -1)])
def test_an_offset_is_less_than_a_block(offset):
    with pytest.raises(ValueError, match="an offset is 0 to 3"):
        BlockAverageSameSize(4, offset=offset)


# Finding them


@pytest.mark.parametrize("side", [2, 3, 4, 8, 13])
@pytest.mark.parametrize("quality", [None, 90])
def test_side_and_place_are_found(side, quality):
    y = BlockAverageSameSize(side, offset=(1 % side, 5 % side)).A(photo())
    y = y if quality is None else stored(y, quality)
    assert estimate_blocks(y)[:3] == (side, 1 % side, 5 % side)


@pytest.mark.parametrize(
    "y",
    [
        photo(),
        stored(photo(), 5),
        torch.full((1, 3, 64, 64), 0.4),
        torch.linspace(0, 1, 96).expand(1, 3, 64, 96),
        torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)),
        photo(height=9, width=9),
    ],
    ids=["photo", "coarse JPEG", "one tone", "ramp", "noise", "few pixels"],
)
def test_other_pictures_have_none(y):
    assert estimate_blocks(y) == NONE


def test_a_photo_is_far_from_blocks_and_a_coarse_jpeg_has_detail_in_them():
    assert likeliest(photo())[3] < RATIO / 2
    assert likeliest(stored(photo(), 5))[3] > RATIO / 2
    assert within(stored(photo(), 5), 8, 0, 0)[0] > 2 * INSIDE


def test_blocks_wider_than_high_are_none():
    y = photo().unfold(-1, 4, 4).mean(-1).repeat_interleave(4, -1)
    assert estimate_blocks(y) == NONE


def test_one_photo_at_a_time():
    with pytest.raises(ValueError, match="one photo at a time, not 2"):
        estimate_blocks(torch.rand(2, 3, 32, 32))


# What is made of it


def test_a_photo_of_blocks_is_told_in_capture_order_and_nothing_else_is_undone():
    found = diagnose(BlockAverageSameSize(4).A(photo()))
    assert found.seen == ["resolution"]
    assert found.findings["resolution"].line == "made of blocks of 4 x 4 pixels"
    names = list(found.findings)
    assert names.index("noise") < names.index("resolution") < names.index("overlay")
    assert found.findings["resolution"].phi()["side"] == 4
    whole = found.degradation(["resolution"])
    torch.testing.assert_close(whole.A(photo()), BlockAverageSameSize(4).A(photo()))
    assert whole.sigma > 0


def test_what_is_drawn_is_left():
    y = torch.full((1, 3, 20, 24), 0.2)
    y[..., 4:9, 5:12], y[..., 11:17, 9:20] = 0.9, 0.6
    y[:, 0, 12:19, 3:8] = 0.1
    y = y.repeat_interleave(6, -1).repeat_interleave(6, -2)
    assert estimate_blocks(y).same > FLAT
    finding = diagnose(y).findings["resolution"]
    assert not finding.seen
    assert "drawn" in finding.line


def tones(image):
    return from_uint8(np.asarray(image.convert("1").convert("RGB")))


def page(share):
    """A photo with text beside it, on so much of the width."""
    y = photo(width=240).clone()
    wide = int(240 * share)
    text = Image.new("RGB", (wide, 160), "white")
    for top in range(2, 160, 12):
        ImageDraw.Draw(text).text((2, top), "a line of text that goes on and on", fill="black")
    y[..., :wide] = from_uint8(np.asarray(text))
    return y


SMALL = Image.fromarray(data.astronaut()[:160, 100:276])
DRAWINGS = {
    "code": (torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)) > 0.5).float(),
    "dithered": tones(SMALL),
    "text": page(1.0),
    "text beside a photo": page(0.4),
}


@pytest.mark.parametrize("side", [2, 3, 6])
@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize("name", DRAWINGS)
def test_text_codes_and_dots_keep_their_edges(name, side, quality):
    y = DRAWINGS[name].expand(1, 3, -1, -1)
    y = y.repeat_interleave(side, -1).repeat_interleave(side, -2)
    found = estimate_blocks(y if quality is None else stored(y, quality))
    assert found.side == side
    assert found.drawn > DRAWN
    assert not of_blocks(found).seen


@pytest.mark.parametrize("side", [2, 4, 8])
@pytest.mark.parametrize("grey", [False, True])
def test_photos_are_not_drawn(side, grey):
    x = from_uint8(data.astronaut())
    x = x.mean(1, keepdim=True).expand_as(x) if grey else x
    assert estimate_blocks(BlockAverageSameSize(side).A(x)).drawn < DRAWN / 2


def test_it_gains_over_blocks_and_over_bicubic():
    x = photo()
    y = BlockAverageSameSize(4).A(x)
    found = diagnose(y)
    assert calls(found, found.seen) == 8
    z = restore_image(y, found, load_prior())
    bicubic = torch.nn.functional.interpolate(
        BlockAverage(4).A(y), scale_factor=4, mode="bicubic", align_corners=False
    ).clamp(0, 1)
    scores = [float(psnr(image, x)) for image in (y, bicubic, z)]
    assert scores[2] > scores[1] + 0.3 > scores[0] + 1
    # Each block keeps its mean, but for what is clipped and for colour that is kept.
    assert float((BlockAverageSameSize(4).A(z) - y).abs().mean()) < 1 / 255


def test_tiles_of_whole_blocks_give_what_the_whole_gives():
    """A prior of one grey: what is left is decided within each block."""
    grey = lambda x, sigma: torch.full_like(x, 0.5)  # noqa: E731
    y = BlockAverageSameSize(8, offset=(3, 5)).A(photo())
    mark = mark_of(estimate_blocks(y))
    assert mark.cells == Cells(8, 8, 3, 5)
    whole, tiles = (unmarked(y, mark, grey, *sizes) for sizes in ((576, 24), (72, 10)))
    torch.testing.assert_close(whole, tiles, atol=1e-4, rtol=0)
    place = (..., slice(30, 81), slice(20, 99))
    torch.testing.assert_close(
        unmarked_part(y, place, mark, grey, 576, 24), whole[place], atol=2e-2, rtol=0
    )


def test_a_place_gets_whole_cells():
    wide, offset, inner = whole_cells(
        (..., slice(30, 81), slice(0, 9)), (90, 90), Cells(8, 8, 3, 5)
    )
    assert wide == (..., slice(29, 85), slice(0, 11))
    assert offset == (0, 5)
    assert inner == (..., slice(1, 52), slice(0, 9))


def test_noise_of_the_blocks_grows_with_what_a_jpeg_left_in_them():
    y = BlockAverageSameSize(4).A(photo())
    exact, coded = (estimate_blocks(z) for z in (y, stored(y, 60, 2)))
    assert degradation_of(exact).sigma < 1 / 255 < 2 / 255 < degradation_of(coded).sigma
    assert degradation_of(coded, (2, 1)).offset == (2, 1)


def test_the_command_undoes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(one_photo, "load_prior", lambda *arguments: still)
    one_photo._load.cache_clear()
    y = BlockAverageSameSize(4).A(photo())
    Image.fromarray(to_uint8(y)).save(tmp_path / "a.png")
    said = []
    report = restore_photo(tmp_path / "a.png", say=said.append)
    one_photo._load.cache_clear()
    assert report.done == ["resolution"]
    assert "undoing: resolution" in said
    assert report.findings["resolution"]["phi"]["side"] == 4
    assert Path(report.output).exists()
    assert passes(diagnose(y), ["resolution"]).count == 1


def test_blocks_that_are_asked_for_and_not_there_are_said(tmp_path):
    Image.fromarray(to_uint8(photo())).save(tmp_path / "a.png")
    said = []
    report = restore_photo(tmp_path / "a.png", only=["resolution"], say=said.append)
    assert report.done == []
    assert "resolution: asked for, but there is none in this photo" in said
    preview_photo(tmp_path / "a.png", only=["resolution"], say=(shown := []).append)
    assert "resolution: asked for, but there is none in this photo" in shown
