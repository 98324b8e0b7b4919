"""Are samples samples? How often the scene lies where they say, and their spread over their error.

    python benchmarks/coverage.py --shared ../shared

64 x 64 crops of every sixth Kodak photo, known degradations, 19 samples of each: by default, and
as draws (`restore(..., draw=True)`), with the same calls. Were the scene one more sample, it
would lie between the fifth and the fifteenth of 19 in 50% of the places, and within them all in
90%, whatever their distribution. Places are the numbers of the picture, and the means of luma in
8 x 8 squares. `spread` over the root mean square error of the samples' mean, which would be
sqrt(20 / 19), 1.03, times it. The same with a prior whose posterior is exact: scenes drawn from a
Gaussian whose power falls with frequency, and its own denoiser. Writes
gdp_lite/book/results/coverage.csv; about 15 minutes on one core.
"""

import math

import torch
from common import arguments, kodak, operators, show
from torch.nn.functional import avg_pool2d

from gdp_lite.book.results import save_results
from gdp_lite.degradations import Inpainting, random_mask
from gdp_lite.image import LUMA
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE, SAMPLES, PATCH = 64, 19, 8
WAYS = {"default": {}, "draws": {"draw": True}}
NAMES = ("noise", "25% missing", "block average 4", "Gaussian blur", "motion blur", "JPEG")


class Gaussian:
    """A denoiser that is exact for its scenes: mean 1/2, stationary, the same in each channel."""

    def __init__(self):
        f = torch.hypot(torch.fft.fftfreq(SIZE)[:, None], torch.fft.rfftfreq(SIZE))
        power = 1 / (f.square() + 0.02**2)
        self.power = 0.15**2 * power / power.mean()

    def scenes(self, count):
        """(count, 3, 64, 64)."""
        white = torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
        return 0.5 + torch.fft.irfft2(torch.fft.rfft2(white) * self.power.sqrt(), s=(SIZE, SIZE))

    def __call__(self, x, sigma):
        keep = self.power / (self.power + float(torch.as_tensor(sigma).flatten()[0]) ** 2)
        return 0.5 + torch.fft.irfft2(torch.fft.rfft2(x - 0.5) * keep, s=x.shape[-2:])


def covered(samples, x):
    """Shares of the numbers of x within the middle ten and within all of the samples."""
    rank = (samples < x).sum(0)
    return float(((rank >= 5) & (rank < 15)).double().mean()), float(
        ((rank >= 1) & (rank < SAMPLES)).double().mean()
    )


def patches(images):
    """Means of luma in squares, (..., 3, H, W) -> (..., H / 8, W / 8)."""
    luma = torch.einsum("c,...chw->...hw", images.new_tensor(LUMA), images)
    return avg_pool2d(luma.flatten(0, -3)[:, None], PATCH).view(*luma.shape[:-2], SIZE // PATCH, -1)


def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    known = operators(SIZE)
    known = {name: known[name].requires_grad_(False) for name in NAMES}
    mask = random_mask(SIZE, SIZE, 0.9, generator=torch.Generator().manual_seed(0))
    known["90% missing"] = Inpainting(mask, 2 / 255)
    gaussian, rows = Gaussian(), []
    kinds = {"photos": (torch.cat(kodak(args.shared, SIZE, every=6)), load_prior())}
    kinds["exact Gaussian"] = (gaussian.scenes(6), gaussian)
    for kind, (x, prior) in kinds.items():
        for name, degradation in known.items():
            y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
            for way, settings in WAYS.items():
                generator = torch.Generator().manual_seed(1)
                result = restore(
                    y, degradation, prior, samples=SAMPLES, generator=generator, **settings
                )
                samples = result.samples
                row = {"prior": kind, "operator": name, "way": way}
                row["pixels_50"], row["pixels_90"] = covered(samples, x)
                row["patches_50"], row["patches_90"] = covered(patches(samples), patches(x))
                error = (samples.mean(0) - x).square().mean().sqrt()
                row["spread"] = float(samples.var(0).mean().sqrt() / error)
                row["psnr_of_mean"] = -20 * math.log10(float(error))
                rows.append(row)
                show(row)
    save_results("coverage", rows)


if __name__ == "__main__":
    main()
