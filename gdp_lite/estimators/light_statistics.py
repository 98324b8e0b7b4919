"""What a photo's light looks like in numbers, and what they tell of the scene's.

`features` of a photo, small, go into a logistic model: is it as a good photo is, or too dark, too
bright, low in contrast, unevenly lit? Given a fault, linear regressions on the same features
predict the `summary` that the scene would have had in good light, but for what the photo has white:
its quantiles of brightness, the brightness of its parts, its colour; and how well they do. The
coefficients, in light.json, come from good photos and from simulations that are not the package's
model: benchmarks/light.py --fit.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.image import LUMA

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # of luma: black, shade, ..., white
FAULTS = ("too dark", "too bright", "low contrast", "uneven light")
# Where the likeliest fault is one of these, the scene is expected by it alone: in photos that are
# too bright that gains 0.2 CIEDE2000 where it is so (13.3 to 13.1; 18.5 untouched). Of the others
# the mixture is better for good photos, some of which are seen as too dark; benchmarks/light.py
# --alone prints both.
ALONE = ("too bright",)
SIDE, LEAST = 96, 16  # of the small photo: its longer side, its shorter one at least
# Features further out than that, in standard deviations, tell no more. With 2, or no limit at all,
# the scene is expected as well, to half a percent of the error (benchmarks/light.py --range).
RANGE = 3.0


class Expected(NamedTuple):
    """What the numbers of a photo tell.

    Parameters
    ----------
    none : probability that nobody would see a fault.
    faults : probability of each of `FAULTS`; with none their sum is 1.
    weights : of each of `FAULTS` in the mean, given that there is a fault; their sum is 1.
    mean, cov : of the `summary` that the scene can be given; (19,), (19, 19).

    Examples
    --------
    >>> night = 0.05 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> expected(night).faults["too dark"] > 0.5
    True
    """

    none: float
    faults: dict[str, float]
    weights: dict[str, float]
    mean: Tensor
    cov: Tensor


def small(photo: Tensor) -> Tensor:
    """The photo at 96 pixels on its longer side, averaged and clipped, (1, 3, h, w), float64."""
    height, width = photo.shape[-2:]
    scale = SIDE / max(height, width)
    size = [max(LEAST, round(n * scale)) for n in (height, width)]
    return functional.interpolate(photo.detach().cpu(), size, mode="area").double().clamp(0, 1)


def luma(image: Tensor) -> Tensor:
    """(1, 3, H, W) -> (H, W), in the image's range."""
    return torch.einsum("c,chw->hw", torch.tensor(LUMA).to(image), image[0])


def summary(image: Tensor) -> Tensor:
    """Quantiles of luma, its means in 3 x 3 parts, mean R - Y and B - Y, saturation; (19,).

    Can be differentiated. image: (1, 3, H, W), display range.
    """
    y = luma(image)
    quantiles = torch.quantile(y.flatten(), torch.tensor(QUANTILES).to(y))
    parts = torch.stack([p.mean() for row in y.tensor_split(3, 0) for p in row.tensor_split(3, 1)])
    most, least = image.amax(1), image.amin(1)
    colour = [(image[:, c] - y).mean() for c in (0, 2)]
    colour.append(((most - least) / (most.clamp(min=0) + 0.05)).mean())
    return torch.cat([quantiles, parts, torch.stack(colour)])


def features(photo: Tensor) -> np.ndarray:
    """What the models read, (35,). photo: of `small`."""
    y = luma(photo).numpy()
    most, least = photo[0].amax(0).numpy(), photo[0].amin(0).numpy()
    told = summary(photo).numpy()
    parts, q, saturation = np.log(told[7:16] + 0.02).reshape(3, 3), told[:7], told[18]
    tilt = parts[:, 2].mean() - parts[:, 0].mean(), parts[2].mean() - parts[0].mean()
    corners = parts[::2, ::2].mean() - parts.mean()
    blocks = [b for row in np.array_split(y, 8, 0) for b in np.array_split(row, 8, 1)]
    spread, level = (np.array([f(b) for b in blocks]) for f in (np.std, np.mean))
    detail, light = np.log(spread + 0.004), np.log(level + 0.02)
    together = ((detail - detail.mean()) * (light - light.mean())).mean()
    shade, upper = level <= np.median(level), level <= np.quantile(level, 0.75)
    veils = [b.min() for row in np.array_split(least, 8, 0) for b in np.array_split(row, 8, 1)]
    floor = np.quantile(least, [0.01, 0.05, 0.25])
    dark = y[y <= np.quantile(y, 0.75)]
    return np.array(
        [
            *(*q, y.mean(), y.std(), dark.std(), most.mean(), saturation),
            *((most >= 0.99).mean() ** 0.5, (y < 0.02).mean() ** 0.5),
            *(parts.std(), np.hypot(*tilt), tilt[1], corners),
            *(detail.mean(), detail.std(), together / (detail.std() * light.std() + 0.05)),
            *(spread[shade].mean() ** 0.5, spread[~shade].sum() / max((~shade).sum(), 1)),
            *(detail[upper].mean(), np.mean(veils), np.quantile(veils, 0.9), np.std(veils)),
            *(*floor, *np.log(floor[:2] + 0.01), *np.log(q[:2] + 0.01), np.log(q[3] + 0.02)),
        ]
    )


def terms(found: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """1, the features in standard deviations, and their squares; (n, 35) -> (n, 71)."""
    z = np.clip((found - centre) / scale, -RANGE, RANGE)
    return np.concatenate([np.ones((len(z), 1)), z, z**2], 1)


def expected(photo: Tensor) -> Expected:
    """What the model of light.json says of a photo, (1, 3, H, W), display range."""
    model = _model()
    row = terms(features(small(photo))[None], model["centre"], model["scale"])[0]
    score = row @ model["logistic"]
    probability = np.exp(score - score.max())
    probability /= probability.sum()
    faults = probability[1:]
    weights = faults / faults.sum()
    if FAULTS[int(faults.argmax())] in ALONE:
        weights = np.eye(len(FAULTS))[faults.argmax()]
    means = np.einsum("i,kij->kj", row, model["regression"])
    # A mixture of the faults: its mean and covariance.
    mean = weights @ means
    gap = means - mean
    cov = np.einsum("k,kij->ij", weights, model["cov"]) + (weights[:, None] * gap).T @ gap
    chances, shares = (dict(zip(FAULTS, v.tolist(), strict=True)) for v in (faults, weights))
    return Expected(float(probability[0]), chances, shares, torch.tensor(mean), torch.tensor(cov))


@cache
def _model() -> dict[str, np.ndarray]:
    """Feature centre and scale, (35,); logistic (71, 5); per fault regression and covariance."""
    text = (Path(__file__).parent / "light.json").read_text(encoding="utf-8")
    return {name: np.array(value) for name, value in json.loads(text).items()}
