"""Exposure, uneven light, veil and contrast from one photo: Phi of `ToneMap`.

f x = (f c)(x / c): only what good photos look like fixes the light. `light_statistics` says how
likely a fault is that a person would see, and what the scene would look like in good light. Where
it is less than `SEEN` nothing is done. Else Phi minimises, on a small photo, the losses that the
source's L_perceptual^k is for: exposure control (here towards what is expected of this photo, not
of every one), colour constancy (the same for its colour), smoothness of the illumination, and
noise, which must not be lifted until it is the picture.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdp_lite.curve import Tone, applied, inverted, spread_over
from gdp_lite.estimators.estimate import Estimate
from gdp_lite.estimators.light_statistics import Expected, expected, luma, small, summary
from gdp_lite.image import check_one_photo, srgb_to_linear

# Chance from which on something is done. What looks too bright is often meant to be, or a window
# makes it so: there more is asked, for darkening is the worse harm. Doing a part already in doubt
# costs good photos more than bad ones gain (benchmarks/light.py --shares).
SEEN = {"too dark": 0.6, "too bright": 0.75, "low contrast": 0.6, "uneven light": 0.6}
# How far Phi may go, standard deviations: mean stops, their differences across the map, white and
# contrast in stops, veil. By hand, on simulated faults of train/photos. On 52 faults simulated on
# train/val half the mean stops cost 0.6 to 0.8 CIEDE2000, twice as many gain 0.1 to 0.4, other
# columns change 0.3 at most, one row for all faults costs 0.2 to 1.1 (benchmarks/light.py
# --constants). Photos that are taken for faulty and are not are not among them.
SPREAD = {
    "too dark": (3.0, 0.4, 2.0, 0.5, 0.02),
    "too bright": (2.0, 0.3, 0.01, 0.7, 0.05),
    "low contrast": (0.7, 0.3, 0.5, 1.2, 0.2),
    "uneven light": (0.7, 1.0, 0.5, 0.5, 0.02),
}
# Least noise, what is seen of it, its price. Twice VISIBLE makes such dark photos 0.4 CIEDE2000
# better, half 1.7 worse; but they are looked at small, where nobody sees noise.
FLOOR, VISIBLE, NOISE_WEIGHT = 1.5 / 255, 6 / 255, 40.0
# The share of the noise that its removal leaves. With 1, 0.7, 0.5 and 0.25 the mean CIEDE2000 of 27
# photos of train/val, by another camera 1.5 and 3 stops too dark, ISO 400 to 6400, is 20.6, 17.4,
# 16.2 and 16.1 (benchmarks/other_camera.py --left); less lifts a black sky further, for nothing.
LEFT = 0.5
CLIPPED = 0.99  # display range: from here on a value has no noise
STEPS = 25  # of L-BFGS: 40 change less than 0.1 CIEDE2000 (there)


@dataclass(frozen=True)
class Light:
    """What is wrong with the light of a photo.

    Parameters
    ----------
    tone : Phi of `ToneMap`, as ``ToneMap.held(tone)`` takes it, its map 4 x 4; all 0, the identity,
        where nobody would see a fault.
    visible : probability that a person would see a fault.
    fault : "too dark", "too bright", "low contrast", "uneven light" or "none".
    stops : by how many stops the inverse brightens the middle (the median) of the photo;
        ``std``: how well the middle of the scene is known, in stops.
    faults : the probability of each fault.

    Examples
    --------
    >>> found = estimate_light(torch.full((1, 3, 32, 32), 0.02))
    >>> found.line.startswith(found.fault)
    True
    """

    tone: Tone
    visible: float
    fault: str
    stops: Estimate
    faults: dict[str, float]

    @property
    def line(self) -> str:
        """What was found, in plain words."""
        chance = f"{100 * self.visible:.0f}% chance that a person sees it"
        if self.fault == "none":
            if self.visible < 0.5:
                return f"as in good photos ({100 * self.visible:.0f}% chance of a fault)"
            return f"perhaps a fault ({chance}), but which is not sure enough; left as it is"
        change = f"{self.stops:+.1f} ± {self.stops.std:.1f} stops at its middle"
        return f"{self.fault} ({chance}): {change}"

    def numbers(self) -> dict[str, Any]:
        """Phi, for a report."""
        return {name: value.tolist() for name, value in self.tone._asdict().items()}


def estimate_light(photo: Tensor, noise: float = 0.0) -> Light:
    """What is wrong with the light of one photo.

    Parameters
    ----------
    photo : (1, 3, H, W), display range; of any size, it is looked at small.
    noise : standard deviation, display range, of the noise that will be taken away afterwards. What
        that leaves is lifted until it is as strong as the noise was, or as nobody sees, no more.

    Returns
    -------
    Light; takes about a second.

    Raises
    ------
    ValueError : for anything else than one finite photo, and for a negative noise.

    Examples
    --------
    >>> shade = torch.linspace(0, 0.25, 64).expand(1, 3, 48, 64)
    >>> found = estimate_light(shade)
    >>> found.fault
    'too dark'
    >>> from gdp_lite.degradations import ToneMap
    >>> bool(ToneMap.held(found.tone).inverse(shade).mean() > shade.mean())
    True
    """
    check_one_photo(photo)
    if not 0 <= noise < float("inf"):
        raise ValueError(f"noise must be 0 or more, got {noise}")
    y = small(photo)
    told = expected(y)
    visible = 1 - told.none
    fault = max(told.faults, key=lambda name: told.faults[name])
    if visible >= SEEN[fault]:
        with torch.enable_grad():
            tone = fitted(y, told, noise)
        x = inverted(y, spread_over(tone, y))
    else:
        fault, tone, x = "none", Tone(torch.zeros(4, 4), *torch.zeros(3)), y
    stops = _brighter(y, x, told)
    if stops * {"too dark": 1, "too bright": -1}.get(fault, 0) < 0:
        fault = "uneven light"  # a bright window, or a lamp: the other way round in the rest
    tone = Tone(*(v.float() for v in tone))
    return Light(tone, visible, fault, stops, told.faults)


def fitted(y: Tensor, told: Expected, noise: float) -> Tone:
    """Phi by L-BFGS on the sum of `losses`. y: of `small`."""
    brightest, darkest = torch.quantile(y.amax(1), 0.998), torch.quantile(y.amin(1), 0.002)
    # White is not set below the photo's brightest parts, nor black above its darkest.
    lowest = srgb_to_linear(brightest.clamp(0.05, 1)).log2().clamp(min=-4.9)
    most = srgb_to_linear(darkest).clamp(1e-6, 0.4)
    spare = told.weights["too bright"] + 1e-3
    raw = [torch.zeros(n, dtype=y.dtype, requires_grad=True) for n in ((4, 4), (), (), ())]

    def phi() -> Tone:
        white = lowest * torch.sigmoid(raw[1])
        veil = (most / white.exp2()).clamp(max=0.45) * torch.sigmoid(raw[2])
        # Contrast is given back; only where too much light took it may it be taken, and little:
        # in other photos that looks like a veil.
        contrast = 1.9 * torch.tanh(raw[3].clamp(max=0) / 1.9)
        contrast = contrast + spare * torch.tanh(raw[3].clamp(min=0) / spare)
        return Tone(4 * torch.tanh(raw[0] / 4), white, veil, contrast)

    optimiser = torch.optim.LBFGS(
        raw, max_iter=STEPS, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = torch.stack(list(losses(y, phi(), told, noise).values())).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        return phi()


def losses(y: Tensor, phi: Tone, told: Expected, noise: float) -> dict[str, Tensor]:
    """What `fitted` minimises, by name: minus the log of a posterior of Phi, but for constants.

    y: of `small`; phi: `Tone` with a map of 4 x 4 stops.
    """
    stops, tone = phi.stops, spread_over(phi, y)
    x = inverted(y, tone)
    gap = summary(x.clamp(-0.2, 1.2)) - told.mean
    cov = told.cov + 1e-4 * torch.eye(len(gap)).to(gap)
    # Of several possible faults: the geometric mean, as what only one allows is to be used little.
    var = [math.prod(SPREAD[f][i] ** (2 * w) for f, w in told.weights.items()) for i in range(5)]
    values = stops.mean(), phi.white, phi.contrast, phi.veil
    spread = [v.square() / s for v, s in zip(values, (var[0], *var[2:]), strict=True)]
    steps = (torch.diff(stops, dim=0).square().sum() + torch.diff(stops, dim=1).square().sum()) / 6
    grown = max(LEFT * noise, FLOOR) / applied(x, tone)[1] * (y < CLIPPED)
    allowed = max(noise, VISIBLE)  # no more than was there
    return {
        "exposure and colour": 0.5 * gap @ torch.linalg.solve(cov, gap),
        "spread": 0.5 * torch.stack(spread).sum(),
        "smoothness": 0.5 * (steps + 2 * stops.var(correction=0)) / var[1],
        "noise": 0.5 * NOISE_WEIGHT * (grown / allowed - 1).clamp(min=0).square().mean(),
    }


def _brighter(y: Tensor, x: Tensor, told: Expected) -> Estimate:
    """By how many stops the median grows from y to x, and how well the scene's is known."""
    before, after = (luma(image).median().clamp(0.01, 1) for image in (y, x))
    light = srgb_to_linear(torch.stack([before, after, after + 0.01])).log2()
    per_level = (light[2] - light[1]) / 0.01
    return Estimate(float(light[1] - light[0]), float(per_level * told.cov[3, 3].sqrt()))
