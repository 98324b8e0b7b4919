"""Noise alone: one network call, or several steps back?

    python benchmarks/noise_steps.py --shared ../shared

128 x 128 centre crops of the 24 Kodak photos with Gaussian noise, known: PSNR in dB and HaarPSI of
`restore` in 1, 2, 5 and 20 steps, and the paired differences of one from them, with standard
errors. Then the same after a JPEG of quality 92, with the noise that the command line assumes.
Writes gdp_lite/book/results/noise_steps.csv and noise_steps_jpeg.csv. About 15 minutes on one core.
"""

import torch
from common import arguments, haarpsi, kodak, mean_and_error, show

from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import GaussianNoise
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore
from gdp_lite.tasks import degradation_for


def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    prior = load_prior()
    x = torch.cat(kodak(args.shared, 128))
    save_results(
        "noise_steps", [row for level in (5, 10, 25, 50) for row in white(level, x, prior)]
    )
    rows = [row for level in (5, 15, 25) for row in through_a_file(level, x, prior)]
    save_results("noise_steps_jpeg", rows)


def white(level, x, prior):
    noise = GaussianNoise(level / 255)
    y = noise.simulate(x, torch.Generator().manual_seed(level))
    return compared(level, x, lambda steps: restore(y, noise, prior, steps).image)


def through_a_file(level, x, prior):
    noisy = GaussianNoise(level / 255).simulate(x, torch.Generator().manual_seed(level))
    photos = [through_jpeg(y.clamp(0, 1), 92) for y in noisy.split(1)]
    assumed = [degradation_for("denoise", y) for y in photos]

    def in_steps(steps):
        pairs = zip(photos, assumed, strict=True)
        return torch.cat([restore(y, noise, prior, steps).image for y, noise in pairs])

    return compared(level, x, in_steps)


def compared(level, x, restored):
    """A row for each number of steps; restored: steps -> images."""
    scores, rows = {}, []
    for steps in (1, 2, 5, 20):
        image = restored(steps)
        scores[steps] = {"psnr": psnr(image, x).double(), "haarpsi": haarpsi(image, x)}
        row = {"noise": level, "steps": steps}
        for metric, values in scores[steps].items():
            gap = scores[1][metric] - values
            row[metric] = float(values.mean())
            row[f"one_step_minus_{metric}"], row[f"{metric}_error"] = mean_and_error(gap)
        rows.append(row)
        show(row)
    return rows


if __name__ == "__main__":
    main()
