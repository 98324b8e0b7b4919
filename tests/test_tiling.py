"""A prior on tiles: exact where the network is local, near where it is not."""

import pytest
import torch

from gdp_lite.prior import Prior
from gdp_lite.schedule import linear_schedule
from gdp_lite.tiling import TiledPrior

SCHEDULE = linear_schedule()


class Local(torch.nn.Module):
    """A network that looks one pixel far, and counts its calls and the sizes it sees."""

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.layer = torch.nn.Conv2d(3, 3, 3, padding=1, padding_mode="zeros")

    def forward(self, x, t):
        self.sizes.append(tuple(x.shape[-2:]))
        return type("Output", (), {"sample": self.layer(x)})


@pytest.fixture
def local():
    torch.manual_seed(0)
    return Prior(Local(), SCHEDULE, multiple=4)


@pytest.mark.parametrize("size", [(40, 40), (33, 70), (16, 90), (100, 16)])
def test_far_from_edges_tiles_are_the_whole(local, size):
    """Only where a tile ends inside the image does its padding reach in, and there weights are
    least: a constant image, whose padded edge differs most, stays within a few percent."""
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    whole = local(x, 0.1)
    local.unet.sizes.clear()
    tiled = TiledPrior(local, tile=16, overlap=8)(x, 0.1)
    assert tiled.shape == x.shape
    assert max(max(s) for s in local.unet.sizes) == 16
    # Every tile of 16 is wrong in its outermost pixels only, weight 1 of about 8 there.
    assert float((tiled - whole).abs().mean()) < 0.1 * float(whole.std())
    inner = (..., slice(0, 4), slice(0, 4))  # one tile alone, and the image's own edge
    assert torch.allclose(tiled[inner], whole[inner], atol=1e-6)


def test_a_network_that_sees_one_pixel_is_met_exactly(local):
    with torch.no_grad():
        weight = local.unet.layer.weight
        centre = weight[..., 1:2, 1:2].clone()
        weight.zero_()[..., 1:2, 1:2] = centre
    x = torch.randn(1, 3, 61, 45, generator=torch.Generator().manual_seed(1))
    tiled = TiledPrior(local, tile=16, overlap=4)
    torch.testing.assert_close(tiled(x, 0.1), local(x, 0.1), rtol=1e-5, atol=1e-6)


def test_small_images_are_one_call(local):
    TiledPrior(local, tile=16, overlap=8)(torch.zeros(1, 3, 16, 12), 0.1)
    assert len(local.unet.sizes) == 1


@pytest.mark.parametrize(("tile", "overlap"), [(15, 4), (16, 16), (16, -1)])
def test_impossible_tiles_are_refused(local, tile, overlap):
    with pytest.raises(ValueError, match="tile"):
        TiledPrior(local, tile, overlap)


def test_the_bundled_prior_agrees_with_itself_on_tiles(prior):
    """The figures are measured by benchmarks/tiles.py; here one small image, and a bound."""
    from skimage import data

    from gdp_lite.book.metrics import psnr
    from gdp_lite.image import from_uint8

    x, sigma = from_uint8(data.astronaut()[:128, 100:292]), float(prior.schedule.sigma_bar[100])
    x = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole, tiled = (
            p(x, sigma).clamp(0, 1) for p in (prior, TiledPrior(prior, tile=128, overlap=64))
        )
    assert float(psnr(tiled, whole)) > 40
