"""A prior's two parts as diffusers stores them: the network, and its schedule.

diffusers' own tables are float32; the schedule is computed again, in float64, from the
configuration.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.schedule import NoiseSchedule, cosine_schedule, linear_schedule, sigmoid_schedule

# The variant's name (fp16, ema) and the part's number, where there are any.
_WEIGHTS = re.compile(
    r"diffusion_pytorch_model(?:\.(\w+))?(?:-\d+-of-\d+)?\.(safetensors|bin)", re.ASCII
)


def parts_of(source: str, online: bool) -> tuple[Any, Mapping]:
    """Network and scheduler's configuration, of a folder or, online, of the hub.

    source: a folder, or a hub id. Both parts lie in folders of their own, ``unet`` and
    ``scheduler``, or in one, as older pipelines on the hub have it. OSError and ValueError where
    something is missing or broken.
    """
    repair_torchvision()
    from diffusers import DDPMScheduler, UNet2DModel

    if not online:
        unet, scheduler = (_part(Path(source), name) for name in ("unet", "scheduler"))
        network = UNet2DModel.from_pretrained(unet, **options_of(unet), local_files_only=True)
        return network, DDPMScheduler.load_config(scheduler, local_files_only=True)
    try:
        network = UNet2DModel.from_pretrained(source, subfolder="unet")
        return network, DDPMScheduler.load_config(source, subfolder="scheduler")
    except OSError:
        return UNet2DModel.from_pretrained(source), DDPMScheduler.load_config(source)


def options_of(folder: Path) -> dict[str, Any]:
    """Which of the weights in a folder diffusers should load: by itself it asks for one name.

    The plain ones before a variant such as fp16, safetensors before torch's files. ValueError
    where there are none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as here:
    ...     _ = (Path(here) / "diffusion_pytorch_model.fp16.bin").write_bytes(b"")
    ...     options_of(Path(here))
    {'variant': 'fp16', 'use_safetensors': False}
    """
    found = [_WEIGHTS.fullmatch(path.name) for path in folder.glob("diffusion_pytorch_model*")]
    kinds = [(match[1] or "", match[2] == "bin") for match in found if match]
    if not kinds:
        raise ValueError(f"{folder} holds no weights, diffusion_pytorch_model.safetensors")
    variant, torchs = min(kinds)
    return {"variant": variant or None, "use_safetensors": not torchs}


def _part(folder: Path, name: str) -> Path:
    """The part's own folder, or the common one."""
    return folder / name if (folder / name).is_dir() else folder


def attention_of(unet: torch.nn.Module) -> list[Any]:
    """Its parts that compare places.

    Examples
    --------
    >>> attention_of(torch.nn.Conv2d(3, 3, 1))
    []
    """
    return [part for part in unet.modules() if hasattr(part, "to_q")]


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
    if not {"num_train_timesteps", "beta_schedule"} <= config.keys():
        raise ValueError(
            f"{config.get('_class_name', 'its scheduler')} names no steps and no betas"
        )
    T, kind = config["num_train_timesteps"], config["beta_schedule"]
    start, end = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    if kind == "linear":
        return linear_schedule(T, start, end)
    if kind == "scaled_linear":
        roots = torch.linspace(start**0.5, end**0.5, T, dtype=torch.float64)
        return NoiseSchedule.from_betas(roots**2)
    if kind == "squaredcos_cap_v2":
        return cosine_schedule(T)
    if kind == "sigmoid":
        return sigmoid_schedule(T, start, end)
    raise ValueError(f"noise schedule {kind!r} is not known")
