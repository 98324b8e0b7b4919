"""What a sampler tells of each of its steps."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Step:
    """What the callback of `algorithm_1` and of `restore` sees; all images in display range.

    number, steps: 1..steps and their count. sigma: the noise level that was left behind.
    state: the clean image plus noise of this standard deviation, which the network saw: x_t of
    Algorithm 1 is sqrt(alpha_bar_t) times it, in model range. x0_hat: x_{0|t}. loss: what the
    sampler minimises, at x0_hat, a float: the total loss in Algorithm 1, the fidelity in
    `restore`. phi: the degradation's parameters by name, each in its own unit; in `restore` with
    one more axis in front, the chains'.
    """

    number: int
    steps: int
    sigma: float
    state: Tensor
    x0_hat: Tensor
    loss: float
    phi: dict[str, Tensor]
