"""The simulated capture, the metric, the noise estimate, the tasks, the exercises' checks."""

import math

import numpy as np
import pytest
import torch
from skimage import data, metrics
from torch.nn import functional

from gdp_lite.book.capture import capture, through_jpeg
from gdp_lite.book.exercises import check_answer
from gdp_lite.book.metrics import psnr
from gdp_lite.book.plotting import show
from gdp_lite.book.results import load_results
from gdp_lite.degradations import BlockAverageSameSize, GaussianBlur
from gdp_lite.estimators import estimate_blur_width, estimate_noise
from gdp_lite.estimators.blur import sharpest_width
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.sampler import restore
from gdp_lite.tasks import degradation_for, pick_device


@pytest.fixture(scope="module")
def photo():
    return from_uint8(data.chelsea()[20:212, 90:346])


def noisy(photo, sigma):
    generator = torch.Generator().manual_seed(0)
    return photo + sigma / 255 * torch.randn(photo.shape, generator=generator)


def test_bytes_survive_the_way_there_and_back():
    array = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    assert np.array_equal(to_uint8(from_uint8(array)), array)
    assert to_uint8(torch.tensor([-1.0, 2.0, 0.5]).view(1, 3, 1, 1)).tolist() == [[[0, 255, 128]]]


def test_psnr_is_scikit_images(photo):
    y = noisy(photo, 20).clamp(0, 1)
    theirs = metrics.peak_signal_noise_ratio(photo[0].numpy(), y[0].numpy(), data_range=1)
    assert float(psnr(y, photo)) == pytest.approx(theirs, abs=1e-4)
    two = psnr(torch.cat([y, photo + 0.1]), torch.cat([photo, photo]))
    assert two.shape == (2,)


def test_jpeg_is_a_real_one(photo):
    """Lossy, less so at higher quality, and nearly idempotent."""
    loss = {q: float(psnr(through_jpeg(photo, q), photo)) for q in (30, 60, 95)}
    assert loss[30] < loss[60] < loss[95] < 60
    once = through_jpeg(photo, 60)
    assert float(psnr(through_jpeg(once, 60), once)) > loss[60] + 5


def test_capture_blurs_adds_noise_and_encodes(photo):
    blur = GaussianBlur(9, 1.0)
    y = capture(photo, blur, 15 / 255, 92, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    by_hand = blur(photo) + 15 / 255 * torch.randn(photo.shape, generator=generator)
    assert torch.equal(y, through_jpeg(by_hand, 92))


@pytest.mark.parametrize("sigma", [10, 25])
def test_white_noise_is_estimated_within_15_percent(photo, sigma):
    assert 255 * estimate_noise(noisy(photo, sigma)) == pytest.approx(sigma, rel=0.15)


def test_noise_under_a_jpeg_is_that_of_its_luma(photo):
    """Halved chroma takes colour noise away, not brightness noise; clipped pixels have none."""
    generator = torch.Generator().manual_seed(0)
    white_sky = torch.cat([torch.full_like(photo, 1.3), photo, torch.full_like(photo, -0.3)], -2)
    for scene in (photo, white_sky):
        y = capture(scene, GaussianBlur(9, 1.0), 15 / 255, 92, generator)
        assert 255 * estimate_noise(y, coded=True) == pytest.approx(15, rel=0.12)
        assert 255 * estimate_noise(y) < 12
    white = noisy(0.3 + 0.4 * photo, 15)
    assert estimate_noise(white, coded=True) == pytest.approx(estimate_noise(white), rel=0.1)
    assert estimate_noise(torch.ones(1, 3, 64, 64), coded=True) == 0


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (3, 3), (5, 4)])
def test_tiny_photos_have_an_estimate(size, coded):
    assert 0 <= estimate_noise(torch.rand(1, 3, *size), coded) < 1


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("corner", [(0, 0), (470, 480), (200, 0)])
def test_a_sharp_corner_of_a_smooth_photo_is_not_blurred(factor, corner):
    """On the whole it would pass: what is lost there is little on the average."""
    top, left = corner
    smooth = torch.linspace(0.3, 0.6, 512).expand(1, 3, 512, 512).clone()
    sharp = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    smooth[..., top : top + 32, left : left + 32] += 0.2 * (sharp - 0.5)
    lost = smooth - BlockAverageSameSize(factor)(smooth)
    assert lost.square().mean().sqrt() < 2.5 / 255
    with pytest.raises(ValueError, match=f"{factor} x {factor} blocks"):
        degradation_for("superres", smooth, factor=factor)
    blocks = BlockAverageSameSize(factor)(smooth)
    assert degradation_for("superres", blocks, factor=factor).factor == factor


