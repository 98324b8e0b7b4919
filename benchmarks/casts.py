"""The histograms' part in finding a colour cast: fitted, and what it is worth.

    python benchmarks/casts.py --shared ../shared [--fit]

--fit: the filters of `gdp_lite.estimators.chroma`, on the training photos, three times whole and
twice a crop of 96 to 192 pixels with noise of up to 8 of 255, each with a random cast in linear
light (log gains of standard deviation `anchors.CAST`), clipped and rounded. The posterior over a
grid of casts, by the brightest values of `anchors` and the filters, is fitted to the true casts by
cross-entropy; filters that differ from bin to bin are penalised. The penalty's weight is the middle
one of three that did equally well on train/val. Three more examples of each photo as a phone takes
it (exposure, sensor, balance, curve and JPEG of `gdp_lite.book.phone`) gained nothing on captures:
of their casts 14% was undone instead of 12% on val, but the error left grew from 1.02 to 1.06, and
on large scenes from 1.12 to 1.16. Writes gdp_lite/estimators/chroma.npz. About five minutes on one
core.

Then every other of train/val's photos and the scenes of train/large that benchmarks/captures.py
cuts, whose originals are among the training photos: by both `findings.CAST_SEEN` and
`anchors.EVIDENCE` were chosen. Kodak's are held back. Each as it is and with a random cast; then
the same scenes as a phone takes them, without noise, "captured", with a white balance that errs as
good photos do (`anchors.GOOD`) and with a random cast, both as a grey card shows them in the file.
By the brightest values alone, with the histograms, and as `findings.of_colour` says, with its
constants and with others. Writes gdp_lite/book/results/casts.csv: rms error of the log gains, of
good photos and of casts; the share of good photos in which a cast is seen (more than 0.18 of a log
gain, or as `of_colour` says), of casts above 0.25 the share that is seen; how much of a cast above
0.25 is undone, seen or not; and the mean squared error of the log gains over that of doing nothing,
where one photo in five has a cast (half undone of what is seen, or what `of_colour` says). By
"chance", what is said of the chance that there is a cast: in each quarter of it, how many of a
group's photos, half of which have a cast, and which share of them has one. Six minutes.
"""

import io
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from common import CAPTURES, arguments, photos, show
from PIL import Image
from torch import Tensor

from gdp_lite import findings
from gdp_lite.book.phone import draw_capture, ideal, photograph, to_linear
from gdp_lite.book.results import save_results
from gdp_lite.estimators import anchors, cast_posterior, chroma, estimate_cast
from gdp_lite.findings import of_colour, small
from gdp_lite.image import from_uint8, linear_to_srgb, srgb_to_linear

MEAN_SEEN, LARGE, OFTEN = 0.18, 0.25, 0.2
SMOOTH, EPOCHS, BATCH, RATE = 3e-3, 12, 512, 0.05
SOFT = 0.8  # bins: the target's spread
CARD = np.full((1, 1, 3), 0.46, np.float32)  # encoded: 18% of the light
CHANCES = 4  # bins of what is said of the chance, all as wide
OTHERS = {  # constants of `of_colour` that were not chosen
    "CAST_SEEN 0.08": ((findings, "CAST_SEEN", 0.08),),
    "CAST_SEEN 0.18": ((findings, "CAST_SEEN", 0.18),),
    "EVIDENCE 0.5": ((anchors, "EVIDENCE", 0.5),),
    "EVIDENCE 1": ((anchors, "EVIDENCE", 1.0),),
    "OFTEN 0.2, CAST_SEEN 0.05": ((anchors, "OFTEN", 0.2), (findings, "CAST_SEEN", 0.05)),
}


def random_logs(generator):
    logs = anchors.CAST * torch.randn(3, generator=generator).double()
    return logs - logs.mean()


def cast(x, logs, noise=0.0, generator=None):
    """As a file has it, in light."""
    y = linear_to_srgb(srgb_to_linear(x) * logs.exp().float().view(1, 3, 1, 1))
    y = y + noise * torch.randn(y.shape, generator=generator)
    return srgb_to_linear((255 * y.clamp(0, 1)).round() / 255)


def crop(x, generator):
    side = int(torch.randint(96, 193, (), generator=generator))
    top, left = (int(torch.randint(n - side + 1, (), generator=generator)) for n in x.shape[-2:])
    return x[..., top : top + side, left : left + side]


def with_errors(capture, logs):
    """The capture with that error of its white balance."""
    red, green, blue = logs.tolist()
    return replace(capture, red_error=red - green, blue_error=blue - green)


