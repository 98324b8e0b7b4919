"""Occlusion with content: known, and found in the photo."""

import pytest
import torch
from operators import SIZES, adjoint_mismatch, fit, gradients_agree, photo, prox_slope, wild
from skimage import data

from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.masks import box_mask, scratch_mask, text_mask
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import BlindOcclusion, Inpainting, Occlusion, assign
from gdp_lite.estimators import find_overlay
from gdp_lite.image import from_uint8
from gdp_lite.sampler import restore

YELLOW = torch.tensor([1.0, 0.9, 0.2])
PHOTOS = {
    "astronaut": from_uint8(data.astronaut()[:256, :256]),
    "cat": from_uint8(data.chelsea()[:256, :320]),
    "coffee": from_uint8(data.coffee()[:256, :320]),
    "rocket": from_uint8(data.rocket()[:256, :320]),
}


def overlap(found, truth):
    """Intersection over union of what two masks cover."""
    return float(((found == 0) & (truth == 0)).sum() / ((found == 0) | (truth == 0)).sum())


@pytest.mark.parametrize("size", SIZES)
def test_occlusion(size):
    mask = box_mask(*size, 1, 2, 4, 6)
    degradation, x = Occlusion(mask, YELLOW), photo(*size, 2)
    y = degradation(x)
    assert torch.equal(y[..., mask == 1], x[..., mask == 1])
    assert torch.equal(y[0, :, 1, 2], YELLOW.double())
    assert adjoint_mismatch(Inpainting(mask), size) < 1e-14
    linear = degradation(x) - degradation(torch.zeros_like(x))
    torch.testing.assert_close(linear, degradation.A_adjoint(x))
    assert prox_slope(degradation, photo(*size, 2, seed=1), y, 0.1) < 1e-12
    assert torch.equal(
        Occlusion(mask, photo(*size, 1, seed=3))(x)[..., mask == 1], x[..., mask == 1]
    )
    assert degradation.start(y).isfinite().all()


@pytest.mark.parametrize("size", [(96, 96), (81, 110)])
def test_a_first_image_is_smooth_however_large_the_hole(size):
    """A ramp is its own thin plate; block means, of 16 and 32 pixels here, would leave steps."""
    rows, columns = (torch.linspace(0, 1, n) for n in size)
    ramp = (0.2 + 0.3 * rows[:, None] + 0.4 * columns).expand(1, 3, -1, -1)
    hidden = Inpainting(box_mask(*size, 20, 20, 60, 70))
    assert float((hidden.start(hidden(ramp)) - ramp).abs().max()) < 0.01


def test_a_photo_of_nothing_is_grey_and_its_neighbour_in_the_batch_is_not():
    masks = torch.stack([torch.zeros(1, 5, 7), torch.ones(1, 5, 7)])
    first = Inpainting(masks).start(torch.full((2, 3, 5, 7), 0.2))
    assert torch.equal(first[0], torch.full((3, 5, 7), 0.5))
    assert torch.equal(first[1], torch.full((3, 5, 7), 0.2))


def test_blind_gradients_prox_range_and_recovery():
    blind = BlindOcclusion((6, 7)).double().randomise(torch.Generator().manual_seed(0))
    assert gradients_agree(blind)
    x = photo(6, 7, 2)
    assert prox_slope(blind, x, photo(6, 7, 2, seed=1), 0.1) < 1e-12
    for seed in range(4):
        phi = wild(blind, seed)
        assert all(0 <= float(v.min()) <= float(v.max()) <= 1 for v in phi.values())
    x = torch.rand(4, 3, 6, 7, generator=torch.Generator().manual_seed(0)).double()
    truth = BlindOcclusion((6, 7)).double()
    assign(truth, "colour", YELLOW)
    with torch.no_grad():
        truth.parametrizations.mask.original[:, 2:4, 1:5] = -3.0
    y = truth(x).detach()
    found = fit(BlindOcclusion((6, 7)).double(), x, y, steps=150)
    for key, value in truth.phi().items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0.01)


FOUND = [(name, colour) for name in PHOTOS for colour in (YELLOW, torch.ones(3))]
FOUND += [("cat", torch.zeros(3)), ("coffee", torch.zeros(3))]  # the others have black themselves


@pytest.mark.parametrize(("name", "colour"), FOUND)
def test_text_is_found(name, colour):
    """The mask is grown by a pixel: it should cover nearly all, and half of it may be margin."""
    x = PHOTOS[name]
    mask = text_mask(*x.shape[-2:], "HOLIDAY", 48, (10, 150))
    found, seen = find_overlay(Occlusion(mask, colour)(x))
    assert float(found[mask == 0].mean()) < 0.02
    assert overlap(found, mask) > 0.5
    torch.testing.assert_close(seen, colour, atol=1 / 255, rtol=0)


