"""Noise alone: one network call, or several steps back?

    python benchmarks/noise_steps.py --shared ../shared

128 x 128 centre crops of the 24 Kodak photos with Gaussian noise, known: PSNR in dB and HaarPSI of
`restore` in 1, 2, 5 and 20 steps, and the paired differences of one from them, with standard
errors. Then the same after a JPEG of quality 92, with the noise that the command line assumes.
Writes gdp_lite/book/results/noise_steps.csv and noise_steps_jpeg.csv. About 15 minutes on one core.
"""

import argparse

import torch
from first_restoration import centre_crops

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations import GaussianNoise
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore
from gdp_lite.tasks import degradation_for

repair_torchvision()
import piq  # noqa: E402 - it imports torchvision


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior = load_prior()
    x = torch.cat([x for _, x in centre_crops(f"{args.shared}/eval/kodak24", 128)])
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
        image = restored(steps).clamp(0, 1)
        haar = piq.haarpsi(image, x, reduction="none")
        scores[steps] = {"psnr": psnr(image, x).double(), "haarpsi": haar.double()}
        row = {"noise": level, "steps": steps}
        for metric, values in scores[steps].items():
            gap = scores[1][metric] - values
            row[metric] = float(values.mean())
            row[f"one_step_minus_{metric}"] = float(gap.mean())
            row[f"{metric}_error"] = float(gap.std() / len(gap) ** 0.5)
        rows.append(row)
        print(row, flush=True)
    return rows


if __name__ == "__main__":
    main()
