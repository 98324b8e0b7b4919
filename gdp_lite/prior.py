"""The prior G_Theta: a diffusers UNet and scheduler, met in this project's conventions.

This is the one place where the two ways of counting time meet: diffusers numbers the noise
levels 0..T-1, this project 1..T, so the network is called with ``t - 1``. diffusers' own
tables are float32; the schedule here is computed again from the configuration in float64.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.diffusion import check_time, predict_x0
from gdp_lite.image import to_display, to_model
from gdp_lite.schedule import NoiseSchedule, cosine_schedule, linear_schedule

BUNDLED = Path(__file__).parent / "models" / "photo-patches"


class Denoiser(Protocol):
    """E[x_0 | x_0 + sigma n = x], what the practical sampler asks of a prior.

    x: (B, 3, H, W), display range; sigma: standard deviation of the noise, a float or (B,);
    returns an image shaped like x. EDM's net, k-diffusion's model and deepinv's denoisers are
    such functions. Where it has a ``schedule``, the sampler visits that one's levels.

    Examples
    --------
    >>> def towards_grey(x, sigma):  # is one
    ...     return 0.5 + (x - 0.5) / (1 + 4 * sigma)
    """

    def __call__(self, x: Tensor, sigma: float | Tensor, /) -> Tensor: ...


class NoisePredictor(Protocol):
    """G_Theta(x_t, t) and its schedule, what Algorithm 1 asks of a prior; model range."""

    schedule: NoiseSchedule

    def eps(self, x_t: Tensor, t: int, /) -> Tensor: ...


def schedule_of(denoiser: Denoiser) -> NoiseSchedule:
    """The denoiser's own schedule; the linear one where it has none."""
    return getattr(denoiser, "schedule", None) or linear_schedule()


class Prior:
    """An unconditional diffusion model and its schedule: a `Denoiser` and a `NoisePredictor`.

    Parameters
    ----------
    unet : a `diffusers.UNet2DModel`, or any module called as ``unet(x, t_index)`` that returns an
        object with ``.sample``, the predicted noise. It is set to inference in place: no dropout,
        no gradients for its weights.
    schedule : the `NoiseSchedule` it was trained with.
    multiple : inputs are padded (reflected) to a multiple of this before the network sees them,
        and its output is cropped back, so every size from 1 pixel up works.

    Examples
    --------
    >>> prior = load_prior()
    >>> prior.schedule.T, prior.multiple
    (1000, 8)
    """

    def __init__(self, unet: torch.nn.Module, schedule: NoiseSchedule, multiple: int = 1):
        # Channels last in memory: the same numbers up to rounding, a quarter less time on a CPU.
        self.unet = unet.eval().requires_grad_(False)
        self.unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.schedule = schedule
        self.multiple = multiple

    def to(self, device: str | torch.device) -> Self:
        """Move the network; returns the prior itself."""
        self.unet.to(device)
        return self

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """E[x_0 | x_0 + sigma n = x], (B, 3, H, W), display range: Eq. (5).

        sigma: a float or (B,), display range; the network is told the schedule's nearest level,
        which for one of `NoiseSchedule.sigma_bar` is that level itself.
        """
        t = self.schedule.nearest_t(sigma)
        alpha_bar = self.schedule.alpha_bar[t].to(x).reshape(-1, 1, 1, 1)
        x_t = alpha_bar.sqrt() * to_model(x)
        return to_display(predict_x0(x_t, t, self.eps(x_t, t), self.schedule))

    def eps(self, x_t: Tensor, t: int | Tensor) -> Tensor:
        """G_Theta(x_t, t): the predicted noise, shaped like x_t and in its precision.

        x_t: (B, 3, H, W), model range. t: int in 1..T, or an int64 tensor of shape (B,).
        Differentiable in x_t; wrap the call in ``torch.no_grad()`` where that is not needed. The
        network may be on another device than x_t: there and back goes one picture a call.
        """
        weights = next(self.unet.parameters(), x_t)
        times = check_time(t, self.schedule).to(weights.device)
        height, width = x_t.shape[-2:]
        padded = _pad(x_t, -height % self.multiple, -width % self.multiple)
        padded = padded.to(weights.device, weights.dtype)
        padded = padded.contiguous(memory_format=torch.channels_last)
        eps_hat = self.unet(padded, times.expand(len(x_t)) - 1).sample
        return eps_hat[..., :height, :width].to(x_t)


