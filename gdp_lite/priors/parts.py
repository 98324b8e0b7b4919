"""A prior's two parts as diffusers stores them: the network, and its scheduler's configuration."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdp_lite._torchvision import repair_torchvision

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
