"""Ranges for Phi, held by construction: whatever the optimiser does, Phi stays in its range.

Each class is a `torch.nn.utils.parametrize` parametrisation: the optimiser moves a raw tensor
without bounds, `forward` maps it into the range, `right_inverse` maps a value back. So
``degradation.gain`` is the gain, ``degradation.parameters()`` holds the raw numbers, and
`assign` sets a value. The conventions (mean 1, sum 1, centred) are those that make Phi
identifiable at all where f x = (f c)(x / c).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

Value = float | Sequence[float] | Tensor


def learn(module: nn.Module, name: str, value: Value, constraint: nn.Module) -> None:
    """Give a degradation a learnable Phi that stays in its range.

    Parameters
    ----------
    module : the degradation.
    name : of the Phi, which becomes an attribute.
    value : its first value, in its own unit.
    constraint : `Between`, `Within`, `Share`, `MeanOne`, `CentredKernel`, or any module with a
        ``forward`` from unbounded numbers into the range and its ``right_inverse``.

    Examples
    --------
    >>> lamp = nn.Module()
    >>> learn(lamp, "gain", 2.0, Between(0.1, 10))
    >>> round(float(lamp.gain), 4)
    2.0
    """
    value = torch.as_tensor(value, dtype=torch.get_default_dtype())
    module.register_parameter(name, nn.Parameter(value.clone()))
    kind = type(module).__name__
    parametrize.register_parametrization(module, name, constraint)
    type(module).__name__ = kind  # torch makes a class of the module's own, Parametrized...


def assign(module: nn.Module, name: str, value: Value) -> None:
    """Set a Phi made by `learn`.

    Parameters
    ----------
    module, name : the degradation and the Phi's name.
    value : one number for all of it, or as many as it has, in its own unit.

    Raises
    ------
    ValueError : where the value is out of its range or of another shape, or there is no such Phi.

    Examples
    --------
    >>> from gdp_lite.degradations import Gamma
    >>> gamma = Gamma()
    >>> assign(gamma, "exponent", 2.2)
    >>> round(float(gamma.exponent), 4)
    2.2
    """
    if not parametrize.is_parametrized(module, name):
        raise ValueError(f"{type(module).__name__} has no Phi of the name {name!r}")
    found: Any = module.get_submodule(f"parametrizations.{name}")
    raw = found.original
    with torch.no_grad():
        value = torch.as_tensor(value, dtype=raw.dtype, device=raw.device)
        if value.shape not in ((), raw.shape) and (1, *value.shape) != raw.shape:
            raise ValueError(f"{name} is {tuple(raw.shape)}, not {tuple(value.shape)}")
        value = value.expand(raw.shape)
        raw.copy_(found[0].right_inverse(value))


def drawn(posterior: Tensor, middle: Tensor, generator: Generator | None) -> Tensor:
    """The middle of a posterior, or, with a generator, any one of its samples, (n, ...)."""
    if generator is None:
        return middle
    return posterior[torch.randint(len(posterior), (), generator=generator)]


class Between(nn.Module):
    """Positive numbers in [low, high], even in their logarithm: low (high/low)^sigmoid(raw)."""

    def __init__(self, low: float, high: float):
        super().__init__()
        self.low, self.high = low, high

    def forward(self, raw: Tensor) -> Tensor:
        value = self.low * (self.high / self.low) ** torch.sigmoid(raw)
        return value.clamp(self.low, self.high)  # rounding may leave the range by one bit

    def right_inverse(self, value: Tensor) -> Tensor:
        if not bool(((value > self.low) & (value < self.high)).all()):
            raise ValueError(f"between {self.low} and {self.high} is needed, got {value.tolist()}")
        ratio = torch.as_tensor(self.high / self.low, dtype=value.dtype)
        return torch.logit((value / self.low).log() / ratio.log())


class Within(nn.Module):
    """Numbers in [-limit, limit]: limit tanh(raw)."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit = limit

    def forward(self, raw: Tensor) -> Tensor:
        return self.limit * torch.tanh(raw)

    def right_inverse(self, value: Tensor) -> Tensor:
        if not bool((value.abs() < self.limit).all()):
            raise ValueError(f"numbers between -{self.limit} and {self.limit} are needed")
        return torch.atanh(value / self.limit)


