"""What a tensor of pixels means: its ranges, its bytes, its light.

Images are (B, 3, H, W). Two ranges of values occur: display range, 0 black to 1 white, for photos,
degradations and guidance; and model range, -1 to 1, for the state x_t of the diffusion. Both are
sRGB-encoded unless a function says linear light.
"""

import numpy as np
import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as in JPEG


def to_model(image: Tensor) -> Tensor:
    """Display range [0, 1] -> model range [-1, 1], the range of the diffusion state."""
    return 2 * image - 1


def to_display(image: Tensor) -> Tensor:
    """Model range [-1, 1] -> display range [0, 1], the range of photos and guidance."""
    return (image + 1) / 2


def from_uint8(array: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 array, as scikit-image gives it -> (1, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float() / 255


def to_uint8(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) -> (H, W, 3) uint8 array: clipped to [0, 1] and rounded."""
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def srgb_to_linear(x: Tensor) -> Tensor:
    """sRGB-encoded display range -> linear light, any shape (IEC 61966-2-1); below 0 straight."""
    bent = ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(x > 0.04045, bent, x / 12.92)


def linear_to_srgb(light: Tensor) -> Tensor:
    """The inverse of `srgb_to_linear`; the two pieces meet to 1e-8 in both."""
    bent = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light > 0.0031308, bent, 12.92 * light)


def check_photo(y: Tensor) -> None:
    """Raise ValueError, in one line, where y is no batch of photos, (B, 3, h, w), finite floats."""
    if not isinstance(y, torch.Tensor) or y.dtype not in (torch.float32, torch.float64):
        kind = getattr(y, "dtype", type(y).__name__)
        raise ValueError(f"y must be a tensor of finite floats, float32 or float64, not {kind}")
    # The least and the greatest tell: both are nan where one number is. No mask the photo's size.
    finite = y.numel() and all(bool(v.isfinite()) for v in y.detach().aminmax())
    if y.ndim != 4 or y.shape[1] != 3 or not finite:
        raise ValueError(f"photos (B, 3, h, w) of finite floats are needed, got {tuple(y.shape)}")


def check_one_photo(y: Tensor) -> None:
    """The same, and where y is more than one photo."""
    check_photo(y)
    if len(y) != 1:
        raise ValueError(f"one photo at a time, not {len(y)}")
