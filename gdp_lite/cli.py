"""The command line: ``python -m gdp_lite restore``, ``diagnose`` and ``train``.

What the user got wrong is told in one line, with exit code 2, before the network is loaded.
"""

import argparse
import contextlib
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # torch takes seconds
    from torch import Tensor

    from gdp_lite.prior import Prior

KINDS = ("light", "colour", "softness", "noise")  # as in `diagnosis`, which is slow to import
MAX_PIXELS = 16_500_000  # of the phone photos at hand the largest has 12.2 million
WHOLE = 1_350_000  # pixels: up to here the network sees the photo whole, above it in tiles
TILE, OVERLAP = 512, 64
TASKS = {
    "denoise": "remove sensor noise; its level is estimated unless --noise is given",
    "deblur": "undo a Gaussian blur; its width is estimated unless --blur is given",
    "superres": "add the detail that is missing inside blocks of --factor pixels; size stays",
    "inpaint": "replace what is white in --mask, and nothing else",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for the user's errors, 130 for ^C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        args = _parser(with_training=arguments[:1] == ["train"]).parse_args(arguments)
        return args.run(args)
    except (ValueError, OSError) as error:
        _say("gdp_lite: " + " ".join(str(error).splitlines()))
        return 2
    except KeyboardInterrupt:
        _say("\ngdp_lite: stopped")
        return 130


class _OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong without the usage text, which would bury it."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{' '.join(message.splitlines())} (see {self.prog} --help)")


def _parser(with_training: bool) -> argparse.ArgumentParser:
    """with_training: whether `train` knows its options; they are in a module that is slow to
    import, and --help or a typing error should not have to wait for it."""
    parser = _OneLineParser(
        prog="python -m gdp_lite",
        description="Restore photos with a diffusion prior, and train such a prior.",
        epilog="python -m gdp_lite COMMAND --help explains a command.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    restore = commands.add_parser(
        "restore",
        help="restore a photo: find what is wrong, undo it",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Restore a photo with the bundled diffusion prior. What is wrong with it is\n"
        "found, said and undone; a photo in which nothing is wrong is copied bit for bit.\n\n"
        "or one task, named by --task, and nothing else:\n"
        + "\n".join(f"  {task:9} {text}" for task, text in TASKS.items()),
        epilog="examples:\n"
        "  python -m gdp_lite restore night.jpg\n"
        "  python -m gdp_lite restore night.jpg -o clean.jpg --skip light\n"
        "  python -m gdp_lite restore old.jpg -o whole.jpg --task inpaint --mask scratches.png\n\n"
        "Width, height, orientation, EXIF and colour profile are kept. Restoring invents\n"
        "plausible detail; it does not recover what was not recorded.",
    )
    restore.add_argument("photo", help="JPEG, PNG, WebP, TIFF; - for standard input")
    restore.add_argument(
        "-o", "--output", help="the file to write (default: photo.restored.jpg beside photo.jpg)"
    )
    restore.add_argument(
        "--only", type=_kinds, default=[], help=f"undo these alone: {', '.join(KINDS)}"
    )
    restore.add_argument("--skip", type=_kinds, default=[], help="leave these as they are")
    restore.add_argument("--task", choices=TASKS, help="do one task and nothing else")
    restore.add_argument("--mask", help="inpaint: picture of the photo's size, white = replace")
    restore.add_argument(
        "--strength",
        type=_number(0.01, 100),
        default=1.0,
        help="how closely to follow the photo: higher keeps more of it, lower leaves more to "
        "the prior; try 0.3 to 3 (default 1)",
    )
    restore.add_argument(
        "--noise", type=_number(0, 255), help="noise level, of 255 (default: estimated)"
    )
    restore.add_argument(
        "--blur",
        type=_number(0.1, 20),
        help="the blur's standard deviation in pixels (default: estimated; more than the "
        "photo has gives halos)",
    )
    restore.add_argument(
        "--exposure", type=_number(-5, 5), help="stops to brighten by (default: estimated)"
    )
    restore.add_argument(
        "--factor", type=int, choices=(2, 4, 8), help="superres: block (default 2)"
    )
    restore.add_argument(
        "--steps",
        type=_whole(1, 1000),
        help="with --task: how often the network sees the photo (default 8; for missing parts "
        "20, for noise alone 5, or 1 where the file is no JPEG)",
    )
    restore.add_argument(
        "--seed",
        type=_whole(0, 2**63 - 1),
        default=0,
        help="same seed, same picture; denoise needs none, it draws nothing (default 0)",
    )
    restore.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default auto)"
    )
    restore.add_argument("--prior", help="another diffusers DDPM: folder or hub id")
    restore.add_argument("--overwrite", action="store_true", help="replace an existing file")
    restore.add_argument("--strip", action="store_true", help="leave out where it was taken")
    restore.add_argument("--report", help="write what was found and done into this JSON file")
    restore.add_argument("-q", "--quiet", action="store_true", help="say nothing")
    restore.set_defaults(run=_restore)

    diagnose = commands.add_parser("diagnose", help="say what is wrong with a photo")
    diagnose.add_argument("photo", help="JPEG, PNG, WebP, TIFF; - for standard input")
    diagnose.add_argument("--json", action="store_true", help="as numbers, for other programs")
    diagnose.set_defaults(run=_diagnose)

    train = commands.add_parser("train", help="train a prior on a folder of photos")
    if with_training:
        from gdp_lite.train import add_arguments, run

        add_arguments(train)
        train.set_defaults(run=run)
    return parser


