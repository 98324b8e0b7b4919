"""The JPEG model against Pillow, its gradients and its projection; bicubic downsampling."""

import io

import numpy as np
import pytest
import torch
from operators import SIZES, adjoint_mismatch, gradients_agree, photo, prox_slope
from PIL import Image
from skimage import data
from torch.nn import functional

from gdp_lite.book.capture import through_jpeg
from gdp_lite.degradations import JPEG, BicubicDownsampling, Compose, GaussianBlur
from gdp_lite.image import from_uint8, to_uint8

CAT = data.chelsea()[20:177, 90:223]  # 157 x 133: no multiples of 8 or 16
SETTINGS = [(q, s) for q in (10, 50, 75, 90, 95) for s in ("4:4:4", "4:2:2", "4:2:0")]


def encoded(array, quality, subsampling):
    """A JPEG file in memory."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=quality, subsampling=subsampling)
    file.seek(0)
    return file


def decoded(file):
    return from_uint8(np.asarray(Image.open(file).convert("RGB"))).double()


@pytest.mark.parametrize("array", [CAT, CAT[:37, :53], CAT[40:49, 30:35]])
@pytest.mark.parametrize(("quality", "subsampling"), SETTINGS)
def test_jpeg_is_pillows(quality, subsampling, array):
    """RMS difference of a level at most; JPEG itself changes the photo by 2 to 11 levels.

    libjpeg computes with integers, so that a few coefficients round to the other side: these
    blocks differ by up to half a quantisation step, the rest by nothing.
    """
    file = encoded(array, quality, subsampling)
    theirs, x = decoded(file), from_uint8(array).double()
    jpeg = JPEG.from_file(file)
    ours = jpeg(x)
    difference = 255 * (ours - theirs)
    rms = float(difference.square().mean().sqrt())
    assert rms < 1.3
    assert rms < 0.35 * float((255 * (theirs - x)).square().mean().sqrt())
    assert float((difference.abs() < 0.5).double().mean()) > 0.4
    same = JPEG.from_quality(quality, subsampling)
    torch.testing.assert_close(same(x), ours)
    single = jpeg(x.float())
    assert single.dtype == torch.float32
    assert float((255 * (single - ours)).abs().mean()) < 0.1


def test_grey_files_and_the_rest():
    file = encoded(CAT[..., 1], 70, -1)
    x = from_uint8(CAT[..., 1:2].repeat(3, 2)).double()
    jpeg = JPEG.from_file(file)
    assert len(jpeg.tables) == 1
    difference = 255 * (jpeg(x) - decoded(file))
    assert float(difference.square().mean().sqrt()) < 1
    png = io.BytesIO()
    Image.fromarray(CAT).save(png, "PNG")
    for wrong in (png, encoded_cmyk()):
        with pytest.raises(ValueError, match="no grey or colour JPEG"):
            JPEG.from_file(wrong)


def encoded_cmyk():
    file = io.BytesIO()
    Image.fromarray(CAT).convert("CMYK").save(file, "JPEG")
    return file


def test_files_tables_and_the_chapters_jpeg():
    x = from_uint8(CAT)
    jpeg = JPEG.from_quality(85)
    file = encoded(to_uint8(x), 85, 2)
    tables = Image.open(file).quantization
    assert jpeg.tables[0].flatten().tolist() == tables[0]
    assert jpeg.tables[1].flatten().tolist() == tables[1]
    assert jpeg.sampling == (2, 2)
    theirs = through_jpeg(x, 85)
    assert float((255 * (jpeg(x) - theirs)).square().mean().sqrt()) < 1


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0"])
@pytest.mark.parametrize("rounding", ["smooth", "none"])
def test_gradients(rounding, subsampling):
    tables = JPEG.from_quality(60).tables
    jpeg = JPEG(tables[0], tables[1], subsampling, rounding)
    assert gradients_agree(jpeg, (9, 11))


def test_the_last_bit_decides_nothing():
    """Flat blocks come back in many halves: float32, float64 and so all processors round alike."""
    levels = torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
    x = levels.repeat_interleave(16, -1).repeat_interleave(16, -2)
    for quality in (20, 30, 50, 75):
        jpeg = JPEG.from_quality(quality)
        assert torch.equal((255 * jpeg(x)).round(), (255 * jpeg(x.double())).round().float())


def test_roundings():
    """Straight-through: real values, the gradient of "none"; smooth lies between."""
    x = from_uint8(CAT).double().requires_grad_()
    images = {
        r: JPEG.from_quality(50, rounding=r)(x) for r in ("straight-through", "smooth", "none")
    }
    v = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = {r: torch.autograd.grad(y, x, v, retain_graph=True)[0] for r, y in images.items()}
    assert all(bool(s.isfinite().all()) for s in slopes.values())
    close = functional.cosine_similarity(
        slopes["straight-through"].flatten(), slopes["none"].flatten(), dim=0
    )
    assert float(close) > 0.99
    error = {r: (y - images["straight-through"]).square().mean().item() for r, y in images.items()}
    assert error["smooth"] < error["none"]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_prox_projects_on_what_the_file_allows(subsampling):
    """An image that would make this very file hardly moves; another then makes this file.

    With intervals of their full width a half of the coefficients moved would be rounded away.
    """
    jpeg = JPEG.from_quality(60, subsampling)
    x = photo(48, 64, 2)
    y = jpeg(x)
    torch.testing.assert_close(jpeg.prox(x, y, 0.0), x, rtol=0, atol=0.02)
    other = (x + 0.1 * torch.sin(torch.arange(64.0).double())).clamp(0.05, 0.95)
    z = jpeg.prox(other, y, 0.0)
    before, after = ((jpeg(image) - y).norm() for image in (other, z))
    assert float(after) < 0.02 * float(before)
    half = jpeg.prox(other, y, 1.0)
    torch.testing.assert_close(half - other, (z - other) / 2)


def test_jpeg_in_a_composition():
    """Gauss-Newton through straight-through rounding lowers what it minimises."""
    both = Compose(GaussianBlur(5, 1.0), JPEG.from_quality(70, sigma=0.02))
    assert both.sigma == 0.02
    x = photo(48, 64, 2)
    y, start = both(photo(48, 64, 2, seed=1)), photo(48, 64, 2, seed=2)
    z = both.prox(start, y, 0.1)
    assert z.shape == x.shape
    value = [(both(i) - y).square().sum() + 0.1 * (i - start).square().sum() for i in (start, z)]
    assert float(value[1]) < 0.5 * float(value[0])


FACTORS = [(size, factor) for size in SIZES for factor in (1, 2, 3, 4, 8)]


@pytest.mark.parametrize(("size", "factor"), FACTORS)
def test_bicubic(size, factor):
    """Pillow's and torch's to float32's rounding; transpose and prox to float64's."""
    degradation, x = BicubicDownsampling(factor, size), photo(*size, 2)
    y = degradation(x)
    assert y.shape[-2:] == tuple(-(-n // factor) for n in size)
    picture = Image.fromarray(x[0, 0].float().numpy())
    theirs = picture.resize((y.shape[-1], y.shape[-2]), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(y[0, 0].numpy(), np.asarray(theirs), atol=2e-6)
    torch_s = functional.interpolate(x, size=y.shape[-2:], mode="bicubic", antialias=True)
    torch.testing.assert_close(y, torch_s, rtol=0, atol=1e-10)
    assert adjoint_mismatch(degradation, size) < 1e-14
    for rho in (1e-3, 1.0):
        assert prox_slope(degradation, photo(*size, 2, seed=1), y, rho) < 1e-8
    assert degradation.start(y).shape == x.shape


def test_bicubic_of_large_images():
    degradation = BicubicDownsampling(4)
    y = degradation(torch.rand(1, 3, 512, 512))
    assert y.shape == (1, 3, 128, 128)
    assert y.dtype == torch.float32
    assert gradients_agree(BicubicDownsampling(2), (6, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JPEG.from_quality(0), "quality"),
        (lambda: JPEG.from_quality(50, "4:1:1"), "quality"),
        (lambda: JPEG(torch.ones(64), None, "4:1:1"), "subsampling"),
        (lambda: JPEG(torch.zeros(64), None), "64 numbers from 1"),
        (lambda: JPEG(torch.ones(64), None, rounding="up"), "rounding"),
        (lambda: BicubicDownsampling(1.5), "factor"),
        (lambda: BicubicDownsampling(4, 9), "image_size is two"),
        (lambda: JPEG(torch.ones(4, 4), None), "64 numbers"),
        (lambda: JPEG(torch.full((8, 8), torch.inf), None), "64 numbers"),
        (lambda: JPEG.from_file("nowhere.jpg"), "no JPEG can be read"),
        (lambda: JPEG.from_file(__file__), "no JPEG can be read"),
        (lambda: BicubicDownsampling(4)(torch.zeros(1, 3, 9, 8)), "image_size"),
        (lambda: BicubicDownsampling(4, (9, 9))(torch.zeros(1, 3, 8, 8)), "not"),
        (
            lambda: BicubicDownsampling(4, (9, 9)).check_measurement(torch.zeros(1, 3, 2, 2)),
            "should have",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_noise_was_there_before_the_file():
    x = torch.full((1, 3, 32, 32), 0.5)
    jpeg = JPEG.from_quality(75, sigma=0.1)
    y = jpeg.simulate(x, torch.Generator().manual_seed(0))
    assert float((jpeg.A(y) - y).abs().mean()) < 0.5 / 255  # encoded again: hardly changed
    assert float((y - x).std()) > 0.02


def test_a_grey_file_is_restored_in_grey():
    grey = JPEG(torch.full((8, 8), 16.0), None, "4:4:4")
    x = photo(24, 16)
    z = grey.prox(x, grey.A(x), 0.1)
    assert float((z[:, 0] - z[:, 2]).abs().max()) < 1e-6
    assert float((grey.A(z) - grey.A(x)).abs().mean()) < 1 / 255


@pytest.mark.parametrize(("share", "edge"), [(0.0, 0.3), (0.15, 0.15), (0.3, 0.0), (0.9, 0.0)])
def test_noise_narrows_the_intervals(share, edge):
    """A flat block's mean lies 0.3 steps above the file's: how near to it the prox must come."""
    table, unit = 16.0, 8.0  # the mean of 8 x 8 grey levels is an eighth of the first coefficient
    sigma = share * table / (0.8 * 255 * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5)
    grey = JPEG(torch.full((8, 8), table), None, "4:4:4", sigma=sigma)

    def flat(steps):
        return torch.full((1, 3, 8, 8), (128 + steps * table / unit) / 255, dtype=torch.float64)

    z = grey.prox(flat(5.3), flat(5.0), 0.0)
    torch.testing.assert_close(z, flat(5 + edge), atol=2e-6, rtol=0)
