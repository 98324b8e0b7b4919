"""The second simulated camera of benchmarks/other_camera.py, which nothing was fitted to."""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def camera():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return runpy.run_path(str(BENCHMARKS / "other_camera.py"))


@pytest.fixture(scope="module")
def plain(camera):
    """A capture that does as little as may be."""
    return camera["draw"](np.random.default_rng(0)) | {
        **{"iso": 100, "stops": 0.0, "radius": 0.3, "frames": 1, "denoiser": "none"},
        **{"amount": 0.0, "local": 0.0, "quality": 98, "subsampling": "4:4:4"},
    }


@pytest.mark.parametrize("malvar", [True, False])
def test_a_grey_plane_is_filled_in_exactly(camera, malvar):
    """Both ways are linear and right for what varies evenly."""
    y, x = np.mgrid[:16, :20].astype(np.float32)
    plane = np.repeat((0.2 + 0.01 * x + 0.02 * y)[..., None], 3, 2)
    raw, where = camera["mosaic"](plane)
    filled = camera["demosaic"](raw, where, malvar)
    assert np.abs(filled - plane)[3:-3, 3:-3].max() < 1e-6


def test_each_colour_stays_where_it_was(camera):
    colours = np.random.default_rng(1).random((12, 12, 3)).astype(np.float32)
    raw, where = camera["mosaic"](colours)
    filled = camera["demosaic"](raw, where, True)
    kept = np.take_along_axis(filled, where[..., None], -1)[..., 0]
    assert np.abs(kept - raw).max() < 1e-6
    assert [int((where == c).sum()) for c in range(3)] == [36, 72, 36]


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)


def test_noise_is_all_that_a_capture_and_its_twin_differ_by(camera, plain):
    y, x = np.mgrid[:96, :96] / 96
    scene = np.dstack([0.3 + 0.4 * x, 0.5 + 0.2 * y, 0.4 + 0 * x]).astype(np.float32)
    quiet = pixels(camera["photograph"](scene, plain, None))
    assert (quiet == pixels(camera["photograph"](scene, plain, None))).all()
    inside = np.s_[8:-8, 8:-8]
    sharp = 255 * camera["ideal"](scene, plain)
    assert np.abs(quiet - sharp)[inside].mean() < 2, "next to nothing else was done"
    levels = []
    for change in ({}, {"iso": 1600}, {"iso": 1600, "frames": 8}):
        rng = np.random.default_rng(2)
        noisy = pixels(camera["photograph"](scene, plain | change, rng))
        levels.append((noisy - quiet)[inside].std())
    assert levels[1] > 2.5 * levels[0], "sixteen times the variance, less what clips"
    assert levels[1] / 4 < levels[2] < levels[1] / 2, "eight frames: a third of it"


@pytest.mark.parametrize("denoiser", ["wavelets", "cosines", "non-local"])
def test_every_denoiser_takes_noise_away(camera, plain, denoiser):
    grey = np.full((96, 96, 3), 0.5, np.float32)
    some = {"iso": 800, "denoiser": denoiser, "luma": 1.0, "chroma": 1.0}
    without, with_it = (
        pixels(camera["photograph"](grey, plain | some | d, np.random.default_rng(3))).mean(-1)
        for d in ({"denoiser": "none"}, {})
    )
    assert with_it[8:-8, 8:-8].std() < 0.7 * without[8:-8, 8:-8].std()
