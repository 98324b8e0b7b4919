"""A photo without colour, and a few strokes of it: a second measurement.

Which colours a grey photo had, no prior over patches knows. Someone who paints strokes does.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor

from gdp_lite.degradations.base import Degradation

MEAN = (1 / 3, 1 / 3, 1 / 3)  # what grey is by default: the mean of the channels


class Strokes(Degradation):
    """A photo without colour, and below it a second one: the scene's colours on a few strokes.

    A(x) = (grey of x, strokes * x), one above the other. Linear; `prox` is exact: along the
    weights both measurements count, across them the strokes alone. `start` is `spread`.

    Parameters
    ----------
    strokes : (H, W), 1 where a colour is given, else 0.
    sigma : noise of both, display range.
    weights : of red, green and blue in the grey; their mean, or `gdp_lite.image.LUMA`.

    Examples
    --------
    >>> hint = Strokes(torch.eye(2))
    >>> x = torch.rand(1, 3, 2, 2)
    >>> bool((hint.prox(0 * x, hint(x), 1e-6) - x).abs()[..., 0, 0].max() < 1e-4)
    True
    """

    linear = True
    strokes: Tensor

    def __init__(self, strokes: Tensor, sigma: float = 0.0, weights: Sequence[float] = MEAN):
        super().__init__(sigma)
        self.weights = tuple(weights)
        self.register_buffer("strokes", strokes.float())

    def A(self, x: Tensor) -> Tensor:
        return torch.cat([grey(x, self.weights), self.strokes * x], -2)

    def A_adjoint(self, y: Tensor) -> Tensor:
        above, below = y.chunk(2, -2)
        w = above.new_tensor(self.weights).view(3, 1, 1)
        return w * above.sum(-3, keepdim=True) + self.strokes * below

    def start(self, y: Tensor) -> Tensor:
        above, below = y.chunk(2, -2)
        parts = zip(above.split(1), below.split(1), strict=True)
        return torch.cat([spread(one, self.strokes, told, self.weights) for one, told in parts])

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        above, below = y.chunk(2, -2)
        m, w = self.strokes, above.new_tensor(self.weights).view(3, 1, 1)
        power = w.square().sum()  # A^T A is 3 w w^T + m

        def part(z: Tensor) -> Tensor:
            """That of each pixel along the weights, (B, 1, H, W)."""
            return (w * z).sum(-3, keepdim=True) / power

        seen, told, known = above.sum(-3, keepdim=True), part(below), part(x)
        along = (seen + m * told + rho * known) / (3 * power + m + rho)
        across = (m * (below - told * w) + rho * (x - known * w)) / (m + rho)
        return along * w + across


def grey(x: Tensor, weights: Sequence[float] = MEAN) -> Tensor:
    """The weighted mean of the channels in all of them, (B, 3, H, W).

    Examples
    --------
    >>> grey(torch.tensor([0.0, 0.3, 0.9]).view(1, 3, 1, 1)).flatten()
    tensor([0.4000, 0.4000, 0.4000])
    """
    w = x.new_tensor(weights).view(3, 1, 1)
    return (w * x).sum(-3, keepdim=True).expand_as(x)


def spread(y: Tensor, strokes: Tensor, told: Tensor, weights: Sequence[float] = MEAN) -> Tensor:
    """The strokes' colour carried to where the grey is alike.

    Source: Levin, Lischinski and Weiss 2004; the colour is the mean of its eight neighbours'
    weighted by how alike they are in grey, a sparse linear system.

    Parameters
    ----------
    y : (1, 3, H, W), grey, display range.
    strokes : (H, W), 1 on the strokes.
    told : (1, 3, H, W), the scene's colours there.
    weights : as in `Strokes`.

    Returns
    -------
    (1, 3, H, W); its grey is y's. y itself where there is no stroke.

    Examples
    --------
    >>> y, strokes = torch.full((1, 3, 4, 4), 0.5), torch.zeros(4, 4)
    >>> strokes[1, 1] = 1
    >>> red = torch.tensor([0.8, 0.4, 0.3]).view(1, 3, 1, 1).expand_as(y)
    >>> bool((spread(y, strokes, red)[..., 3, 3] - red[..., 3, 3]).abs().max() < 1e-5)
    True
    """
    free = strokes.numpy().ravel() == 0
    if free.all():
        return y
    luma = grey(y, weights)[0, 0].double().numpy()
    height, width = luma.shape
    index = np.arange(luma.size).reshape(luma.shape)
    near, where = (
        np.stack([p[a : a + height, b : b + width] for a in range(3) for b in range(3)])
        for p in (np.pad(luma, 1, mode="reflect"), np.pad(index, 1, mode="reflect"))
    )
    alike = np.exp(-((near - luma) ** 2) / (1.2 * near.var(0) + 2e-5))
    alike[4] = 0  # the pixel itself
    alike /= alike.sum(0)
    rows = np.broadcast_to(index, where.shape)
    neighbours = sparse.csr_matrix((alike.ravel(), (rows.ravel(), where.ravel())))
    system = sparse.eye(luma.size) - sparse.diags(free.astype(float)) @ neighbours
    known = (told - grey(told, weights))[0].double().numpy().reshape(3, -1).T * ~free[:, None]
    colour = spsolve(system.tocsc(), known).T.reshape(3, height, width)
    return grey(y, weights) + torch.tensor(colour).to(y)[None]
