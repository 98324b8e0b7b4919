"""Train the prior: a small unconditional DDPM for photo patches.

    python -m gdp_lite train --photos FOLDER --out RUN [--minutes 90]

The same command on two CPU cores and on a CUDA device (all photos in its memory); in bf16 where
the device computes in it.
It stops by the clock, or after --steps; the learning rate is annealed to zero by then.
RUN/state.pt holds everything needed to continue: the same command again resumes, also
after a kill. RUN/prior is the diffusers folder with the averaged weights (fp16), written
at every checkpoint, and RUN/log.csv the loss curve.
"""

import argparse
import copy
import csv
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.diffusion import add_noise
from gdp_lite.image import to_model
from gdp_lite.prior import load_prior, save_pipeline
from gdp_lite.schedule import linear_schedule
from gdp_lite.tasks import pick_device

CHANNELS = (32, 64, 128, 128)  # what learns most in an hour or two on a CPU
PHOTO_TYPES = {".jpg", ".jpeg", ".png", ".webp", ".avif"}


def build_unet(channels=CHANNELS, layers=1):
    """An attention-free `diffusers.UNet2DModel` that predicts the noise of RGB images.

    channels: width at each resolution, from full resolution downwards, multiples of 8.
    layers: residual blocks at each resolution on the way down (one more on the way up).
    """
    repair_torchvision()
    from diffusers import UNet2DModel

    unet = UNet2DModel(
        sample_size=64,  # only a default for unconditional samples: it runs at any size
        block_out_channels=channels,
        layers_per_block=layers,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=False,
        norm_num_groups=8,
    )
    torch.nn.init.zeros_(unet.conv_out.weight)  # starts by predicting no noise at all
    return unet


class Photos:
    """A folder of photos in memory, from which random crops are drawn on any device.

    All pixels lie in one uint8 tensor of shape (pixels, 3); a crop is an index computation,
    so a batch costs one gather, on the CPU and on a GPU alike. Photos are drawn with equal
    probability, whatever their size; where SOURCES.csv lists several views of one original,
    these share its probability.
    """

    def __init__(self, folder, smallest, device="cpu"):
        paths = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in PHOTO_TYPES)
        pixels, sizes, kept = [], [], []
        for path in paths:
            image = np.asarray(Image.open(path).convert("RGB"))
            if min(image.shape[:2]) >= smallest:
                pixels.append(torch.from_numpy(image.reshape(-1, 3).copy()))
                sizes.append(image.shape[:2])
                kept.append(path)
        if not kept:
            raise ValueError(f"no photo of at least {smallest} x {smallest} pixels in {folder}")
        self.pixels = torch.cat(pixels).to(device)
        self.sizes = torch.tensor(sizes, device=device)
        counts = self.sizes.prod(dim=1)
        self.starts = counts.cumsum(0) - counts
        self.weights = torch.tensor(_weights(folder, kept), device=device)

    def crops(self, count, size, generator, zoom=1.0):
        """(count, 3, size, size) float32 crops in [0, 1], half of them mirrored.

        zoom: crops of round(size * zoom) pixels are shrunk to `size` (antialiased): the same
        things at another distance.
        """
        device, shrunk = self.pixels.device, size
        size = round(size * zoom)
        photo = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        place = torch.rand(count, 2, generator=generator, device=device)
        corner = (place * (self.sizes[photo] - size + 1)).long()
        index = torch.arange(size, device=device)
        rows = corner[:, 0, None] + index
        columns = corner[:, 1, None] + index
        mirrored = torch.rand(count, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
        width = self.sizes[photo, 1]
        flat = self.starts[photo, None, None] + rows[:, :, None] * width[:, None, None]
        crops = self.pixels[flat + columns[:, None, :]].permute(0, 3, 1, 2).float() / 255
        if size == shrunk:
            return crops
        return functional.interpolate(crops, (shrunk, shrunk), mode="bilinear", antialias=True)


def _weights(folder, paths):
    """One probability weight a photo: 1 / (number of views of the same original)."""
    table = Path(folder).parent / "SOURCES.csv"
    if not table.is_file():
        return [1.0] * len(paths)
    with open(table, newline="", encoding="utf-8") as file:
        original = {
            Path(row["file"]).name: (row["source_set"], row["source_file"])
            for row in csv.DictReader(file)
            if Path(row["file"]).parent.name == Path(folder).name
        }
    views = Counter(original.get(path.name) for path in paths)
    return [1.0 / views[original[p.name]] if p.name in original else 1.0 for p in paths]


def draw_times(count, T, power, generator, device="cpu"):
    """Times 1 + floor(T u^power), u uniform: power > 1 spends more of the training on low noise.

    Restoration runs mostly at low noise; power = 1 is the uniform choice of Ho et al. 2020.
    """
    u = torch.rand(count, generator=generator, device=device)
    return 1 + (T * u**power).long().clamp(max=T - 1)


def noise_loss(unet, x0, t, eps, schedule):
    """Mean of ||eps - G(x_t, t)||^2 over batch and pixels: the simple loss of Ho et al. 2020."""
    x_t = add_noise(x0, t, eps, schedule)
    return (unet(x_t, t - 1).sample.float() - eps).square().mean()  # diffusers counts from 0


@torch.no_grad()
def update_average(average, unet, step, longest=1000):
    """Exponential moving average of the weights, over about `longest` steps once under way."""
    decay = min(1 - 1 / longest, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(unet.parameters()), 1 - decay)


def annealed(progress, warm=0.02):
    """Learning-rate factor at `progress` in [0, 1] of the training: a short rise, then a cosine."""
    return min(progress / warm, 1) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))


