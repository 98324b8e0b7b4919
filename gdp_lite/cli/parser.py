"""What the command line understands; `--help` and a typing error wait for no library."""

import argparse
import contextlib
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

# As in `diagnosis`, which is slow to import.
KINDS = (
    *("light", "colour", "grey", "softness", "noise"),
    *("resolution", "missing", "overlay", "jpeg"),
)
TASKS = {
    "denoise": "remove sensor noise; its level is estimated unless --noise is given",
    "deblur": "undo a Gaussian blur; its width is estimated unless --blur is given",
    "superres": "add the detail that is missing inside blocks of --factor pixels; size stays",
    "inpaint": "replace what is white in --mask, and nothing else",
}
PRIOR = "another diffusion model: a folder, a hub's name or OpenAI's file, see `priors`"
# As in `pairs.kinds`.
PAIRS = {
    "blocks": "super-resolution: averages of --factor x --factor blocks, 4 or 8",
    "blur": "deblurring: an n x n Gaussian kernel, n = --size, std --width",
    "grey": "colourisation: the mean of the three channels",
    "mask": "inpainting: --missing of the pixels, 0.25, set to zero at random",
    "as-is": "low light (LOL: low, high), exposure (NTIRE: input, gt): taken as they are",
}


class _OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong without the usage text, which would bury it."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{' '.join(message.splitlines())} (see {self.prog} --help)")


def parser_for(with_training: bool) -> argparse.ArgumentParser:
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
        "  python -m gdp_lite restore night.jpg --preview\n"
        "  python -m gdp_lite restore night.jpg -o clean.jpg --skip light\n"
        "  python -m gdp_lite restore holiday/ -o better/\n"
        "  python -m gdp_lite restore old.jpg --mask scratches.png\n"
        "  python -m gdp_lite restore old.jpg --strokes painted.png\n\n"
        "Width, height, orientation, EXIF and colour profile are kept. Restoring invents\n"
        "plausible detail; it does not recover what was not recorded. Run the same\n"
        "line again to go on with a folder that was stopped: finished pictures are skipped,\n"
        "unless --overwrite.",
    )
    restore.add_argument(
        "photo",
        nargs="?",
        help="JPEG, PNG, WebP, TIFF, AVIF, or HEIC (with pillow-heif installed); - for standard "
        "input; or a folder of them",
    )
    restore.add_argument(
        "-o",
        "--output",
        help="the file to write (default: photo.restored.jpg beside photo.jpg), - for standard "
        "output; for a folder, the folder to write to",
    )
    restore.add_argument(
        "--only", type=_kinds, default=[], help=f"undo these alone: {', '.join(KINDS)}"
    )
    restore.add_argument(
        "--skip", type=_kinds, default=[], help="leave these as they are: names as for --only"
    )
    restore.add_argument("--task", choices=TASKS, help="do one task and nothing else")
    restore.add_argument(
        "--mask",
        help="picture of the photo's size, white where parts are missing: they are invented",
    )
    restore.add_argument(
        "--strokes",
        help="copy of a black-and-white photo on which some strokes of colour are painted: they "
        "are carried to the rest",
    )
    restore.add_argument(
        "--strength",
        type=_number(0.01, 100),
        default=1.0,
        help="how closely to follow the photo: higher keeps more of it, lower leaves more to "
        "the prior; try 0.3 to 3 (default 1)",
    )
    restore.add_argument(
        "--noise",
        type=_number(0, 255),
        help="strength of the noise, of 255: 2 is faint, 10 strong (default: estimated)",
    )
    restore.add_argument(
        "--blur",
        type=_number(0, 20),
        help="the blur's standard deviation in pixels (default: estimated; more than the "
        "photo has gives halos)",
    )
    restore.add_argument(
        "--exposure",
        type=_number(-5, 5),
        help="how much brighter, in stops: 1 is twice the light, -1 half (default: estimated)",
    )
    restore.add_argument(
        "--factor",
        type=int,
        choices=(2, 4, 8),
        help="with --task superres: side of the blocks, in pixels (default 2)",
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
        help="same seed, same picture (default 0)",
    )
    restore.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default auto)"
    )
    restore.add_argument(
        "--precision",
        choices=("no", "bf16", "fp16"),
        help="in which the network computes (default: bf16, half the time, where the processor "
        "has it and the result is the same to 45 dB; else no, which is float32)",
    )
    restore.add_argument("--prior", help=PRIOR)
    restore.add_argument("--overwrite", action="store_true", help="replace an existing file")
    restore.add_argument("--strip", action="store_true", help="leave out where it was taken")
    restore.add_argument(
        "--report",
        help="write what was found and done into this JSON file; for a folder, into this folder",
    )
    restore.add_argument(
        "--from",
        dest="again",
        metavar="REPORT",
        help="do again what a report says, bit for bit on the same machine",
    )
    restore.add_argument(
        "--preview",
        action="store_true",
        help="only three parts, before and after, as photo.preview.jpg, and the time of the whole",
    )
    restore.add_argument("-q", "--quiet", action="store_true", help="say nothing")
    restore.set_defaults(run=_run("run_restore"))

    diagnose = commands.add_parser("diagnose", help="say what is wrong with a photo")
    diagnose.add_argument("photo", help="JPEG, PNG, WebP, TIFF, AVIF or HEIC; - for standard input")
    diagnose.add_argument("--json", action="store_true", help="as numbers, for other programs")
    diagnose.add_argument(
        "--mask", help="write this PNG, white where text or a stamp may lie, for restore --mask"
    )
    diagnose.add_argument("--overwrite", action="store_true", help="replace an existing file")
    diagnose.set_defaults(run=_run("run_diagnose"))

    serve = commands.add_parser(
        "serve",
        help="open a local page to drop a photo on",
        description="Serve a page on this machine alone: drop a photo on it, see what is wrong, "
        "look at a preview, restore, compare, save. Nothing leaves the machine, and nothing is "
        "written but what you save.",
    )
    serve.add_argument(
        "--port", type=_whole(0, 65535), default=0, help="of 127.0.0.1 (default: one that is free)"
    )
    serve.add_argument("--no-browser", action="store_true", help="only say the address")
    serve.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default auto)"
    )
    serve.add_argument("--prior", help=PRIOR)
    serve.set_defaults(run=_run("run_serve", "serve"))

    _add_priors(commands)
    _add_pairs(commands)

    train = commands.add_parser("train", help="train a prior on a folder of photos")
    if with_training:
        from gdp_lite.cli.train import add_arguments, run_train

        add_arguments(train)
        train.set_defaults(run=run_train)
    return parser


