"""What several kinds need: for the noise, masks, sizes and what is given for each photo."""

import math
from collections.abc import Sequence

from torch import Tensor


def checked_sigma(sigma: float) -> float:
    """A standard deviation as a float; ValueError where it is negative or not finite."""
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma is a standard deviation and cannot be {sigma}")
    return float(sigma)


def per_photo(tensor: Tensor, y: Tensor) -> Tensor:
    """What is given for each photo, (B, ...), for all samples of them in y; else as it is."""
    tensor = tensor.to(y)
    return tensor.repeat(len(y) // len(tensor), 1, 1, 1) if tensor.ndim == 4 else tensor


def rms_where(x: Tensor, mask: Tensor) -> Tensor:
    """Root mean square of x, (B, C, H, W) -> (B,), where the mask, (.., 1, H, W), is 1."""
    mask = mask.expand_as(x)
    return ((mask * x.square()).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)).sqrt()


def two_whole(size: Sequence[float], name: str) -> tuple[int, int]:
    """(rows, columns), two whole numbers of at least 1; ValueError else."""
    if not hasattr(size, "__len__") or len(size) != 2 or any(n < 1 or n % 1 for n in size):
        raise ValueError(f"{name} is two whole numbers, (rows, columns), not {size}")
    return int(size[0]), int(size[1])
