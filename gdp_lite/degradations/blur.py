"""Blur with any kernel: Gaussian, motion, defocus, and kernels that have to be found (Phi).

Table 1, second row, H a convolution. Kernels are (n, m), odd, non-negative, with sum 1, the
middle pixel at [n // 2, m // 2]. Convention for a blind kernel: its centre of mass is the
middle, since a shifted kernel and a scene shifted back give the same photo.
"""

import math

import torch
from scipy.fft import next_fast_len
from torch import Generator, Tensor
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

    @property
    def kernel(self) -> Tensor:
        """The 1-D kernel, (n,), float64 where it is known."""
        raise NotImplementedError

    def A(self, x: Tensor) -> Tensor:
        return self._along(self._along(x, -1), -2)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A(y)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
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

    def _along(self, x: Tensor, axis: int) -> Tensor:
        """1-D blur along one axis, mirrored at both ends."""
        kernel, length = self.kernel.to(x), x.shape[axis]
        padded = x.index_select(axis, _mirrored(length, len(kernel) // 2, x))
        total = kernel[0] * padded.narrow(axis, 0, length)
        for tap in range(1, len(kernel)):  # faster than conv1d, on a CPU, up to some 25
            total = torch.addcmul(total, padded.narrow(axis, tap, length), kernel[tap])
        return total

    def _gain(self, length: int, like: Tensor) -> Tensor:
        """What the 1-D blur leaves of each of the discrete Fourier frequencies, (length,)."""
        taps = torch.arange(len(self.kernel), dtype=torch.float64) - len(self.kernel) // 2
        frequency = 2 * torch.pi / length * torch.arange(length, dtype=torch.float64)
        return (torch.cos(frequency[:, None] * taps) @ self.kernel).to(like)


class GaussianBlur(SeparableBlur):
    """Blur with an n x n Gaussian kernel. Table 1, second row; `prox` is exact.

    Parameters
    ----------
    size : n, odd.
    width : standard deviation of the kernel in pixels, above 0.
    sigma : noise after the blur, display range.

    Raises
    ------
    ValueError : for an even size and a width of 0 or less.

    Examples
    --------
    >>> blur = GaussianBlur(5, width=1.0)
    >>> x = torch.rand(1, 3, 8, 8)
    >>> torch.allclose(blur.prox(blur(x), blur(x), rho=0.1), blur(x), atol=0.3)
    True
    """

    def __init__(self, size: int = 9, width: float = 2.0, sigma: float = 0.0):
        super().__init__(sigma)
        self.width = float(width)
        # A plain tensor, no buffer: it stays float64 on the CPU wherever the module goes.
        self._kernel = gaussian_line(size, width)

    @property
    def kernel(self) -> Tensor:
        return self._kernel

    def extra_repr(self) -> str:
        return f"width {self.width:.1f} pixels"


class BlindGaussianBlur(SeparableBlur):
    """Gaussian blur of unknown width. Phi: ``width``, pixels, in [0.2, size / 4].

    `initialise` takes the width of `estimate_blur_width` and holds it: least squares on x_{0|t}
    move it away from the truth, because x_{0|t} is too smooth (benchmarks/blind.py). `prox` is
    exact.

    Parameters
    ----------
    size : of the kernel, odd, at least 3.
    width : the first guess, pixels.
    sigma : noise after the blur, display range.

    Examples
    --------
    >>> y = GaussianBlur(13, 2.0)(torch.rand(1, 3, 64, 64))
    >>> round(float(BlindGaussianBlur(25).initialise(y).width)) in (1, 2, 3)
    True
    """

    width: Tensor

    def __init__(self, size: int = 25, width: float = 1.5, sigma: float = 0.0):
        super().__init__(sigma)
        gaussian_line(size, width)
        self.size = size
        learn(self, "width", width, Between(0.2, max(size / 4, 0.5)))

    @property
    def kernel(self) -> Tensor:
        """The 1-D kernel, (size,), float64 or as precise as ``width``; with its gradient."""
        taps = torch.arange(self.size, dtype=torch.float64, device=self.width.device)
        return (-0.5 * ((taps - self.size // 2) / self.width.double()) ** 2).softmax(0)

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        width = estimate_blur_width(y, sigma)
        assign(self, "width", min(max(width, 0.21), 0.9 * self.size / 4))
        self.requires_grad_(False)


class Convolution(Degradation):
    """Convolution with ``kernel``, (n, m), both odd, sum 1.

    Beyond its edges the image is mirrored, the edge pixel repeated. Computed by Fourier transform,
    exactly (nothing wraps around), at any kernel size. `Blur` knows its kernel, `BlindBlur` has
    to find it.
    """

    linear = True
    kernel: Tensor

    def A(self, x: Tensor) -> Tensor:
        top, left = (n // 2 for n in self.kernel.shape)
        rows, columns = _mirrored(x.shape[-2], top, x), _mirrored(x.shape[-1], left, x)
        padded = x.index_select(-2, rows).index_select(-1, columns)
        blurred = self._filter(padded)[..., 2 * top :, 2 * left :]  # what did not wrap around
        return blurred[..., : x.shape[-2], : x.shape[-1]]

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The transpose: correlation, and what fell on a mirrored pixel goes to its original."""
        (height, width), (top, left) = y.shape[-2:], (n // 2 for n in self.kernel.shape)
        back = self._filter(functional.pad(y, (2 * left, 0, 2 * top, 0)), adjoint=True)
        back = back[..., : height + 2 * top, : width + 2 * left]
        return _folded(_folded(back, -2, top), -1, left)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        with parametrize.cached():  # a blind kernel is computed once, not for every product
            return super().prox(x, y, rho)

    def _filter(self, x: Tensor, adjoint: bool = False) -> Tensor:
        """Circular convolution with the kernel, its first weight at the origin.

        On a canvas of a size that the Fourier transform likes, zeros after the image.
        """
        size = tuple(8 * next_fast_len(-(-n // 8), real=True) for n in x.shape[-2:])
        spectrum = torch.fft.rfft2(self.kernel.to(x), s=size)
        spectrum = spectrum.conj() if adjoint else spectrum
        return torch.fft.irfft2(torch.fft.rfft2(x, s=size) * spectrum, s=size)


class Blur(Convolution):
    """Convolution with a known kernel: motion, defocus, anything.

    Parameters
    ----------
    kernel : (n, m), both odd, no negative weights; divided by its sum.
    sigma : noise after the blur, display range.

    Raises
    ------
    ValueError : for what is no kernel.

    Examples
    --------
    >>> blur = Blur(motion_kernel(5, angle=30), sigma=0.01)
    >>> blur.simulate(torch.rand(1, 3, 16, 16)).shape
    torch.Size([1, 3, 16, 16])
    """

    def __init__(self, kernel: Tensor, sigma: float = 0.0):
        super().__init__(sigma)
        self.register_buffer("kernel", checked_kernel(kernel))


class BlindBlur(Convolution):
    """Blur with an unknown kernel. Phi: ``kernel``, (size, size), non-negative, sum 1, centred.

    `initialise` takes the kernel that the photo's edges tell, `coarse_to_fine_kernel`, and holds
    it. It wants 2 size pixels or more, ValueError else, and large photos: a crop of 128 x 128
    came back better, one of 40 x 64 much worse than it was.

    Parameters
    ----------
    size : odd, larger than the kernel.
    kernel : the first guess, (size, size); None for a Gaussian of width size / 8.
    sigma : noise after the blur, display range.

    Examples
    --------
    >>> round(float(BlindBlur(9).phi()["kernel"].sum()), 4)
    1.0
    """

    def __init__(self, size: int = 15, kernel: Tensor | None = None, sigma: float = 0.0):
        super().__init__(sigma)
        kernel = gaussian_kernel(size, size / 8) if kernel is None else checked_kernel(kernel)
        if kernel.shape != (size, size):
            raise ValueError(f"a {size} x {size} kernel is needed, not {tuple(kernel.shape)}")
        learn(self, "kernel", kernel, CentredKernel())

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        assign(self, "kernel", coarse_to_fine_kernel(y, len(self.kernel)))
        self.requires_grad_(False)


def gaussian_line(size: int, width: float) -> Tensor:
    """The 1-D Gaussian kernel, (size,) float64, sum 1; its outer square is the 2-D one."""
    if size < 1 or size % 2 != 1:
        raise ValueError(f"the kernel size must be a positive odd number, got {size}")
    if not width > 0:
        raise ValueError(f"the kernel's width must be positive, got {width}")
    taps = torch.arange(size, dtype=torch.float64) - size // 2
    kernel = torch.exp(-0.5 * (taps / width) ** 2)
    return kernel / kernel.sum()


def gaussian_kernel(size: int, width: float) -> Tensor:
    """The Gaussian of `GaussianBlur`.

    Parameters
    ----------
    size : odd.
    width : standard deviation in pixels, above 0; ValueError else.

    Returns
    -------
    (size, size) float64, sum 1.

    Examples
    --------
    >>> gaussian_kernel(3, 1.0).sum().item()
    1.0
    """
    line = gaussian_line(size, width)
    return torch.outer(line, line)


def checked_kernel(kernel: Tensor) -> Tensor:
    """A kernel with sum 1; ValueError where its sizes are even or its weights negative."""
    kernel = torch.as_tensor(kernel)
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        raise ValueError(f"a kernel has two odd sizes, not {tuple(kernel.shape)}")
    if not bool((kernel >= 0).all()) or not 0 < float(kernel.sum()) < math.inf:
        raise ValueError("a kernel has no negative weights and a positive, finite sum")
    return kernel / kernel.sum()


def motion_kernel(length: float, angle: float = 0.0) -> Tensor:
    """A straight, even movement.

    Parameters
    ----------
    length : of the movement in pixels, above 0; ValueError else.
    angle : in degrees, counter-clockwise from the right.

    Returns
    -------
    (n, n), n odd, float64, sum 1.

    Examples
    --------
    >>> motion_kernel(4).shape
    torch.Size([7, 7])
    """
    if not 0 < length < math.inf or not math.isfinite(angle):
        raise ValueError(f"the length of a movement must be positive, got {length} at {angle}")
    turn = math.radians(angle)
    along = torch.linspace(-length / 2, length / 2, 64 * math.ceil(length) + 1).double()
    return _splat(torch.stack([-math.sin(turn) * along, math.cos(turn) * along], 1))


def random_motion_kernel(length: float = 15.0, generator: Generator | None = None) -> Tensor:
    """A hand's path: its velocity wanders.

    Parameters
    ----------
    length : side of the square that the path just fits into, pixels, above 0; ValueError else.
    generator : draws the path.

    Returns
    -------
    (n, n), n odd, float64, sum 1.

    Examples
    --------
    >>> len(random_motion_kernel(9.0, torch.Generator().manual_seed(0))) % 2
    1
    """
    if not 0 < length < math.inf:
        raise ValueError(f"the length of a movement must be positive, got {length}")
    push = torch.randn(400, 2, generator=generator, dtype=torch.float64)
    path = (10 * push[:1] + push.cumsum(0)).cumsum(0)
    path = path - path.mean(0)
    return _splat(path * (length / 2 / path.abs().max()))


def defocus_kernel(radius: float) -> Tensor:
    """A disc, what an open aperture out of focus makes; its edge is antialiased.

    Parameters
    ----------
    radius : in pixels, above 0; ValueError else.

    Returns
    -------
    (n, n), n odd, float64, sum 1.

    Examples
    --------
    >>> defocus_kernel(2.5).shape
    torch.Size([7, 7])
    """
    if not 0 < radius < math.inf:
        raise ValueError(f"the radius of a disc must be positive, got {radius}")
    half = math.ceil(radius)
    fine = (torch.arange(16 * (2 * half + 1), dtype=torch.float64) + 0.5) / 16 - half - 0.5
    inside = (fine[:, None] ** 2 + fine**2 <= radius**2).double()[None]
    kernel = functional.avg_pool2d(inside, 16)[0]
    return kernel / kernel.sum()


def _splat(path: Tensor) -> Tensor:
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


def _mirrored(length: int, radius: int, like: Tensor) -> Tensor:
    """The indices -radius .. length + radius - 1, led back into the image by mirrors."""
    index = torch.arange(-radius, length + radius, device=like.device) % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def _folded(x: Tensor, axis: int, radius: int) -> Tensor:
    """The transpose of padding by `_mirrored`: only the border has to be added to the rest."""
    length = x.shape[axis] - 2 * radius
    index = _mirrored(length, radius, x)
    ends = [x.narrow(axis, start, radius) for start in (0, length + radius)]
    border = torch.cat([index[:radius], index[length + radius :]])
    return x.narrow(axis, radius, length).index_add(axis, border, torch.cat(ends, axis))
