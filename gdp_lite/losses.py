"""The losses that steer the sampling, Eqs. (8) and (9).

Images in display range [0, 1], (B, 3, H, W). Losses are sums over pixels and channels, not
means: Eq. (9) writes a squared norm and calls it an MSE, and the two differ by the factor
3 h w, which is then hidden in the gradient step s.
"""

from collections.abc import Callable

from torch import Tensor


def fidelity_loss(y: Tensor, y_hat: Tensor) -> Tensor:
    """||y - F_Phi(x_{0|t})||^2, summed over everything. Eq. (9); y_hat is F_Phi(x_{0|t})."""
    if y.shape != y_hat.shape:
        raise ValueError(f"y is {tuple(y.shape)} and F(x) is {tuple(y_hat.shape)}")
    return (y - y_hat).square().sum()


def total_loss(
    y: Tensor,
    x0_hat: Tensor,
    degradation: Callable[[Tensor], Tensor],
    lambda1: float = 1.0,
    lambda2: float = 0.0,
    perceptual: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """lambda1 * fidelity(y, F_Phi(x0_hat)) + lambda2 * perceptual(x0_hat). Eq. (8).

    perceptual: a function of an image that returns a scalar, or None.
    """
    loss = lambda1 * fidelity_loss(y, degradation(x0_hat))
    if perceptual is not None and lambda2:
        loss = loss + lambda2 * perceptual(x0_hat)
    return loss
