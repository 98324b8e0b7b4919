"""``prepare`` and ``evaluate``: the source's training data, and its experiment on them."""

import argparse
import contextlib
import warnings

from gdp_lite.cli.talk import Progress, say


def run_prepare(args: argparse.Namespace) -> int:
    """Make pairs; exit code 2 where not a single one could be made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gdp_lite.pairs.kinds import Kind
        from gdp_lite.pairs.prepare import UNREADABLE, prepare_pairs

        kind = Kind(args.degrade, args.factor, args.size, args.width, args.missing)
        options = {"side": args.side, "count": args.count, "seed": args.seed}
        done = prepare_pairs(
            args.source, args.out, kind, **options, say=say, progress=Progress("picture")
        )
    say(f"{args.out}: {done.made} pairs made, {done.there} there already, {done.left_out} left out")
    if done.left_out:
        say(f"{args.out}/{UNREADABLE} says why")
    return 0 if done.made or done.there else 2


def run_evaluate(args: argparse.Namespace) -> int:
    """Restore pairs and print the table; exit code 2 where one of them failed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gdp_lite.pairs.evaluate import evaluate_pairs
        from gdp_lite.pairs.table import table
        from gdp_lite.processes import Processes

        rows = evaluate_pairs(
            args.pairs,
            args.output,
            prior=args.prior,
            steps=args.steps,
            strength=args.strength,
            seed=args.seed,
            count=args.count,
            device=args.device,
            precision=args.precision,
            say=say,
            progress=Progress("pair"),
        )
    with contextlib.suppress(OSError):
        if Processes.begin(args.device).main:
            print("\n".join(table(rows)))
    return 2 if any(row["error"] for row in rows) else 0