def train(args):
    """Run the training described by the command line's `args`; see `add_arguments`.

    Raises ValueError, in one line, for options that cannot work. Returns the exit code 0.
    """
    start = load_prior(args.start).unet if args.start else None
    args.channels = args.channels or list(start.config.block_out_channels if start else CHANNELS)
    args.layers = args.layers or (start.config.layers_per_block if start else 1)
    _check_options(args)
    device = torch.device(pick_device(args.device))
    pixels = args.pixels or (786_432 if device.type == "cuda" else 24_576)
    # Where a CPU has the instructions, bf16 takes a third more photos a minute.
    bf16 = device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    schedule = linear_schedule()
    photos = Photos(args.photos, round(max(args.crops) * max(args.zooms)), device)
    unet = build_unet(tuple(args.channels), args.layers)
    if start:
        _copy_weights(start, unet, args)
    unet = unet.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(unet).requires_grad_(False)
    # One compilation for every crop size.
    network = torch.compile(unet, dynamic=False) if args.compile else unet
    torch.backends.cudnn.benchmark = True  # crops have few sizes: time the algorithms once
    optimiser = torch.optim.AdamW(
        unet.parameters(), args.lr, betas=(0.9, 0.99), weight_decay=0, fused=True
    )
    generator = torch.Generator(device).manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    step, spent = 0, 0.0
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", map_location=device, weights_only=True)
        if state["network"] != _network(args):
            raise ValueError(f"{out} holds another network than {_network(args)}")
        unet.load_state_dict(state["unet"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"].cpu())
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step}, {spent / 60:.1f} minutes trained", flush=True)
    validation = _validation_set(args, schedule, device)
    losses, saved = [], time.monotonic()
    began = saved - spent
    progress = _progress(args, step, spent)
    while progress < 1:
        # Seeded by the step, so that a resumed run draws what an unbroken one would.
        draw = np.random.default_rng((args.seed, step))
        size, zoom = int(draw.choice(args.crops)), float(draw.choice(args.zooms))
        count = max(1, round(pixels / size**2))
        x0 = to_model(photos.crops(count, size, generator, zoom))
        x0 = x0.contiguous(memory_format=torch.channels_last)
        t = draw_times(count, schedule.T, args.time_power, generator, device)
        eps = torch.randn(x0.shape, generator=generator, device=device)
        eps = eps.contiguous(memory_format=torch.channels_last)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * annealed(progress)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = noise_loss(network, x0, t, eps, schedule)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        update_average(average, unet, step)
        losses.append(loss.detach())
        now = time.monotonic()
        progress = _progress(args, step, now - began)
        if now - saved > args.every or progress >= 1:
            spent = now - began
            _checkpoint(
                out,
                {
                    "network": _network(args),
                    "unet": unet.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "generator": generator.get_state(),
                    "step": step,
                    "spent": spent,
                },
            )
            _report(out, average, validation, schedule, step, spent, losses)
            losses, saved = [], time.monotonic()
    return 0


def _check_options(args):
    multiple = 2 ** (len(args.channels) - 1)
    if any(size < multiple or size % multiple for size in args.crops):
        raise ValueError(f"--crops must be multiples of {multiple} for {len(args.channels)} levels")
    if any(width < 8 or width % 8 for width in args.channels):
        raise ValueError("--channels must be multiples of 8")
    if min(args.zooms) < 1:
        raise ValueError("--zooms must be 1 or more: photos are shrunk, never enlarged")
    for name in ("minutes", "steps", "layers", "pixels", "lr", "time_power", "threads"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name.replace('_', '-')} must be above 0, not {value}")
    for folder in (args.photos, args.val):
        if folder is not None and not Path(folder).is_dir():
            raise ValueError(f"{folder} is no folder")


def _copy_weights(start, unet, args):
    """Begin with the weights of an already trained network of the same shape."""
    try:
        unet.load_state_dict(start.state_dict())
    except RuntimeError as error:  # weights of another shape
        raise ValueError(f"{args.start} holds another network than {_network(args)}") from error


def _network(args):
    return {"channels": list(args.channels), "layers": args.layers}


def _progress(args, step, seconds):
    """How much of the training is done, from 0 to 1: by steps where --steps is given."""
    return step / args.steps if args.steps else seconds / (60 * args.minutes)


def _validation_set(args, schedule, device, count=64, size=64):
    """Fixed crops, times and noise, so that validation losses compare between checkpoints."""
    if not args.val:
        return None
    generator = torch.Generator(device).manual_seed(0)
    x0 = to_model(Photos(args.val, size, device).crops(count, size, generator))
    t = draw_times(count, schedule.T, 2.0, generator, device)
    return x0, t, torch.randn(x0.shape, generator=generator, device=device)


def _checkpoint(out, state):
    """Write state.pt so that a kill at any moment leaves a whole one."""
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")


def _report(out, average, validation, schedule, step, spent, losses):
    """Save the averaged weights and add a line to the log and to the screen."""
    save_pipeline(average, out / "prior", schedule)
    row = {"step": step, "minutes": round(spent / 60, 2)}
    row["loss"] = round(float(torch.stack(losses).mean()), 5) if losses else ""
    row["val_loss"] = ""
    if validation:
        with torch.no_grad():
            row["val_loss"] = round(float(noise_loss(average, *validation, schedule)), 5)
    log = out / "log.csv"
    new = not log.exists()
    with open(log, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def add_arguments(parser):
    """The options of ``python -m gdp_lite train``."""
    default = argparse.ArgumentDefaultsHelpFormatter
    parser.formatter_class = default
    parser.add_argument("--photos", required=True, help="folder of training photos")
    parser.add_argument("--val", help="folder of photos for the validation loss")
    parser.add_argument("--out", required=True, help="folder of the run; resumed if it exists")
    start = "prior whose weights to begin with, instead of random ones: folder or hub id"
    parser.add_argument("--start", help=start)
    parser.add_argument("--minutes", type=float, default=90, help="length, resumed time included")
    parser.add_argument("--steps", type=int, help="length in steps instead of minutes")
    widths = f"at each resolution; --start's, else {' '.join(map(str, CHANNELS))}"
    parser.add_argument("--channels", type=int, nargs="+", help=widths)
    layers = "residual blocks a resolution; --start's, else 1"
    parser.add_argument("--layers", type=int, help=layers)
    parser.add_argument("--crops", type=int, nargs="+", default=[48, 64, 96], help="crop sizes")
    zooms = "crops are taken this many times larger and shrunk"
    parser.add_argument("--zooms", type=float, nargs="+", default=[1.0], help=zooms)
    parser.add_argument("--pixels", type=int, help="pixels in a batch (24576; on CUDA 786432)")
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--time-power", type=float, default=2.0, help="t = T u^power, u uniform")
    parser.add_argument("--every", type=float, default=300, help="seconds between checkpoints")
    fuse = "fuse operations with torch.compile: minutes to begin with, then faster on CUDA"
    parser.add_argument("--compile", action="store_true", help=fuse)
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    best = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=best)
