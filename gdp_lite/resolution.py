"""Bicubic downsampling, the other low resolution: what image editors do, and its transpose."""

import torch
from torch.nn import functional

from gdp_lite.degradations import Degradation, _two, _whole_factor


class BicubicDownsampling(Degradation):
    """Smaller by `factor` with an antialiased cubic filter (a = -1/2), as Pillow and torch do it.

    factor: a whole number. image_size: (H, W) of x where these are no multiples of it; y has
    ceil(H / factor) rows; ValueError for other sizes. Rows and columns are filtered by a matrix
    each, A = R (x) C: hence the exact transpose and, by the eigenvectors of two small matrices,
    the exact `prox`.
    """

    def __init__(self, factor=4, image_size=None, sigma=0.0):
        super().__init__(sigma)
        self.factor, self.image_size = _whole_factor(factor), _two(image_size, "image_size")

    def A(self, x):
        if self.image_size is None and any(n % self.factor for n in x.shape[-2:]):
            raise ValueError(f"give image_size: {tuple(x.shape[-2:])} is no multiple of the factor")
        if self.image_size and tuple(self.image_size) != tuple(x.shape[-2:]):
            raise ValueError(f"the image is {tuple(x.shape[-2:])}, not {tuple(self.image_size)}")
        rows, columns = self._matrices(x, x.shape[-2:])
        return rows @ x @ columns.T

    def A_adjoint(self, y):
        rows, columns = self._matrices(y, self._size_of_x(y))
        return rows.T @ y @ columns

    def check_measurement(self, y):
        small = tuple(-(-n // self.factor) for n in self._size_of_x(y))
        if small != tuple(y.shape[-2:]):
            raise ValueError(f"y should have {small} pixels, it has {tuple(y.shape[-2:])}")

    def start(self, y):
        size = self._size_of_x(y)
        return functional.interpolate(y, size=tuple(size), mode="bicubic", align_corners=False)

    def prox(self, x, y, rho):
        """Exact: A A^T = (R R^T) (x) (C C^T), diagonal in both factors' eigenvectors."""
        pairs = [torch.linalg.eigh(m @ m.T) for m in self._matrices(x.double(), x.shape[-2:])]
        (v_rows, u_rows), (v_columns, u_columns) = ((v.to(x), u.to(x)) for v, u in pairs)
        residual = u_rows.T @ (y - self.A(x)) @ u_columns
        residual = residual / (v_rows[:, None] * v_columns + rho)
        return x + self.A_adjoint(u_rows @ residual @ u_columns.T)

    def _size_of_x(self, y):
        return self.image_size or tuple(self.factor * n for n in y.shape[-2:])

    def _matrices(self, like, size):
        return [_bicubic(n, -(-n // self.factor)).to(like) for n in size]


def _bicubic(length, small):
    """(small, length) float64: each row a cubic filter, wider by the factor, with sum 1."""
    scale = length / small
    centre = (torch.arange(small, dtype=torch.float64)[:, None] + 0.5) * scale
    t = ((torch.arange(length, dtype=torch.float64) + 0.5 - centre) / scale).abs()
    weights = torch.where(t < 1, (1.5 * t - 2.5) * t**2 + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2)
    weights = torch.where(t < 2, weights, 0)
    return weights / weights.sum(1, keepdim=True)