def load_prior(path: str | Path | None = None, device: str = "cpu") -> Prior:
    """Load a diffusers DDPM: the bundled one, a local folder or a hub id.

    Parameters
    ----------
    path : None for the bundled photo prior; a folder in diffusers' layout (with ``unet/`` and
        ``scheduler/`` inside, or with both in one place); or the id of an unconditional
        pixel-space pipeline, such as ``google/ddpm-celebahq-256``.
    device : where the network goes.

    Returns
    -------
    A `Prior`, in float32.

    Raises
    ------
    ValueError : in one line, where there is none.

    Examples
    --------
    >>> prior = load_prior()
    >>> with torch.no_grad():
    ...     clean = prior(0.5 * torch.ones(1, 3, 16, 16), 0.1)
    >>> clean.shape
    torch.Size([1, 3, 16, 16])
    """
    repair_torchvision()
    from diffusers import DDPMScheduler, UNet2DModel

    source = str(BUNDLED if path is None else path)
    try:
        try:
            unet = UNet2DModel.from_pretrained(source, subfolder="unet")
            config = DDPMScheduler.load_config(source, subfolder="scheduler")
        except OSError:  # an older layout, still found on the hub: both in one folder
            unet = UNet2DModel.from_pretrained(source)
            config = DDPMScheduler.load_config(source)
        schedule = schedule_from_config(config)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        # What diffusers raises depends on which file is missing or broken.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"no diffusion prior could be loaded from {source}: {reason}") from error
    if unet.config.in_channels != 3 or unet.config.out_channels != 3:
        raise ValueError(f"{source} is no 3-channel noise-predicting model")
    multiple = 2 ** (len(unet.config.block_out_channels) - 1)
    return Prior(unet.to(device), schedule, multiple)


def schedule_from_config(config: Mapping) -> NoiseSchedule:
    """The `NoiseSchedule`, in float64, that a diffusers scheduler's configuration describes.

    config: a mapping with diffusers' keys (``beta_schedule``, ``num_train_timesteps`` ...).
    Raises ValueError for a schedule or a prediction type that is not known here.
    """
    if config.get("prediction_type", "epsilon") != "epsilon":
        raise ValueError(f"the prior predicts {config['prediction_type']}, not epsilon")
    if config.get("rescale_betas_zero_snr"):
        raise ValueError("a schedule rescaled to zero signal at T is not supported")
    if config.get("trained_betas") is not None:
        return NoiseSchedule.from_betas(config["trained_betas"])
    T, kind = config["num_train_timesteps"], config["beta_schedule"]
    start, end = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    if kind == "linear":
        return linear_schedule(T, start, end)
    if kind == "scaled_linear":
        roots = torch.linspace(start**0.5, end**0.5, T, dtype=torch.float64)
        return NoiseSchedule.from_betas(roots**2)
    if kind == "squaredcos_cap_v2":
        return cosine_schedule(T)
    raise ValueError(f"noise schedule {kind!r} is not known")


def save_pipeline(unet: torch.nn.Module, folder: str | Path, schedule: NoiseSchedule) -> None:
    """Write unet and its linear schedule as a diffusers `DDPMPipeline` folder, weights in fp16.

    The weights lie under the plain file name, so they load back as float32 without a
    ``variant``. The module itself is left unchanged. Raises ValueError for a schedule that
    diffusers' linear one does not give back.
    """
    repair_torchvision()
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    scheduler = DDPMScheduler(schedule.T, float(schedule.beta[1]), float(schedule.beta[-1]))
    if not torch.equal(schedule_from_config(scheduler.config).beta, schedule.beta):
        raise ValueError("only linear schedules can be saved")
    half = UNet2DModel.from_config(unet.config)
    half.load_state_dict(unet.state_dict())
    DDPMPipeline(half.half(), scheduler).save_pretrained(folder)
    # diffusers notes the path it was loaded from; it is nobody's business.
    config = Path(folder) / "unet" / "config.json"
    entries = {k: v for k, v in json.loads(config.read_text()).items() if k != "_name_or_path"}
    config.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


def _pad(image: Tensor, bottom: int, right: int) -> Tensor:
    """Mirror the image at its lower and right edge; repeated where it is smaller than that."""
    while bottom or right:
        height, width = image.shape[-2:]
        step = (min(right, width - 1), min(bottom, height - 1))
        mode = "reflect" if step != (0, 0) else "replicate"
        step = step if step != (0, 0) else (right, bottom)
        image = functional.pad(image, (0, step[0], 0, step[1]), mode)
        right, bottom = right - step[0], bottom - step[1]
    return image
