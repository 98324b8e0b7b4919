"""Are samples samples? How often the scene lies where they say, and their spread over their error.

    python benchmarks/coverage.py --shared ../shared

64 x 64 crops of every sixth Kodak photo, known degradations, 19 samples of each: by default; as
draws (`restore(..., draw=True)`) with the same calls, and where those are 8 with 20, and with twice
the error for a guess (strength 2); DiffPIR's, 20 calls, as documented and at the best of
methods.csv's settings for this kind of damage (that of JPEG 30 for JPEG). Were the scene one more
sample, it would lie between the fifth and the fifteenth of 19 in 50% of the places, and within them
all in 90%, whatever their distribution. Places are the numbers of the picture, and the means of
luma in 8 x 8 squares. `spread` over the root mean square error of the samples' mean, which would be
sqrt(20 / 19), 1.03, times it. PSNR and HaarPSI of the samples' mean, and of a sample. The same with
a prior whose posterior is exact: scenes drawn from a Gaussian whose power falls with frequency, and
its own denoiser. The ways with 20 calls for 8 and DiffPIR compute in bfloat16 where the processor
has it. Writes gdp_lite/book/results/coverage.csv; about half an hour on one core then.
"""

import math

import torch
from common import arguments, diffpir, haarpsi, kodak, operators, show, squares

from gdp_lite.book.results import load_results, save_results
from gdp_lite.degradations import Inpainting, random_mask
from gdp_lite.policy import POLICY
from gdp_lite.precision import in_precision, quickest
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

SIZE, SAMPLES = 64, 19
NAMES = ("noise", "25% missing", "block average 4", "Gaussian blur", "motion blur", "JPEG")
# The spread by default is near the error of bfloat16.
IN_FULL = ("default", "draws", "draws, strength 2")
TASKS = {"noise": "noise 25", "block average 4": "blocks x4", "JPEG": "JPEG 30"}  # of methods.csv


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


def settings_of_diffpir(name, kind):
    """What methods.csv has for this damage, "documented" or "best"."""
    row = next(
        row
        for row in load_results("methods")
        if (row["task"], row["method"], row["settings"]) == (TASKS.get(name, name), "DiffPIR", kind)
    )
    return {key: float(value) for key, value in map(str.split, row["chosen"].split(", "))}


def ways(name, degradation):
    """name -> a function of y and the prior, which returns (19, photos, 3, H, W)."""

    def ours(**settings):
        generator = torch.Generator().manual_seed(1)
        return lambda y, prior: (
            restore(y, degradation, prior, samples=SAMPLES, generator=generator, **settings).samples
        )

    def theirs(kind):
        settings = settings_of_diffpir(name, kind)
        return lambda y, prior: diffpir(
            y.repeat(SAMPLES, 1, 1, 1), degradation, prior, **settings
        ).unflatten(0, (SAMPLES, len(y)))

    found = {"default": ours(), "draws": ours(draw=True)}
    if POLICY[degradation.kind].recipe(several=True, draw=True)[0] < 20:
        found["draws, 20 calls"] = ours(draw=True, steps=20)
        found["draws, strength 2"] = ours(draw=True, strength=2.0)
    found |= {f"DiffPIR, {kind}": theirs(kind) for kind in ("documented", "best")}
    return found


def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    known = operators(SIZE)
    known = {name: known[name].requires_grad_(False) for name in NAMES}
    mask = random_mask(SIZE, SIZE, 0.9, generator=torch.Generator().manual_seed(0))
    known["90% missing"] = Inpainting(mask, 2 / 255)
    gaussian, rows = Gaussian(), []
    prior = load_prior()
    quick = in_precision(prior, quickest(prior))
    kinds = {"photos": (torch.cat(kodak(args.shared, SIZE, every=6)), prior, quick)}
    kinds["exact Gaussian"] = (gaussian.scenes(6), gaussian, gaussian)
    for kind, (x, prior, quick) in kinds.items():
        for name, degradation in known.items():
            y = degradation.simulate(x, torch.Generator().manual_seed(0)).detach()
            for way, sampler in ways(name, degradation).items():
                samples = sampler(y, prior if way in IN_FULL else quick)
                row = {"prior": kind, "operator": name, "way": way}
                row["pixels_50"], row["pixels_90"] = covered(samples, x)
                row["patches_50"], row["patches_90"] = covered(squares(samples), squares(x))
                error = (samples.mean(0) - x).square().mean().sqrt()
                row["spread"] = float(samples.var(0).mean().sqrt() / error)
                row["psnr_of_mean"] = -20 * math.log10(float(error))
                row["psnr"] = -10 * math.log10(float((samples - x).square().mean()))
                scene = x.clamp(0, 1)
                row["haarpsi_of_mean"] = float(haarpsi(samples.mean(0), scene).mean())
                row["haarpsi"] = float(torch.stack([haarpsi(s, scene) for s in samples]).mean())
                rows.append(row)
                show(row)
    save_results("coverage", rows)


if __name__ == "__main__":
    main()
