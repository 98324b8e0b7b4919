"""What the command line says, on stderr: stdout is for results."""

import contextlib
import sys
import time


def say(text: str, end: str = "\n") -> None:
    """Print on stderr. A reader that went away (``2>&1 | head``) does not stop the work."""
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


class Progress:
    """Keeps one line on stderr up to date: tiles, of how many, the time left."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, done: int, tiles: int) -> None:
        if done == 1:  # the first tile waited for all that comes before: no measure of the rest
            self.first = time.monotonic()
            left = (self.first - self.began) * (tiles - 1)
        else:
            left = (time.monotonic() - self.first) / (done - 1) * (tiles - done)
        say(f"\rtile {done} of {tiles}, {left:4.0f} s left ", "\n" if done == tiles else "")
