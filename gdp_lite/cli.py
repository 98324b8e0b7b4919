"""The command line: ``python -m gdp_lite restore`` and ``python -m gdp_lite train``.

What the user got wrong is told in one line, with exit code 2, before the network is loaded.
"""

import argparse
import math
import sys
import time

from gdp_lite.photos import check_output, read_mask, read_photo, write_photo

MAX_PIXELS = 1_350_000  # "about one megapixel": 1296 x 968 and 1024 x 1280 still pass
TASKS = {
    "denoise": "remove sensor noise; its level is estimated unless --noise is given",
    "deblur": "undo a slight Gaussian blur of --blur pixels",
    "superres": "add the detail that block averaging by --factor removed; size stays",
    "inpaint": "replace what is white in --mask",
}


def main(arguments=None):
    """Run the command line; returns the exit code: 0, 2 for the user's errors, 130 for ^C."""
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        return args.run(args)
    except ValueError as error:
        print(f"gdp_lite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ngdp_lite: stopped; nothing was written", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m gdp_lite",
        description="Restore photos with a diffusion prior, and train such a prior.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    restore = commands.add_parser(
        "restore",
        help="restore one photo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Restore a photo with the bundled diffusion prior.\n\ntasks:\n"
        + "\n".join(f"  {task:9} {text}" for task, text in TASKS.items()),
        epilog="examples:\n"
        "  python -m gdp_lite restore night.jpg -o clean.jpg --task denoise\n"
        "  python -m gdp_lite restore old.jpg -o whole.jpg --task inpaint --mask scratches.png\n\n"
        "Width, height, orientation, EXIF and colour profile are kept. Restoring invents\n"
        "plausible detail; it does not recover what was not recorded.",
    )
    restore.add_argument("photo", help="the photo to restore: JPEG, PNG or WebP")
    restore.add_argument("-o", "--output", required=True, help="the file to write")
    restore.add_argument("--task", required=True, choices=TASKS, help="what is wrong with it")
    restore.add_argument("--mask", help="inpaint: picture of the photo's size, white = replace")
    restore.add_argument(
        "--strength",
        type=_positive,
        default=1.0,
        help="how closely to follow the photo: higher keeps more of it, lower leaves more to "
        "the prior; try 0.3 to 3 (default 1)",
    )
    restore.add_argument("--noise", type=_positive, help="noise level on the scale 0 to 255")
    restore.add_argument("--blur", type=_positive, default=1.0, help="deblur: pixels (default 1)")
    restore.add_argument(
        "--factor", type=int, choices=(2, 4, 8), default=2, help="superres: block (default 2)"
    )
    restore.add_argument("--steps", type=_count, default=20, help="network calls (default 20)")
    restore.add_argument("--seed", type=int, default=0, help="same seed, same picture (default 0)")
    restore.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default auto)")
    restore.add_argument("--prior", help="another diffusers DDPM: folder or hub id")
    restore.add_argument("--overwrite", action="store_true", help="replace an existing file")
    restore.add_argument("-q", "--quiet", action="store_true", help="no progress")
    restore.set_defaults(run=_restore)

    train = commands.add_parser("train", help="train a prior on a folder of photos")
    from gdp_lite.train import add_arguments
    from gdp_lite.train import train as run_training

    add_arguments(train)
    train.set_defaults(run=lambda args: run_training(args) and 0)
    return parser


def _restore(args):
    photo = read_photo(args.photo, MAX_PIXELS)
    check_output(args.output, args.photo, args.overwrite)
    mask = read_mask(args.mask, photo) if args.mask else None

    import torch

    from gdp_lite.sampler import restore
    from gdp_lite.tasks import degradation_for, pick_device

    device = pick_device(args.device)
    noise = None if args.noise is None else args.noise / 255
    degradation, start_sigma = degradation_for(
        args.task, photo.image, noise, args.blur, args.factor, mask
    )

    from gdp_lite.prior import load_prior

    prior = load_prior(args.prior, device)
    restored = restore(
        photo.image.to(device),
        degradation.to(device),
        prior,
        steps=args.steps,
        strength=args.strength,
        start_sigma=start_sigma,
        generator=torch.Generator().manual_seed(args.seed),
        callback=None if args.quiet else _Progress(),
    )
    write_photo(args.output, restored, photo)
    if not args.quiet:
        height, width = photo.image.shape[-2:]
        print(
            f"{args.output}: {args.task}, {width} x {height}, "
            f"assumed noise {degradation.sigma * 255:.1f} of 255",
            file=sys.stderr,
        )
    return 0


class _Progress:
    """A sampler callback that keeps one line on stderr up to date, with the time left."""

    def __init__(self):
        self.began = time.monotonic()

    def __call__(self, step):
        left = (time.monotonic() - self.began) / step.number * (step.steps - step.number)
        end = "\n" if step.number == step.steps else ""
        line = f"\rstep {step.number:3d} of {step.steps}, {left:4.0f} s left "
        print(line, end=end, file=sys.stderr, flush=True)


def _positive(text):
    """argparse type: a finite number above 0."""
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return number


def _count(text):
    """argparse type: a whole number from 1 to 1000."""
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 1000, not {text}")
    return number
