"""Where text of one flat colour lies over a photo: a date stamp, a name, a watermark."""

import torch
from torch import Tensor
from torch.nn import functional

from gdp_lite.image import check_one_photo

# All by hand, on stamps drawn over seven of the development scenes; benchmarks/diagnosis.py counts
# what is found and what is found in vain, and has them at two heights and in two colours.
LEVELS = 32  # of each channel, in the histogram of colours
TRIED = 16  # colours, those that stand out most from their neighbours in the histogram
LEAST, MOST = 2e-4, 0.08  # share of the photo that the letters cover
NEAR = 16 / 255  # display range: by how much a letter's colour may vary; a JPEG's, too
STEP = 0.12  # display range: by how much a letter stands out from what is around it
PARTS = 4  # letters at least
ROOM = 0.2  # share of the photo that the line's box takes at most
LINES = 2.5  # letters' heights that all of them take at most, across the line
SCORE = 0.7  # share of a colour's pixels that lie in letters


def find_stamp(y: Tensor, grow: int = 2) -> tuple[Tensor, Tensor | None]:
    """Where a line of text of one flat colour lies over a photo.

    A colour is a stamp's where it stands out in the histogram, nearly all of its pixels lie in
    several parts, each ends in a step all around, none reaches the border, and all are together.

    Parameters
    ----------
    y : (1, 3, H, W), display range.
    grow : pixels added all around, for blended edges.

    Returns
    -------
    (mask, colour) : (H, W), 0 on the letters and 1 elsewhere, and (3,); or all ones and None. No
    uncertainty: how many are found, and in vain, benchmarks/diagnosis.py counts; one photo does
    not tell.

    Raises
    ------
    ValueError : for more than one photo.

    Examples
    --------
    >>> y = 0.3 * torch.rand(1, 3, 64, 64)
    >>> for left in range(8, 48, 8):
    ...     y[..., 40:52, left : left + 4] = torch.tensor([1.0, 0.6, 0.1]).view(3, 1, 1)
    >>> find_stamp(y)[1]
    tensor([1.0000, 0.6000, 0.1000])
    """
    check_one_photo(y)
    y = y.detach()[0].clamp(0, 1)
    bins = (y * (LEVELS - 1)).round().long()
    codes = (bins[0] * LEVELS + bins[1]) * LEVELS + bins[2]
    counts = torch.bincount(codes.flatten(), minlength=LEVELS**3).float()
    cube = counts.view(1, 1, LEVELS, LEVELS, LEVELS)
    close, around = (n**3 * functional.avg_pool3d(cube, n, 1, n // 2) for n in (3, 7))
    share = close.flatten() / codes.numel()
    peak = (
        (close / around.clamp(min=1)).flatten() * ((share > LEAST) & (share < MOST)) * counts**0.2
    )
    peak = peak.view(LEVELS, LEVELS, LEVELS)
    for _ in range(TRIED):
        code = int(peak.argmax())
        if not peak.flatten()[code] > 0 or counts[code] < 4:
            break
        place = (code // LEVELS**2, code // LEVELS % LEVELS, code % LEVELS)
        peak[tuple(slice(max(n - 3, 0), n + 4) for n in place)] = 0  # its like are not tried again
        colour = y[:, codes == code].median(1).values
        letters = _letters(y, colour)
        if letters is not None:
            size = 2 * grow + 1
            covered = functional.max_pool2d(letters[None].float(), size, 1, grow)[0]
            return 1 - covered, colour
    return torch.ones_like(y[0]), None


def _letters(y: Tensor, colour: Tensor) -> Tensor | None:
    """(H, W), where a colour's letters are; None where it has no line of them."""
    from skimage.measure import label

    distance = (y - colour.view(3, 1, 1)).abs().amax(0)
    near = distance <= NEAR
    parts = torch.from_numpy(label(near.cpu().numpy(), connectivity=2)).to(y.device)
    count = int(parts.max()) + 1
    wide = functional.max_pool2d(parts[None].float(), 5, 1, 2)[0].long()
    close = functional.max_pool2d(near[None].float(), 3, 1, 1)[0] > 0
    ring = (wide > 0) & ~close
    around = torch.bincount(wide[ring], minlength=count)
    steps = torch.bincount(wide[ring & (distance > STEP)], minlength=count)
    area = torch.bincount(parts.flatten(), minlength=count)
    good = (steps > 0.8 * around) & (around > 0) & (area >= 4)
    good[torch.cat([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = False
    good[0] = False
    hit = good[parts]
    if int(good.sum()) < PARTS or float(hit.sum()) < SCORE * float(near.sum()):
        return None
    if not LEAST < float(hit.float().mean()) < MOST:
        return None
    rows, columns = (torch.where(hit.any(axis))[0] for axis in (1, 0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    if float(torch.ones_like(near)[box].sum()) >= ROOM * hit.numel():
        return None
    if not any(_in_a_line(parts, good, axis) for axis in (0, 1)):
        return None
    letters = torch.zeros_like(near)
    letters[box] = near[box]  # dots, too, which are too small to be sure of
    return letters


def _in_a_line(parts: Tensor, good: Tensor, axis: int) -> bool:
    """Whether several parts are about as tall as the tallest, and all lie in a line or two."""
    from scipy.ndimage import find_objects

    places = find_objects(parts.cpu().numpy())
    spans = [places[n - 1][axis] for n in torch.where(good)[0].tolist()]
    heights = [span.stop - span.start for span in spans]
    tallest = max(heights)
    room = max(span.stop for span in spans) - min(span.start for span in spans)
    return room <= LINES * tallest and sum(2 * h >= tallest for h in heights) >= PARTS
