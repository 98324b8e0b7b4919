"""OpenAI's checkpoints as diffusers folders: the same network under other names.

A `diffusers.UNet2DModel` has every option of theirs but two: a fixed number of attention heads
where widths differ, and times that are counted in thousandths of the whole. Where a checkpoint
needs those, they stand in ``gdp_lite.json`` beside it, and `gdp_lite.prior.load_prior` sees to
them. The learned variance is dropped: its channels are the last three of the answer.
"""

import hashlib
import json
import pickle
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.prior_files.known import KNOWN, cache
from gdp_lite.prior_files.layout import ADM, IMPROVED, RECIPES, Recipe, layout_of
from gdp_lite.prior_files.renaming import heads_differ, renamed, unet_config

NOTE = "gdp_lite.json"
ENDINGS = (".pt", ".pth", ".safetensors")
_SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


def convert(
    checkpoint: str | Path,
    folder: str | Path | None = None,
    recipe: Recipe | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Convert a checkpoint of OpenAI's once; the folder that `gdp_lite.prior.load_prior` loads.

    Parameters
    ----------
    checkpoint : ``256x256_diffusion_uncond.pt``, ``imagenet64_uncond_100M_1500K.pt`` or another
        unconditional one; weights alone are read, no code in the file is run.
    folder : where to; one in `gdp_lite.prior_files.known.cache` by default, used again if it is
        there.
    recipe : what the file does not say. By default that of the published file of this name; for
        another name `ADM`'s or `IMPROVED`'s, as its layout tells, with a warning.
    say : called with a line about what is done.

    Returns
    -------
    The folder. Raises ValueError, in one line, for a file that is none, and for a folder that is
    there already.
    """
    checkpoint = Path(checkpoint)
    made = cache() / f"{checkpoint.stem}-{_name(checkpoint, recipe)}"
    if folder is None and (made / NOTE).is_file():
        return made
    target = made if folder is None else Path(folder)
    if target.exists():
        raise ValueError(f"{target} is there already: nothing is overwritten")
    state = _weights(checkpoint)
    layout = layout_of(state)
    say(f"converting {checkpoint}, once: minutes for a large one")
    recipe = recipe or RECIPES.get(checkpoint.stem)
    if recipe is None:
        recipe = ADM if layout.residual else IMPROVED
        line = f"{checkpoint.name} does not tell, so assumed: {recipe}; `priors --convert` is told"
        say(line)
        warnings.warn(line, stacklevel=2)
    digest = _checksum(checkpoint)
    known = KNOWN.get(checkpoint.stem)
    if known and known.sha256 not in ("", digest):
        say(f"{checkpoint} is not the file that OpenAI publishes: its checksum differs")
    note: dict[str, Any] = {
        "time_scale": recipe.time_scale,
        "heads": None,
        "side": recipe.side or layout.side,
    }
    note |= {"file": checkpoint.name, "sha256": digest, "licence": known.licence if known else ""}
    config = unet_config(layout, recipe)
    if heads_differ(layout, recipe):
        note["heads"] = recipe.heads
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as place:
        written = Path(place) / "prior"
        _write(written, config, renamed(state, layout, recipe), recipe, note)
        try:
            written.rename(target)
        except OSError as error:  # another process was faster
            if folder is not None or not (target / NOTE).is_file():
                raise ValueError(f"{target} cannot be made: {error.strerror or error}") from error
    say(f"{target}: {sum(f.stat().st_size for f in target.rglob('*')) / 1e6:.0f} MB")
    return target


def _name(checkpoint: Path, recipe: Recipe | None) -> str:
    """Eight digits by size, both ends and recipe: a file ends with checksums of all that is in it.

    ValueError where it cannot be read.
    """
    try:
        with open(checkpoint, "rb") as file:
            size = file.seek(0, 2)
            digest = hashlib.sha256(f"{size} {recipe}".encode())
            for start in (0, max(size - (1 << 20), 0)):
                file.seek(start)
                digest.update(file.read(1 << 20))
    except OSError as error:
        raise ValueError(f"{checkpoint} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:8]


def _checksum(checkpoint: Path) -> str:
    with open(checkpoint, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(checkpoint: Path) -> dict[str, Tensor]:
    """The tensors of a file; ValueError for one that holds anything else."""
    try:
        if checkpoint.suffix == ".safetensors":
            return load_file(checkpoint)
        try:  # mapped: a large file is read once, tensor by tensor
            state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format before torch 1.6 cannot be mapped
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError) as error:
        raise ValueError(f"{checkpoint} holds no weights that torch reads") from error
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{checkpoint} holds more than weights, or is damaged: not read"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{checkpoint} holds no state dictionary")
    return state


def _write(
    folder: Path,
    config: dict[str, Any],
    weights: dict[str, Tensor],
    recipe: Recipe,
    note: dict[str, Any],
) -> None:
    """A prior's folder, if the weights are those of that network, name by name."""
    repair_torchvision()
    from diffusers import DDPMScheduler, UNet2DModel

    with torch.device("meta"):
        unet = UNet2DModel(**config)
    asked = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    if asked != {name: tuple(tensor.shape) for name, tensor in weights.items()}:
        raise ValueError("the checkpoint's weights are not those of the network it seems to hold")
    unet.save_config(folder / "unet")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    # OpenAI keep the noise of the whole as T changes: linear betas are scaled by 1000 / T.
    scale, kind = 1000 / recipe.T, _SCHEDULES[recipe.schedule]
    scheduler = DDPMScheduler(recipe.T, scale * 1e-4, scale * 0.02, beta_schedule=kind)
    scheduler.save_config(folder / "scheduler")
    (folder / NOTE).write_text(json.dumps(note, indent=2) + "\n")
    if note["heads"] is None and note["time_scale"] == 1:  # else diffusers alone would be wrong
        write_index(folder)


def write_index(folder: str | Path) -> None:
    """Say in a folder that its unet and scheduler are a diffusers `DDPMPipeline`."""
    from diffusers import __version__

    index = {"_class_name": "DDPMPipeline", "_diffusers_version": __version__}
    index |= {"scheduler": ["diffusers", "DDPMScheduler"], "unet": ["diffusers", "UNet2DModel"]}
    (Path(folder) / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