def _diagnose(args: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries' remarks are not for the user of a command
        from gdp_lite.auto import MAX_PIXELS, findings_of
        from gdp_lite.diagnosis import diagnose
        from gdp_lite.photos import read_photo

        photo = read_photo(args.photo, MAX_PIXELS)
        diagnosis = diagnose(photo.image, photo.iso)
    found = findings_of(diagnosis)
    with contextlib.suppress(OSError):
        if args.json:
            print(json.dumps(found, indent=2))
            return 0
        for kind, finding in found.items():
            mark = "*" if kind in diagnosis.seen else " "
            print(f"{mark} {kind:9} {finding['line']}")
        print("* is undone by `restore`" if diagnosis.seen else "nothing that `restore` would undo")
    return 0


def _restore(args: argparse.Namespace) -> int:
    if args.task is None and args.mask is not None:
        raise ValueError("--mask goes with --task inpaint")
    if args.task is None and (args.steps or args.factor):
        raise ValueError("--steps and --factor go with --task")
    if args.task is not None and (args.only or args.skip or args.exposure is not None):
        raise ValueError("--only, --skip and --exposure are for restoring without --task")
    if args.task is not None and args.output is None:
        raise ValueError("--task needs -o: the file to write")
    if args.task == "inpaint" and args.mask is None:
        raise ValueError("--task inpaint needs --mask: a picture, white where to replace")
    for option, task in (("mask", "inpaint"), ("blur", "deblur"), ("factor", "superres")):
        if args.task not in (None, task) and getattr(args, option) is not None:
            raise ValueError(f"--{option} goes with --task {task}, not with {args.task}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries' remarks are not for the user of a command
        return _restore_auto(args) if args.task is None else _restore_photo(args)


def _restore_auto(args: argparse.Namespace) -> int:
    from gdp_lite.auto import restore_photo
    from gdp_lite.prior import load_prior
    from gdp_lite.tasks import pick_device

    prior = None
    if args.prior is not None or args.device != "auto":
        prior = load_prior(args.prior, pick_device(args.device))
    say: Callable[[str], object] = (lambda line: None) if args.quiet else _say
    try:
        report = restore_photo(
            args.photo,
            args.output,
            only=args.only,
            skip=args.skip,
            noise=args.noise,
            blur=args.blur,
            exposure=args.exposure,
            strength=args.strength,
            seed=args.seed,
            overwrite=args.overwrite,
            strip=args.strip,
            prior=prior,
            say=say,
            progress=None if args.quiet else _Tiles(),
        )
    except (RuntimeError, MemoryError) as error:  # so torch reports that memory is used up
        reason = (str(error) or "out of memory").splitlines()[0]
        raise ValueError(f"{args.photo} could not be restored: {reason}") from error
    if args.report is not None:
        from gdp_lite.photos import save_bytes

        save_bytes(args.report, (json.dumps(report.as_json(), indent=2) + "\n").encode())
    return 0


class _Tiles:
    """Keeps one line on stderr up to date: tiles, of how many, the time left."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, done: int, tiles: int) -> None:
        left = (time.monotonic() - self.began) / done * (tiles - done)
        _say(f"\rtile {done} of {tiles}, {left:4.0f} s left ", "\n" if done == tiles else "")


def _restore_photo(args: argparse.Namespace) -> int:
    import torch  # only now, as it is slow to import; likewise what follows

    from gdp_lite.photos import check_output, read_mask, read_photo, write_photo
    from gdp_lite.policy import POLICY
    from gdp_lite.sampler import restore
    from gdp_lite.tasks import degradation_for, pick_device

    photo = read_photo(args.photo, MAX_PIXELS)
    check_output(args.output, args.photo, args.overwrite, photo)
    mask = None if args.mask is None else read_mask(args.mask, photo)
    device = pick_device(args.device)
    noise = None if args.noise is None else args.noise / 255
    factor = args.factor or 2
    degradation = degradation_for(
        args.task, photo.image, noise, args.blur, factor, mask, photo.lossy
    )
    if not args.quiet:
        _say("loading the prior ...")

    from gdp_lite.prior import load_prior
    from gdp_lite.tiling import TiledPrior, count_tiles

    height, width = photo.image.shape[-2:]
    steps = args.steps or POLICY[degradation.kind].steps
    large = height * width > WHOLE
    try:
        tiles = count_tiles(height, width, TILE, OVERLAP) if large else 1
        prior = _Progress(load_prior(args.prior, device), 0 if args.quiet else steps * tiles)
        result = restore(
            photo.image.to(device),
            degradation.to(device),
            TiledPrior(prior, TILE, OVERLAP) if large else prior,
            steps=steps,
            strength=args.strength,
            generator=torch.Generator().manual_seed(args.seed),
        )
        if prior.done < prior.calls:  # at low noise some of the steps coincide
            _say("")
    except (RuntimeError, MemoryError) as error:  # so torch reports that memory is used up
        reason = (str(error) or "out of memory").splitlines()[0]
        raise ValueError(f"{args.photo} could not be restored on {device}: {reason}") from error
    restored = result.image
    if mask is not None:  # what was not asked to be replaced stays as it was
        restored = torch.where(mask == 1, photo.image, restored.cpu())
    check_output(args.output, args.photo, args.overwrite)  # it took minutes: look again
    removed = mask is not None
    notes = write_photo(args.output, restored, photo, removed=removed, strip=args.strip)
    if not args.quiet:
        for note in dict.fromkeys([*photo.notes, *notes]):
            _say(note)
        if args.task == "deblur" and degradation.noise_only:
            _say("the photo looks sharp: only noise is removed; --blur 1 insists")
        _say(f"{args.output}: {args.task}, {width} x {height}, assumed {degradation.describe()};")
        residual = 255 * float(result.residual)
        _say(f"degraded again, the result differs from the photo by {residual:.1f} of 255")
    return 0


class _Progress:
    """A denoiser that keeps one line on stderr up to date: calls, of how many, the time left.

    calls: 0 for silence.
    """

    def __init__(self, prior: "Prior", calls: int):
        self.prior, self.calls = prior, calls
        self.schedule, self.multiple = prior.schedule, prior.multiple
        self.done, self.began = 0, time.monotonic()

    def __call__(self, x: "Tensor", sigma: "float | Tensor") -> "Tensor":
        x0_hat = self.prior(x, sigma)
        self.done += 1
        if not self.calls:
            return x0_hat
        left = (time.monotonic() - self.began) / self.done * (self.calls - self.done)
        end = "\n" if self.done == self.calls else ""
        _say(f"\rnetwork call {self.done:4d} of {self.calls}, {left:4.0f} s left ", end)
        return x0_hat


def _say(text: str, end: str = "\n") -> None:
    """Print on stderr. A reader that went away (``2>&1 | head``) does not stop the work."""
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def _kinds(text: str) -> list[str]:
    """argparse type: kinds of degradation, with commas between them."""
    kinds = [part.strip() for part in text.split(",") if part.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"knows {', '.join(KINDS)}, not {kind!r}")
    return kinds


def _device(text: str) -> str:
    """argparse type: a device that torch may have; whether it has it is seen later."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be auto, cpu, cuda, cuda:1 or mps, not {text!r}")
    return text


def _number(low: float, high: float) -> Callable[[str], float]:
    """argparse type: a number from low to high."""
    return _ranged(float, "a number", low, high)


def _whole(low: int, high: int) -> Callable[[str], float]:
    """argparse type: a whole number from low to high."""
    return _ranged(int, "a whole number", low, high)


def _ranged(kind: type, what: str, low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= kind(text) <= high:
                return kind(text)
        raise argparse.ArgumentTypeError(f"must be {what} from {low} to {high}, not {text!r}")

    return parse
