"""``train``: its options are the arguments of `gdp_lite.train.train_prior`."""

import argparse
import inspect

from gdp_lite.precision import PRECISIONS
from gdp_lite.train import CHANNELS, train_prior


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m gdp_lite train``."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--photos", required=True, help="folder of training photos, of any depth")
    parser.add_argument("--val", help="folder of photos for the validation loss")
    parser.add_argument("--out", required=True, help="folder of the run; resumed if it exists")
    start = "prior whose weights to begin with, instead of random ones: folder or hub id"
    parser.add_argument("--start", help=start)
    parser.add_argument("--minutes", type=float, help="length, resumed time included")
    parser.add_argument("--steps", type=int, help="length in steps instead of minutes")
    widths = f"at each resolution; --start's, else {' '.join(map(str, CHANNELS))}"
    parser.add_argument("--channels", type=int, nargs="+", help=widths)
    layers = "residual blocks a resolution; --start's, else 1"
    parser.add_argument("--layers", type=int, help=layers)
    parser.add_argument("--crops", type=int, nargs="+", help="crop sizes")
    zooms = "crops are taken this many times larger and shrunk"
    parser.add_argument("--zooms", type=float, nargs="+", help=zooms)
    batch = "pixels in a batch, of all processes together (24576; on CUDA 786432)"
    parser.add_argument("--pixels", type=int, help=batch)
    parser.add_argument("--lr", type=float, help="highest learning rate")
    parser.add_argument("--time-power", type=float, help="t = T u^power, u uniform")
    parser.add_argument("--every", type=float, help="seconds between checkpoints")
    fuse = "fuse operations with torch.compile: minutes to begin with, then faster on CUDA"
    parser.add_argument("--compile", action="store_true", help=fuse)
    computed = "of the network; accelerate's, else bf16 on CUDA, no (float32) elsewhere"
    parser.add_argument("--precision", choices=PRECISIONS, help=computed)
    parts = "parts of the batch, one after the other, to save memory"
    parser.add_argument("--accumulate", type=int, metavar="PARTS", help=parts)
    parser.add_argument("--threads", type=int, help="CPU threads; all of them if not given")
    parser.add_argument("--seed", type=int, help="of weights, crops and noise")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps; CUDA if there is one")
    parameters = inspect.signature(train_prior).parameters.values()
    parser.set_defaults(**{p.name: p.default for p in parameters if p.default is not p.empty})


def run_train(args: argparse.Namespace) -> int:
    """Run the command: its options are the arguments of `train_prior`. Returns the exit code 0."""
    names = inspect.signature(train_prior).parameters
    train_prior(**{name: getattr(args, name) for name in names})
    return 0
