"""Noise that grows with the light: photons arrive one by one (Poisson), reading adds Gaussian.

The variance of a pixel of value x is gain x + read_sigma^2, Foi et al. 2008's a x + b. It holds
for a sensor's numbers, linear light; on an encoded photo it is a fit.
"""

import torch
from torch import nn

from gdp_lite.degradations import Degradation, check_photo
from gdp_lite.diffusion import to_model
from gdp_lite.phi import Between, assign, learn


class PoissonGaussianNoise(Degradation):
    """y = gain Poisson(x / gain) + read_sigma n; the map itself is the identity.

    Phi: ``gain`` in [1e-6, 0.5], display range per photon; ``read_sigma`` in [1e-4, 0.5],
    display range. They are known unless ``requires_grad_()`` is called: then `initialise` finds
    and holds them, or, from a start at random or given, `fit` learns them by `loss`, since
    they shape the noise and not A.
    level: of x, at which ``sigma`` (what the sampler's rho uses) is the standard deviation.
    """

    pointwise = True

    def __init__(self, gain=0.01, read_sigma=0.01, level=0.5):
        nn.Module.__init__(self)
        if not 0 < level <= 1:
            raise ValueError(f"the level of x lies above 0 and up to 1, got {level}")
        self.level = level
        learn(self, "gain", float(gain), Between(1e-6, 0.5))
        learn(self, "read_sigma", float(read_sigma), Between(1e-4, 0.5))
        self.requires_grad_(False)

    @property
    def sigma(self):
        return float((self.gain * self.level + self.read_sigma**2).detach().sqrt())

    def A(self, x):
        return x

    def A_adjoint(self, y):
        return y

    def var(self, x):
        """Variance of y at each pixel; x below 0 counts as 0."""
        return self.gain * x.clamp(min=0) + self.read_sigma**2

    def simulate(self, x, generator=None):
        gain = self.gain.detach().to(x)
        photons = torch.poisson((x.clamp(min=0) / gain).cpu(), generator=generator).to(x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        return gain * photons + self.read_sigma.detach().to(x) * noise

    def prox(self, x, y, rho):
        """Exact, with each pixel of y weighted by sigma^2 / var(x), its variance frozen at x."""
        weight = self.sigma**2 / self.var(x)
        return (weight * y + rho * x) / (weight + rho)

    def loss(self, y, x):
        """-log p(y | x) as if Gaussian, less a constant, summed: the fidelity that fits."""
        var = self.var(x)
        return 0.5 * ((y - x).square() / var + var.log()).sum()

    def initialise(self, y, sigma=None, generator=None):
        gain, read_sigma = estimate_noise_curve(y)
        assign(self, "gain", min(max(gain, 2e-6), 0.4))
        assign(self, "read_sigma", min(max(read_sigma, 2e-4), 0.4))
        self.level = float(y.mean().clamp(0.01, 1))
        return self.requires_grad_(False)

    def anscombe(self, y):
        """Generalised Anscombe transform: noise of standard deviation 1, whatever the value."""
        gain, var = self.gain, self.read_sigma**2
        return 2 / gain * (gain * y + 0.375 * gain**2 + var).clamp(min=0).sqrt()

    def anscombe_inverse(self, z):
        """The algebraic inverse; of a mean it is biased at a few photons (Makitalo and Foi)."""
        gain, var = self.gain, self.read_sigma**2
        return gain * (z / 2).square() - 0.375 * gain - var / gain


def estimate_noise_curve(y, bins=16):
    """(gain, read_sigma) of a photo y, (B, 3, H, W), display range.

    Squares of 2 x 2 pixels: their mean tells the value, their diagonal difference, which smooth
    picture cancels, the noise. Robust levels in bins of the value, then a line through the
    variances. Fine texture adds to it, so only the smoothest quarter of each bin is used.
    ValueError below 16 x 16 pixels and where nearly all of the photo is black or white.
    """
    check_photo(y)
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    height, width = (n - n % 2 for n in y.shape[-2:])
    y = y.detach().double()[..., :height, :width]
    a, b, c, d = (y[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    mean, diagonal = (a + b + c + d) / 4, (a - b - c + d) / 2
    slope = mean.new_zeros(mean.shape)
    for axis in (-2, -1):  # of the means, which are independent of the diagonals
        slope += torch.gradient(mean, dim=axis)[0].abs()
    inside = (mean > 0.02) & (mean < 0.98)
    mean, diagonal, slope = mean[inside], diagonal[inside], slope[inside]
    if len(mean) < 16 * bins:
        raise ValueError("the photo is clipped almost everywhere: no noise to be seen")
    values, variances = [], []
    for part in mean.argsort().tensor_split(bins):
        part = part[slope[part].argsort()[: max(len(part) // 4, 8)]]
        values.append(mean[part].mean())
        variances.append((diagonal[part].abs().median() / 0.67449).square())
    values, variances = torch.stack(values), torch.stack(variances).clamp(min=1e-10)
    # The error of a variance is proportional to it: weights 1 / variance, from a first fit.
    weights = 1 / variances
    for _ in range(5):
        design = torch.stack([values, torch.ones_like(values)], 1) * weights[:, None]
        gain, var = torch.linalg.lstsq(design, variances * weights).solution.tolist()
        if gain < 0:
            gain, var = 0.0, float((weights**2 @ variances) / (weights**2).sum())
        elif var < 0:
            gain, var = float((variances / values).median()), 0.0
        weights = 1 / (gain * values + var).clamp(min=1e-10)
    return gain, var**0.5


def estimate_noise_level(y, prior):
    """Standard deviation of white Gaussian noise in y, (B, 3, H, W), display range; one float.

    Maximum likelihood under the prior, which knows which detail a scene may have: with y taken
    for the noisy image at time t, the derivative of log p_t(y) by the noise level vanishes where
    Stein's two estimates of the denoiser's error agree,

        mean(eps_hat^2) = 1 - div(x0_hat) / N,

    the divergence by one random probe and a finite difference (Ramani, Blu and Unser 2008).
    Bisection over t. Of a photo above 256 x 256 four windows of 128 x 128 are used.
    At least sigma_bar[1], 0.005 for the bundled prior: less the network cannot tell. Of a JPEG
    with halved chroma that is what it returns, whatever the noise: too little of it is white.
    ValueError below 8 x 8 pixels.
    """
    check_photo(y)
    if min(y.shape[-2:]) < 8:
        raise ValueError(f"at least 8 x 8 pixels are needed, got {tuple(y.shape[-2:])}")
    x, schedule = to_model(_windows(y)), prior.schedule
    generator = torch.Generator().manual_seed(0)
    probe = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1

    @torch.no_grad()
    def excess(t):
        """Above 0 where y has more noise than t."""
        scale, sigma_bar = float(schedule.alpha_bar[t]) ** 0.5, float(schedule.sigma_bar[t])
        step = 0.1 * sigma_bar
        eps_hat, moved = (prior.eps(scale * (x + 2 * d * probe), t) for d in (0, step))
        slope = (probe * (moved - eps_hat)).mean()
        return float(eps_hat.square().mean()) - sigma_bar * float(slope) / step

    low, high, at_low = 1, schedule.nearest_t(0.1), excess(1)
    at_high = excess(high) if at_low > 0 else -1.0
    while at_high > 0 and high < schedule.T:
        low, at_low, high = high, at_high, min(2 * high, schedule.T)
        at_high = excess(high)
    if at_low <= 0 or at_high > 0:
        return float(schedule.sigma_bar[low if at_low <= 0 else high])
    while high - low > 1:
        middle = round((low * high) ** 0.5)
        middle = min(max(middle, low + 1), high - 1)
        at_middle = excess(middle)
        if at_middle > 0:
            low, at_low = middle, at_middle
        else:
            high, at_high = middle, at_middle
    share = at_low / (at_low - at_high)
    return float((1 - share) * schedule.sigma_bar[low] + share * schedule.sigma_bar[high])


def _windows(y, side=128):
    """y itself, or four windows in a square grid where it is large."""
    height, width = y.shape[-2:]
    if height * width <= 4 * side * side or min(height, width) < side:
        return y
    tops, lefts = ([round((n - side) * share) for share in (0.2, 0.8)] for n in (height, width))
    return torch.cat([y[..., a : a + side, b : b + side] for a in tops for b in lefts])
