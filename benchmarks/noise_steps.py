"""Noise alone: one network call, or several steps back?

    python benchmarks/noise_steps.py --shared ../shared

128 x 128 centre crops of the 24 Kodak photos with Gaussian noise, known, and without JPEG: PSNR in
dB and HaarPSI of `restore` in 1, 2, 5 and 20 steps, and the paired differences of one from them,
with standard errors. Writes gdp_lite/results/noise_steps.csv. About 8 minutes on one core.
"""

import argparse

import torch
from first_restoration import centre_crops

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.degradations import GaussianNoise
from gdp_lite.metrics import psnr
from gdp_lite.prior import load_prior
from gdp_lite.results import save_results
from gdp_lite.sampler import restore

repair_torchvision()
import piq  # noqa: E402 - it imports torchvision


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default="../shared", help="folder with eval/kodak24")
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior, rows = load_prior(), []
    x = torch.cat([x for _, x in centre_crops(f"{args.shared}/eval/kodak24", 128)])
    for level in (5, 10, 25, 50):
        noise = GaussianNoise(level / 255)
        y = noise.simulate(x, torch.Generator().manual_seed(level))
        scores = {}
        for steps in (1, 2, 5, 20):
            image = restore(y, noise, prior, steps).image.clamp(0, 1)
            haar = piq.haarpsi(image, x, reduction="none")
            scores[steps] = {"psnr": psnr(image, x).double(), "haarpsi": haar.double()}
        for steps, found in scores.items():
            row = {"noise": level, "steps": steps}
            for metric, values in found.items():
                gap = scores[1][metric] - values
                row[metric] = float(values.mean())
                row[f"one_step_minus_{metric}"] = float(gap.mean())
                row[f"{metric}_error"] = float(gap.std() / len(gap) ** 0.5)
            rows.append(row)
            print(row, flush=True)
    save_results("noise_steps", rows)


if __name__ == "__main__":
    main()
