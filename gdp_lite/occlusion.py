"""Occlusion with content: y = m x + (1 - m) M. Table 1, fourth row, with its M.

Text, scratches, boxes; a mask that is known, or found in the photo because the overlay has
one colour (`find_overlay`), to be looked at and edited before it is used. Masks hold 1 where
the scene is seen, 0 where it is covered.
"""

import torch
from torch.nn import functional

from gdp_lite.degradations import Degradation, Inpainting, _rms, _tiled, _two, check_photo
from gdp_lite.phi import Share, assign, learn

COVERED = 0.02  # a mask below it hides the scene: what is left of it is less than the errors


class Occlusion(Inpainting):
    """y = mask * x + (1 - mask) * content, both known.

    mask: as in `Inpainting`. content: a colour (3,) or an image (3, H, W) or (B, 3, H, W).
    Affine: `A_adjoint` is that of the linear part, the mask. prox and start are `Inpainting`'s,
    the content tells nothing about the scene.
    """

    linear = False

    def __init__(self, mask, content, sigma=0.0):
        super().__init__(mask, sigma)
        content = torch.as_tensor(content).float()
        content = content.view(-1, 1, 1) if content.ndim < 2 else content
        if content.shape[-3:-2] not in ((1,), (3,)) or not bool(content.isfinite().all()):
            raise ValueError("the content is a colour of 3 numbers or an image (3, H, W)")
        self.register_buffer("content", content)

    def A(self, x):
        return self.A_adjoint(x) + (1 - _tiled(self.mask, x)) * _tiled(self.content, x)

    def A_adjoint(self, y):
        return _tiled(self.mask, y) * y

    def check_measurement(self, y):
        super().check_measurement(y)
        size, batch = self.content.shape[-2:], self.content.shape[:-3]
        if size not in ((1, 1), y.shape[-2:]) or any(len(y) % n for n in batch):
            raise ValueError(f"the content is {tuple(self.content.shape)} and y {tuple(y.shape)}")

    def prox(self, x, y, rho):
        return x + self.A_adjoint(y - x) / (1 + rho)


class BlindOcclusion(Degradation):
    """An overlay of one colour, where and which unknown: y = m x + (1 - m) colour.

    Phi: ``mask`` m, (1, H, W), in [0, 1]; ``colour``, (3,), in [0, 1]. size: (H, W). A soft
    mask can follow antialiased letters. Where the scene has the overlay's colour nothing can
    tell them apart; `initialise` is `find_overlay`, for one photo, whose mask is held. To edit it:
    ``assign(degradation, "mask", edited)``, ``degradation.requires_grad_(False)``, `restore`.
    Where the mask is below `COVERED`, y tells nothing: prox keeps x there.
    """

    linear, pointwise = False, True

    def __init__(self, size, sigma=0.0):
        super().__init__(sigma)
        learn(self, "mask", torch.full((1, *_two(size, "size")), 0.9), Share())
        learn(self, "colour", torch.full((3,), 0.5), Share())

    def A(self, x):
        mask = self.mask.to(x)
        return mask * x + (1 - mask) * self.colour.to(x).view(3, 1, 1)

    def check_measurement(self, y):
        if self.mask.shape[-2:] != y.shape[-2:]:
            (a, b), (c, d) = self.mask.shape[-2:], y.shape[-2:]
            raise ValueError(f"the mask is {a} x {b} and y is {c} x {d}")

    def initialise(self, y, sigma=None, generator=None):
        mask, colour = find_overlay(y)
        assign(self, "mask", mask)
        if colour is not None:
            assign(self, "colour", colour.clamp(0, 1))
        return self.requires_grad_(False)

    def start(self, y):
        return Inpainting((self.mask[0].detach() > 0.5).float()).start(y)

    def residual(self, x, y):
        return _rms(self.A(x) - y, (self.mask > COVERED).to(x))

    def prox(self, x, y, rho):
        mask = self.mask.to(x)
        rest = y - (1 - mask) * self.colour.to(x).view(3, 1, 1)
        mask = torch.where(mask > COVERED, mask, 0)
        return (mask * rest + rho * x) / (mask**2 + rho)


