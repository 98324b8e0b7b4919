"""Low resolution: block averages, as the source has it, and bicubic filters, as editors do it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.shapes import two_whole


class Smaller(Degradation):
    """What `BlockAverage` and `BicubicDownsampling` share: y has ceil(H / factor) rows."""

    linear = True

    def __init__(
        self, factor: int = 4, image_size: Sequence[int] | None = None, sigma: float = 0.0
    ):
        super().__init__(sigma)
        self.factor = whole_factor(factor)
        self.image_size = None if image_size is None else two_whole(image_size, "image_size")

    def extra_repr(self) -> str:
        return f"factor {self.factor}"

    def check_measurement(self, y: Tensor) -> None:
        height, width = self.size_of_x(y)
        small = (-(-height // self.factor), -(-width // self.factor))
        if small != tuple(y.shape[-2:]):
            raise ValueError(
                f"y should have {small[0]} x {small[1]} pixels, blocks of {self.factor} in "
                f"{height} x {width}, but it has {y.shape[-2]} x {y.shape[-1]}"
            )

    def size_of_x(self, y: Tensor) -> tuple[int, int]:
        """(H, W) of the image whose measurement is y."""
        return self.image_size or (y.shape[-2] * self.factor, y.shape[-1] * self.factor)


class BlockAverage(Smaller):
    """Low resolution: the mean of every d x d block, y smaller than x. Table 1, third row.

    `prox` is exact. Blocks cut off at the lower and right edge are averaged over the pixels they
    have.

    Parameters
    ----------
    factor : d, a whole number.
    image_size : (H, W) of x where these are no multiples of d; ValueError for other sizes.
    sigma : noise, display range.

    Examples
    --------
    >>> BlockAverage(2)(torch.arange(4.0).view(1, 1, 2, 2)).item()
    1.5
    """

    def A(self, x: Tensor) -> Tensor:
        size = self.image_size or tuple(n - n % self.factor for n in x.shape[-2:])
        if tuple(x.shape[-2:]) != tuple(size) or 0 in size:
            raise ValueError(
                f"an image of {tuple(x.shape[-2:])} pixels for blocks of {self.factor}: "
                "give its image_size where that is no multiple of the factor"
            )
        return functional.avg_pool2d(x, self.factor, ceil_mode=True)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.replicate(y / self._counts(y))

    def start(self, y: Tensor) -> Tensor:
        large = functional.interpolate(y, scale_factor=self.factor, mode="bicubic")
        height, width = self.size_of_x(y)
        return large[..., :height, :width]

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """Exact, for any rho >= 0: A A^T is diagonal, 1 / (pixels in the block)."""
        return x + self.A_adjoint((y - self.A(x)) / (1 / self._counts(y) + rho))

    def replicate(self, y: Tensor) -> Tensor:
        """Every block of an image filled with its number of y."""
        height, width = self.size_of_x(y)
        rows = torch.arange(height, device=y.device) // self.factor
        columns = torch.arange(width, device=y.device) // self.factor
        return y[..., rows, :][..., columns]

    def _counts(self, y: Tensor) -> Tensor:
        """Pixels in each block, shaped (h, w)."""
        height, width = self.size_of_x(y)
        rows = _block_lengths(height, self.factor).to(y)
        return rows[:, None] * _block_lengths(width, self.factor).to(y)


class BlockAverageSameSize(Degradation):
    """Low resolution shown at the size of x: block average, then every block filled with it.

    An orthogonal projection, A = A^T = A A: what the source needs where x and y have one size.
    Sizes that are no multiples of d are handled as in `BlockAverage`.

    Parameters
    ----------
    factor : d, a whole number; ValueError else.
    sigma : noise, display range.
    offset : rows and columns of the first blocks that lie outside of the image, 0 to d - 1.

    Examples
    --------
    >>> BlockAverageSameSize(2)(torch.arange(4.0).view(1, 1, 2, 2)).flatten()
    tensor([1.5000, 1.5000, 1.5000, 1.5000])
    """

    linear = True

    def __init__(self, factor: int = 4, sigma: float = 0.0, offset: tuple[int, int] = (0, 0)):
        super().__init__(sigma)
        self.factor = whole_factor(factor)
        if not all(0 <= n < self.factor for n in offset):
            raise ValueError(f"an offset is 0 to {self.factor - 1}, not {tuple(offset)}")
        self.offset = offset

    def extra_repr(self) -> str:
        return f"factor {self.factor}"

    def A(self, x: Tensor) -> Tensor:
        top, left = self.offset
        inside = functional.pad(torch.ones_like(x[:1, :1]), (left, 0, top, 0))
        average = BlockAverage(self.factor, tuple(inside.shape[-2:]))
        mean = average.A(functional.pad(x, (left, 0, top, 0))) / average.A(inside)
        return average.replicate(mean)[..., top:, left:]

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A(y)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return x + self.A(y - x) / (1 + rho)


class BicubicDownsampling(Smaller):
    """Smaller by `factor` with an antialiased cubic filter (a = -1/2), as Pillow and torch do it.

    Rows and columns are filtered by a matrix each, A = R (x) C: hence the exact transpose and, by
    the eigenvectors of two small matrices, the exact `prox`.

    Parameters
    ----------
    factor : a whole number.
    image_size : (H, W) of x where these are no multiples of it; ValueError for other sizes.
    sigma : noise, display range.

    Examples
    --------
    >>> BicubicDownsampling(4)(torch.rand(1, 3, 16, 24)).shape
    torch.Size([1, 3, 4, 6])
    """

    def A(self, x: Tensor) -> Tensor:
        if self.image_size is None and any(n % self.factor for n in x.shape[-2:]):
            raise ValueError(f"give image_size: {tuple(x.shape[-2:])} is no multiple of the factor")
        if self.image_size and tuple(self.image_size) != tuple(x.shape[-2:]):
            raise ValueError(f"the image is {tuple(x.shape[-2:])}, not {tuple(self.image_size)}")
        rows, columns = self._matrices(x, x.shape[-2:])
        return rows @ x @ columns.T

    def A_adjoint(self, y: Tensor) -> Tensor:
        rows, columns = self._matrices(y, self.size_of_x(y))
        return rows.T @ y @ columns

    def start(self, y: Tensor) -> Tensor:
        size = self.size_of_x(y)
        return functional.interpolate(y, size=tuple(size), mode="bicubic", align_corners=False)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """Exact: A A^T = (R R^T) (x) (C C^T), diagonal in both factors' eigenvectors."""
        pairs = [torch.linalg.eigh(m @ m.T) for m in self._matrices(x.double(), x.shape[-2:])]
        (v_rows, u_rows), (v_columns, u_columns) = ((v.to(x), u.to(x)) for v, u in pairs)
        residual = u_rows.T @ (y - self.A(x)) @ u_columns
        residual = residual / (v_rows[:, None] * v_columns + rho)
        return x + self.A_adjoint(u_rows @ residual @ u_columns.T)

    def _matrices(self, like: Tensor, size: Sequence[int]) -> list[Tensor]:
        return [_bicubic(n, -(-n // self.factor)).to(like) for n in size]


def _bicubic(length: int, small: int) -> Tensor:
    """(small, length) float64: each row a cubic filter, wider by the factor, with sum 1."""
    scale = length / small
    centre = (torch.arange(small, dtype=torch.float64)[:, None] + 0.5) * scale
    t = ((torch.arange(length, dtype=torch.float64) + 0.5 - centre) / scale).abs()
    weights = torch.where(t < 1, (1.5 * t - 2.5) * t**2 + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2)
    weights = torch.where(t < 2, weights, 0)
    return weights / weights.sum(1, keepdim=True)


def whole_factor(factor: float) -> int:
    """The factor as an int; ValueError where it is none of at least 1."""
    if not factor >= 1 or factor % 1:
        raise ValueError(f"the factor must be a whole number of at least 1, got {factor}")
    return int(factor)


def _block_lengths(length: int, factor: int) -> Tensor:
    """Pixels along one axis in each block: factor, but for the last where it is cut off."""
    return torch.bincount(torch.arange(length) // factor)