def _add_priors(commands: Any) -> None:
    priors = commands.add_parser(
        "priors",
        help="list the priors that are known, fetch one, convert one",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="List the priors that are known: which are on this machine, their native\n"
        "size, their licence. `--prior` takes one by its name, its folder or its file.",
        epilog="examples:\n"
        "  python -m gdp_lite priors\n"
        "  python -m gdp_lite priors --fetch google/ddpm-celebahq-256 -o faces\n"
        "  python -m gdp_lite priors --convert 256x256_diffusion_uncond.pt\n\n"
        "A checkpoint of OpenAI's does not say its attention heads and its schedule. Those of\n"
        "the published files are known; of another one, tell them.",
    )
    priors.add_argument("--fetch", metavar="NAME", help="over the network: a known name, a hub id")
    priors.add_argument("--convert", metavar="FILE", help="a checkpoint of OpenAI's")
    priors.add_argument("-o", "--output", help="its folder (default: a cache of this user's)")
    priors.add_argument("--heads", type=_whole(1, 1024), help="with --convert: attention heads")
    priors.add_argument("--head-channels", type=_whole(1, 4096), help="or how wide each head is")
    priors.add_argument("--schedule", choices=("linear", "cosine"), help="of its noise")
    priors.add_argument("--steps", type=_whole(1, 100_000), help="of its noise, T (default 1000)")
    priors.add_argument(
        "--rescaled", action="store_true", help="it is told times in thousandths of T"
    )
    priors.add_argument(
        "--new-order", action="store_true", help="queries, keys and values come before heads"
    )
    priors.add_argument("--size", type=_whole(1, 4096), help="its native size, pixels")
    priors.set_defaults(run=_run("run_priors", "priors"))


