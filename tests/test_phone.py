"""The simulated phone stage by stage, and what is read off its files."""

import io
import re
import runpy
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

from gdp_lite.book import appearance, phone
from gdp_lite.book.phone import Capture, draw_capture, photograph

OFF = Capture()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def scene():
    return data.astronaut()[60:188, 160:288].astype(np.float32) / 255


def decoded(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def grey(value, side=64):
    return np.full((side, side, 3), value, np.float32)


def test_parameters_are_drawn_from_the_ranges_stated():
    stated = re.findall(r"^ {4}(\w+), ([-\d./e]+) to ([-\d./e]+)", Capture.__doc__, re.M)
    stated = {name: (float(Fraction(a)), float(Fraction(b))) for name, a, b in stated}
    stated |= dict.fromkeys(("red_error", "blue_error"), (-0.15, 0.15))
    assert {*stated, "read"} == set(asdict(OFF)), "each has a range, or follows from another"
    drawn = [asdict(draw_capture(np.random.default_rng(seed))) for seed in range(300)]
    for name, (low, high) in stated.items():
        values = np.array([one[name] for one in drawn])
        rounding = 0.06 * high if name == "shot" else 0
        used = values[values != 0] if name == "chroma_denoise" else values
        assert used.min() >= low - rounding, name
        assert used.max() <= high + rounding, name
        assert np.ptp(values) > 0.6 * (high - low), name


def test_read_noise_follows_shot_noise():
    drawn = [draw_capture(np.random.default_rng(seed), iso=400) for seed in range(300)]
    left = [np.log(c.read) - 2.18 * np.log(c.shot) - 1.2 for c in drawn]
    assert abs(np.mean(left)) < 0.05
    assert np.std(left) == pytest.approx(0.26, rel=0.15)
    assert {c.iso for c in drawn} == {400}


@pytest.mark.parametrize("level", [0.0, 0.02, 0.3])
def test_sensor_noise_has_the_variance_of_the_formula(level, rng):
    capture = Capture(shot=0.004, read=2e-5)
    raw = phone.add_sensor_noise(np.full((400, 400), level, np.float32), capture, rng)
    assert raw.mean() == pytest.approx(level, abs=5e-4)
    assert raw.var() == pytest.approx(0.004 * level + 2e-5, rel=0.02)


def test_photons_come_in_whole_numbers(rng):
    raw = phone.add_sensor_noise(np.full((50, 50), 0.1, np.float32), Capture(shot=0.02), rng)
    assert np.allclose(raw / 0.02, np.round(raw / 0.02), atol=1e-5)


def test_demosaicking_keeps_what_was_measured_and_greys(scene, rng):
    raw = phone.mosaic(scene)
    assert np.abs(phone.mosaic(phone.demosaic(raw)) - raw)[2:-2, 2:-2].max() < 2e-5
    assert raw[0, 0] == scene[0, 0, 0]
    assert raw[1, 0] == scene[1, 0, 1]
    assert raw[1, 1] == scene[1, 1, 2]
    ramp = np.broadcast_to(np.linspace(0, 0.9, 64, dtype=np.float32)[:, None], (64, 64, 3))
    assert np.abs(phone.demosaic(phone.mosaic(ramp)) - ramp)[2:-2, 2:-2].max() < 1e-3
    below = rng.normal(0, 0.01, (64, 64)).astype(np.float32)
    assert phone.demosaic(below).mean() == pytest.approx(below.mean(), abs=2e-4), "not clipped"


def test_stages_that_are_off_do_nothing(scene):
    where = phone.field(*scene.shape[:2])
    assert np.array_equal(phone.expose(scene, where, OFF), scene)
    assert np.array_equal(phone.blur(scene, where, OFF), scene)
    assert np.allclose(phone.balance(phone.to_sensor(scene, OFF), OFF), scene, atol=1e-6)
    assert np.array_equal(phone.sharpen(scene, OFF), scene)
    assert np.allclose(phone.denoise(scene, OFF), scene, atol=2e-4)  # OpenCV's rounded matrices
    assert np.allclose(phone.tone(scene, OFF), scene, atol=1e-6)
    assert np.allclose(phone.ideal(scene, OFF), scene, atol=1e-5)
    smooth = ndimage.gaussian_filter(scene, (6, 6, 0))
    file = decoded(photograph(smooth, replace(OFF, quality=97)))
    assert np.abs(file / 255 - smooth).mean() < 0.005


def test_exposure_counts_in_stops_and_falls_off_as_stated():
    where = x, y = phone.field(101, 201)
    assert np.hypot(x[0, 0], y[0, 0]) == pytest.approx(1)
    light = np.full((101, 201, 3), 0.2, np.float32)
    assert np.allclose(phone.expose(light, where, Capture(exposure=1)), 0.4)
    corner = phone.expose(light, where, Capture(vignetting=0.5))
    assert np.log2(corner[50, 100, 0] / corner[0, 0, 0]) == pytest.approx(0.5)
    angle = np.rad2deg(np.arctan2(y[-1, -1], x[-1, -1]))
    side = phone.expose(light, where, Capture(uneven=1, uneven_angle=angle))
    assert np.log2(side[-1, -1, 0] / side[0, 0, 0]) == pytest.approx(1, abs=1e-5)


def spread(light):
    """Variances of a point's image down and across, in square pixels."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    weight = light[..., 0] / light[..., 0].sum()
    return [float((weight * (a - (weight * a).sum()) ** 2).sum()) for a in (y, x)]


@pytest.mark.parametrize(
    ("capture", "place", "variances"),
    [
        (Capture(blur=0.8), (20, 20), (0.64, 0.64)),
        (Capture(blur=0.8, corner_blur=0.8), (32, 32), (0.64, 0.64)),
        (Capture(blur=0.8, corner_blur=0.8), (8, 8), None),
        (Capture(defocus=2), (32, 32), (1.17, 1.17)),  # r^2 / 4 + 1 / 6, its soft rim
        (
            Capture(motion=4, motion_angle=0),
            (32, 32),
            (0.0, 1.5),
        ),  # length^2 / 12 + 1 / 6, its soft ends
        (Capture(motion=4, motion_angle=90), (32, 32), (1.5, 0.0)),
    ],
)
def test_a_point_spreads_as_far_as_stated(capture, place, variances):
    point = np.zeros((65, 65, 3), np.float32)
    point[place] = 1
    image = phone.blur(point, phone.field(65, 65), capture)
    found = spread(image)
    if variances is None:
        assert min(found) > 1.4, "softer towards the corner"
    else:
        assert image[..., 0].sum() == pytest.approx(1, abs=0.01)
        assert found == pytest.approx(variances, rel=0.1, abs=0.02)


def test_white_balance_undoes_the_sensor_and_leaves_white_white(scene):
    capture = Capture(red_gain=2.1, blue_gain=1.7, crosstalk=0.25)
    assert np.allclose(phone.balance(phone.to_sensor(scene, capture), capture), scene, atol=1e-5)
    wrong = replace(capture, red_error=-0.1, blue_error=0.05)
    half = phone.balance(phone.to_sensor(grey(0.4), wrong), wrong)[0, 0]
    assert half[0] < half[1] < half[2]
    white = phone.balance(np.minimum(phone.to_sensor(grey(1.0), wrong), 1), wrong)
    assert np.allclose(white, 1, atol=1e-5)


def test_the_noise_at_grey_is_that_of_the_sensor(rng):
    capture = Capture(shot=0.001, read=1e-6)
    raw = phone.add_sensor_noise(np.full((300, 300), 0.18, np.float32), capture, rng)
    assert phone.encode(raw).std() == pytest.approx(phone.noise_at_grey(capture), rel=0.02)


def test_denoising_leaves_coarse_noise_and_edges(rng):
    capture = Capture(shot=0.004, read=1e-5, luma_denoise=3, chroma_denoise=16, chroma_octaves=3)
    image = grey(0.46, 256)
    image[:, 128:] = 0.9
    sigma = phone.noise_at_grey(capture)
    noisy = image + rng.normal(0, sigma, image.shape).astype(np.float32)
    left = 255 * (phone.denoise(noisy, capture) - image)
    levels = [255 * (noisy - image), left]
    before, after = (appearance.noise_levels(appearance.tiles(n)) for n in levels)
    shares = {k: after[k] / before[k] for k in before}
    assert 2 * shares["luma 1/4"] < shares["luma 1/8"] < shares["luma 1/16"]
    assert shares["chroma 1/4"] < 0.1
    assert shares["chroma 1/32"] < 0.5 * shares["luma 1/32"]
    assert abs(left[:, 120:136].mean((0, 2))).max() < 6, "no step of 112 is smoothed"


def test_octaves_are_smoothed_to_the_coarsest_and_with_thresholds_that_halve(rng):
    noise = 0.5 + rng.normal(0, 0.05, (256, 256)).astype(np.float32)
    smoothed = (np.dstack([phone.smooth(noise, 0.1, n, 1.7)] * 3) for n in (1, 2, 3))
    levels = [appearance.noise_levels(appearance.tiles(one)) for one in smoothed]
    coarse = [one["luma 1/32"] for one in levels]
    assert coarse[0] > 1.15 * coarse[1] > 1.3 * coarse[2]
    wave = np.tile(0.5 + 0.03 * np.sin(2 * np.pi * np.arange(256) / 24), (256, 1))
    left = phone.smooth(wave.astype(np.float32), 0.05, 3, 1.7)
    assert left[:, 24:-24].std() > 0.65 * wave.std(), "above a quarter of the threshold"


def test_sharpening_draws_halos_and_leaves_the_flat():
    step = grey(0.3)
    step[:, 32:] = 0.7
    step = ndimage.gaussian_filter(step, (0, 1, 0))
    sharp = phone.sharpen(step, Capture(sharpen=1, halo=1.2))
    assert sharp.max() > 0.715
    assert sharp.min() < 0.285
    assert np.allclose(sharp[:, :20], 0.3, atol=1e-4)
    assert (sharp - phone.sharpen(step, Capture(sharpen=0.5, halo=1.2))).max() > 0.01


def test_the_tone_curve_keeps_ends_and_greys():
    capture = Capture(contrast=0.5, saturation=1.3)
    for value in (0.0, 0.5, 1.0):
        assert np.allclose(phone.tone(grey(value), capture), value, atol=1e-6)
    dark = phone.tone(grey(0.25), capture)
    assert np.allclose(dark, 0.25 + 0.5 * (0.15625 - 0.25), atol=1e-6)
    colour = grey(0.5) + np.array([0.1, 0, -0.1], np.float32)
    assert np.ptp(phone.tone(colour, Capture(saturation=1.3))[0, 0]) == pytest.approx(0.26)


def test_the_file_is_a_jpeg_with_halved_chroma_and_tells_its_iso(scene):
    file = photograph(scene, Capture(iso=800, exposure_time=0.05, quality=90))
    with Image.open(io.BytesIO(file)) as photo:
        assert photo.format == "JPEG"
        assert [layer[1:3] for layer in photo.layer] == [(2, 2), (1, 1), (1, 1)]
        details = photo.getexif().get_ifd(phone.EXIF_IFD)
        assert details[phone.ISO] == 800
        assert float(details[phone.EXPOSURE_TIME]) == pytest.approx(0.05)
        assert photo.getexif()[phone.MODEL] == "gdp_lite simulator"


def test_the_same_seed_gives_the_same_bytes(scene):
    capture = draw_capture(np.random.default_rng(5))
    assert capture == draw_capture(np.random.default_rng(5))
    assert capture != draw_capture(np.random.default_rng(6))
    first, again, other = (photograph(scene, capture, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again != other
    assert photograph(scene, capture) == photograph(scene, capture) != first


@pytest.mark.parametrize("name", asdict(OFF))
def test_every_parameter_reaches_the_file(name, scene):
    capture = replace(draw_capture(np.random.default_rng(0)), defocus=1, motion=3)
    capture = replace(capture, chroma_denoise=9, luma_octaves=1, chroma_octaves=1)
    octaves = {"luma_octaves": 3, "chroma_octaves": 3}
    other = replace(capture, **{name: octaves.get(name, getattr(OFF, name))})
    first, second = (photograph(scene, c, np.random.default_rng(1)) for c in (capture, other))
    assert first != second


def test_shade_at_a_high_iso_is_blotchy_not_white():
    """The noise of a file has less at the pixel's scale than any white noise of its size."""
    capture = draw_capture(np.random.default_rng(2), iso=1600)
    dark = grey(0.2, 256)
    noise = decoded(photograph(dark, capture, np.random.default_rng(0))).astype(float)
    found = appearance.noise_levels(appearance.tiles(noise))
    assert found["luma 1/4"] < 0.6 * found["luma 1/16"]
    assert found["chroma 1/4"] < 0.2 * found["chroma 1/32"]


def test_white_noise_reads_the_same_in_every_octave(rng):
    planes = rng.normal(0, 1, (256, 256, 3)) * (5, 2, 2)
    image = 128 + planes @ np.linalg.inv(appearance.TO_YCC).T
    image += np.linspace(0, 60, 256)[:, None]  # a slope is no noise
    found = appearance.noise_levels(appearance.tiles(image))
    for name, level in found.items():
        assert level == pytest.approx(5 if name.startswith("luma") else 2, rel=0.1), name
    with pytest.raises(ValueError, match="64 x 64"):
        appearance.tiles(image[:50])


def test_flat_tiles_are_flat_and_not_clipped(rng):
    image = rng.normal(128, 30, (256, 256, 3))
    image[:64, :64], image[64:128, :64], image[128:192, :64] = 255, 0, 120
    flat = appearance.flat_tiles(image, 1 / 14)
    assert len(flat) == 1
    assert (flat == 120).all()
    assert not len(appearance.flat_tiles(np.zeros((64, 64, 3))))


@pytest.mark.parametrize("sigma", [0.7, 1.2, 2.0])
def test_the_rise_of_an_edge_is_that_of_its_blur(sigma):
    y, x = np.mgrid[:128, :128] - 63.5
    disc = ndimage.gaussian_filter((np.hypot(x, y) < 40).astype(float), sigma)
    found = appearance.edges(np.dstack([50 + 150 * disc] * 3))
    pixel = 1 / 12  # a disc drawn in whole pixels has an edge as wide as one
    assert len(found) > 100
    assert np.median(found[:, 0]) == pytest.approx(2.563 * (sigma**2 + pixel) ** 0.5, rel=0.1)
    assert abs(np.median(found[:, 1])) < 0.04


def test_the_halo_is_what_goes_beyond_the_step():
    x = np.arange(128) - 63.5
    step = ndimage.gaussian_filter1d((x > 0).astype(float), 1)
    sharp = step + 1.0 * (step - ndimage.gaussian_filter1d(step, 1.2))
    image = np.dstack([np.tile(80 + 90 * sharp, (128, 1))] * 3)
    rise, halo = np.median(appearance.edges(image), 0)
    assert halo == pytest.approx(0.055, abs=0.01)  # 2 Phi(t) - Phi(t / 1.56) at its greatest
    assert rise < 2.563
    assert not len(appearance.edges(80 + (image - 80) / 3)), "a step of 30 is too low"


def test_a_photo_is_described_by_its_sharpest_edges():
    step = ndimage.gaussian_filter1d((np.arange(128) > 63).astype(float), 1)
    sharp = step + 2 * (step - ndimage.gaussian_filter1d(step, 1.2))
    soft = ndimage.gaussian_filter1d(step, 1.5)
    lines = np.vstack([np.tile(sharp, (64, 1)), np.tile(soft, (128, 1))])
    found = appearance.appearance(np.dstack([60 + 100 * lines] * 3))
    assert found["halo"] > 0.1
    assert found["rise"] < 2
    assert found["median"] == pytest.approx(110, abs=50)
    assert found["clipped"] == found["black"] == 0
    nothing = appearance.appearance(np.full((64, 64, 3), 255))
    assert np.isnan(nothing["rise"])
    assert np.isnan(nothing["luma 1/4"])
    assert nothing["clipped"] == 1


def test_the_manifest_holds_the_noise_of_the_files(tmp_path, monkeypatch):
    benchmarks = Path(__file__).parents[1] / "benchmarks"
    monkeypatch.syspath_prepend(benchmarks)
    make = runpy.run_path(str(benchmarks / "captures.py"))["make"]
    photo = data.astronaut()[40:240, 150:300]
    row = make("small", photo, tmp_path)
    names = ("small.jpg", "small-quiet.jpg", "small-ideal.png", "small-scene.png")
    noisy, quiet, ideal, source = (np.asarray(Image.open(tmp_path / name)) for name in names)
    assert np.array_equal(source, photo)
    assert ideal.shape == photo.shape
    luma = (noisy.astype(float) - quiet) @ appearance.TO_YCC[0]
    assert row["noise luma"] == pytest.approx(np.sqrt((luma**2).mean()), abs=1e-3)
    assert row == make("small", photo, tmp_path)
    assert row["iso"] != make("other", photo, tmp_path)["iso"]
    drawn = {k: v for k, v in row.items() if k in asdict(OFF)}
    scene = photo.astype(np.float32) / 255
    again = decoded(photograph(scene, Capture(**drawn)))
    assert np.array_equal(again, quiet), "a row is enough to make the capture again"
