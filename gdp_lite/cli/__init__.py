"""The command line: ``python -m gdp_lite restore``, ``diagnose`` and ``train``.

What the user got wrong is told in one line, with exit code 2, before the network is loaded.
"""

import sys
from collections.abc import Sequence

from gdp_lite.cli.parser import TASKS, parser_for
from gdp_lite.cli.talk import say
from gdp_lite.cli.task import MAX_PIXELS

__all__ = ["MAX_PIXELS", "TASKS", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for the user's errors, 130 for ^C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        args = parser_for(with_training=arguments[:1] == ["train"]).parse_args(arguments)
        return args.run(args)
    except (ValueError, OSError) as error:
        say("gdp_lite: " + " ".join(str(error).splitlines()))
        return 2
    except KeyboardInterrupt:
        say("\ngdp_lite: stopped")
        return 130
