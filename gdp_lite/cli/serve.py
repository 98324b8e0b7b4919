"""``serve``: the local page."""

import argparse
import warnings

from gdp_lite.cli.talk import say


def run_serve(args: argparse.Namespace) -> int:
    """Serve the page until ^C, which is its ordinary end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gdp_lite.serve import serve

        serve(
            args.port,
            prior=args.prior,
            device=args.device,
            browser=not args.no_browser,
            say=say,
        )
    return 0
