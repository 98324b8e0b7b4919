"""The prior G_Theta: a diffusers UNet and scheduler, met in this project's conventions.

This is the one place where the two ways of counting time meet: diffusers numbers the noise
levels 0..T-1, this project 1..T, so the network is called with ``t - 1``.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.diffusion import check_time, predict_x0
from gdp_lite.image import to_display, to_model
from gdp_lite.prior_files.known import BUNDLED
from gdp_lite.prior_files.openai import NOTE
from gdp_lite.prior_files.parts import attention_of, parts_of, schedule_from_config
from gdp_lite.prior_files.places import located
from gdp_lite.schedule import NoiseSchedule, linear_schedule

__all__ = [
    "BUNDLED",
    "Denoiser",
    "NoisePredictor",
    "Prior",
    "load_prior",
    "schedule_of",
]


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
    native_size : side of the pictures it was trained on, pixels, where it is at home on no other:
        smaller ones are padded to it, and `restore` shows it tiles of larger ones. None for a
        network that takes any size, such as one without attention.
    time_scale : what diffusers' time, 0..T-1, is multiplied by before the network is told it.

    Examples
    --------
    >>> prior = load_prior()
    >>> prior.schedule.T, prior.multiple, prior.native_size
    (1000, 8, None)
    """

    def __init__(
        self,
        unet: torch.nn.Module,
        schedule: NoiseSchedule,
        multiple: int = 1,
        native_size: int | None = None,
        time_scale: float = 1.0,
    ):
        # Channels last in memory: the same numbers up to rounding, a quarter less time on a CPU.
        self.unet = unet.eval().requires_grad_(False)
        self.unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.schedule = schedule
        self.multiple = multiple
        self.native_size = native_size
        self.time_scale = time_scale

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
        least = self.native_size or 1
        sides = (max(n, least) for n in (height, width))
        rows, columns = (-(-n // self.multiple) * self.multiple for n in sides)
        padded = _pad(x_t, rows - height, columns - width)
        padded = padded.to(weights.device, weights.dtype)
        padded = padded.contiguous(memory_format=torch.channels_last)
        told = times.expand(len(x_t)) - 1
        told = told if self.time_scale == 1 else told * self.time_scale
        eps_hat = self.unet(padded, told).sample[:, :3]  # what follows is a learned variance
        return eps_hat[..., :height, :width].to(x_t)


def load_prior(
    path: str | Path | None = None,
    device: str = "cpu",
    say: Callable[[str], object] = lambda line: None,
) -> Prior:
    """Load a DDPM: the bundled one, a folder, a hub id or a checkpoint of OpenAI's.

    Only weights are read (safetensors, or torch's files without code).

    Parameters
    ----------
    path : None for the bundled photo prior; a folder in diffusers' layout (with ``unet/`` and
        ``scheduler/`` inside, or with both in one place); the id of an unconditional
        pixel-space pipeline, such as ``google/ddpm-celebahq-256``; or an unconditional checkpoint
        of OpenAI's, such as ``256x256_diffusion_uncond.pt``, which is converted once and cached.
    device : where the network goes.
    say : called with a line about what takes long.

    Returns
    -------
    A `Prior`, in float32, with its schedule and its native size.

    Raises
    ------
    ValueError : in one line, where there is none; where one could be had, with the command.

    Examples
    --------
    >>> prior = load_prior()
    >>> with torch.no_grad():
    ...     clean = prior(0.5 * torch.ones(1, 3, 16, 16), 0.1)
    >>> clean.shape
    torch.Size([1, 3, 16, 16])
    """
    asked = BUNDLED if path is None else path
    try:
        source, online = located(path, say)
        unet, config = parts_of(source, online)
        schedule = schedule_from_config(config)
        note = _note(source)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        # What diffusers raises depends on which file is missing or broken.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"no diffusion prior could be loaded from {asked}: {reason}") from error
    if unet.config.in_channels != 3 or unet.config.out_channels not in (3, 6):
        raise ValueError(f"{asked} is no 3-channel noise-predicting model")
    if unet.config.class_embed_type or unet.config.num_class_embeds:
        raise ValueError(f"{asked} asks for a class: unconditional models alone are priors")
    attention = attention_of(unet)
    for part in attention if note["heads"] else ():
        part.heads = note["heads"]
    multiple = 2 ** (len(unet.config.block_out_channels) - 1)
    side = note["side"] or unet.config.sample_size
    side = max(side) if isinstance(side, list | tuple) else side
    native = side if attention else None
    return Prior(unet.to(device), schedule, multiple, native, note["time_scale"])


def _note(source: str) -> dict[str, Any]:
    """What a converted prior needs beside diffusers' options, see `gdp_lite.prior_files.openai`."""
    usual: dict[str, Any] = {"heads": None, "time_scale": 1.0, "side": None}
    place = Path(source) / NOTE
    return usual | json.loads(place.read_bytes()) if place.is_file() else usual


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
