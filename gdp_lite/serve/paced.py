"""How far a restoration is, by the pixels that the network has seen; and a way to stop it."""

import time
from threading import Event

from torch import Tensor

from gdp_lite.prior import Denoiser, schedule_of
from gdp_lite.restoring import OVERLAP, TILE
from gdp_lite.tiling import fitted_tiles


class Stopped(Exception):
    """A person does not want the rest."""


class Paced:
    """A `Denoiser` that counts what another one has seen, and stops between two of its calls.

    Parameters
    ----------
    denoiser : the one that is called.
    pixels : that it will see in all, about.
    stop : once set, a call raises `Stopped`.

    Examples
    --------
    >>> stop = Event()
    >>> paced = Paced(lambda x, sigma: x, 400, stop)
    >>> _ = paced(torch.zeros(1, 3, 10, 10), 0.1)
    >>> paced.share
    0.25
    """

    def __init__(self, denoiser: Denoiser, pixels: float, stop: Event):
        self.denoiser, self.pixels, self.stop = denoiser, max(pixels, 1), stop
        self.schedule, self.multiple = schedule_of(denoiser), getattr(denoiser, "multiple", 1)
        self.seen, self.began = 0.0, time.monotonic()
        self.last = self.began

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """What the other one answers."""
        self.check()
        answer = self.denoiser(x, sigma)
        self._reach(self.seen + x.shape[0] * x.shape[-2] * x.shape[-1])
        return answer

    def check(self) -> None:
        """Raise `Stopped` where that was asked for."""
        if self.stop.is_set():
            raise Stopped

    def tile(self, done: int, count: int) -> None:
        """So many tiles are done, for `restore_image`: some may have needed no call."""
        self.check()
        self._reach(max(self.seen, done / count * self.pixels))

    def _reach(self, seen: float) -> None:
        self.seen, self.last = min(seen, self.pixels), time.monotonic()

    @property
    def share(self) -> float:
        """Of the whole, 0 to 1."""
        return self.seen / self.pixels

    @property
    def left(self) -> float | None:
        """Seconds; None before the first call has ended."""
        if not self.seen:
            return None
        whole = (self.last - self.began) / self.share
        return max(whole * (1 - self.share) - (time.monotonic() - self.last), 0.0)


def pixels_of(height: int, width: int, calls: int) -> float:
    """How many pixels the network sees where it sees a photo so often, see `restoring.calls`.

    Examples
    --------
    >>> pixels_of(64, 64, 2) / 64**2
    2.0
    """
    return calls * sum(
        float(weight.numel()) for _, weight in fitted_tiles(height, width, TILE, OVERLAP)
    )
