"""A prior for large images: the network sees overlapping tiles, everything else the whole image.

Introduced in the chapter on the network. Memory then depends on the tile, not on the image.
"""

import torch


class TiledPrior:
    """Has what a sampler needs of a `gdp_lite.prior.Prior`, ``schedule`` and ``eps``, in tiles.

    prior: the `Prior` that is called on each tile.
    tile: side of a tile in pixels, a multiple of ``prior.multiple``.
    overlap: pixels that neighbouring tiles share at least, fewer than ``tile``.
    Predictions are blended with weights that fall linearly to the edge of a tile. They are not
    quite those of one call on the whole image: the network's normalisation sees the tile
    only. benchmarks/tiles.py measures by how much.
    """

    def __init__(self, prior, tile=256, overlap=64):
        if tile % prior.multiple or not 0 <= overlap < tile:
            raise ValueError(f"tile must be a multiple of {prior.multiple}, overlap in 0..tile - 1")
        self.prior, self.tile, self.overlap = prior, tile, overlap
        self.schedule, self.multiple = prior.schedule, prior.multiple

    def eps(self, x_t, t):
        """G_Theta(x_t, t), shaped like x_t: (B, 3, H, W), model range. See `Prior.eps`."""
        height, width = x_t.shape[-2:]
        rows, columns = (_starts(n, self.tile, self.overlap) for n in (height, width))
        if len(rows) * len(columns) == 1:
            return self.prior.eps(x_t, t)
        total, weights = torch.zeros_like(x_t), x_t.new_zeros(height, width)
        for top in rows:
            for left in columns:
                place = (..., slice(top, top + self.tile), slice(left, left + self.tile))
                eps_hat = self.prior.eps(x_t[place], t)
                weight = _ramp(eps_hat.shape[-2], x_t)[:, None] * _ramp(eps_hat.shape[-1], x_t)
                total[place] += weight * eps_hat
                weights[place] += weight
        return total / weights


def count_tiles(height, width, tile=256, overlap=64):
    """How often `TiledPrior` calls the network for an image of height x width pixels."""
    return len(_starts(height, tile, overlap)) * len(_starts(width, tile, overlap))


def _starts(length, tile, overlap):
    """First pixels of the fewest evenly spread tiles that share `overlap` pixels or more."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _ramp(length, like):
    """Weights 1, 2, ... up to the middle and down again."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.minimum(place + 1, length - place)
