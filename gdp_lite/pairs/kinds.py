"""The degradations of "Training data preparation", by name, with their numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gdp_lite.degradations import (
    BlockAverage,
    ChannelMean,
    Degradation,
    GaussianBlur,
    Inpainting,
    random_mask,
)

# "as-is": low-light and exposure sets, whose pictures are degraded already.
KINDS = ("blocks", "blur", "grey", "mask", "as-is")


class Kind(NamedTuple):
    """How good pictures are degraded.

    Parameters
    ----------
    name : of `KINDS`.
    factor : blocks: d, the picture is d times smaller on each axis; the source has 4 and 8.
    size, width : blur: n of the n x n Gaussian kernel, odd, and its standard deviation, pixels.
    missing : mask: the share of pixels that are set to zero.

    Examples
    --------
    >>> Kind("blur", size=5).told
    {'degrade': 'blur', 'size': 5, 'width': 2.0}
    """

    name: str
    factor: int = 4
    size: int = 9
    width: float = 2.0
    missing: float = 0.25

    @property
    def told(self) -> dict[str, object]:
        """The name and the numbers that matter to it, for a file of settings."""
        own = {"blocks": ("factor",), "blur": ("size", "width"), "mask": ("missing",)}
        return {"degrade": self.name, **{n: getattr(self, n) for n in own.get(self.name, ())}}

    def check(self) -> None:
        """ValueError, in one line, for numbers that cannot be."""
        if self.name not in KINDS:
            raise ValueError(f"knows {', '.join(KINDS)}, not {self.name!r}")
        if self.factor < 2:
            raise ValueError(f"blocks of {self.factor} pixels average nothing: 4 or 8 is usual")
        if not 0 < self.missing < 1:
            raise ValueError(f"the share that is missing lies between 0 and 1, not {self.missing}")
        GaussianBlur(self.size, self.width)

    def cut(self, x: Tensor) -> Tensor:
        """x, (1, 3, H, W), without the rows and columns that make no whole block."""
        if self.name != "blocks":
            return x
        height, width = (n - n % self.factor for n in x.shape[-2:])
        if not height or not width:
            raise ValueError(f"smaller than a block of {self.factor} pixels")
        return x[..., :height, :width]

    def mask_for(self, x: Tensor, seed: int) -> Tensor | None:
        """A random mask of x's size, (H, W), 0 where pixels are missing; None for other kinds."""
        if self.name != "mask":
            return None
        generator = torch.Generator().manual_seed(seed)
        return random_mask(x.shape[-2], x.shape[-1], self.missing, generator)

    def degradation(self, size: tuple[int, int], mask: Tensor | None, sigma: float) -> Degradation:
        """F of Eq. (1) for a clean picture of (H, W) pixels. sigma: noise to reckon with."""
        if self.name == "blocks":
            return BlockAverage(self.factor, size, sigma)
        if self.name == "blur":
            return GaussianBlur(self.size, self.width, sigma)
        if self.name == "grey":
            return ChannelMean(sigma)
        if mask is None:
            raise ValueError("its mask is missing")
        return Inpainting(mask, sigma)


def kind_of(told: Mapping[str, Any]) -> Kind:
    """The kind that `Kind.told` told, read back from a file of settings.

    ValueError, in one line, for what is none, LookupError where its name is missing.

    Examples
    --------
    >>> kind_of({"degrade": "blocks", "factor": 8, "seed": 0}).factor
    8
    """
    kind = Kind(told["degrade"], **{name: told[name] for name in Kind._fields if name in told})
    try:
        kind.check()
    except TypeError as error:
        raise ValueError(f"a number was expected: {error}") from error
    return kind
