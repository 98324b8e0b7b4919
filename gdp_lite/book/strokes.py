"""Strokes that nobody painted: where a benchmark tells a grey photo its colours."""

import torch
from torch import Generator, Tensor

ROWS, COLUMNS = 3, 4  # one stroke in each cell of such a grid
LENGTH, THICK = 20, 3  # pixels at 128 x 128


def strokes(size: int, seed: int = 0) -> Tensor:
    """Twelve short level strokes, one in each cell of a grid, (size, size), 1 on them."""
    scale, generator = size / 128, Generator().manual_seed(seed)
    length, thick = round(LENGTH * scale), round(THICK * scale)
    places = torch.rand(ROWS, COLUMNS, 2, generator=generator)
    mask = torch.zeros(size, size)
    for row in range(ROWS):
        for column in range(COLUMNS):
            down, right = places[row, column].tolist()
            top = round((row + down) * (size - thick) / ROWS)
            left = round((column + right) * (size - length) / COLUMNS)
            mask[top : top + thick, left : left + length] = 1
    return mask