def test_tasks_assume_what_they_say(photo):
    blur = degradation_for("deblur", photo, noise=0.1, blur=2.0)
    assert blur.sigma == 0.1
    assert torch.equal(blur.kernel, GaussianBlur(13, 2.0).kernel)
    average = degradation_for("superres", BlockAverageSameSize(4)(photo), factor=4)
    assert average.factor == 4
    with pytest.raises(ValueError, match="4 x 4 blocks"):
        degradation_for("superres", photo, factor=4)
    assert degradation_for("superres", photo, noise=0.5).sigma == 0.5
    soft = GaussianBlur(13, 1.5)(photo)
    assert degradation_for("deblur", soft).width == pytest.approx(1.5, rel=0.15)
    mask = torch.ones(photo.shape[-2:])
    assert torch.equal(degradation_for("inpaint", photo, mask=mask).mask, mask)
    for task, given in (("inpaint", None), ("denoise", mask)):
        with pytest.raises(ValueError, match="mask"):
            degradation_for(task, photo, mask=given)
    with pytest.raises(ValueError, match="unknown task"):
        degradation_for("sharpen", photo)


def test_a_soft_photo_with_a_sharp_part_is_not_deblurred():
    """One width for all of it would let the part pass, and draw halos there."""
    x = from_uint8(data.astronaut())
    soft = GaussianBlur(13, 1.0)(x)
    assert degradation_for("deblur", soft).width == pytest.approx(1.0, rel=0.15)
    there = (..., slice(170, 218), slice(256, 304))
    soft[there] = x[there]
    assert estimate_blur_width(soft, estimate_noise(soft)) > 0.7, "all of it looks soft"
    assert degradation_for("deblur", soft).noise_only
    assert degradation_for("deblur", soft, blur=1.0).width == 1.0, "a person insists"


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (70, 33)])
def test_the_sharpest_part_of_anything(size):
    for y in (torch.rand(1, 3, *size), torch.zeros(1, 3, *size), torch.ones(1, 3, *size)):
        assert 0 <= sharpest_width(y, 0.01) <= math.inf
    assert sharpest_width(torch.zeros(1, 3, *size), 0.0) == math.inf


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="not available"):
        pick_device("nonsense")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "Not attempted yet."),
        (..., "Not attempted yet."),
        (4.0, "Right."),
        (16.0, "Not yet: take the root."),
        (5.0, "none of the usual"),
        (torch.ones(2), "shape"),
    ],
)
def test_self_checks_name_the_mistake(capsys, answer, said):
    check_answer(answer, right=4.0, mistakes={"take the root.": 16.0})
    assert said in capsys.readouterr().out


def test_show_makes_a_small_jpeg(photo):
    picture = show({"a": photo, "b": photo, "c": photo}, columns=2)
    assert picture.data[:2] == b"\xff\xd8"
    assert len(picture.data) < 150_000


@pytest.mark.parametrize("name", ["denoising", "first_restoration", "sampler_settings"])
def test_stored_results_are_complete(name):
    rows = load_results(name)
    assert rows
    assert all(list(row) == list(rows[0]) for row in rows)


@pytest.mark.parametrize("quality", [None, 95])
@pytest.mark.parametrize("task", ["denoise", "deblur"])
def test_a_clean_photo_comes_back(prior, task, quality):
    """To 40 dB at the defaults, of which only the steps are fewer here; hair and a face."""
    x = functional.avg_pool2d(from_uint8(data.astronaut()), 2)[..., 60:156, 70:166]
    y = through_jpeg(x, quality) if quality else x
    generator = torch.Generator().manual_seed(0)
    assumed = degradation_for(task, y, lossy=quality is not None)
    assert float(psnr(restore(y, assumed, prior, 8, generator=generator).image, y)) > 40


@pytest.mark.parametrize("lossy", [False, True])
def test_noise_is_seen_beside_texture(lossy):
    """A clean photo with hair in it: next to no noise; with noise added: about as much."""
    x = from_uint8(data.astronaut())[..., :256, 100:356]
    for level, low, high in ((0, 3.0, 4.5), (15, 12.5, 22.0)):
        y = x + level / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        y = through_jpeg(y.clamp(0, 1), 92) if lossy else y
        assert low <= 255 * degradation_for("denoise", y, lossy=lossy).sigma <= high


@pytest.mark.parametrize("value", [np.inf, [1.0, np.nan]])
def test_a_mistake_that_no_answer_can_make_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        check_answer(None, right=np.ones_like(value), mistakes={"infinite.": value})
