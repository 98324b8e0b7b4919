"""Train the prior: a small unconditional DDPM for photo patches.

    python -m gdp_lite train --photos FOLDER --out RUN [--minutes 90]

and `train_prior`, which this command calls. The same on two CPU cores and on a CUDA device (all
photos in its memory), where it computes in bf16. On several devices, or machines that see one OUT:

    accelerate launch --multi_gpu --num_processes 2 -m gdp_lite train --photos FOLDER --out RUN

Every process draws the whole batch's crops, times and noise and computes its share of it, so that
the same seed and the same ``--pixels`` give the same prior, up to rounding, on any number of them.
"""

import copy
import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.album import Photos
from gdp_lite.diffusion import add_noise
from gdp_lite.image import to_model
from gdp_lite.precision import precision_of
from gdp_lite.prior import load_prior
from gdp_lite.prior_files.saving import save_pipeline
from gdp_lite.processes import Processes
from gdp_lite.schedule import NoiseSchedule, linear_schedule

CHANNELS = (32, 64, 128, 128)  # what learns most in an hour or two on a CPU


def build_unet(channels: Sequence[int] = CHANNELS, layers: int = 1) -> torch.nn.Module:
    """An attention-free `diffusers.UNet2DModel` that predicts the noise of RGB images.

    channels: width at each resolution, from full resolution downwards, multiples of 8.
    layers: residual blocks at each resolution on the way down (one more on the way up).
    """
    repair_torchvision()
    from diffusers import UNet2DModel

    unet = UNet2DModel(
        sample_size=64,  # only a default for unconditional samples: it runs at any size
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=False,
        norm_num_groups=8,
    )
    torch.nn.init.zeros_(unet.conv_out.weight)  # starts by predicting no noise at all
    return unet


