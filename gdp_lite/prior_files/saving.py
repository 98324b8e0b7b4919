"""A prior written: as a folder that `gdp_lite.prior.load_prior` takes."""

import json
from pathlib import Path
from typing import Any

import torch

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.prior import Prior
from gdp_lite.prior_files.openai import NOTE, write_index
from gdp_lite.prior_files.parts import attention_of, schedule_from_config
from gdp_lite.schedule import NoiseSchedule


def save_folder(prior: Prior, folder: str | Path) -> None:
    """Write a loaded prior as a folder that `load_prior` takes, with its own scheduler, float32."""
    unet: Any = prior.unet
    unet.save_pretrained(Path(folder) / "unet")
    (Path(folder) / "scheduler").mkdir(parents=True, exist_ok=True)
    place = Path(folder) / "scheduler" / "scheduler_config.json"
    betas = {"trained_betas": prior.schedule.beta[1:].tolist()}
    told = {"_class_name": "DDPMScheduler", "num_train_timesteps": prior.schedule.T, **betas}
    place.write_text(json.dumps({**told, "prediction_type": "epsilon"}) + "\n")
    _drop_origin(Path(folder) / "unet" / "config.json")
    heads = {part.heads for part in attention_of(prior.unet)}
    note = {"time_scale": prior.time_scale, "heads": None, "side": prior.native_size}
    if len(heads) == 1:  # at every width: diffusers tells widths of heads alone
        note["heads"] = heads.pop()
    (Path(folder) / NOTE).write_text(json.dumps(note, indent=2) + "\n")


def save_pipeline(unet: torch.nn.Module, folder: str | Path, schedule: NoiseSchedule) -> None:
    """Write unet and its linear schedule as a diffusers `DDPMPipeline` folder, weights in fp16.

    The weights lie under the plain file name, so they load back as float32 without a
    ``variant``. The module itself is left unchanged. Raises ValueError for a schedule that
    diffusers' linear one does not give back.
    """
    repair_torchvision()
    from diffusers import DDPMScheduler, UNet2DModel

    scheduler = DDPMScheduler(schedule.T, float(schedule.beta[1]), float(schedule.beta[-1]))
    if not torch.equal(schedule_from_config(scheduler.config).beta, schedule.beta):
        raise ValueError("only linear schedules can be saved")
    half = UNet2DModel.from_config(unet.config)
    half.load_state_dict(unet.state_dict())
    # Part by part: the pipeline's own module imports what a prior does not need.
    half.half().save_pretrained(Path(folder) / "unet")
    scheduler.save_pretrained(Path(folder) / "scheduler")
    write_index(folder)
    _drop_origin(Path(folder) / "unet" / "config.json")


def _drop_origin(config: Path) -> None:
    """diffusers notes the path it was loaded from; it is nobody's business."""
    entries = {k: v for k, v in json.loads(config.read_text()).items() if k != "_name_or_path"}
    config.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
