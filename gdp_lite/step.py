"""What a sampler tells of each of its steps, and of the end."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Step:
    """What the callback of `algorithm_1` and of `restore` sees; all images in display range.

    Parameters
    ----------
    number, steps : 1..steps and their count.
    sigma : the noise level that was left behind.
    state : the clean image plus noise of this standard deviation, which the network saw: x_t of
        Algorithm 1 is sqrt(alpha_bar_t) times it, in model range.
    x0_hat : x_{0|t}.
    loss : what the sampler minimises, at x0_hat: the total loss in Algorithm 1, the fidelity in
        `restore`.
    phi : the degradation's parameters by name, each in its own unit; in `restore` with one more
        axis in front, the chains'.
    """

    number: int
    steps: int
    sigma: float
    state: Tensor
    x0_hat: Tensor
    loss: float
    phi: dict[str, Tensor]


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for n samples of each of B photos.

    Parameters
    ----------
    samples : (n, B, 3, H, W), display range, not clipped.
    phi : by name, (n, B, ...), in its unit; empty where the degradation has none.
    residual : (n, B), root mean square of F_Phi(sample) - y over the pixels that y shows, display
        range, to be compared with ``sigma``.
    sigma : the noise that was assumed, or found, then its mean over the chains.
    trace : a dict for every step: ``sigma`` (display range), ``loss``, ``phi`` (chains in front).

    Examples
    --------
    >>> samples = torch.tensor([0.4, 0.6]).view(2, 1, 1, 1, 1).expand(2, 1, 3, 1, 1)
    >>> Restoration(samples, {}, torch.zeros(2, 1), 0.0, []).image.flatten()
    tensor([0.5000, 0.5000, 0.5000])
    """

    samples: Tensor
    phi: dict[str, Tensor]
    residual: Tensor
    sigma: float
    trace: list[dict]

    @property
    def image(self) -> Tensor:
        """The mean of the samples, (B, 3, H, W), nearest to the scene and a little softer."""
        return self.samples.mean(0)

    @property
    def spread(self) -> Tensor:
        """The samples' standard deviation at each number, (B, 3, H, W). ValueError for one."""
        if len(self.samples) < 2:
            raise ValueError("one sample has no spread: ask restore for samples=4 or more")
        return self.samples.std(0)
