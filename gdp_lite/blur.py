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

    size: odd. kernel: the first guess; a Gaussian of width size / 8 pixels.
    """

    def __init__(self, size=15, kernel=None, sigma=0.0):
        Degradation.__init__(self, sigma)
        kernel = gaussian_kernel(size, size / 8) if kernel is None else Blur(kernel).kernel
        if kernel.shape != (size, size):
            raise ValueError(f"a {size} x {size} kernel is needed, not {tuple(kernel.shape)}")
        learn(self, "kernel", kernel, CentredKernel())

    def initialise(self, y):
        """A Gaussian of the width that `estimate_blur_width` sees."""
        size = self.kernel.shape[0]
        assign(self, "kernel", gaussian_kernel(size, min(estimate_blur_width(y), size / 4)))
        return self


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

    def initialise(self, y):
        width = estimate_blur_width(y)
        assign(self, "width", min(max(width, 0.3), 0.9 * self.size / 4))
        return self


def gaussian_kernel(size, width):
    """(size, size), standard deviation `width` pixels."""
    line = GaussianBlur(size, width).kernel
    return torch.outer(line, line)


def motion_kernel(length, angle=0.0):
    """A straight, even movement over `length` pixels, at `angle` degrees, counter-clockwise."""
    if not 0 < length < math.inf:
        raise ValueError(f"the length of a movement must be positive, got {length}")
    turn = math.radians(angle)
    along = torch.linspace(-length / 2, length / 2, 64 * math.ceil(length) + 1).double()
    return _splat(torch.stack([-math.sin(turn) * along, math.cos(turn) * along], 1))


def random_motion_kernel(length=15.0, generator=None):
    """A hand's path: its velocity wanders; scaled to fit into a square of side `length`."""
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


def estimate_blur_width(y, reblur=1.0):
    """Width in pixels of the Gaussian that blurs the sharpest edges of y, (B, C, H, W); a float.

    An edge of width w, blurred again by r, has a slope sqrt(1 + (r / w)^2) times less (Zhuo and
    Sim 2011). The median over the steepest 2% of the pixels: noise makes it too small, a photo
    without a sharp edge too large. Within about 25% on photos; 0.3 to 10.
    """
    grey = y.detach().mean(1, keepdim=True).double()
    soft = GaussianBlur(2 * math.ceil(4 * reblur) + 1, reblur)(grey)
    slopes = [torch.hypot(*torch.gradient(z, dim=(-2, -1))).flatten() for z in (grey, soft)]
    steep = slopes[0] >= slopes[0].quantile(0.98) if slopes[0].numel() < 2**24 else slopes[0] > 0.1
    ratio = float((slopes[0][steep] / slopes[1][steep].clamp(min=1e-12)).median())
    return min(max(reblur / math.sqrt(max(ratio**2 - 1, 1e-6)), 0.3), 10.0)


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
