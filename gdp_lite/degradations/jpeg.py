"""JPEG as a map that can be differentiated, with the tables and subsampling of the file itself.

As libjpeg does it: RGB to YCbCr, chroma averaged, 8 x 8 cosine transforms, division by the
quantisation table and rounding; back with "fancy" (triangle) upsampling. Every other rounding
to 8 bits is modelled, too, so that with real rounding the result is Pillow's to a level or two.
"""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations.base import Degradation
from gdp_lite.estimators.jpeg_tables import SAMPLING, read_jpeg_tables

_TO_YCC = torch.tensor(  # JFIF 1.02: ITU-R BT.601, full range
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ],
    dtype=torch.float64,
)
# Of a quantisation step, instead of 1/2 (Park and Lee 1999): worth 0.6 dB at quality 15
# (benchmarks/package_constants.py).
HALF = 0.3
# Added before `floor`: more than float32 errs by in a transform, and half of a thousandth, which is
# what luma comes in.
UP = 0.5 + 5e-4
_k = torch.arange(8, dtype=torch.float64)
_DCT = torch.cos(math.pi / 8 * _k[:, None] * (_k + 0.5)) / 2
_DCT[0] /= math.sqrt(2)


class JPEG(Degradation):
    """Encode and decode. Known: nothing is learned, the file tells its tables.

    Images of any size, repeated at the edges. A grey file tells nothing of the scene's colours:
    what is restored is grey, too.

    Parameters
    ----------
    luma, chroma : 64 numbers each, 1 to 65535, rows of rising vertical frequency; chroma None for
        a grey file.
    subsampling : "4:4:4", "4:2:2", "4:2:0" or "4:4:0".
    rounding : "straight-through" rounds for real, with the gradient of no rounding; "smooth"
        quantises by v - sin(2 pi v) / (2 pi), with its true gradient; "none" loses only chroma.
    sigma : noise that was there before encoding, display range.
    offset : (rows, columns) of the first block, 16 pixels along an axis with halved chroma, that
        lie before the image: of a crop, or where a file was turned upright.

    Raises
    ------
    ValueError : for tables, subsampling, rounding or an offset that are none of these.

    Examples
    --------
    >>> jpeg = JPEG.from_quality(50)
    >>> x = torch.rand(1, 3, 16, 16)
    >>> torch.equal(jpeg.prox(x, x, rho=1e9), x)  # nothing of the photo is asked for
    True
    """

    tables: Tensor

    def __init__(
        self,
        luma: Sequence[float] | Tensor,
        chroma: Sequence[float] | Tensor | None,
        subsampling: str = "4:2:0",
        rounding: str = "straight-through",
        sigma: float = 0.0,
        offset: tuple[int, int] = (0, 0),
    ):
        super().__init__(sigma)
        if subsampling not in SAMPLING:
            raise ValueError(f"subsampling is one of {', '.join(SAMPLING)}, not {subsampling!r}")
        if rounding not in ("straight-through", "smooth", "none"):
            raise ValueError(f"rounding is straight-through, smooth or none, not {rounding!r}")
        self.sampling, self.rounding = SAMPLING[subsampling], rounding
        self.rounds = rounding == "straight-through"
        if not all(0 <= n < 8 * m for n, m in zip(offset, self.sampling, strict=True)):
            raise ValueError(f"the offset {offset} is not within a block of {subsampling}")
        self.offset = offset
        given = [t for t in (luma, chroma, chroma) if t is not None]
        tables = [torch.as_tensor(t, dtype=torch.float64) for t in given]
        if not all(t.numel() == 64 and bool(((t >= 1) & (t < 2**16)).all()) for t in tables):
            raise ValueError("quantisation tables hold 64 numbers from 1 to 65535")
        self.register_buffer("tables", torch.stack([t.view(8, 8) for t in tables]))

    @classmethod
    def from_file(
        cls, file: str | Path | BinaryIO, rounding: str = "straight-through", sigma: float = 0.0
    ) -> Self:
        """From the headers of a JPEG, a path or an open file: `read_jpeg_tables`."""
        return cls(*read_jpeg_tables(file), rounding, sigma)

    @classmethod
    def from_quality(
        cls,
        quality: int,
        subsampling: str = "4:2:0",
        rounding: str = "straight-through",
        sigma: float = 0.0,
    ) -> Self:
        """With the tables that Pillow writes at this quality, 1..95."""
        if not 1 <= quality <= 95 or subsampling not in ("4:4:4", "4:2:2", "4:2:0"):
            raise ValueError(f"no quality from 1 to 95 and subsampling: {quality, subsampling}")
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality, subsampling=subsampling)
        return cls.from_file(file, rounding, sigma)

    def A(self, x: Tensor) -> Tensor:
        size = [n + m for n, m in zip(x.shape[-2:], self.offset, strict=True)]
        planes = []
        pixels = self._planes(x, self._round)
        for number, (plane, table) in enumerate(zip(pixels, self.tables.to(x), strict=True)):
            plane = self._round(self._coded(plane, table) + 128).clamp(0, 255)
            plane = self._upsample(plane, size) if number else plane
            planes.append(plane[..., : size[0], : size[1]])
        planes += [torch.full_like(planes[0], 128)] * (3 - len(planes))
        shift = torch.tensor([0, 128, 128]).to(x).view(3, 1, 1)
        colours = torch.linalg.inv(_TO_YCC).to(x)
        rgb = torch.einsum("ij,bjhw->bihw", colours, torch.cat(planes, 1) - shift)
        return self._cut(self._round(rgb).clamp(0, 255) / 255, x)

    def simulate(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """x plus noise of standard deviation ``sigma``, then encoded: after it there is none."""
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        return self.A(x + self.sigma * noise)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        """To x's nearest coefficients among those that the file's rounding makes y's.

        A file names an interval for each coefficient, not a value. The distance to these
        intervals, in YCbCr, replaces ||A z - y||, of which rounding leaves no useful slope:
        z = x + (projection - x) / (1 + rho). They are narrowed to `HALF` on both sides: a
        projection lands on the edge, where the next rounding may go either way, and the
        truth is rarely there. Noise before encoding takes 0.8 of its standard deviation more:
        close to -log of the interval's probability, whose slope at its edge is 0.8 / sigma.
        """
        planes = []
        pixels = zip(self._planes(x), self._planes(y), self.tables.to(x), strict=True)
        for number, (mine, file, table) in enumerate(pixels):
            mine, file = _transformed(mine) / table, _transformed(file) / table
            rows, columns = self.sampling if number else (1, 1)
            spread = 255 * self.sigma * float(_TO_YCC[number].norm()) / (rows * columns) ** 0.5
            half = (HALF - 0.8 * spread / table).clamp(min=0)
            nearest = torch.clamp(mine, file.round() - half, file.round() + half)
            plane = _inverse((nearest - mine) * table)
            plane = plane.repeat_interleave(rows, -2).repeat_interleave(columns, -1)
            planes.append(self._cut(plane, x))
        planes += [torch.zeros_like(planes[0])] * (3 - len(planes))
        colours = torch.linalg.inv(_TO_YCC).to(x)
        rgb = torch.einsum("ij,bjhw->bihw", colours, torch.cat(planes, 1)) / 255
        z = x + rgb / (1 + rho)
        if len(self.tables) == 1:  # a grey file: which colours there were, nobody knows
            z = torch.einsum("j,bjhw->bhw", _TO_YCC[0].to(z), z)[:, None].expand_as(z)
        return z

    def _planes(self, x: Tensor, rounded: Callable[[Tensor], Tensor] = lambda v: v) -> list[Tensor]:
        """What is cut into blocks: luma and averaged chroma, 0 in the middle, [(B, 1, h, w), ...].

        h and w are whole blocks.
        """
        rows, columns = self.sampling
        top, left = self.offset
        bottom, right = -(x.shape[-2] + top) % (8 * rows), -(x.shape[-1] + left) % (8 * columns)
        x = functional.pad(255 * x.clamp(0, 1), (left, right, top, bottom), mode="replicate")
        shift = torch.tensor([0, 128, 128]).to(x).view(3, 1, 1)
        ycc = rounded(torch.einsum("ij,bjhw->bihw", _TO_YCC.to(x), rounded(x)) + shift)
        planes = []
        for number in range(len(self.tables)):
            plane = ycc[:, number : number + 1]
            if number and rows * columns > 1:
                # libjpeg rounds a half down and up in turn, along the rows.
                turn = torch.arange(plane.shape[-1] // columns, device=x.device) % 2 - 0.5
                turn = turn / (rows * columns) if columns > 1 else 0 * turn + 0.25
                plane = functional.avg_pool2d(plane, self.sampling)
                plane = rounded(plane + turn.to(x))
            planes.append(plane - 128)
        return planes

    def _cut(self, plane: Tensor, x: Tensor) -> Tensor:
        """What of whole blocks lies over x."""
        top, left = self.offset
        return plane[..., top : top + x.shape[-2], left : left + x.shape[-1]]

    def _upsample(self, plane: Tensor, size: Sequence[int]) -> Tensor:
        """Chroma back to (H, W): each pixel 3/4 of the nearest and 1/4 of the next sample."""
        rows, columns = self.sampling
        plane = plane[..., : -(-size[0] // rows), : -(-size[1] // columns)]
        for axis, factor in ((-2, rows), (-1, columns)):
            if factor == 1:
                continue
            n = torch.arange(plane.shape[axis], device=plane.device)
            before = plane.index_select(axis, (n - 1).clamp(min=0))
            after = plane.index_select(axis, (n + 1).clamp(max=len(n) - 1))
            pair = torch.stack([0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after])
            plane = pair.movedim(0, axis).flatten(axis - 1, axis)
        # Halves are again rounded up and down in turn.
        turn = torch.arange(2, device=plane.device).to(plane) - 0.5
        if columns == 2:
            turn = -turn / 16 if rows == 2 else turn / 4
            plane = plane + turn.repeat(plane.shape[-1] // 2)
        elif rows == 2:
            plane = plane + (turn / 4).repeat(plane.shape[-2] // 2)[:, None]
        return self._round(plane)

    def _round(self, value: Tensor) -> Tensor:
        """To 8 bits, where rounding is real: half a level, not worth a smooth model.

        Halves go up, as libjpeg's do. A block whose mean alone is kept has many, and the last bit
        of a sum, which differs between processors, must not decide.
        """
        if self.rounding == "straight-through":
            return value + ((value + UP).floor() - value).detach()
        return value

    def _coded(self, plane: Tensor, table: Tensor) -> Tensor:
        """To the rounded coefficients and back."""
        if self.rounding == "none":
            return plane
        if self.rounding == "smooth":
            value = _transformed(plane) / table
            return _inverse(table * (value - torch.sin(2 * math.pi * value) / (2 * math.pi)))
        # libjpeg's transform keeps eighths, so halves are frequent; they go away from 0.
        steps = (8 * _transformed(plane.detach())).round() / 8 / table * (1 + 1e-6)
        # Without rounding the two transforms cancel: no gradient needs them.
        return plane + (_inverse(table * steps.round()) - plane).detach()


def _transformed(plane: Tensor) -> Tensor:
    """Cosine coefficients of each block: (B, 1, H, W) -> (B, 1, H / 8, W / 8, 8, 8)."""
    return _DCT.to(plane) @ plane.unfold(-2, 8, 8).unfold(-2, 8, 8) @ _DCT.to(plane).T


def _inverse(coefficients: Tensor) -> Tensor:
    """The inverse of `_transformed`."""
    blocks = _DCT.to(coefficients).T @ coefficients @ _DCT.to(coefficients)
    batch, one, rows, columns = blocks.shape[:4]
    return blocks.transpose(-3, -2).reshape(batch, one, 8 * rows, 8 * columns)
