"""Light that is not one number: a smooth map of exposures that enters a tone curve.

One gain for a whole photo (`SmoothExposure`) makes clipped skies grey and leaves dark corners
dark. Here black stays black and white stays white, whatever the exposure; what is in between moves,
more or less from place to place.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from gdp_lite.curve import Tone, applied, inverted, splines
from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Within, assign, learn
from gdp_lite.degradations.shapes import two_whole
from gdp_lite.estimators.light import estimate_light

ROWS = 32  # of the photo at a time: little memory, and most of it in the processor's cache


class ToneMap(Degradation):
    """Exposure with a smooth map, a veil, a white that was missed, contrast; no number is clipped.

    Phi: ``stops``, the (n, m) control points of the exposure, each in [-5, 5], spread by cubic
    B-splines: below 0 the photo is darker than the scene, black and white alike. ``white`` in
    [-5, 5] stops: the light that the scene's white has in the photo. ``veil`` in [-0.5, 0.5]:
    stray light or haze, a share of the white. ``contrast`` in [-2, 2] stops: the slope at the
    middle, black and white kept. All 0: nothing happens, bit for bit.
    `initialise` takes what `estimate_light` finds, and holds it.

    Parameters
    ----------
    stops : one number for the whole map, or (n, m) of them.
    white, veil, contrast : as above.
    grid : (n, m), at least 4 each; ValueError else. Only where stops is one number.
    sigma : noise in the photo, display range.

    Examples
    --------
    >>> dark = ToneMap(stops=-2.0)
    >>> x = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    >>> dark(x)[0, 0, 0].detach()
    tensor([0.0000, 0.2800, 1.0000])
    >>> dark.inverse(dark(x))[0, 0, 0].detach()
    tensor([0.0000, 0.5000, 1.0000])
    """

    pointwise = True
    stops: Tensor
    white: Tensor
    veil: Tensor
    contrast: Tensor

    def __init__(
        self,
        stops: float | Sequence[Sequence[float]] | Tensor = 0.0,
        white: float = 0.0,
        veil: float = 0.0,
        contrast: float = 0.0,
        grid: Sequence[int] = (4, 4),
        sigma: float = 0.0,
    ):
        super().__init__(sigma)
        stops = torch.as_tensor(stops, dtype=torch.get_default_dtype())
        if stops.ndim == 0:
            stops = stops.expand(*two_whole(grid, "grid"))
        if stops.ndim != 2 or min(stops.shape) < 4:
            raise ValueError(f"a map of 4 x 4 stops or more is needed, got {tuple(stops.shape)}")
        learn(self, "stops", stops, Within(5.0))
        learn(self, "white", white, Within(5.0))
        learn(self, "veil", veil, Within(0.5))
        learn(self, "contrast", contrast, Within(2.0))

    @classmethod
    def held(cls, tone: Tone) -> "ToneMap":
        """With a Phi that is known, as `estimate_light` finds it, and not learned."""
        white, veil, contrast = map(float, tone[1:])
        return cls(tone.stops, white, veil, contrast).requires_grad_(False)

    def A(self, x: Tensor) -> Tensor:
        if self.nothing:
            return x
        return self._in_rows(lambda x, tone: applied(x, tone)[0], x)

    def inverse(self, y: Tensor) -> Tensor:
        """The scene x with A(x) = y, exactly; noise grows by `noise_gain`."""
        if self.nothing:
            return y
        return self._in_rows(inverted, y)

    def noise_gain(self, y: Tensor) -> Tensor:
        """By how much `inverse` amplifies the noise in each number of a photo y; the size of y."""
        if self.nothing:
            return torch.ones_like(y)
        return self._in_rows(lambda y, tone: 1 / applied(inverted(y, tone), tone)[1], y)

    @property
    def nothing(self) -> bool:
        """Whether every Phi is 0 and none is being learned: A is the identity."""
        phi = list(self.parameters())
        return not any(p.requires_grad or bool(p.any()) for p in phi)

    def start(self, y: Tensor) -> Tensor:
        return self.inverse(y)

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        found = estimate_light(y, sigma).tone
        if found.stops.shape != self.stops.shape:
            raise ValueError(f"the map has {tuple(self.stops.shape)} stops, not 4 x 4")
        for name, value in found._asdict().items():
            assign(self, name, value)
        self.requires_grad_(False)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """In every pixel by itself: the answer lies between x and `inverse` (y).

        Gauss-Newton steps, halving that bracket where one would leave it.
        """
        return self._in_rows(lambda x, y, tone: _between(x, y, rho, tone), x, y)

    def _in_rows(self, function: Callable[..., Tensor], *images: Tensor) -> Tensor:
        """function(part of each image, `Tone` of that part), some rows of pixels at a time."""
        height, width = images[0].shape[-2:]
        rows = splines(height, self.stops.shape[0], images[0])
        columns = splines(width, self.stops.shape[1], images[0]).T
        result: Tensor | None = None
        phi = [v.to(images[0]) for v in (self.stops, self.white, self.veil, self.contrast)]
        for top in range(0, height, ROWS):
            part = slice(top, top + ROWS)
            tone = Tone(rows[part] @ phi[0] @ columns, *phi[1:])
            done = function(*(image[..., part, :] for image in images), tone)
            if height <= ROWS:
                return done
            if result is None:  # in place of a list that is joined: half the memory
                result = done.new_empty(*done.shape[:-2], height, width)
            result[..., part, :] = done
        assert result is not None
        return result


def _between(x: Tensor, y: Tensor, rho: float, tone: Tone, steps: int = 12) -> Tensor:
    """A zero of the derivative of (A(z) - y)^2 + rho (z - x)^2 between x and the inverse of y."""
    target = inverted(y, tone)
    low, high, z = torch.minimum(x, target), torch.maximum(x, target), target
    for _ in range(steps):
        image, slope = applied(z, tone)
        downhill = slope * (y - image) + rho * (x - z)
        low = torch.where(downhill > 0, z, low)
        high = torch.where(downhill < 0, z, high)
        ahead = z + downhill / (slope.square() + rho)
        ahead = torch.where((ahead < low) | (ahead > high), (low + high) / 2, ahead)
        done = bool(((ahead - z).abs() < 1e-6).all())
        z = ahead
        if done:
            break
    return z
