"""Blur with any kernel: Gaussian, motion, defocus, and kernels that have to be found (Phi).

Table 1, second row, H a convolution. Kernels are (n, m), odd, non-negative, with sum 1, the
middle pixel at [n // 2, m // 2]. Convention for a blind kernel: its centre of mass is the
middle, since a shifted kernel and a scene shifted back give the same photo.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import parametrize

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Between, CentredKernel, assign, learn
from gdp_lite.estimators.blur import estimate_blur_width
from gdp_lite.estimators.kernel import coarse_to_fine_kernel


class SeparableBlur(Degradation):
    """The same 1-D ``kernel``, (n,), n odd, symmetric, along rows and columns.

    The image is mirrored at its edges (the edge pixel repeated). A symmetric kernel with this
    boundary gives a symmetric matrix, A^T = A, and on the mirrored image a circular convolution,
    which the Fourier transform makes diagonal: hence the exact `prox`. `GaussianBlur` knows its
    kernel's width, `BlindGaussianBlur` has to find it.
    """

    linear = True
    kernel: Tensor

    def A(self, x):
        return self._along(self._along(x, -1), -2)

    def A_adjoint(self, y):
        return self.A(y)

    def prox(self, x, y, rho):
        """Exact: one division at each frequency of the image mirrored to twice its size.

        Written for the correction z - x, so that rounding errors stay small where the blur
        leaves almost nothing. rho > 0; float32 wants 1e-8 at least.
        """
        height, width = x.shape[-2:]
        right = self.A_adjoint(y - self.A(x))
        right = torch.cat([right, right.flip(-1)], dim=-1)
        right = torch.cat([right, right.flip(-2)], dim=-2)
        gain = self._gain(2 * height, x)[:, None] * self._gain(2 * width, x)[: width + 1]
        spectrum = torch.fft.rfft2(right) / (gain**2 + rho)
        return x + torch.fft.irfft2(spectrum, s=right.shape[-2:])[..., :height, :width]

    def _along(self, x, axis):
        """1-D blur along one axis, mirrored at both ends."""
        radius, length = len(self.kernel) // 2, x.shape[axis]
        index = torch.arange(-radius, length + radius, device=x.device) % (2 * length)
        index = torch.minimum(index, 2 * length - 1 - index)
        padded = x.index_select(axis, index).movedim(axis, -1)
        kernel = self.kernel.to(x).view(1, 1, -1)
        blurred = functional.conv1d(padded.reshape(-1, 1, padded.shape[-1]), kernel)
        return blurred.reshape(*padded.shape[:-1], length).movedim(-1, axis)

    def _gain(self, length, like):
        """What the 1-D blur leaves of each of the discrete Fourier frequencies, (length,)."""
        taps = torch.arange(len(self.kernel), dtype=torch.float64) - len(self.kernel) // 2
        frequency = 2 * torch.pi / length * torch.arange(length, dtype=torch.float64)
        return (torch.cos(frequency[:, None] * taps) @ self.kernel).to(like)


class GaussianBlur(SeparableBlur):
    """Blur with an n x n Gaussian kernel of width ``width`` pixels. Table 1, second row.

    size: n, odd. width: standard deviation of the kernel in pixels, above 0; ValueError else.
    """

    def __init__(self, size=9, width=2.0, sigma=0.0):
        super().__init__(sigma)
        self.width = float(width)
        # A plain tensor, no buffer: it stays float64 on the CPU wherever the module goes.
        self.kernel = gaussian_line(size, width)

    def extra_repr(self):
        return f"width {self.width:.1f} pixels"


class BlindGaussianBlur(SeparableBlur):
    """Gaussian blur of unknown width. Phi: ``width``, pixels, in [0.2, size / 4].

    size: of the kernel, odd, at least 3. prox is exact.
    """

    def __init__(self, size=25, width=1.5, sigma=0.0):
        super().__init__(sigma)
        gaussian_kernel(size, width)
        self.size = size
        learn(self, "width", width, Between(0.2, max(size / 4, 0.5)))

    @property
    def kernel(self):
        """The 1-D kernel, (size,), float64 or as precise as ``width``; with its gradient."""
        taps = torch.arange(self.size, dtype=torch.float64, device=self.width.device)
        return (-0.5 * ((taps - self.size // 2) / self.width.double()) ** 2).softmax(0)

    def initialise(self, y, sigma=None, generator=None, light=False):
        """The width of `estimate_blur_width`, which is then held: least squares on x_{0|t} move
        it away from the truth, because x_{0|t} is too smooth (benchmarks/blind.py)."""
        width = estimate_blur_width(y, self.sigma if sigma is None else sigma)
        assign(self, "width", min(max(width, 0.21), 0.9 * self.size / 4))
        return self.requires_grad_(False)


class Convolution(Degradation):
    """Convolution with ``kernel``, (n, m), both odd, sum 1.

    Beyond its edges the image is mirrored, the edge pixel repeated. Computed by Fourier transform,
    exactly (nothing wraps around), at any kernel size. `Blur` knows its kernel, `BlindBlur` has
    to find it.
    """

    linear = True
    kernel: Tensor

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


class Blur(Convolution):
    """Convolution with a known kernel: motion, defocus, anything.

    kernel: (n, m), both odd; divided by its sum. ValueError for one that is no kernel.
    """

    def __init__(self, kernel, sigma=0.0):
        super().__init__(sigma)
        self.register_buffer("kernel", checked_kernel(kernel))


class BlindBlur(Convolution):
    """Blur with an unknown kernel. Phi: ``kernel``, (size, size), see `CentredKernel`.

    size: odd, larger than the kernel. kernel: the first guess, (size, size); a Gaussian of width
    size / 8. `initialise` wants 2 size pixels or more, ValueError else, and large photos: a crop
    of 128 x 128 came back better, one of 40 x 64 much worse than it was.
    """

    def __init__(self, size=15, kernel=None, sigma=0.0):
        super().__init__(sigma)
        kernel = gaussian_kernel(size, size / 8) if kernel is None else checked_kernel(kernel)
        if kernel.shape != (size, size):
            raise ValueError(f"a {size} x {size} kernel is needed, not {tuple(kernel.shape)}")
        learn(self, "kernel", kernel, CentredKernel())

    def initialise(self, y, sigma=None, generator=None, light=False):
        """The kernel that the photo's edges tell, `coarse_to_fine_kernel`, which is then held."""
        assign(self, "kernel", coarse_to_fine_kernel(y, len(self.kernel)))
        return self.requires_grad_(False)


def gaussian_line(size, width):
    """The 1-D Gaussian kernel, (size,) float64, sum 1; its outer square is the 2-D one."""
    if size < 1 or size % 2 != 1:
        raise ValueError(f"the kernel size must be a positive odd number, got {size}")
    if not width > 0:
        raise ValueError(f"the kernel's width must be positive, got {width}")
    taps = torch.arange(size, dtype=torch.float64) - size // 2
    kernel = torch.exp(-0.5 * (taps / width) ** 2)
    return kernel / kernel.sum()


def gaussian_kernel(size, width):
    """(size, size) float64, sum 1, standard deviation `width` pixels; size odd."""
    line = gaussian_line(size, width)
    return torch.outer(line, line)


def checked_kernel(kernel):
    """A kernel with sum 1; ValueError where its sizes are even or its weights negative."""
    kernel = torch.as_tensor(kernel)
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        raise ValueError(f"a kernel has two odd sizes, not {tuple(kernel.shape)}")
    if not bool((kernel >= 0).all()) or not 0 < float(kernel.sum()) < math.inf:
        raise ValueError("a kernel has no negative weights and a positive, finite sum")
    return kernel / kernel.sum()


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
