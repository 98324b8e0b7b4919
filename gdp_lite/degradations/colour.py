"""Colour: the channel mean of colourisation, and colour casts, known or to be found (Phi).

All three are linear and mix the channels of one pixel, so each `prox` is exact. A cast is a
matter of light: ``LinearLight(ColourCast())`` applies it there. Convention: gains have mean 1,
the brightness belongs to `gdp_lite.light`.
"""

import torch

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import MeanOne, Within, assign, learn
from gdp_lite.estimators.anchors import cast_posterior


class ChannelMean(Degradation):
    """y = (R + G + B) / 3 in all three channels: a projection, A = A^T = A A.

    The source's colourisation ("Training data preparation"). deepinv's Decolorize has one
    channel and luma weights by default; its "average" mode is this one, divided by its norm.
    """

    linear = True

    def A(self, x):
        return x.mean(1, keepdim=True).expand_as(x)

    def A_adjoint(self, y):
        return self.A(y)

    def prox(self, x, y, rho):
        return x + self.A(y - x) / (1 + rho)


class ColourCast(Degradation):
    """y = gains * x, a white balance gone wrong. Phi: ``gains`` (3,), positive with mean 1.

    reference: an `anchors.Reference`, a patch of known colour, for `initialise`.
    """

    linear, pointwise = True, True

    def __init__(self, gains=(1.0, 1.0, 1.0), sigma=0.0, reference=None):
        super().__init__(sigma)
        gains = torch.as_tensor(gains, dtype=torch.get_default_dtype())
        if gains.shape != (3,) or not abs(float(gains.mean()) - 1) < 1e-3:
            raise ValueError(f"three gains with mean 1 are needed, got {gains.tolist()}")
        self.reference = reference
        learn(self, "gains", gains, MeanOne())

    @property
    def matrix(self):
        """The (3, 3) matrix that acts on each pixel."""
        return torch.diag(self.gains)

    def A(self, x):
        return _mix(self.matrix, x)

    def A_adjoint(self, y):
        return _mix(self.matrix.T, y)

    def check_measurement(self, y):
        if y.shape[-3] != 3:
            raise ValueError(f"a colour cast needs three channels, y has {y.shape[-3]}")

    def initialise(self, y, sigma=None, generator=None, light=False):
        """The gains of `cast_posterior`, their mean or a draw, which are held."""
        sigma = self.sigma if sigma is None else sigma
        posterior = cast_posterior(y, light, self.reference, sigma)
        gains = posterior.mean(0)
        if generator is not None:
            gains = posterior[torch.randint(len(posterior), (), generator=generator)]
        assign(self, "gains", gains)
        return self.requires_grad_(False)

    def start(self, y):
        return _mix(torch.linalg.inv(self.matrix), y)

    def prox(self, x, y, rho):
        matrix = self.matrix.to(x)
        normal = matrix.T @ matrix + rho * torch.eye(3).to(x)
        return x + _mix(torch.linalg.inv(normal) @ matrix.T, y - self.A(x))


class ColourMatrix(ColourCast):
    """y = C x in each pixel, C a 3 x 3 matrix: gains, and channels that leak into each other.

    C = diag(gains) R. Phi: ``gains`` as in `ColourCast`; ``leak`` (6,), the entries of R off
    its diagonal, row by row, each in [-0.24, 0.24]. The rows of R sum to 1, so that grey turns
    into the gains, and R is diagonally dominant, so that C can always be inverted.
    """

    pointwise = False

    def __init__(self, gains=(1.0, 1.0, 1.0), leak=0.0, sigma=0.0, reference=None):
        super().__init__(gains, sigma, reference)
        leak = torch.as_tensor(leak)
        if leak.shape not in ((), (6,)):
            raise ValueError(f"leak is one number or six, not {tuple(leak.shape)}")
        learn(self, "leak", leak.expand(6), Within(0.24))

    @property
    def matrix(self):
        off = ~torch.eye(3, dtype=torch.bool, device=self.leak.device)
        leak = self.leak.new_zeros(3, 3).masked_scatter(off, self.leak)
        return self.gains[:, None] * (leak + torch.diag(1 - leak.sum(1)))

    def initialise(self, y, sigma=None, generator=None, light=False):
        """The gains as in `ColourCast`; nothing leaks, and that is held, too."""
        assign(self, "leak", 0.0)
        return super().initialise(y, sigma, generator, light)


def _mix(matrix, x):
    return torch.einsum("ij,bjhw->bihw", matrix.to(x), x)
