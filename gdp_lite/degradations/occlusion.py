"""Occlusion: pixels that are missing, or covered with content. Table 1, fourth row.

Text, scratches, boxes; a mask that is known, or found in the photo because the overlay has
one colour, to be looked at and edited before it is used. Masks hold 1 where the scene is seen, 0
where it is covered.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.phi import Share, assign, learn
from gdp_lite.degradations.shapes import per_photo, rms_where, two_whole
from gdp_lite.degradations.solvers import conjugate_gradients
from gdp_lite.estimators.overlay import find_overlay

# Iterations that make a first image smooth in its holes, at each size of `_filled`: four lose
# SWEPT (benchmarks/package_constants.py).
SMOOTHING = 15
COVERED = 0.02  # a mask below it hides the scene: what is left of it is less than the errors


class Inpainting(Degradation):
    """Occlusion: y = mask * x. Table 1, fourth row, with content M = 0; exact `prox`.

    What y holds in the holes does not matter.

    Parameters
    ----------
    mask : 1 where the pixel is kept, 0 where it is missing; (H, W) or, for each photo of a batch
        and all its samples, (B, 1, H, W). ValueError for other numbers or shapes.
    sigma : noise, display range.

    Examples
    --------
    >>> holes = Inpainting(random_mask(8, 8), sigma=0.01)
    >>> bool((holes.start(torch.full((1, 3, 8, 8), 0.3)) - 0.3).abs().max() < 1e-6)
    True
    """

    linear, pointwise = True, True
    kind = "missing"
    mask: Tensor

    def __init__(self, mask: Tensor, sigma: float = 0.0):
        super().__init__(sigma)
        mask = torch.as_tensor(mask).float()
        if mask.ndim not in (2, 3, 4) or mask.shape[-3:-2] not in ((), (1,)):
            raise ValueError(f"a mask is (H, W) or (B, 1, H, W), not {tuple(mask.shape)}")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("a mask holds only 0 (missing) and 1 (kept)")
        self.register_buffer("mask", mask)

    def A(self, x: Tensor) -> Tensor:
        return per_photo(self.mask, x) * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.A(y)

    def residual(self, x: Tensor, y: Tensor) -> Tensor:
        return rms_where(self.A(x) - y, per_photo(self.mask, x))

    def check_measurement(self, y: Tensor) -> None:
        _check_size(self.mask, y)
        if self.mask.ndim == 4 and len(y) % len(self.mask):
            raise ValueError(f"{len(self.mask)} masks for {len(y)} photos: give one, or as many")

    def start(self, y: Tensor) -> Tensor:
        """The kept pixels, and in the holes a smooth surface through the kept ones around them.

        It is biharmonic, as a thin plate is, and found from coarse to fine: a photo of half the
        size is filled first. Where nothing at all is kept, middle grey.
        """
        mask = per_photo(self.mask, y).expand(len(y), 1, -1, -1)
        return _filled(mask * y, mask, self.tolerance)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return x + self.A(y - x) / (1 + rho)


class Occlusion(Inpainting):
    """y = mask * x + (1 - mask) * content, both known.

    Affine: `A_adjoint` is that of the linear part, the mask. `start` is `Inpainting`'s, the
    content tells nothing about the scene.

    Parameters
    ----------
    mask : as in `Inpainting`.
    content : a colour (3,) or an image (3, H, W) or (B, 3, H, W); ValueError else.
    sigma : noise, display range.

    Examples
    --------
    >>> yellow = Occlusion(torch.zeros(1, 1), (1.0, 0.9, 0.2))
    >>> yellow(torch.rand(1, 3, 1, 1)).flatten()
    tensor([1.0000, 0.9000, 0.2000])
    """

    linear = False
    content: Tensor

    def __init__(self, mask: Tensor, content: Sequence[float] | Tensor, sigma: float = 0.0):
        super().__init__(mask, sigma)
        content = torch.as_tensor(content).float()
        content = content.view(-1, 1, 1) if content.ndim < 2 else content
        if content.shape[-3:-2] not in ((1,), (3,)) or not bool(content.isfinite().all()):
            raise ValueError("the content is a colour of 3 numbers or an image (3, H, W)")
        self.register_buffer("content", content)

    def A(self, x: Tensor) -> Tensor:
        return self.A_adjoint(x) + (1 - per_photo(self.mask, x)) * per_photo(self.content, x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return per_photo(self.mask, y) * y

    def check_measurement(self, y: Tensor) -> None:
        super().check_measurement(y)
        size, batch = self.content.shape[-2:], self.content.shape[:-3]
        if size not in ((1, 1), y.shape[-2:]) or any(len(y) % n for n in batch):
            raise ValueError(f"the content is {tuple(self.content.shape)} and y {tuple(y.shape)}")

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        return x + self.A_adjoint(y - x) / (1 + rho)


class BlindOcclusion(Degradation):
    """An overlay of one colour, where and which unknown: y = m x + (1 - m) colour.

    Phi: ``mask`` m, (1, H, W), in [0, 1]; ``colour``, (3,), in [0, 1]. A soft mask can follow
    antialiased letters. Where the scene has the overlay's colour nothing can tell them apart;
    `initialise` is `find_overlay`, for one photo, whose mask is held. To edit it:
    ``assign(degradation, "mask", edited)``, ``degradation.requires_grad_(False)``, `restore`.
    Where the mask is below `COVERED`, y tells nothing: `prox` keeps x there.

    Parameters
    ----------
    size : (H, W); ValueError else.
    sigma : noise, display range.

    Examples
    --------
    >>> y = torch.rand(1, 3, 32, 32)
    >>> y[..., 8:20, 8:20] = torch.tensor([1.0, 0.9, 0.2]).view(3, 1, 1)
    >>> found = BlindOcclusion((32, 32)).initialise(y)
    >>> bool(found.mask[0, 14, 14] < 0.01), bool(found.mask[0, 2, 2] > 0.99)
    (True, True)
    """

    linear, pointwise = False, True
    kind = "missing"
    mask: Tensor
    colour: Tensor

    def __init__(self, size: Sequence[int], sigma: float = 0.0):
        super().__init__(sigma)
        learn(self, "mask", torch.full((1, *two_whole(size, "size")), 0.9), Share())
        learn(self, "colour", torch.full((3,), 0.5), Share())

    def A(self, x: Tensor) -> Tensor:
        mask = self.mask.to(x)
        return mask * x + (1 - mask) * self.colour.to(x).view(3, 1, 1)

    def check_measurement(self, y: Tensor) -> None:
        _check_size(self.mask, y)

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        mask, colour = find_overlay(y)
        assign(self, "mask", mask)
        if colour is not None:
            assign(self, "colour", colour.clamp(0, 1))
        self.requires_grad_(False)

    def start(self, y: Tensor) -> Tensor:
        return Inpainting((self.mask[0].detach() > 0.5).float()).start(y)

    def residual(self, x: Tensor, y: Tensor) -> Tensor:
        return rms_where(self.A(x) - y, (self.mask > COVERED).to(x))

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        mask = self.mask.to(x)
        rest = y - (1 - mask) * self.colour.to(x).view(3, 1, 1)
        mask = torch.where(mask > COVERED, mask, 0)
        return (mask * rest + rho * x) / (mask**2 + rho)


def _filled(photo: Tensor, mask: Tensor, tolerance: float) -> Tensor:
    """Photos, 0 in their holes, with the holes filled; mask (B, 1, H, W)."""
    if bool(mask.all()):
        return photo
    size, hole = mask.shape[-2:], 1 - mask
    if max(size) == 1:  # a photo without a kept pixel is left
        return torch.where(mask == 0, 0.5, photo)
    kept, means = (functional.avg_pool2d(z, 2, ceil_mode=True) for z in (mask, photo))
    small = _filled(means / kept.clamp(min=1e-12), (kept > 0).to(mask), tolerance)
    larger = functional.interpolate(small, scale_factor=2, mode="bilinear")
    guess = photo + hole * larger[..., : size[0], : size[1]]

    def bent(z: Tensor) -> Tensor:
        return hole * _laplacian(_laplacian(z))

    return guess - conjugate_gradients(bent, bent(guess), SMOOTHING, tolerance)


def _laplacian(x: Tensor) -> Tensor:
    """Sum over the four neighbours of what they have more; beyond the border is its like."""
    down, right = x.diff(dim=-2), x.diff(dim=-1)
    return (
        functional.pad(down, (0, 0, 0, 1))
        - functional.pad(down, (0, 0, 1, 0))
        + (functional.pad(right, (0, 1)) - functional.pad(right, (1, 0)))
    )


def _check_size(mask: Tensor, y: Tensor) -> None:
    if mask.shape[-2:] != y.shape[-2:]:
        (a, b), (c, d) = mask.shape[-2:], y.shape[-2:]
        raise ValueError(f"the mask is {a} x {b} and y is {c} x {d}")


def random_mask(
    height: int, width: int, missing: float = 0.25, generator: Generator | None = None
) -> Tensor:
    """A random mask. Source: "Training data preparation": 25% of the pixels are set to zero.

    Parameters
    ----------
    height, width : of the image.
    missing : probability of a 0, in [0, 1]; ValueError else.
    generator : draws it.

    Returns
    -------
    (height, width), 0 and 1.

    Examples
    --------
    >>> random_mask(2, 3, missing=0.0).sum().item()
    6.0
    """
    if not 0 <= missing <= 1:
        raise ValueError(f"the share of missing pixels lies in 0 to 1, got {missing}")
    return (torch.rand(height, width, generator=generator) >= missing).float()