def draw_times(
    count: int,
    T: int,
    power: float,
    generator: torch.Generator,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Times 1 + floor(T u^power), u uniform: power > 1 spends more of the training on low noise.

    Restoration runs mostly at low noise; power = 1 is the uniform choice of Ho et al. 2020.
    """
    u = torch.rand(count, generator=generator, device=device)
    return 1 + (T * u**power).long().clamp(max=T - 1)


def noise_loss(
    unet: Callable[..., Any], x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule
) -> Tensor:
    """Mean of ||eps - G(x_t, t)||^2 over batch and pixels: the simple loss of Ho et al. 2020."""
    x_t = add_noise(x0, t, eps, schedule)
    return (unet(x_t, t - 1).sample.float() - eps).square().mean()  # diffusers counts from 0


@torch.no_grad()
def update_average(
    average: torch.nn.Module, unet: torch.nn.Module, step: int, longest: int = 1000
) -> None:
    """Exponential moving average of the weights, over about `longest` steps once under way."""
    decay = min(1 - 1 / longest, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(unet.parameters()), 1 - decay)


def annealed(progress: float, warm: float = 0.02) -> float:
    """Learning-rate factor at `progress` in [0, 1] of the training: a short rise, then a cosine."""
    return min(progress / warm, 1) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))


def train_prior(
    photos: str | Path,
    out: str | Path,
    *,
    val: str | Path | None = None,
    start: str | Path | None = None,
    minutes: float = 90,
    steps: int | None = None,
    channels: Sequence[int] | None = None,
    layers: int | None = None,
    crops: Sequence[int] = (48, 64, 96),
    zooms: Sequence[float] = (1.0,),
    pixels: int | None = None,
    lr: float = 1e-3,
    time_power: float = 2.0,
    every: float = 300,
    compile: bool = False,
    precision: str | None = None,
    accumulate: int = 1,
    threads: int | None = None,
    seed: int = 0,
    device: str | None = None,
) -> Path:
    """Train a prior on a folder of photos, on one device or, started by ``accelerate``, on several.

    It stops by the clock, or after `steps`; the learning rate is annealed to zero by then. At every
    checkpoint ``out`` gets ``state.pt``, everything needed to continue (the same call again
    resumes, also after a kill); ``prior``, a diffusers folder with the averaged weights in fp16;
    and another line of ``log.csv``, the loss curve, which is printed as well.

    Parameters
    ----------
    photos, val : folders of photos to train on, of any depth, and for a validation loss, which is
        optional. What cannot be read is left out, with a line.
    out : folder of the run; resumed if it exists.
    start : prior whose weights to begin with, instead of random ones: folder or hub id.
    minutes, steps : length, resumed time included; in steps where they are given.
    channels, layers : width at each resolution, multiples of 8, and residual blocks there; as in
        `start`, else `CHANNELS` and 1.
    crops, zooms : sides of the crops in pixels, and how many times larger, 1 or more, they are
        taken and shrunk; one of each is drawn for every step.
    pixels : in a batch, of all processes together; 24,576, on CUDA 786,432.
    lr : highest learning rate.
    time_power : t = T u^power, u uniform, see `draw_times`.
    every : seconds between checkpoints.
    compile : fuse operations with torch.compile: minutes to begin with, then faster on CUDA.
    precision : in which the network computes: no (float32), bf16 or fp16 (CUDA alone); what
        accelerate was told, else bf16 on CUDA and no elsewhere. Several processes differ from one
        by rounding: a weight by less than a tenth of a step in float32, by steps in bf16.
    accumulate : parts of a process's share of the batch, one after the other, to save memory.
    threads : of the CPU, for the whole process; all of them by default.
    seed : of the weights, the crops and the noise; torch's global generator is seeded with it.
    device : as torch names it; CUDA where there is one, else the CPU. Of several processes each
        takes a GPU of its own.

    Returns
    -------
    The folder of the prior, which `load_prior` loads.

    Raises
    ------
    ValueError : in one line, for arguments that cannot work.
    """
    initial: Any = load_prior(start).unet if start else None
    widths = channels or (initial.config.block_out_channels if initial else CHANNELS)
    blocks = layers or (initial.config.layers_per_block if initial else 1)
    _check_shapes(widths, crops, zooms)
    _check_positive(
        minutes=minutes, steps=steps, layers=blocks, pixels=pixels, lr=lr, time_power=time_power,
        threads=threads, accumulate=accumulate,
    )  # fmt: skip
    for folder in (photos, val):
        if folder is not None and not Path(folder).is_dir():
            raise ValueError(f"{folder} is no folder")
    ours = Processes.begin(device or ("auto" if torch.cuda.is_available() else "cpu"))
    place = torch.device(ours.device)
    pixels = pixels or (786_432 if place.type == "cuda" else 24_576)
    computed = precision_of(precision, ours.device)
    torch.manual_seed(seed)
    if threads:
        torch.set_num_threads(threads)
    schedule = linear_schedule()
    say = partial(print, flush=True) if ours.main else _nothing
    album = Photos(photos, round(max(crops) * max(zooms)), place, say)
    run = _Run.begin(widths, blocks, lr, seed, place, fp16=computed == torch.float16)
    if initial:
        run.copy_weights(initial, str(start))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    run.resume(out, loud=ours.main)
    if ours.told(run.step) != run.step:
        raise ValueError(f"{out} is another folder to another process: all must see one")
    # One compilation for every crop size.
    network: Any = torch.compile(run.unet, dynamic=False) if compile else run.unet
    network = ours.wrapped(network)
    torch.backends.cudnn.benchmark = True  # crops have few sizes: time the algorithms once
    validation = _validation_set(val, schedule, place) if val else None
    losses, saved = [], time.monotonic()
    began = saved - run.spent

    def progress() -> float:
        """How much of the training is done, from 0 to 1."""
        return run.step / steps if steps else run.spent / (60 * minutes)

    while progress() < 1:
        # Seeded by the step, so that a resumed run draws what an unbroken one would.
        draw = np.random.default_rng((seed, run.step))
        size, zoom = int(draw.choice(crops)), float(draw.choice(zooms))
        count = max(1, round(pixels / size**2))
        first, after = ours.share(count)
        idle = first == after  # more processes than crops: it goes along with one of weight 0
        mine = slice(0, 1) if idle else slice(first, after)
        x0 = to_model(album.crops(count, size, run.generator, zoom, mine))
        x0 = x0.contiguous(memory_format=torch.channels_last)
        t = draw_times(count, schedule.T, time_power, run.generator, place)[mine]
        eps = torch.randn(count, *x0.shape[1:], generator=run.generator, device=place)[mine]
        eps = eps.contiguous(memory_format=torch.channels_last)
        for group in run.optimiser.param_groups:
            group["lr"] = lr * annealed(progress())
        parts = list(zip(*(v.chunk(accumulate) for v in (x0, t, eps)), strict=True))
        share = torch.zeros((), device=place)  # of the batch's mean loss
        for number, (clean, times, noise) in enumerate(parts, 1):
            weight = 0.0 if idle else len(times) / count
            with ours.apart(network, last=number == len(parts)):
                with torch.autocast(place.type, computed, enabled=computed != torch.float32):
                    loss = weight * noise_loss(network, clean, times, noise, schedule)
                # DDP takes the mean of all processes' gradients, and their sum is wanted.
                run.scaler.scale(ours.count * loss).backward()
            share += loss.detach()
        run.take_step()
        now = time.monotonic()
        run.spent = now - began
        if ours.count > 1:  # one clock for all: the main process's
            both = torch.stack([share, torch.full_like(share, run.spent if ours.main else 0.0)])
            share, run.spent = ours.total(both)[0], float(both[1])
        losses.append(share)
        if ours.main and (now - saved > every or progress() >= 1):
            run.save(out)
            _report(out, run, validation, schedule, losses)
            losses, saved = [], time.monotonic()
    ours.wait()  # until the prior is written
    return out / "prior"


def _nothing(*_: object) -> None:
    """What the other processes say: the main one speaks for all."""


@dataclass
class _Run:
    """What a training has to remember, so that it can be continued as if unbroken."""

    unet: torch.nn.Module
    average: torch.nn.Module
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    # Of losses in fp16, whose small gradients would vanish; else it does nothing.
    scaler: torch.amp.GradScaler
    shape: dict[str, Any]  # of the network
    step: int = 0
    spent: float = 0.0  # seconds

    @classmethod
    def begin(
        cls,
        channels: Sequence[int],
        layers: int,
        lr: float,
        seed: int,
        device: torch.device,
        fp16: bool = False,
    ) -> Self:
        unet = build_unet(channels, layers)
        unet.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(unet).requires_grad_(False)
        optimiser = torch.optim.AdamW(
            unet.parameters(), lr, betas=(0.9, 0.99), weight_decay=0, fused=True
        )
        generator = torch.Generator(device).manual_seed(seed)
        scaler = torch.amp.GradScaler(device.type, enabled=fp16)
        shape = {"channels": list(channels), "layers": layers}
        return cls(unet, average, optimiser, generator, scaler, shape)

    def take_step(self) -> None:
        """Of the weights along the gathered gradients, and of their average."""
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        self.step += 1
        update_average(self.average, self.unet, self.step)

    def copy_weights(self, start: torch.nn.Module, name: str) -> None:
        """Begin with the weights of an already trained network of the same shape."""
        for network in (self.unet, self.average):
            try:
                network.load_state_dict(start.state_dict())
            except RuntimeError as error:  # weights of another shape
                raise ValueError(f"{name} holds another network than {self.shape}") from error

    def save(self, out: Path) -> None:
        """Write state.pt so that a kill at any moment leaves a whole one."""
        state = {
            "network": self.shape,
            "unet": self.unet.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(state, out / "state.tmp")
        (out / "state.tmp").replace(out / "state.pt")

    def resume(self, out: Path, loud: bool = True) -> None:
        """Continue from state.pt, where there is one."""
        if not (out / "state.pt").exists():
            return
        device = self.generator.device
        damaged = f"{out / 'state.pt'} is damaged: delete it to begin anew"
        try:
            state = torch.load(out / "state.pt", map_location=device, weights_only=True)
            shape = state["network"]
        except Exception as error:  # torch raises almost anything
            raise ValueError(damaged) from error
        if shape != self.shape:
            raise ValueError(f"{out} holds another network than {self.shape}")
        try:
            for name in ("unet", "average", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.generator.set_state(state["generator"].cpu())
            self.step, self.spent = state["step"], state["spent"]
            self.scaler.load_state_dict(state.get("scaler") or self.scaler.state_dict())
        except (LookupError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(damaged) from error
        if loud:
            print(f"resumed at step {self.step}, {self.spent / 60:.1f} minutes trained", flush=True)


def _check_shapes(channels: Sequence[int], crops: Sequence[int], zooms: Sequence[float]) -> None:
    multiple = 2 ** (len(channels) - 1)
    if any(size < multiple or size % multiple for size in crops):
        raise ValueError(f"crops must be multiples of {multiple} for {len(channels)} levels")
    if any(width < 8 or width % 8 for width in channels):
        raise ValueError("channels must be multiples of 8")
    if min(zooms) < 1:
        raise ValueError("zooms must be 1 or more: photos are shrunk, never enlarged")


def _check_positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")


_Validation = tuple[Tensor, Tensor, Tensor]


def _validation_set(
    folder: str | Path,
    schedule: NoiseSchedule,
    device: str | torch.device,
    count: int = 64,
    size: int = 64,
) -> _Validation:
    """Fixed crops, times and noise, so that validation losses compare between checkpoints."""
    generator = torch.Generator(device).manual_seed(0)
    x0 = to_model(Photos(folder, size, device).crops(count, size, generator))
    t = draw_times(count, schedule.T, 2.0, generator, device)
    return x0, t, torch.randn(x0.shape, generator=generator, device=device)


def _report(
    out: Path,
    run: _Run,
    validation: _Validation | None,
    schedule: NoiseSchedule,
    losses: list[Tensor],
) -> None:
    """Save the averaged weights and add a line to the log and to the screen."""
    save_pipeline(run.average, out / "prior", schedule)
    row: dict[str, float | str] = {"step": run.step, "minutes": round(run.spent / 60, 2)}
    row["loss"] = round(float(torch.stack(losses).mean()), 5)
    row["val_loss"] = ""
    if validation:
        with torch.no_grad():
            x0, t, eps = validation
            row["val_loss"] = round(float(noise_loss(run.average, x0, t, eps, schedule)), 5)
    log = out / "log.csv"
    new = not log.exists()
    with open(log, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
