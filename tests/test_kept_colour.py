"""Colour stays: grey stays grey, means and low frequencies are the photo's."""

import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from gdp_lite.kept_colour import CELL, is_grey, keep_colour


def photo(size=256):
    return torch.from_numpy(data.astronaut()[:size, :size].copy()).permute(2, 0, 1)[None] / 255


def tinted(image, seed=0):
    """What a prior might do: smooth, and shift each channel, more in one corner."""
    smooth = torch.from_numpy(gaussian_filter(image.numpy(), (0, 0, 1, 1))).float()
    ramp = torch.linspace(0, 1, image.shape[-1])
    shift = torch.tensor([0.012, -0.021, 0.01]).view(1, 3, 1, 1) * (0.5 + ramp)
    return (smooth + shift).clamp(0, 1)


def test_means_and_low_frequencies_are_the_photo_s():
    y = photo()
    restored = tinted(y)
    result = keep_colour(restored, y)
    assert (result - y).mean((2, 3)).abs().max() < 1e-4
    blurred = gaussian_filter((result - y).numpy(), (0, 0, CELL, CELL))
    assert (
        abs(blurred).max()
        < 0.2 * abs(gaussian_filter((restored - y).numpy(), (0, 0, 64, 64))).max()
    )


def test_what_was_restored_is_kept():
    """Fine structure is that of the restored picture, not of the photo."""
    y = photo()
    noisy = (y + 0.06 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))).clamp(
        0, 1
    )
    result = keep_colour(y, noisy)
    assert (result - y).square().mean() < 0.02 * (noisy - y).square().mean()


def test_blotches_do_not_come_back():
    """Colour noise 8 pixels wide, as phones leave it: nearly none of it is low frequency."""
    generator = torch.Generator().manual_seed(0)
    y = torch.full((1, 3, 512, 512), 0.4)
    blotches = torch.randn(1, 3, 64, 64, generator=generator).repeat_interleave(8, 2)
    blotches = 0.03 * blotches.repeat_interleave(8, 3)
    result = keep_colour(y, y + blotches)
    assert (result - y).std() < 0.2 * blotches.std()


def test_grey_stays_grey_exactly():
    grey = photo().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    result = keep_colour(tinted(grey), grey)
    assert is_grey(result)
    assert not is_grey(tinted(grey))
    assert (result - grey).mean().abs() < 1e-4


def test_nearly_grey_gets_no_tint():
    """A grey picture that went through JPEG in colour."""
    grey = photo().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    dust = torch.randint(0, 3, grey.shape, generator=torch.Generator().manual_seed(0)) / 255
    y = (grey + dust).clamp(0, 1)
    speckled = tinted(y) + 0.05 * torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    result = keep_colour(speckled.clamp(0, 1), y)
    assert float((result.amax(1) - result.amin(1)).max()) < 3 / 255
    assert (result - y).mean((2, 3)).abs().max() < 2e-3


def test_clipped_photos_keep_their_mean():
    y = (2 * photo() - 0.6).clamp(0, 1)
    assert (keep_colour(tinted(y), y) - y).mean((2, 3)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (65, 3)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_tiny_and_flat_photos(size, level):
    y = torch.full((2, 3, *size), level)
    restored = (y + 0.1).clamp(0, 1)
    assert torch.allclose(keep_colour(restored, y), y, atol=1e-5)


def test_two_sizes_are_told():
    with pytest.raises(ValueError, match="twice"):
        keep_colour(photo(64), photo(65))
