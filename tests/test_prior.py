"""The bundled prior: its file, its range, its clock, its sizes."""

import shutil

import numpy as np
import pytest
import torch
from exact import normal
from skimage import data, restoration

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.degradations import GaussianBlur
from gdp_lite.diffusion import add_noise, ancestral_step, predict_x0
from gdp_lite.image import to_display, to_model
from gdp_lite.prior import BUNDLED, Prior, load_prior
from gdp_lite.prior_files.saving import save_pipeline
from gdp_lite.sampler import restore
from gdp_lite.schedule import cosine_schedule, linear_schedule
from gdp_lite.train import build_unet

repair_torchvision()
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel  # noqa: E402


@pytest.fixture(scope="module")
def photo():
    """A 96 x 96 crop of scikit-image's astronaut, (1, 3, 96, 96), display range."""
    crop = data.astronaut()[20:116, 170:266]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 255


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean()))


def test_loads_with_diffusers_alone():
    pipeline = DDPMPipeline.from_pretrained(BUNDLED)
    assert isinstance(pipeline.unet, UNet2DModel)
    assert pipeline.unet.dtype == torch.float32
    assert sum(f.stat().st_size for f in BUNDLED.rglob("*")) < 25e6
    assert "/" not in (BUNDLED / "unet" / "config.json").read_text()  # no path of ours


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_denoises_better_than_wavelets(prior, photo, sigma):
    """One call beats scikit-image's wavelet denoising by 1 dB: true only in the right range,
    at the right time and with a trained network."""
    level = sigma / 255
    t = prior.schedule.nearest_t(level)
    y = photo + level * normal(*photo.shape).float()
    x_t = to_model(y) * float(prior.schedule.alpha_bar[t]) ** 0.5
    with torch.no_grad():
        x0_hat = to_display(predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule))
    array = y[0].permute(1, 2, 0).numpy().astype(np.float64)
    wavelet = restoration.denoise_wavelet(
        array, sigma=level, channel_axis=-1, convert2ycbcr=True, rescale_sigma=True
    )
    wavelet = torch.from_numpy(wavelet).permute(2, 0, 1)[None].float()
    assert psnr(x0_hat, photo) > psnr(wavelet, photo) + 1


@pytest.mark.parametrize("t", [1, 2, 500, 1000])
def test_one_step_equals_diffusers(prior, photo, t):
    """Network, clock, schedule and step together: diffusers' pipeline counts 0..999."""
    scheduler = DDPMScheduler.from_pretrained(BUNDLED, subfolder="scheduler", clip_sample=False)
    scheduler.alphas_cumprod = prior.schedule.alpha_bar[1:]
    unet = UNet2DModel.from_pretrained(BUNDLED, subfolder="unet")
    small = photo[..., :32, :32]
    x_t = add_noise(to_model(small), t, normal(*small.shape).float(), prior.schedule)
    with torch.no_grad():
        theirs = scheduler.step(
            unet(x_t, t - 1).sample, t - 1, x_t, generator=torch.Generator().manual_seed(0)
        ).prev_sample
        noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(0))
        ours = ancestral_step(x_t, t, prior.eps(x_t, t), noise, prior.schedule)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_noise_free_deblurring_is_stable(prior, photo):
    """Class defaults: no noise, a wide blur. What it erased must not come back as rounding."""
    blur, x = GaussianBlur(), photo[..., :64, :64]
    y = blur(x)
    result = restore(y, blur, prior, steps=6, generator=torch.Generator().manual_seed(0)).image
    assert psnr(result, x) > psnr(y, x) + 2


class Clock(torch.nn.Module):
    """A "network" that returns the time it was called with, and remembers the size."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, t):
        self.size = tuple(x.shape)
        self.sample = t.view(-1, 1, 1, 1).to(x).expand_as(x)
        return self


def test_the_network_counts_from_0():
    clock = Clock()
    prior = Prior(clock, linear_schedule(), 8)
    image = torch.zeros(2, 3, 9, 17)
    assert prior.eps(image, 1).unique().tolist() == [0]
    assert prior.eps(image, torch.tensor([1, 1000]))[:, 0, 0, 0].tolist() == [0, 999]
    assert clock.size == (2, 3, 16, 24)
    assert prior.eps(image, 5).shape == image.shape
    for t in (0, 1001, 3.5):
        with pytest.raises(ValueError, match=r"1\.\.1000|int"):
            prior.eps(image, t)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 3), (37, 53), (8, 8)])
def test_every_size_works(prior, size):
    with torch.no_grad():
        eps = prior.eps(torch.zeros(1, 3, *size), 100)
    assert eps.shape == (1, 3, *size)
    assert bool(eps.isfinite().all())


def test_the_answer_has_the_precision_of_the_question(prior):
    x_t = normal(1, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(prior.eps(x_t, 50), prior.eps(x_t.float(), 50).double())


def test_padding_leaves_the_image_in_place(prior, photo):
    """A cropped image's noise estimate is near the whole one's, away from the cut."""
    y = photo + 0.1 * normal(*photo.shape).float()
    with torch.no_grad():
        whole = prior.eps(to_model(y), 57)
        part = prior.eps(to_model(y[..., :93, :91]), 57)
    difference = (whole[..., :60, :60] - part[..., :60, :60]).square().mean().sqrt()
    assert float(difference) < 0.1 * float(whole.std())


def test_saved_weights_are_fp16_and_load_as_fp32(tmp_path):
    torch.manual_seed(0)
    unet = build_unet((8, 16), 1)
    save_pipeline(unet, tmp_path, linear_schedule(10, 1e-4, 0.3))
    assert unet.dtype == torch.float32
    loaded = load_prior(tmp_path)
    assert loaded.schedule.T == 10
    assert loaded.multiple == 2
    for ours, theirs in zip(unet.parameters(), loaded.unet.parameters(), strict=True):
        assert torch.equal(ours.half().float(), theirs)
    size = (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert size < 2.5 * sum(p.numel() for p in unet.parameters())


def test_only_linear_schedules_are_saved(tmp_path):
    """Otherwise a prior would be loaded with another schedule than it was trained with."""
    with pytest.raises(ValueError, match="linear"):
        save_pipeline(build_unet((8, 16), 1), tmp_path, cosine_schedule())


def test_the_older_flat_layout_loads_too(tmp_path, prior):
    for part in ("unet", "scheduler"):
        for file in (BUNDLED / part).iterdir():
            shutil.copy(file, tmp_path)
    loaded = load_prior(tmp_path)
    assert torch.equal(loaded.schedule.alpha_bar, prior.schedule.alpha_bar)
    assert torch.equal(loaded.unet.conv_in.weight, prior.unet.conv_in.weight)


@pytest.mark.slow
def test_a_missing_prior_is_one_clear_line(tmp_path):
    for place in (tmp_path, tmp_path / "absent", "nobody/no-such-model"):
        with pytest.raises(ValueError, match="no diffusion prior could be loaded") as error:
            load_prior(place)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense"])
def test_a_broken_scheduler_is_one_clear_line(tmp_path, text):
    save_pipeline(build_unet((8, 16), 1), tmp_path, linear_schedule())
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(text)
    with pytest.raises(ValueError, match="no diffusion prior could be loaded"):
        load_prior(tmp_path)
