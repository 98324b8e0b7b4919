"""Colour: the channel mean of colourisation, and colour casts, known or to be found (Phi).

All three are linear and mix the channels of one pixel, so each `prox` is exact. A cast is a
matter of light: ``LinearLight(ColourCast())`` applies it there. Convention: gains have mean 1,
the brightness belongs to `gdp_lite.light`.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import MeanOne, Within, assign, drawn, learn
from gdp_lite.estimators.anchors import Reference, cast_posterior


class ChannelMean(Degradation):
    """y = (R + G + B) / 3 in all three channels: a projection, A = A^T = A A.

    The source's colourisation ("Training data preparation"). deepinv's Decolorize has one
    channel and luma weights by default; its "average" mode is this one, divided by its norm.

    Parameters
    ----------
    sigma : noise, display range.

    Examples
    --------
    >>> ChannelMean()(torch.tensor([0.0, 0.3, 0.9]).view(1, 3, 1, 1)).flatten()
    tensor([0.4000, 0.4000, 0.4000])
    """

    linear = True

    def A(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True).expand_as(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A(y)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return x + self.A(y - x) / (1 + rho)


class ColourCast(Degradation):
    """y = gains * x, a white balance gone wrong. Phi: ``gains`` (3,), positive with mean 1.

    `initialise` takes the gains of `cast_posterior`, their mean or a draw, and holds them.

    Parameters
    ----------
    gains : three numbers with mean 1; ValueError else.
    sigma : noise, display range.
    reference : a patch of known colour, for `initialise`.

    Examples
    --------
    >>> warm = ColourCast((1.2, 1.0, 0.8))
    >>> warm(torch.full((1, 3, 1, 1), 0.5)).flatten().detach()
    tensor([0.6000, 0.5000, 0.4000])
    """

    linear, pointwise = True, True
    gains: Tensor

    def __init__(
        self,
        gains: Sequence[float] | Tensor = (1.0, 1.0, 1.0),
        sigma: float = 0.0,
        reference: Reference | None = None,
    ):
        super().__init__(sigma)
        gains = torch.as_tensor(gains, dtype=torch.get_default_dtype())
        if gains.shape != (3,) or not abs(float(gains.mean()) - 1) < 1e-3:
            raise ValueError(f"three gains with mean 1 are needed, got {gains.tolist()}")
        self.reference = reference
        learn(self, "gains", gains, MeanOne())

    @property
    def matrix(self) -> Tensor:
        """The (3, 3) matrix that acts on each pixel."""
        return torch.diag(self.gains)

    def A(self, x: Tensor) -> Tensor:
        return _mix(self.matrix, x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return _mix(self.matrix.T, y)

    def check_measurement(self, y: Tensor) -> None:
        if y.shape[-3] != 3:
            raise ValueError(f"a colour cast needs three channels, y has {y.shape[-3]}")

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        posterior = cast_posterior(y, light, self.reference, sigma)
        assign(self, "gains", drawn(posterior, posterior.mean(0), generator))
        self.requires_grad_(False)

    def start(self, y: Tensor) -> Tensor:
        return _mix(torch.linalg.inv(self.matrix), y)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        matrix = self.matrix.to(x)
        normal = matrix.T @ matrix + rho * torch.eye(3).to(x)
        return x + _mix(torch.linalg.inv(normal) @ matrix.T, y - self.A(x))


class ColourMatrix(ColourCast):
    """y = C x in each pixel, C a 3 x 3 matrix: gains, and channels that leak into each other.

    C = diag(gains) R. Phi: ``gains`` as in `ColourCast`; ``leak`` (6,), the entries of R off
    its diagonal, row by row, each in [-0.24, 0.24]. The rows of R sum to 1, so that grey turns
    into the gains, and R is diagonally dominant, so that C can always be inverted. `initialise`
    finds the gains as in `ColourCast`; nothing leaks, and that is held, too.

    Parameters
    ----------
    gains, sigma, reference : as in `ColourCast`.
    leak : one number for all of it, or six.

    Examples
    --------
    >>> ColourMatrix(leak=0.1).matrix[0].detach()
    tensor([0.8000, 0.1000, 0.1000])
    """

    pointwise = False
    leak: Tensor

    def __init__(
        self,
        gains: Sequence[float] | Tensor = (1.0, 1.0, 1.0),
        leak: float | Sequence[float] | Tensor = 0.0,
        sigma: float = 0.0,
        reference: Reference | None = None,
    ):
        super().__init__(gains, sigma, reference)
        leak = torch.as_tensor(leak)
        if leak.shape not in ((), (6,)):
            raise ValueError(f"leak is one number or six, not {tuple(leak.shape)}")
        learn(self, "leak", leak.expand(6), Within(0.24))

    @property
    def matrix(self) -> Tensor:
        off = ~torch.eye(3, dtype=torch.bool, device=self.leak.device)
        leak = self.leak.new_zeros(3, 3).masked_scatter(off, self.leak)
        return self.gains[:, None] * (leak + torch.diag(1 - leak.sum(1)))

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        assign(self, "leak", 0.0)
        super().guess(y, sigma, generator, light)


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", matrix.to(x), x)