class Share(nn.Module):
    """Numbers in [0, 1], a mask's or a colour's: sigmoid(raw). 0 and 1 are met to 1e-3."""

    def forward(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw)

    def right_inverse(self, value: Tensor) -> Tensor:
        if not bool(((value >= 0) & (value <= 1)).all()):
            raise ValueError("numbers between 0 and 1 are needed")
        return torch.logit(value.clamp(1e-3, 1 - 1e-3))  # further out it could not be unlearned


class MeanOne(nn.Module):
    """Non-negative numbers with mean 1: n softmax(raw), a convention for gains."""

    def forward(self, raw: Tensor) -> Tensor:
        return len(raw) * raw.softmax(0)

    def right_inverse(self, value: Tensor) -> Tensor:
        if not bool((value > 0).all()):
            raise ValueError(f"gains must be positive, got {value.tolist()}")
        return value.log() - value.log().mean()


class CentredKernel(nn.Module):
    """Kernels on the simplex, centred: k_j >= 0, sum 1, centre of mass at the middle pixel.

    raw: (n, n), n odd. k_j is softmax(20 tanh(raw_j / 20) + theta . j), with the one theta that
    centres it.
    Every centred positive kernel is reached, and theta is a convex problem in two unknowns:
    Newton steps find it. One more step with a graph gives the gradient (implicit function
    theorem); second derivatives would be wrong. A kernel that is set and not centred becomes
    the centred one next to it in Kullback-Leibler divergence.
    """

    def forward(self, raw: Tensor) -> Tensor:
        size = raw.shape[-1]
        taps = torch.arange(size, dtype=torch.float64, device=raw.device) - size // 2
        places = torch.cartesian_prod(taps, taps) / max(size // 2, 1)
        logits = 20 * torch.tanh(raw.double().flatten() / 20)  # further out Newton would fail
        with torch.no_grad():
            theta, covariance = self._centre(logits.detach(), places)
        mean = (logits + places @ theta).softmax(0) @ places
        theta = theta - torch.linalg.solve(covariance, mean)
        return (logits + places @ theta).softmax(0).view_as(raw).to(raw.dtype)

    def right_inverse(self, kernel: Tensor) -> Tensor:
        if not bool((kernel >= 0).all()) or not float(kernel.sum()) > 0:
            raise ValueError("a kernel has no negative weights and a positive sum")
        kernel = kernel / kernel.sum()
        # A little everywhere: from a weight of 0 no gradient would lead away.
        logits = (0.999 * kernel + 0.001 / kernel.numel()).log()
        logits = logits - (logits.max() + logits.min()) / 2
        return 20 * torch.atanh(logits.clamp(-19, 19) / 20)

    @staticmethod
    def _centre(logits: Tensor, places: Tensor, steps: int = 200) -> tuple[Tensor, Tensor]:
        """The minimum of log sum_j exp(logits_j + theta . j), whose gradient is the mean."""
        theta, eye = logits.new_zeros(2), 1e-12 * torch.eye(2).to(logits)
        for _ in range(steps):
            exponents = logits + places @ theta
            value, weights = exponents.logsumexp(0), exponents.softmax(0)
            mean = weights @ places
            offset = places - mean
            covariance = (offset * weights[:, None]).T @ offset + eye
            newton, length = torch.linalg.solve(covariance, mean), 1.0
            if float(mean.abs().max()) < 1e-13 or len(places) == 1:
                break
            slope = float(mean @ newton)
            while length > 1e-9:
                ahead = (logits + places @ (theta - length * newton)).logsumexp(0)
                if float(ahead) <= float(value) - 0.1 * length * slope + 1e-15:
                    break
                length /= 2
            theta = theta - length * newton
        return theta, covariance
