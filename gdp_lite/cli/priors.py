"""``priors``: what is known and here, one fetched, one converted."""

import argparse
import contextlib
import warnings

from gdp_lite.cli.talk import Progress, say


def run_priors(args: argparse.Namespace) -> int:
    """List the priors, or fetch or convert one and say where it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gdp_lite.prior_files.fetch import fetch, recipe_from
        from gdp_lite.prior_files.listing import listed
        from gdp_lite.prior_files.openai import convert

        if args.fetch is not None and args.convert is not None:
            raise ValueError("--fetch or --convert: one of them")
        if args.fetch is not None:
            lines = [str(fetch(args.fetch, args.output, say, Progress("MB")))]
        elif args.convert is not None:
            told = (args.heads, args.head_channels, args.schedule, args.steps)
            recipe = recipe_from(*told, args.rescaled, args.new_order, args.size)
            lines = [str(convert(args.convert, args.output, recipe, say))]
        elif args.output is not None:
            raise ValueError("-o goes with --fetch or --convert")
        else:
            lines = listed()
    with contextlib.suppress(OSError):
        print("\n".join(lines))
    return 0
