"""A photo without colour, and a few strokes of it: a second measurement, for the gallery.

Which colours a grey photo had, no prior over patches knows. Someone who draws strokes does.
"""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Generator, Tensor

from gdp_lite.degradations import Degradation

ROWS, COLUMNS = 3, 4  # one stroke in each cell of such a grid
LENGTH, THICK = 20, 3  # pixels at 128 x 128


class Strokes(Degradation):
    """A photo without colour, and below it a second one: the scene's colours on a few strokes.

    A(x) = (mean of the channels, strokes * x), one above the other. Linear; `prox` is exact: along
    grey both measurements count, across it the strokes alone. `start` is `spread`.

    Parameters
    ----------
    strokes : (H, W), 1 where a colour is given, else 0.
    sigma : noise of both, display range.

    Examples
    --------
    >>> hint = Strokes(torch.eye(2))
    >>> x = torch.rand(1, 3, 2, 2)
    >>> bool((hint.prox(0 * x, hint(x), 1e-6) - x).abs()[..., 0, 0].max() < 1e-4)
    True
    """

    linear = True
    strokes: Tensor

    def __init__(self, strokes: Tensor, sigma: float = 0.0):
        super().__init__(sigma)
        self.register_buffer("strokes", strokes.float())

    def A(self, x: Tensor) -> Tensor:
        return torch.cat([grey(x), self.strokes * x], -2)

    def A_adjoint(self, y: Tensor) -> Tensor:
        above, below = y.chunk(2, -2)
        return grey(above) + self.strokes * below

    def start(self, y: Tensor) -> Tensor:
        above, below = y.chunk(2, -2)
        parts = zip(above.split(1), below.split(1), strict=True)
        return torch.cat([spread(photo, self.strokes, marks) for photo, marks in parts])

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        above, below = y.chunk(2, -2)
        m, g, gx, gb = self.strokes, grey(above), grey(x), grey(below)
        along = (g + m * gb + rho * gx) / (1 + m + rho)
        return along + (m * (below - gb) + rho * (x - gx)) / (m + rho)


def grey(x: Tensor) -> Tensor:
    """The mean of the channels in all of them."""
    return x.mean(1, keepdim=True).expand_as(x)


def strokes(size: int, seed: int = 0) -> Tensor:
    """Twelve short level strokes, one in each cell of a grid, (size, size), 1 on them."""
    scale, generator = size / 128, Generator().manual_seed(seed)
    length, thick = round(LENGTH * scale), round(THICK * scale)
    places = torch.rand(ROWS, COLUMNS, 2, generator=generator)
    mask = torch.zeros(size, size)
    for row in range(ROWS):
        for column in range(COLUMNS):
            down, right = places[row, column].tolist()
            top = round((row + down) * (size - thick) / ROWS)
            left = round((column + right) * (size - length) / COLUMNS)
            mask[top : top + thick, left : left + length] = 1
    return mask


def spread(y: Tensor, mask: Tensor, marks: Tensor) -> Tensor:
    """The strokes' colour carried to where the grey is alike.

    Source: Levin, Lischinski and Weiss 2004; the colour is the mean of its eight neighbours'
    weighted by how alike they are in grey, a sparse linear system.

    Parameters
    ----------
    y : (1, 3, H, W), grey, display range.
    mask : (H, W), 1 on the strokes.
    marks : (1, 3, H, W), the scene's colours there.

    Returns
    -------
    (1, 3, H, W); the mean of the channels is y's.
    """
    luma = grey(y)[0, 0].double().numpy()
    height, width = luma.shape
    index = np.arange(luma.size).reshape(luma.shape)
    near, where = (
        np.stack([p[a : a + height, b : b + width] for a in range(3) for b in range(3)])
        for p in (np.pad(luma, 1, mode="reflect"), np.pad(index, 1, mode="reflect"))
    )
    weights = np.exp(-((near - luma) ** 2) / (1.2 * near.var(0) + 2e-5))
    weights[4] = 0  # the pixel itself
    weights /= weights.sum(0)
    rows = np.broadcast_to(index, where.shape)
    free = mask.numpy().ravel() == 0
    neighbours = sparse.csr_matrix((weights.ravel(), (rows.ravel(), where.ravel())))
    system = sparse.eye(luma.size) - sparse.diags(free.astype(float)) @ neighbours
    told = (marks - grey(marks))[0].double().numpy().reshape(3, -1).T * ~free[:, None]
    colour = spsolve(system.tocsc(), told).T.reshape(3, height, width)
    return grey(y) + torch.tensor(colour).to(y)[None]
