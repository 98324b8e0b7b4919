"""Photos in memory, from which a training draws its crops."""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.folder import photos_in
from gdp_lite.image import to_uint8
from gdp_lite.photos import PhotoError, read_photo


class Photos:
    """A folder of photos in memory, from which random crops are drawn on any device.

    All pixels lie in one uint8 tensor of shape (pixels, 3); a crop is an index computation,
    so a batch costs one gather, on the CPU and on a GPU alike. Photos are drawn with equal
    probability, whatever their size; where SOURCES.csv lists several views of one original,
    these share its probability.

    Parameters
    ----------
    folder : of photos, of any depth.
    smallest : photos with a side of fewer pixels are left out.
    device : where the pixels lie.
    say : called with a line about each photo that cannot be read, or ends early: left out.

    Raises ValueError, in one line, where none is left.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (9, 8), (0, 0, 255)).save(f"{folder}/blue.png")
    ...     photos = Photos(folder, 8)
    >>> photos.crops(5, 4, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 3, 4, 4])
    """

    def __init__(
        self,
        folder: str | Path,
        smallest: int,
        device: str | torch.device = "cpu",
        say: Callable[[str], object] = lambda line: None,
    ):
        pixels, sizes, kept = [], [], []
        for path in (Path(folder) / name for name in photos_in(Path(folder))):
            try:
                photo = read_photo(path)
                if not photo.origin.whole:
                    raise PhotoError(f"{path} ends early: a part of the picture is missing")
            except PhotoError as error:
                say(f"left out: {error}")
                continue
            image = to_uint8(photo.image)
            if min(image.shape[:2]) >= smallest:
                pixels.append(torch.from_numpy(image.reshape(-1, 3)))
                sizes.append(image.shape[:2])
                kept.append(path)
        if not kept:
            raise ValueError(f"no photo of at least {smallest} x {smallest} pixels in {folder}")
        self.pixels = torch.cat(pixels).to(device)
        self.sizes = torch.tensor(sizes, device=device)
        counts = self.sizes.prod(dim=1)
        self.starts = counts.cumsum(0) - counts
        self.weights = torch.tensor(_weights(folder, kept), device=device)

    def crops(
        self,
        count: int,
        size: int,
        generator: torch.Generator,
        zoom: float = 1.0,
        part: slice = slice(None),
    ) -> Tensor:
        """(count, 3, size, size) float32 crops in [0, 1], half of them mirrored.

        zoom: crops of round(size * zoom) pixels are shrunk to `size` (antialiased): the same
        things at another distance. part: those that are wanted; all are drawn.
        """
        device, shrunk = self.pixels.device, size
        size = round(size * zoom)
        photo = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        place = torch.rand(count, 2, generator=generator, device=device)
        corner = (place * (self.sizes[photo] - size + 1)).long()
        mirrored = torch.rand(count, 1, generator=generator, device=device) < 0.5
        photo, corner, mirrored = photo[part], corner[part], mirrored[part]
        index = torch.arange(size, device=device)
        rows = corner[:, 0, None] + index
        columns = corner[:, 1, None] + index
        columns = torch.where(mirrored, columns.flip(1), columns)
        width = self.sizes[photo, 1]
        flat = self.starts[photo, None, None] + rows[:, :, None] * width[:, None, None]
        crops = self.pixels[flat + columns[:, None, :]].permute(0, 3, 1, 2).float() / 255
        if size == shrunk:
            return crops
        return functional.interpolate(crops, (shrunk, shrunk), mode="bilinear", antialias=True)


def _weights(folder: str | Path, paths: Sequence[Path]) -> list[float]:
    """One probability weight a photo: 1 / (number of views of the same original)."""
    table = Path(folder).parent / "SOURCES.csv"
    if not table.is_file():
        return [1.0] * len(paths)
    with open(table, newline="", encoding="utf-8") as file:
        original = {
            Path(row["file"]).name: (row["source_set"], row["source_file"])
            for row in csv.DictReader(file)
            if Path(row["file"]).parent.name == Path(folder).name
        }
    views = Counter(original.get(path.name) for path in paths)
    return [1.0 / views[original[p.name]] if p.name in original else 1.0 for p in paths]
