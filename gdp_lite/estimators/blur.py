"""How wide the blur of a photo is, by the fall of its spectrum."""

import math

import torch
from torch import Tensor

from gdp_lite.estimators.estimate import Estimate

# Mean over the 1,380 training photos: the fall of a photo's spectrum, its spread from photo to
# photo, and the width of the blur that lens, demosaicking and scaling leave in a sharp one. By
# another fit, least squares of the logarithm, benchmarks/package_constants.py has 2.1, 0.53, 0.36.
FALL, FALL_SPREAD, OWN_WIDTH = 2.3, 0.45, 0.33


def estimate_blur_width(y: Tensor, sigma: float = 0.0) -> Estimate:
    """Width of the Gaussian that blurred a photo; of other kernels the second moment.

    Whittle's likelihood of the spectrum: at angular frequency w the power of a photo, mean over
    its channels, has the mean a w^-b exp(-(width^2 + OWN_WIDTH^2) w^2) + floor,
    b ~ N(FALL, FALL_SPREAD^2), a and the floor, from sigma^2 upwards, anything: a JPEG has one.

    Parameters
    ----------
    y : (B, C, H, W), display range.
    sigma : standard deviation of the noise in y, display range.

    Returns
    -------
    Pixels, in [0.05, 10], the least where the floor hides everything. ``std``: from the curvature
    of the likelihood (Laplace).

    Raises
    ------
    ValueError : below 16 x 16 pixels.

    Examples
    --------
    >>> from gdp_lite.degradations import GaussianBlur
    >>> photo = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)).cumsum(-1)
    >>> photo = 0.01 * photo.cumsum(-2)
    >>> 1.8 < estimate_blur_width(GaussianBlur(25, 2.0)(photo)) < 2.5
    True
    """
    if y.ndim != 4 or not bool(y.isfinite().all()):
        raise ValueError(f"photos (B, C, H, W), finite, are needed, got {tuple(y.shape)}")
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    omega, power, count = radial_spectrum(y)
    least = max(sigma, 0.3 / 255) ** 2  # 8 bits leave that much

    def minus_log(log_a: Tensor, b: Tensor, log_width: Tensor, log_floor: Tensor) -> Tensor:
        width = log_width.exp().clamp(0.05, 10)
        fall = log_a - b * omega.log() - (width**2 + OWN_WIDTH**2) * omega**2
        mean = fall.exp() + least * (1 + log_floor.exp())
        prior = 0.5 * ((b - FALL) / FALL_SPREAD) ** 2
        return 0.5 * (count * (power / mean + mean.log())).sum() + prior

    found = []
    for width in (0.3, 1.0, 3.0):  # the likelihood may have several maxima
        log_a = (power[:4].log() + FALL * omega[:4].log() + width**2 * omega[:4] ** 2).mean()
        first = [float(v) for v in (log_a, FALL, math.log(width), -2.0)]
        raw = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in first]
        optimiser = torch.optim.LBFGS(raw, max_iter=60, line_search_fn="strong_wolfe")

        def closure(raw: list = raw, optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            loss = minus_log(*raw) / len(omega)
            loss.backward()
            return loss

        with torch.enable_grad():
            optimiser.step(closure)
        with torch.no_grad():
            found.append((float(minus_log(*raw)), [v.detach() for v in raw]))
    best = min(found, key=lambda f: f[0])[1]
    hessian = torch.tensor(torch.autograd.functional.hessian(minus_log, tuple(best)))
    width = min(max(float(best[2].exp()), 0.05), 10.0)
    var = float(torch.linalg.pinv(hessian)[2, 2])
    return Estimate(width, width * var**0.5 if var > 0 else math.inf)


def radial_spectrum(y: Tensor, bins: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Rings of equal width in log frequency -> angular frequency, mean power, independent numbers.

    Of the mirrored image, so that its edges make no cross. White noise of variance v in every
    channel has power v.
    """
    grey = y.detach().double().mean(1)
    grey = torch.cat([grey, grey.flip(-1)], -1)
    grey = torch.cat([grey, grey.flip(-2)], -2)
    height, width = grey.shape[-2:]
    power = torch.fft.rfft2(grey).abs().square().mean(0) * y.shape[1] / (height * width)
    rows = torch.fft.fftfreq(height, dtype=torch.float64, device=y.device)[:, None]
    columns = torch.fft.rfftfreq(width, dtype=torch.float64, device=y.device)
    omega = (2 * math.pi * torch.hypot(rows, columns)).flatten()
    low = 8 * math.pi / min(height, width)
    keep = (omega > low) & (omega < math.pi)
    omega, power = omega[keep], power.flatten()[keep]
    ring = ((omega / low).log() / math.log(math.pi / low) * bins).long().clamp(0, bins - 1)
    count = torch.zeros(bins).to(power).index_add(0, ring, torch.ones_like(power))
    used = count > 0
    means = [torch.zeros(bins).to(power).index_add(0, ring, v) for v in (omega, power)]
    omega, power = ((v / count)[used].cpu() for v in means)
    return omega, power, count[used].cpu() / 2  # the half plane has every number twice
