"""Masks that chapters and benchmarks lay over a photo: letters, a box, scratches; 0 is covered."""

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor


def text_mask(
    height: int, width: int, text: str, size: int = 24, place: tuple[int, int] = (4, 4)
) -> Tensor:
    """Letters as a mask of 0, (height, width); size in pixels, place of the upper left (x, y)."""
    picture = Image.new("1", (width, height), 1)
    ImageDraw.Draw(picture).text(place, text, 0, font=ImageFont.load_default(size))
    return torch.tensor(list(picture.tobytes("raw", "L"))).view(height, width).div(255).round()


def box_mask(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Tensor:
    """A rectangle, rows top .. bottom - 1 and columns left .. right - 1; ValueError if empty."""
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"no box inside {height} x {width}: {top, left, bottom, right}")
    mask = torch.ones(height, width)
    mask[top:bottom, left:right] = 0
    return mask


def scratch_mask(
    height: int,
    width: int,
    count: int = 5,
    thickness: float = 1.5,
    generator: Generator | None = None,
) -> Tensor:
    """`count` straight scratches across the picture, `thickness` pixels wide, (height, width)."""
    if not count >= 0 or not thickness > 0:
        raise ValueError(f"no {count} scratches of {thickness} pixels")
    ends = torch.rand(count, 4, generator=generator) * torch.tensor([height, width] * 2)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    mask = torch.ones(height, width)
    for top, left, bottom, right in ends.tolist():
        length = max(((bottom - top) ** 2 + (right - left) ** 2) ** 0.5, 1e-6)
        distance = (rows - top) * (right - left) - (columns - left) * (bottom - top)
        along = (rows - top) * (bottom - top) + (columns - left) * (right - left)
        hit = (distance.abs() <= length * thickness / 2) & (along >= 0) & (along <= length**2)
        mask[hit] = 0
    return mask
