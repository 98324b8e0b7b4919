"""What the command line says, on stderr: stdout is for results."""

import contextlib
import sys
import time


def say(text: str, end: str = "\n") -> None:
    """Print on stderr. A reader that went away (``2>&1 | head``) does not stop the work."""
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


class Progress:
    """Keeps one line on stderr up to date: tiles, of how many, the time left.

    what: is counted.
    """

    def __init__(self, what: str = "tile") -> None:
        self.what, self.since, self.before = what, time.monotonic(), 0

    def __call__(self, done: int, tiles: int) -> None:
        now = time.monotonic()
        left = (now - self.since) / max(done - self.before, 1) * (tiles - done)
        if not self.before:  # the first waited for all that comes before: no measure of the rest
            self.since, self.before = now, done
        say(f"\r{self.what} {done} of {tiles}, {left:4.0f} s left ", "\n" if done == tiles else "")
