"""Fits the anchors of exposure and white balance on good photos, and tests them on others.

    python benchmarks/anchors.py --shared ../shared

Statistics of the training photos, whole and their 128 x 128 centres, each made darker (f from 1/4
to 1) and cast (gains within 30%), in the file's numbers and in light, noise 2/255; mixtures of two
Gaussians by expectation maximisation. Writes gdp_lite/estimators/anchors.json. Then three draws for
each of the 24 Kodak photos at half size: the error beside that of the best constant target (its
value chosen in hindsight), of grey world and of white patch, paired by photo; how often the 90%
interval, or cone, holds the truth; and with a grey card of 16 x 16 pixels in the picture, exact or
off by 1%. "clipped" are casts after clipping to [0, 1], as files have them. Writes
gdp_lite/book/results/anchors.csv. About 2 minutes on one core.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from common import arguments, centre, photos, show
from torch.distributions import MultivariateNormal
from torch.nn import functional

from gdp_lite.book.results import save_results
from gdp_lite.estimators import anchors
from gdp_lite.image import linear_to_srgb, srgb_to_linear

SIGMA, DRAWS = 2 / 255, 3
LEAST = {"exposure": 0.02, "cast": 0.05}  # two collections of photos agree no better than that


def darkened(x, linear, generator):
    """(photo, f): f log-uniform from 1/4 to 1."""
    f = math.exp(math.log(0.25) * float(torch.rand(1, generator=generator)))
    return noisy(acted(x, torch.tensor(f), linear), generator), f


def cast(x, linear, generator):
    """(photo, gains): gains uniform within 30%, divided by their mean."""
    gains = 1 + 0.6 * (torch.rand(3, generator=generator) - 0.5)
    gains = gains / gains.mean()
    return noisy(acted(x, gains.view(3, 1, 1), linear), generator), gains.double()


def acted(x, gain, linear):
    return linear_to_srgb(gain * srgb_to_linear(x)) if linear else gain * x


def noisy(x, generator):
    return x + SIGMA * torch.randn(x.shape, generator=generator)


def seen(y, linear):
    return srgb_to_linear(y) if linear else y


def mixture(values, least, steps=60):
    """Expectation maximisation: (n, d) -> weights (2,), means (2, d), covariances (2, d, d)."""
    n, d = values.shape
    rank = (values - values.amax(0)).square().sum(1).argsort().argsort()
    share = functional.one_hot(rank * 2 // n, 2).double()
    for _ in range(steps):
        count = share.sum(0)
        weights, means = count / n, (share.T @ values) / count[:, None]
        offset = values[:, None] - means
        covs = torch.einsum("nk,nki,nkj->kij", share, offset, offset) / count[:, None, None]
        covs = covs + least**2 * torch.eye(d)
        log_p = MultivariateNormal(means, covs).log_prob(values[:, None])
        share = (weights.log() + log_p).softmax(1)
    return [v.numpy().round(5).tolist() for v in (weights, means, covs)]


def fit(folder):
    found, generator = {}, torch.Generator().manual_seed(1)
    for linear in (False, True):
        bright, colour, mean = [], [], []
        for _, photo in photos(folder):
            for x in (photo, centre(photo, 128)):
                y, f = darkened(x, linear, generator)
                bright.append(anchors.brightest(seen(y, linear)).amax(0, True) - math.log(f))
                mean.append(float(seen(y, linear).mean().log()) - math.log(f))
                y, gains = cast(x, linear, generator)
                colour.append(anchors.brightest(seen(y, linear)) - gains.log())
        scale = anchors.CURVE if linear else 1.0
        found["linear" if linear else "encoded"] = {
            "exposure": mixture(torch.stack(bright), LEAST["exposure"]),
            "cast": mixture(torch.stack(colour), scale * LEAST["cast"]),
            "mean": [round(float(np.mean(mean)), 5), round(float(np.std(mean)), 5)],
        }
    file = Path(anchors.__file__).with_suffix(".json")
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    anchors._anchors.cache_clear()


def angle(a, b):
    """Degrees between colours, the last axis."""
    cosine = (a * b).sum(-1) / a.norm(dim=-1) / b.norm(dim=-1)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def with_card(x, error, generator):
    """A grey card of 0.45, each channel off by a relative `error`, and the reference to it."""
    top, left = (int(torch.randint(n - 16, (), generator=generator)) for n in x.shape[-2:])
    x = x.clone()
    off = error * torch.randn(3, 1, 1, generator=generator)
    x[..., top : top + 16, left : left + 16] = 0.45 * (1 + off)
    return x, anchors.Reference((top, left, 16, 16), 0.45, max(error, 0.003))


def exposure_errors(x, linear, generator):
    """log f found - log f by each way; "cover": whether the 90% interval holds f."""
    y, f = darkened(x, linear, generator)
    posterior = anchors.exposure_posterior(seen(y, linear), linear)
    low, middle, high = posterior.quantile(torch.tensor([0.05, 0.5, 0.95]).double()).tolist()
    row = {"found": abs(math.log(middle / f)), "cover": float(low <= f <= high)}
    row["log mean"] = float(seen(y, linear).mean().log()) - math.log(f)
    row["white patch"] = abs(float(anchors.brightest(seen(y, linear)).max()) - math.log(f))
    for name, error in (("card", 0.0), ("card 1%", 0.01)):
        carded, reference = with_card(x, error, generator)
        y = noisy(acted(carded, torch.tensor(f), linear), generator)
        found = anchors.exposure_posterior(seen(y, linear), linear, reference).median()
        row[name] = abs(math.log(float(found) / f))
    return row


def cast_errors(x, linear, generator, clip=False):
    """Angles in degrees between found and true gains."""
    y, gains = cast(x, linear, generator)
    y = y.clamp(0, 1) if clip else y
    posterior = anchors.cast_posterior(seen(y, linear), linear)
    found = posterior.mean(0)
    row = {"found": float(angle(found, gains))}
    row["cover"] = float(row["found"] <= angle(posterior, found).quantile(0.9))
    row["grey world"] = float(angle(seen(y, linear).double().mean((0, 2, 3)), gains))
    row["white patch"] = float(angle(anchors.brightest(seen(y, linear)).exp(), gains))
    for name, error in (("card", 0.0), ("card 1%", 0.01)):
        carded, reference = with_card(x, error, generator)
        y = noisy(acted(carded, gains.float().view(3, 1, 1), linear), generator)
        y = y.clamp(0, 1) if clip else y
        found = anchors.cast_posterior(seen(y, linear), linear, reference).mean(0)
        row[name] = float(angle(found, gains))
    return row


def main():
    args = arguments(__doc__, "train and eval").parse_args()
    fit(f"{args.shared}/train/photos")
    kodak = [functional.avg_pool2d(x, 2) for _, x in photos(f"{args.shared}/eval/kodak24")]
    rows = []
    for linear in (False, True):
        for what in ("exposure", "cast", "cast, clipped"):
            generator, errors = torch.Generator().manual_seed(5), []
            for x in kodak * DRAWS:
                if what == "exposure":
                    errors.append(exposure_errors(x, linear, generator))
                else:
                    errors.append(cast_errors(x, linear, generator, what.endswith("clipped")))
            values = {k: np.array([row[k] for row in errors]) for k in errors[0]}
            if what == "exposure":
                means = values.pop("log mean")  # the constant that would have been best
                values["constant target"] = min(
                    (np.abs(means - c) for c in np.linspace(-3, 0.5, 701)), key=np.mean
                )
            values = {k: v.reshape(DRAWS, 24).mean(0) for k, v in values.items()}
            within = 0.05 if what == "exposure" else 2.0
            within = {
                name: np.mean([row[name] <= within for row in errors])
                for name in ("card", "card 1%")
            }
            for name, value in values.items():
                gap = value - values["found"]
                row = {"where": "light" if linear else "encoded", "what": what, "by": name}
                row["mean"] = float(value.mean())
                row["standard_error"] = float(value.std(ddof=1) / 24**0.5)
                row["minus_found"] = float(gap.mean())
                row["its_error"] = float(gap.std(ddof=1) / 24**0.5)
                row["within_bar"] = float(within.get(name, math.nan))
                rows.append(row)
                show(row)
    save_results("anchors", rows)


if __name__ == "__main__":
    main()