def of_card(capture):
    """Log gains that the file shows of a grey card: colour matrix, curve, saturation add to it."""
    plain = replace(capture, exposure=0.0, uneven=0.0, vignetting=0.0)
    logs = torch.from_numpy(to_linear(ideal(CARD, plain))[0, 0]).double().log()
    return logs - logs.mean()


def cast_capture(logs, rng):
    """A capture whose card shows about these log gains, and what it does show."""
    capture = draw_capture(rng)
    more = of_card(with_errors(capture, logs)).norm() / logs.norm()
    capture = with_errors(capture, logs / more)
    return capture, of_card(capture)


def as_scene(x):
    """As `gdp_lite.book.phone` takes it."""
    return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())


def in_light(file):
    """Of the bytes of a file."""
    return srgb_to_linear(from_uint8(np.asarray(Image.open(io.BytesIO(file)))))


def grid():
    """(4096, 3) log gains of mean 0, of the bins."""
    axis = (torch.arange(chroma.BINS) - chroma.BINS // 2).double() * chroma.WIDTH
    u, v = torch.meshgrid(axis, axis, indexing="ij")
    logs = torch.stack([-u, torch.zeros_like(u), -v], -1).view(-1, 3)
    return logs - logs.mean(1, keepdim=True)


def by_brightest(light, casts):
    s = anchors.brightest(light)
    clipped = anchors._clipped(light, s, True, 0.0)
    return anchors._likelihood(casts, s, anchors._anchors()["linear"]["cast"], clipped)


def examples(folder, casts):
    """Square roots of histograms, log prior + log likelihood by the brightest values, targets."""
    generator = torch.Generator().manual_seed(3)
    prior = -casts.square().sum(1) / (2 * anchors.CAST**2)
    colours, logs_p, true = [], [], []
    for _, x in photos(folder):
        for number in range(5):
            logs = random_logs(generator)
            noise = 8 / 255 * float(torch.rand((), generator=generator)) * (number > 2)
            light = cast(x if number < 3 else crop(x, generator), logs, noise, generator)
            colours.append(chroma.histograms(light).sqrt().half())
            logs_p.append((prior + by_brightest(light, casts)).clamp(min=-60).half())
            near = (casts - logs).square().sum(1) / (2 * (SOFT * chroma.WIDTH) ** 2)
            true.append((-near).softmax(0).half())
    return torch.stack(colours), torch.stack(logs_p), torch.stack(true)


def fit(folder):
    colours, told, true = examples(folder, grid())
    n = chroma.BINS
    filters = torch.zeros(5, n, n, requires_grad=True)
    start = torch.zeros(n, n, requires_grad=True)
    optimiser = torch.optim.Adam([filters, start], lr=RATE)
    order = torch.Generator().manual_seed(4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for epoch in range(EPOCHS):
        total = 0.0
        for part in torch.randperm(len(colours), generator=order).split(BATCH):
            scores = chroma.correlated(colours[part].float(), filters) + start
            log_p = (scores.flatten(1) + told[part].float()).log_softmax(1)
            loss = -(true[part].float() * log_p).sum(1).mean()
            rough = sum(
                (f.roll(1, d) - f).square().sum() for f in (filters, start) for d in (-1, -2)
            )
            optimiser.zero_grad()
            (loss + SMOOTH * rough).backward()
            optimiser.step()
            total += float(loss.detach()) * len(part) / len(colours)
        schedule.step()
        print(f"epoch {epoch + 1}: cross-entropy {total:.4f}", flush=True)
    kept = {"filters": filters, "start": start - start.mean()}
    file = Path(chroma.__file__).with_suffix(".npz")
    np.savez_compressed(file, **{k: v.detach().numpy().astype("float16") for k, v in kept.items()})
    chroma._model.cache_clear()


class Found(NamedTuple):
    """What one way says of a photo: whether it acts, the log gains it finds, what it undoes."""

    seen: bool
    gains: Tensor
    undone: Tensor


class Told(NamedTuple):
    """A photo: its cast's log gains; what each way says; the chance of a cast."""

    true: Tensor
    found: dict[str, Found]
    chance: float


def by_mean(light):
    logs = cast_posterior(light, linear=True).log().mean(0)
    logs = logs - logs.mean()
    seen = bool(logs.abs().max() > MEAN_SEEN)
    return Found(seen, logs, 0.5 * seen * logs)


def told(light, true):
    """`Told` of a photo, in light."""
    y = small(linear_to_srgb(light))
    light = srgb_to_linear(y)
    with (
        patch.object(chroma, "score", lambda *_: torch.zeros(chroma.BINS, chroma.BINS)),
        patch.object(anchors, "EVIDENCE", 1.0),
    ):
        found = {"brightest": by_mean(light)}
    found["histograms"] = by_mean(light)
    found["of_colour"] = as_told(y, found["histograms"].gains)
    for way, constants in OTHERS.items():
        with ExitStack() as stack:
            for constant in constants:
                stack.enter_context(patch.object(*constant))
            found[way] = as_told(y, found["histograms"].gains)
    return Told(true, found, estimate_cast(light, linear=True).chance)


def as_told(y, gains):
    finding = of_colour(y, 0.0)
    logs = finding.detail.double().log()
    return Found(finding.seen, gains, finding.seen * (logs - logs.mean()))


def error(gaps):
    return float(torch.stack(gaps).square().sum(1).mean())


def share(true, undone):
    """How much of a cast is undone, 0 to 1."""
    return float((true @ undone) / true.square().sum())


def measured(good, casts, way):
    """name -> (photos, value), of one way; good, casts: lists of `Told`."""
    good, casts = ([(t.true, t.found[way]) for t in photos] for photos in (good, casts))
    strong = [(true, f) for true, f in casts if float(true.abs().max()) > LARGE]
    undone = [share(true, f.undone) for true, f in strong]
    harm, left = (error([true - f.undone for true, f in both]) for both in (good, casts))
    nothing = [error([true for true, _ in both]) for both in (good, casts)]
    n, rows = (len(good), len(casts)), {}
    if way not in OTHERS:
        rows["rms error, good photos"] = n[0], error([t - f.gains for t, f in good]) ** 0.5
        rows["rms error, casts"] = n[1], error([t - f.gains for t, f in casts]) ** 0.5
    return rows | {
        "good photos, seen": (n[0], float(np.mean([f.seen for _, f in good]))),
        "cast above 0.25, seen": (len(strong), float(np.mean([f.seen for _, f in strong]))),
        "undone of it": (len(strong), float(np.mean(undone))),
        "error left": (sum(n), mixed(harm, left) / mixed(*nothing)),
    }


def mixed(good, casts):
    """The mean where one photo in five has a cast."""
    return (1 - OFTEN) * good + OFTEN * casts


def reliability(good, casts):
    """name -> (photos, share that has a cast), by what is said of the chance."""
    chances = np.array([t.chance for t in good + casts])
    place = np.minimum((CHANCES * chances).astype(int), CHANCES - 1)
    has = np.arange(len(chances)) >= len(good)
    for number in range(CHANCES):
        here = place == number
        low, high = (round(100 * n / CHANCES) for n in (number, number + 1))
        if here.any():
            yield f"chance {low} to {high}%", (int(here.sum()), float(has[here].mean()))


def of_photos(pictures, generator):
    """Each as it is, and with a random cast."""
    good = [told(srgb_to_linear(x), torch.zeros(3).double()) for x in pictures]
    casts = [(x, random_logs(generator)) for x in pictures]
    return good, [told(cast(x, logs), logs) for x, logs in casts]


def of_captures(pictures, generator):
    """Each as a phone takes it, without noise: with a white balance that is good, and one off."""
    rng = np.random.default_rng(0)

    def taken(spread):
        for x in pictures:
            capture, logs = cast_capture(spread * random_logs(generator), rng)
            yield told(in_light(photograph(as_scene(x), capture)), logs)

    return list(taken(anchors.GOOD / anchors.CAST)), list(taken(1.0))


def main():
    parser = arguments(__doc__, "eval/kodak24, train")
    parser.add_argument("--fit", action="store_true", help="make chroma.npz anew first")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.fit:
        fit(f"{args.shared}/train/photos")
    generator, rows = torch.Generator().manual_seed(0), []
    groups = {
        "val": [x for _, x in photos(f"{args.shared}/train/val")][::2],
        "large": [x for name, x in photos(CAPTURES) if name.startswith("large-")
                  and name.endswith("-scene")],
        "Kodak": [x for _, x in photos(f"{args.shared}/eval/kodak24")],
    }  # fmt: skip
    both = {group: of_photos(pictures, generator) for group, pictures in groups.items()}
    for group, pictures in groups.items():
        both[f"{group}, captured"] = of_captures(pictures, generator)
    for group, (good, casts) in both.items():
        measures = [(way, measured(good, casts, way)) for way in good[0].found]
        for way, found in [*measures, ("chance", dict(reliability(good, casts)))]:
            for what, (number, value) in found.items():
                rows.append({"group": group, "by": way, "what": what})
                rows[-1] |= {"photos": number, "share": value}
                show(rows[-1])
    save_results("casts", rows)


if __name__ == "__main__":
    main()