def _add_pairs(commands: Any) -> None:
    prepare = commands.add_parser(
        "prepare",
        help="make pairs of degraded and clean pictures of a data set",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make pairs of degraded and clean pictures of ImageNet, LSUN (an LMDB, or\n"
        "exported), CelebA or any folder, as the source prescribes, or take pictures that are\n"
        "degraded already as they are.\n\n" + "\n".join(f"  {k:7} {v}" for k, v in PAIRS.items()),
        epilog="example:\n"
        "  python -m gdp_lite prepare --source imagenet/val --degrade blocks --out pairs\n"
        "  python -m gdp_lite evaluate --pairs pairs\n\n"
        "The same line goes on where it was stopped. Nothing is overwritten.",
    )
    prepare.add_argument(
        "--source", type=_named, required=True, help="folder of pictures, or an LMDB"
    )
    prepare.add_argument("--degrade", required=True, choices=PAIRS, help="how, see above")
    prepare.add_argument("--out", type=_named, required=True, help="folder for the pairs")
    prepare.add_argument(
        "--factor", type=_whole(2, 64), default=4, help="blocks: d, 4 or 8 (default 4)"
    )
    prepare.add_argument(
        "--size", type=_whole(1, 999), default=9, help="blur: n of the n x n kernel (default 9)"
    )
    prepare.add_argument(
        "--width", type=_number(0.01, 100), default=2.0, help="blur: its std, pixels (default 2)"
    )
    prepare.add_argument(
        "--missing", type=_number(0.0001, 0.9999), default=0.25, help="mask: share (default 0.25)"
    )
    prepare.add_argument("--side", type=_whole(1, 8192), help="middle squares of so many pixels")
    prepare.add_argument("--count", type=_whole(1, 10**9), help="so many pictures, drawn by seed")
    prepare.add_argument("--seed", type=_whole(0, 2**63 - 1), default=0, help="(default 0)")
    prepare.set_defaults(run=_run("run_prepare", "pairs"))

    evaluate = commands.add_parser(
        "evaluate",
        help="restore such pairs and print a table of scores",
        description="Restore the pairs that `prepare` made, with what degraded them known, and "
        "print PSNR, SSIM, HaarPSI and, where its network can be had, LPIPS, before and after. The "
        "same line goes on where it was stopped.",
        epilog="On several GPUs: accelerate launch --multi_gpu --num_processes 2 -m gdp_lite "
        "evaluate --pairs pairs",
    )
    evaluate.add_argument("--pairs", type=_named, required=True, help="folder that `prepare` made")
    evaluate.add_argument("-o", "--output", help="folder for results (default: restored in it)")
    evaluate.add_argument("--prior", help="another DDPM, see `priors`")
    evaluate.add_argument("--steps", type=_whole(1, 1000), help="network calls, see restore")
    evaluate.add_argument(
        "--strength", type=_number(0.01, 100), default=1.0, help="trust in the photo (default 1)"
    )
    evaluate.add_argument("--count", type=_whole(1, 10**9), help="the first so many pairs")
    evaluate.add_argument("--seed", type=_whole(0, 2**63 - 1), default=0, help="(default 0)")
    evaluate.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default auto)"
    )
    evaluate.add_argument(
        "--precision", choices=("no", "bf16", "fp16"), help="of the network (default accelerate's)"
    )
    evaluate.set_defaults(run=_run("run_evaluate", "pairs"))


def _run(name: str, module: str = "restore") -> Callable[[argparse.Namespace], int]:
    """A function of a module of `gdp_lite.cli`, imported when it is called."""

    def run(args: argparse.Namespace) -> int:
        return getattr(import_module(f"gdp_lite.cli.{module}"), name)(args)

    return run


def _kinds(text: str) -> list[str]:
    """argparse type: kinds of degradation, with commas between them."""
    kinds = [part.strip() for part in text.split(",") if part.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"knows {', '.join(KINDS)}, not {kind!r}")
    return kinds


def _named(text: str) -> str:
    """argparse type: a folder's name; an empty one, of a variable that is not set, is none."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return text


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