def find_overlay(y, tolerance=6 / 255, grow=1):
    """Where one flat colour lies over a photo: text, a logo, a box.

    y: (1, 3, H, W), display range. tolerance: how much the colour may vary, more for a poor
    JPEG. grow: pixels added all around, for blended edges. Returns (mask, colour): (H, W), 0 on
    the overlay, and (3,); or all ones and None. An overlay's colour is frequent, colours near
    it are rare, and it ends in a step: score = (pixels with the colour) / (pixels near it) times
    the share of them in parts with a step, at least 0.6. Most photos without overlay stay below
    0.55; one of the 24 Kodak photos, with clipped white walls, and a portrait before black reach
    0.8, and the wall, the background, is then taken for an overlay. Black letters before black
    are not found, nor thin coloured ones after a JPEG with halved chroma. Show the mask before
    using it. ValueError for more than one photo.
    """
    check_photo(y)
    if len(y) != 1:
        raise ValueError(f"one photo (1, 3, H, W) is needed, got {tuple(y.shape)}")
    y = y.detach()[0].clamp(0, 1)
    coarse = (y / tolerance).round().long()
    codes = (coarse[0] * 1024 + coarse[1]) * 1024 + coarse[2]
    values, counts = codes.unique(return_counts=True)
    best, found = 0.6, (torch.ones_like(y[0]), None)
    for code in values[counts.argsort(descending=True)[:24]]:
        colour = y[:, codes == code].median(1).values
        distance = (y - colour.view(3, 1, 1)).abs().amax(0)
        near = distance <= tolerance
        hit = _with_steps(near, distance)
        share, rare = hit.double().mean(), near.sum() / (distance <= 4 * tolerance).sum()
        score = float(rare * hit.sum() / near.sum())
        if 5e-4 < float(share) < 0.6 and score > best:
            best, found = score, ((~_grow(hit, grow)).to(y), colour)
    return found


def _with_steps(hit, distance):
    """Of the connected parts of `hit` those that end in a step, nearly all around them."""
    from skimage.measure import label

    parts = torch.from_numpy(label(hit.cpu().numpy(), connectivity=2)).to(distance)
    reach = functional.max_pool2d(parts[None], 7, stride=1, padding=3)[0].long()
    ring = (reach > 0) & ~_grow(hit, 2)
    count = torch.bincount(reach[ring], minlength=int(parts.max()) + 1)
    steps = torch.bincount(reach[ring & (distance > 0.1)], minlength=len(count))
    area = torch.bincount(parts.long().flatten(), minlength=len(count))
    good = (steps > 0.8 * count) & (area >= 6)
    good[0] = False
    return good[parts.long()]


def text_mask(height, width, text, size=24, place=(4, 4)):
    """Letters as a mask of 0, (height, width); size in pixels, place of the upper left (x, y)."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("1", (width, height), 1)
    ImageDraw.Draw(picture).text(place, text, 0, font=ImageFont.load_default(size))
    return torch.tensor(list(picture.tobytes("raw", "L"))).view(height, width).div(255).round()


def box_mask(height, width, top, left, bottom, right):
    """A rectangle, rows top .. bottom - 1 and columns left .. right - 1; ValueError if empty."""
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"no box inside {height} x {width}: {top, left, bottom, right}")
    mask = torch.ones(height, width)
    mask[top:bottom, left:right] = 0
    return mask


def scratch_mask(height, width, count=5, thickness=1.5, generator=None):
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


def _grow(hit, pixels):
    size = 2 * pixels + 1
    return functional.max_pool2d(hit[None].float(), size, stride=1, padding=pixels)[0] > 0