@pytest.mark.parametrize("name", ["cat", "rocket"])
def test_text_is_found_through_jpeg(name):
    x = PHOTOS[name]
    mask = text_mask(*x.shape[-2:], "HOLIDAY", 48, (10, 150))
    y = through_jpeg(Occlusion(mask, torch.ones(3))(x), 90)
    found, _ = find_overlay(y, tolerance=16 / 255, grow=2)
    assert float(found[mask == 0].mean()) < 0.02
    assert overlap(found, mask) > 0.4
    box = box_mask(*x.shape[-2:], 40, 50, 90, 120)
    y = through_jpeg(Occlusion(box, torch.tensor([0.0, 1.0, 0.0]))(x), 90)
    found, _ = find_overlay(y, tolerance=16 / 255, grow=2)
    assert overlap(found, box) > 0.8


@pytest.mark.parametrize("name", PHOTOS)
def test_a_clean_photo_has_no_overlay(name):
    mask, colour = find_overlay(PHOTOS[name])
    assert colour is None
    blind = BlindOcclusion(mask.shape).initialise(PHOTOS[name])
    assert float(blind.phi()["mask"].min()) > 0.99
    assert bool((mask == 1).all())


def test_the_full_stops_of_a_date_are_found():
    """Too small to prove anything, but beside letters; the same speck elsewhere stays."""
    y = PHOTOS["cat"][..., :96, :128].clone()
    letters = text_mask(96, 128, "12 05", 24)
    stop, speck = torch.ones(96, 128), torch.ones(96, 128)
    rows, columns = (torch.where((letters == 0).any(axis))[0] for axis in (1, 0))
    gap = int(columns[columns.diff().argmax()]) + 3
    stop[int(rows[-1]) - 1 : int(rows[-1]) + 1, gap : gap + 2] = 0
    speck[80:82, 100:102] = 0
    found, _ = find_overlay(torch.where(letters * stop * speck == 0, YELLOW.view(3, 1, 1), y))
    for mask, value in ((letters, 0), (stop, 0), (speck, 1)):
        assert bool((found[mask == 0] == value).all())


def test_an_overlay_is_found_and_taken_away(prior):
    """In one call, better than the photo and consistent with it; then with a mask that was edited.

    A pixel around the letters counts as covered although it shows the scene: dividing by its
    tiny weight would blow it up.
    """
    name, mask = "cat", text_mask(96, 96, "Text", 30)
    x = PHOTOS[name][..., :96, :96].float()
    y = Occlusion(mask, YELLOW, 2 / 255).simulate(x, torch.Generator().manual_seed(0))
    overlay = BlindOcclusion(mask.shape, 2 / 255)
    generator = torch.Generator().manual_seed(1)
    result = restore(y, overlay, prior, steps=4, generator=generator)
    assert float(psnr(result.image, x)) > float(psnr(y, x)) + 10
    assert float(result.residual) < 2 / 255
    edited = result.phi["mask"][0, 0].clone()
    assert float(((edited < 0.5) == (mask == 0)).float()[0, mask == 0].mean()) == 1
    edited[..., :10, :] = 0
    assign(overlay, "mask", edited)
    overlay.requires_grad_(False)
    again = restore(y, overlay, prior, steps=4, generator=generator)
    assert torch.equal(again.phi["mask"][0, 0] < 0.5, edited < 0.5)
    assert float(psnr(again.image, x)) > float(psnr(y, x)) + 5


def test_masks():
    mask = box_mask(20, 30, 5, 6, 10, 12)
    assert float((1 - mask).sum()) == 30
    text = text_mask(40, 200, "HOLIDAY", 24)
    assert set(text.unique().tolist()) == {0, 1}
    assert 0.02 < float(1 - text.mean()) < 0.4
    scratches = scratch_mask(100, 120, 5, 1.5, torch.Generator().manual_seed(0))
    again = scratch_mask(100, 120, 5, 1.5, torch.Generator().manual_seed(0))
    assert torch.equal(scratches, again)
    assert 0.005 < float(1 - scratches.mean()) < 0.2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Occlusion(torch.ones(4, 4) / 2, YELLOW), "0 .missing. and 1"),
        (lambda: Occlusion(torch.ones(4, 4), torch.ones(2)), "colour of 3"),
        (lambda: box_mask(5, 5, 3, 3, 3, 4), "no box"),
        (lambda: find_overlay(torch.zeros(2, 3, 8, 8)), "one photo"),
        (lambda: find_overlay(torch.full((1, 3, 8, 8), torch.nan)), "finite"),
        (lambda: BlindOcclusion(4), "size is two"),
        (lambda: scratch_mask(8, 8, -1), "scratches"),
        (lambda: scratch_mask(8, 8, thickness=0.0), "scratches"),
        (lambda: BlindOcclusion((4, 4)).check_measurement(torch.zeros(1, 3, 4, 5)), "mask"),
        (
            lambda: Occlusion(torch.ones(4, 4), YELLOW).check_measurement(torch.zeros(1, 3, 4, 5)),
            "mask",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
