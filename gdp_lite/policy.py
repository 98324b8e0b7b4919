"""How each kind of degradation is sampled: the one table that Python and the command line read.

What a number was chosen by stands beside it. Noise levels are in display range.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import NamedTuple


class Policy(NamedTuple):
    """A row of `POLICY`.

    Parameters
    ----------
    steps : network calls at most.
    start_sigma : noise level of the first one; None for noise, whose photo is the start.
    zeta : share of the noise's variance that a step adds again.
    several : the same three where more than one sample is asked for, if one recipe would make
        them all the same.

    Examples
    --------
    >>> POLICY["general"].steps
    8
    """

    steps: int
    start_sigma: float | None
    zeta: float
    several: tuple[int, float | None, float] | None = None

    def recipe(self, several: bool, draw: bool) -> tuple[int, float | None, float]:
        """The three, for one sample or several; draws put all of the noise back."""
        usual = self.steps, self.start_sigma, self.zeta
        steps, start_sigma, zeta = ((several or draw) and self.several) or usual
        return steps, start_sigma, 1.0 if draw else zeta


POLICY = {
    # A single step is nearer to the scene than any more (benchmarks/noise_steps.py) ...
    "noise": Policy(1, None, 0.0, several=(20, None, 1.0)),
    # ... but not once a JPEG has made the noise coarser: five (its second table).
    "coded noise": Policy(5, None, 0.0, several=(20, None, 1.0)),
    # Everything else (benchmarks/sampler_settings.py, start_levels.py).
    "general": Policy(8, 0.25, 0.25),
    # A coarse JPEG as a photo's last fault: 0.2 dB less than the general row on sharp scenes, for
    # 5 calls instead of 8 (benchmarks/jpeg_marks.py).
    "jpeg": Policy(5, 0.1, 0.25),
    # Holes gain from more calls and no new noise. The first image is then the state, with nothing
    # but its own error, so that the level is near that (benchmarks/start_levels.py).
    "missing": Policy(20, 0.12, 0.0, several=(20, 0.25, 0.25)),
    # A box under blocks loses 1.2 dB from 0.12; the others tried hardly differ (start_levels.py).
    "missing among others": Policy(20, 0.25, 0.0, several=(20, 0.25, 0.25)),
}
# What benchmarks/sampler_constants.py measures on photos of train/val:
# Variance of a guess's error in a draw, in that of its level: DRAW with eight calls, and more with
# more, (calls / 8)^GROWING times as much, which is 0.3 with 20. A draw of eight calls is then
# sharpest, or within 0.005 of HaarPSI of that, and the scene's numbers lie within nine draws about
# as often as they should; with twice as much they do through grain that no scene has.
DRAW, GROWING = 0.15, 0.75
# Noise level under which a guess is good enough to fit Phi to, where a start is above it: with a
# fit from 1 on contrast and gamma come out 2.4 and 1.7 dB worse; from 0.1 on 4.1 and 1.7 better,
# since there they began at what the photo told, and what is learned is worse than that.
PHI_FROM = 0.5
# A noisy photo led back in steps without new noise keeps some of its own, so that it is begun a
# little above: 0.14 to 0.54 dB for white noise; under a JPEG, whose noise is told too high anyway,
# it costs 0.2 to 0.4.
ABOVE = 1.15


def error_of_draws(steps: int) -> float:
    """Variance of a guess's error in a draw of so many calls, in that of its level; 1 at most.

    Examples
    --------
    >>> round(error_of_draws(8), 2), round(error_of_draws(20), 2)
    (0.15, 0.3)
    """
    return min(DRAW * (steps / 8) ** GROWING, 1.0)


def composed(kinds: Iterable[str]) -> str:
    """The kind that a composition of these is sampled as: the one that starts at the most noise.

    Of two that start at the same the one with more steps.
    """
    found = ("missing among others" if kind == "missing" else kind for kind in kinds)
    return max(found, key=lambda kind: (POLICY[kind].start_sigma or 0.0, POLICY[kind].steps))


def check_settings(
    steps: int, strength: float, samples: int, initial: str, zeta: float, start_sigma: float | None
) -> None:
    """Raise ValueError, in one line, for settings of `restore` that are out of range.

    Examples
    --------
    >>> check_settings(8, 1.0, 1, "photo", 0.25, None)
    """
    settings = (strength, zeta, *(() if start_sigma is None else (start_sigma,)))
    if not all(isinstance(value, Real) for value in settings):
        raise ValueError(f"strength, zeta and start_sigma are numbers, not {settings}")
    if not 0 < strength < math.inf or not 0 <= zeta <= 1:
        raise ValueError(f"strength must be positive and zeta in [0, 1], got {strength}, {zeta}")
    if not (start_sigma is None or 0 < start_sigma < math.inf):
        raise ValueError(f"start_sigma must be positive, got {start_sigma}")
    if not all(isinstance(n, Integral) and int(n) >= 1 for n in (steps, samples)):
        raise ValueError(f"at least one step and one sample, whole ones, not {steps}, {samples}")
    if initial not in ("photo", "random", "given"):
        raise ValueError(f'initial is "photo", "random" or "given", not {initial!r}')
