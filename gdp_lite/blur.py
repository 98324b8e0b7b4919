"""Blur with any kernel: motion, defocus, and kernels that have to be found (Phi).

Table 1, second row, H a convolution. Kernels are (n, m), odd, non-negative, with sum 1, the
middle pixel at [n // 2, m // 2]. Convention for a blind kernel: its centre of mass is the
middle, since a shifted kernel and a scene shifted back give the same photo.
"""

import math

import torch
from torch.nn import functional
from torch.nn.utils import parametrize

from gdp_lite.degradations import Degradation, GaussianBlur
from gdp_lite.kernel_search import coarse_to_fine_kernel
from gdp_lite.phi import Between, CentredKernel, assign, learn


class Blur(Degradation):
    """Convolution with a known kernel; beyond its edges the image is mirrored, edge repeated.

    kernel: (n, m), both odd; divided by its sum. ValueError for one that is no kernel.
    Computed by Fourier transform, exactly (nothing wraps around), at any kernel size.
    """

    def __init__(self, kernel, sigma=0.0):
        super().__init__(sigma)
        kernel = torch.as_tensor(kernel)
        if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
            raise ValueError(f"a kernel has two odd sizes, not {tuple(kernel.shape)}")
        if not bool((kernel >= 0).all()) or not 0 < float(kernel.sum()) < math.inf:
            raise ValueError("a kernel has no negative weights and a positive, finite sum")
        self.register_buffer("kernel", kernel / kernel.sum())

    def A(self, x):
        top, left = (n // 2 for n in self.kernel.shape)
        rows, columns = _mirrored(x.shape[-2], top, x), _mirrored(x.shape[-1], left, x)
        padded = x.index_select(-2, rows).index_select(-1, columns)
        blurred = self._filter(padded)[..., 2 * top :, 2 * left :]  # what did not wrap around
        return blurred[..., : x.shape[-2], : x.shape[-1]]

    def A_adjoint(self, y):
        """The transpose: correlation, and what fell on a mirrored pixel goes to its original."""
        (height, width), (top, left) = y.shape[-2:], (n // 2 for n in self.kernel.shape)
        back = self._filter(functional.pad(y, (2 * left, 0, 2 * top, 0)), adjoint=True)
        back = back[..., : height + 2 * top, : width + 2 * left]
        rows, columns = _mirrored(height, top, y), _mirrored(width, left, y)
        shape = (*back.shape[:-2], height, back.shape[-1])
        back = back.new_zeros(shape).index_add(-2, rows, back)
        return back.new_zeros(y.shape).index_add(-1, columns, back)

    def prox(self, x, y, rho, iterations=20, tolerance=1e-4):
        with parametrize.cached():  # a blind kernel is computed once, not for every product
            return super().prox(x, y, rho, iterations, tolerance)

    def _filter(self, x, adjoint=False):
        """Circular convolution with the kernel, its first weight at the origin.

        On a canvas of a size that the Fourier transform likes, zeros after the image.
        """
        size = tuple(-(-n // 16) * 16 for n in x.shape[-2:])
        spectrum = torch.fft.rfft2(self.kernel.to(x), s=size)
        spectrum = spectrum.conj() if adjoint else spectrum
        return torch.fft.irfft2(torch.fft.rfft2(x, s=size) * spectrum, s=size)


class BlindBlur(Blur):
    """Blur with an unknown kernel. Phi: ``kernel``, (size, size), see `CentredKernel`.

    size: odd, larger than the kernel. kernel: the first guess, (size, size); a Gaussian of width
    size / 8. `initialise` wants 2 size pixels or more, ValueError else, and large photos: a crop
    of 128 x 128 came back better, one of 40 x 64 much worse than it was.
    """

    def __init__(self, size=15, kernel=None, sigma=0.0):
        Degradation.__init__(self, sigma)
        kernel = gaussian_kernel(size, size / 8) if kernel is None else Blur(kernel).kernel
        if kernel.shape != (size, size):
            raise ValueError(f"a {size} x {size} kernel is needed, not {tuple(kernel.shape)}")
        learn(self, "kernel", kernel, CentredKernel())

    def initialise(self, y, sigma=None, generator=None):
        """The kernel that the photo's edges tell, `coarse_to_fine_kernel`, which is then held."""
        assign(self, "kernel", coarse_to_fine_kernel(y, len(self.kernel)))
        return self.requires_grad_(False)


class BlindGaussianBlur(GaussianBlur):
    """Gaussian blur of unknown width. Phi: ``width``, pixels, in [0.2, size / 4].

    size: of the kernel, odd, at least 3. prox is `GaussianBlur`'s, exact.
    """

    def __init__(self, size=25, width=1.5, sigma=0.0):
        Degradation.__init__(self, sigma)
        gaussian_kernel(size, width)
        self.size = size
        learn(self, "width", width, Between(0.2, max(size / 4, 0.5)))

    @property
    def kernel(self):
        """The 1-D kernel, (size,), float64 or as precise as ``width``; with its gradient."""
        taps = torch.arange(self.size, dtype=torch.float64, device=self.width.device)
        return (-0.5 * ((taps - self.size // 2) / self.width.double()) ** 2).softmax(0)

    def initialise(self, y, sigma=None, generator=None):
        """The width of `estimate_blur_width`, which is then held: least squares on x_{0|t} move
        it away from the truth, because x_{0|t} is too smooth (benchmarks/blind.py)."""
        width = estimate_blur_width(y, self.sigma if sigma is None else sigma)
        assign(self, "width", min(max(width, 0.21), 0.9 * self.size / 4))
        return self.requires_grad_(False)


def gaussian_kernel(size, width):
    """(size, size) float64, sum 1, standard deviation `width` pixels; size odd."""
    line = GaussianBlur(size, width).kernel
    return torch.outer(line, line)


def motion_kernel(length, angle=0.0):
    """A straight, even movement over `length` pixels, at `angle` degrees, counter-clockwise.

    A kernel (n, n), n odd, float64, sum 1, as all below. ValueError for a length of 0 or less.
    """
    if not 0 < length < math.inf or not math.isfinite(angle):
        raise ValueError(f"the length of a movement must be positive, got {length} at {angle}")
    turn = math.radians(angle)
    along = torch.linspace(-length / 2, length / 2, 64 * math.ceil(length) + 1).double()
    return _splat(torch.stack([-math.sin(turn) * along, math.cos(turn) * along], 1))


def random_motion_kernel(length=15.0, generator=None):
    """A hand's path: its velocity wanders; scaled to fit into a square of side `length` pixels."""
    if not 0 < length < math.inf:
        raise ValueError(f"the length of a movement must be positive, got {length}")
    push = torch.randn(400, 2, generator=generator, dtype=torch.float64)
    path = (10 * push[:1] + push.cumsum(0)).cumsum(0)
    path = path - path.mean(0)
    return _splat(path * (length / 2 / path.abs().max()))


def defocus_kernel(radius):
    """A disc, what an open aperture out of focus makes; radius in pixels, edge antialiased."""
    if not 0 < radius < math.inf:
        raise ValueError(f"the radius of a disc must be positive, got {radius}")
    half = math.ceil(radius)
    fine = (torch.arange(16 * (2 * half + 1), dtype=torch.float64) + 0.5) / 16 - half - 0.5
    inside = (fine[:, None] ** 2 + fine**2 <= radius**2).double()[None]
    kernel = functional.avg_pool2d(inside, 16)[0]
    return kernel / kernel.sum()


# Mean over the 1,380 training photos: the fall of a photo's spectrum, its spread from photo to
# photo, and the width of the blur that lens, demosaicking and scaling leave in a sharp one.
FALL, FALL_SPREAD, OWN_WIDTH = 2.3, 0.45, 0.33


def estimate_blur_width(y, sigma=0.0):
    """Width in pixels of the Gaussian that blurred y, (B, C, H, W); a float in [0.05, 10].

    sigma: standard deviation of the noise in y. Whittle's likelihood of the spectrum: at angular
    frequency w the power of a photo, mean over its channels, has the mean
    a w^-b exp(-(width^2 + OWN_WIDTH^2) w^2) + floor, b ~ N(FALL, FALL_SPREAD^2), a and the floor,
    from sigma^2 upwards, anything: a JPEG has one. Where the floor hides everything, the least
    is returned. Kernels need not be Gaussian: their second moment is what is found. ValueError
    below 16 pixels.
    """
    if y.ndim != 4 or not bool(y.isfinite().all()):
        raise ValueError(f"photos (B, C, H, W), finite, are needed, got {tuple(y.shape)}")
    if min(y.shape[-2:]) < 16:
        raise ValueError(f"at least 16 x 16 pixels are needed, got {tuple(y.shape[-2:])}")
    omega, power, count = _radial_spectrum(y)
    least = max(sigma, 0.3 / 255) ** 2  # 8 bits leave that much

    def minus_log(log_a, b, log_width, log_floor):
        width = log_width.exp().clamp(0.05, 10)
        fall = log_a - b * omega.log() - (width**2 + OWN_WIDTH**2) * omega**2
        mean = fall.exp() + least * (1 + log_floor.exp())
        prior = 0.5 * ((b - FALL) / FALL_SPREAD) ** 2
        return 0.5 * (count * (power / mean + mean.log())).sum() + prior

    found = []
    for width in (0.3, 1.0, 3.0):  # the likelihood may have several maxima
        log_a = (power[:4].log() + FALL * omega[:4].log() + width**2 * omega[:4] ** 2).mean()
        raw = [float(v) for v in (log_a, FALL, math.log(width), -2.0)]
        raw = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in raw]
        optimiser = torch.optim.LBFGS(raw, max_iter=60, line_search_fn="strong_wolfe")

        def closure(raw=raw, optimiser=optimiser):
            optimiser.zero_grad()
            loss = minus_log(*raw) / len(omega)
            loss.backward()
            return loss

        with torch.enable_grad():
            optimiser.step(closure)
        with torch.no_grad():
            found.append((float(minus_log(*raw)), float(raw[2].exp())))
    return min(max(min(found)[1], 0.05), 10.0)


def _radial_spectrum(y, bins=64):
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


def _splat(path):
    """Points (n, 2) about the origin -> kernel: each weighs on the four pixels around it."""
    path = path - path.mean(0)
    half = math.floor(float(path.abs().max())) + 1
    corner = path.floor()
    kernel = torch.zeros(2 * half + 1, 2 * half + 1, dtype=torch.float64)
    for step in torch.cartesian_prod(torch.arange(2), torch.arange(2)):
        weight = (1 - (path - corner - step).abs()).prod(1)
        row, column = (corner + step + half).long().clamp(0, 2 * half).unbind(1)
        kernel.index_put_((row, column), weight, accumulate=True)
    return kernel / kernel.sum()


def _mirrored(length, radius, like):
    """The indices -radius .. length + radius - 1, led back into the image by mirrors."""
    index = torch.arange(-radius, length + radius, device=like.device) % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)
