"""How near one image is to another, one sample of points to another, one kernel to another."""

import torch
from torch import Tensor


def psnr(image, truth):
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE), for each image of the batch; (B,).

    Images (B, 3, H, W) in display range; `image` is clipped to [0, 1] first, as a file would.
    """
    error = (image.clamp(0, 1) - truth).square().flatten(1).mean(1)
    return -10 * error.log10()


def energy_distance_test(x, y, permutations=199, generator=None):
    """Could x and y be samples of one distribution? (energy distance, p-value), two floats.

    x, y: points, (n, d) and (m, d), floats of one dtype and unit; the distance has that unit.
    It is 2 E|x - y| - E|x - x'| - E|y - y'|, means over all pairs: not negative, and 0 only for
    equal distributions. The p-value is the share of relabellings, the given one among them,
    with a distance at least as large; its smallest value is 1 / (permutations + 1).
    generator: a CPU generator for the relabellings. Memory: (n + m)^2 numbers.
    Raises ValueError where the shapes do not fit.
    Source: Szekely and Rizzo 2013. Derived in the chapter on the reverse step.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(f"two samples (n, d) and (m, d), not {tuple(x.shape)}, {tuple(y.shape)}")
    both = torch.cat([x, y])
    weights = torch.ones(len(both)).to(both)
    weights[: len(x)], weights[len(x) :] = 1 / len(x), -1 / len(y)
    orders = [torch.randperm(len(both), generator=generator) for _ in range(permutations)]
    rows = torch.stack([weights] + [weights[order] for order in orders])
    energy = -((rows @ torch.cdist(both, both)) * rows).sum(1)
    return float(energy[0]), float((energy >= energy[0]).double().mean())


def similarity(a: Tensor, b: Tensor) -> float:
    """The largest normalised correlation of two kernels over whole shifts, 0 to 1.

    Source: Hu and Yang 2012. a, b: (n, n), (m, m), odd.
    """
    size = 2 * max(len(a), len(b)) + 1
    spectra = [torch.fft.rfft2(k.double(), s=(size, size)) for k in (a, b)]
    product = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(size, size))
    return float(product.max() / (a.double().norm() * b.double().norm()))
