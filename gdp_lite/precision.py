"""In what a network computes: bfloat16 takes half the time where a processor multiplies it itself.

Weights and pictures stay in float32; only the products within the network are rounded.
"""

import copy
import os
from typing import Any

import torch
from torch import Tensor

from gdp_lite.policy import POLICY
from gdp_lite.prior import Denoiser, Prior
from gdp_lite.tiling import TiledPrior

PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
AGREEMENT = 45.0  # dB, of a guess in bfloat16 and in float32: what nobody sees
# Display range: the noise at which that is looked at, the most that a photo's restoration starts
# from. With less noise they agree better (tests/test_precision.py).
LEVEL = max(row.start_sigma or 0.0 for row in POLICY.values())
SIDE = 64  # pixels, of what is looked at, where the network has no native size


class InPrecision(torch.nn.Module):
    """A network of diffusers' that computes in another precision than its weights have.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Same(torch.nn.Linear):
    ...     def forward(self, x, t):
    ...         return SimpleNamespace(sample=super().forward(x))
    >>> InPrecision(Same(2, 2), torch.bfloat16)(torch.ones(1, 2), None).sample.dtype
    torch.bfloat16
    """

    def __init__(self, network: torch.nn.Module, dtype: torch.dtype):
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, x: Tensor, t: Any) -> Any:
        """As the network's, but its answer has that precision."""
        with torch.autocast(x.device.type, self.dtype):
            return self.network(x, t)


def precision_of(asked: str | None, device: str, usual: str = "") -> torch.dtype:
    """In what the network computes; weights, losses and averages stay in float32.

    asked: a key of `PRECISIONS`; None for what ``accelerate launch --mixed_precision`` says, else
    the usual one: by default bf16 on CUDA and full precision elsewhere. ValueError for another, and
    for fp16 on a CPU.

    Examples
    --------
    >>> precision_of(None, "cpu"), precision_of("bf16", "cpu")
    (torch.float32, torch.bfloat16)
    """
    told = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    usual = usual or ("bf16" if torch.device(device).type == "cuda" else "no")
    name = asked or (told if told != "no" else usual)  # "no" is what accelerate says by default
    if name not in PRECISIONS:
        raise ValueError(f"precision must be {', '.join(PRECISIONS)}, not {name}")
    if name == "fp16" and torch.device(device).type != "cuda":
        raise ValueError("fp16 needs CUDA: bf16 has float32's range")
    return PRECISIONS[name]


def in_precision(denoiser: Denoiser, dtype: torch.dtype) -> Denoiser:
    """The same, its network in another precision; the one that was given stays as it is.

    ValueError for a denoiser that is no `Prior`: it alone knows in what it computes.

    Examples
    --------
    >>> in_precision(lambda x, sigma: x, torch.bfloat16)
    Traceback (most recent call last):
    ValueError: only a diffusion prior computes in another precision
    """
    if dtype == torch.float32:
        return denoiser
    new: Any = copy.copy(denoiser)
    if isinstance(denoiser, TiledPrior):
        new.denoiser = in_precision(denoiser.denoiser, dtype)
    elif isinstance(denoiser, Prior):
        new.unet = InPrecision(denoiser.unet, dtype)
    else:
        raise ValueError("only a diffusion prior computes in another precision")
    return new


def precision_in(denoiser: Denoiser | None) -> str:
    """In what a denoiser computes, a key of `PRECISIONS`; "no" where nothing else is known.

    Examples
    --------
    >>> precision_in(None)
    'no'
    """
    inner = denoiser.denoiser if isinstance(denoiser, TiledPrior) else denoiser
    network = getattr(inner, "unet", None)
    names = {dtype: name for name, dtype in PRECISIONS.items()}
    return names[network.dtype] if isinstance(network, InPrecision) else "no"


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16; without that it takes ten times as long."""
    told = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public name for it
    return bool(told and told())


def quickest(denoiser: Denoiser) -> torch.dtype:
    """bfloat16 for a prior on a processor that has it, if its guess stays the same to 45 dB.

    Looked at with the most noise that restoring starts from, on a picture of the prior's native
    size or of 64 x 64 pixels: two calls of the network.

    Examples
    --------
    >>> from gdp_lite.prior import load_prior
    >>> quickest(load_prior()) == (torch.bfloat16 if has_bfloat16() else torch.float32)
    True
    """
    if not isinstance(denoiser, Prior) or not has_bfloat16():
        return torch.float32
    if any(weights.device.type != "cpu" for weights in denoiser.unet.parameters()):
        return torch.float32
    side = denoiser.native_size or SIDE
    picture = torch.linspace(0.1, 0.9, side).expand(1, 3, side, side)
    seeded = torch.Generator().manual_seed(0)
    y = picture + LEVEL * torch.randn(picture.shape, generator=seeded)
    with torch.no_grad():
        full, half = (d(y, LEVEL) for d in (denoiser, in_precision(denoiser, torch.bfloat16)))
    error = float((full - half).square().mean())
    return torch.bfloat16 if error <= 10 ** (-AGREEMENT / 10) else torch.float32


def with_precision(denoiser: Denoiser, device: str, asked: str | None) -> Denoiser:
    """The denoiser in the precision that is asked for, a key of `PRECISIONS`; None: `quickest`.

    Examples
    --------
    >>> still = lambda x, sigma: x
    >>> with_precision(still, "cpu", None) is still
    True
    """
    dtype = quickest(denoiser) if asked is None else precision_of(asked, device)
    return in_precision(denoiser, dtype)
