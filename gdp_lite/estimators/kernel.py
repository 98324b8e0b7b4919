"""Finding a blur kernel of any shape in the photo itself, by its edges, without the network.

The image with few gradients that explains the photo, and the kernel that leads from it to the
photo, in turn, from small copies to the photo itself (Xu, Zheng and Jia 2013). Refining the
kernel on the network's x_{0|t} brings it nearer to the truth and the restored image away from
it (benchmarks/blind.py), so the sampler holds what is found here.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def coarse_to_fine_kernel(
    y: Tensor, size: int, rounds: int = 5, last_rounds: int = 8, sparsity: float = 4e-3
) -> Tensor:
    """The blur kernel of a photo, by its edges; of a large one by its central 256 x 256 pixels.

    Source: Xu, Zheng and Jia 2013. The defaults were chosen on the validation photos.

    Parameters
    ----------
    y : (1, C, H, W), display range.
    size : odd, larger than the kernel.
    rounds, last_rounds : at each scale, and at the photo's own.
    sparsity : what a gradient costs, relative to squared differences in grey values.

    Returns
    -------
    (size, size), sum 1, its centre of mass in the middle up to a tenth of a pixel or so. No
    uncertainty: kernels of a photo's quarters scatter less than they err, by half in the worst
    case. benchmarks/blind.py has the errors against known kernels.

    Raises
    ------
    ValueError : for several photos, and where y has fewer than 2 size or 24 pixels a side.

    Examples
    --------
    >>> y = torch.zeros(1, 3, 48, 48)
    >>> y[..., 10:30, 12:36] = 1.0
    >>> kernel = coarse_to_fine_kernel(y, 5)
    >>> kernel.shape, round(float(kernel.sum()), 4)
    (torch.Size([5, 5]), 1.0)
    """
    if y.ndim != 4 or len(y) != 1 or not bool(y.isfinite().all()):
        raise ValueError(f"one photo (1, C, H, W), finite, is needed, got {tuple(y.shape)}")
    if min(y.shape[-2:]) < max(2 * size, 24):
        raise ValueError(f"kernels of {size} pixels need a larger photo than {tuple(y.shape[-2:])}")
    top, left = (max(n - 256, 0) // 2 for n in y.shape[-2:])
    photo = y.detach()[..., top : top + 256, left : left + 256].mean(1, keepdim=True)
    kernel = photo.new_zeros(0)
    for side in _sides(size):
        small = photo
        if side < size:
            small = _resized(photo, [max(24, round(side / size * n)) for n in photo.shape[-2:]])
        if not len(kernel):
            kernel = photo.new_zeros(side, side)
            kernel[side // 2, side // 2 - 1 : side // 2 + 1] = 0.5  # a point would stay a point
        else:
            kernel = _resized(kernel[None, None], (side, side))[0, 0].clamp(min=0)
            kernel = kernel / kernel.sum()
        for _ in range(rounds if side < size else last_rounds):
            edges = _few_gradients(small[0, 0], kernel, sparsity)
            if side == size:
                # Moving the picture centres the next kernel and does not blur it, as moving the
                # kernel by parts of a pixel would.
                edges = _moved(edges, centre_of_mass(kernel))
            kernel = _kernel_between(edges, small[0, 0], side)
            sparsity = max(sparsity / 1.1, 1e-4)
    return kernel


def _kernel_between(x: Tensor, y: Tensor, size: int, ridge: float = 0.02) -> Tensor:
    """The kernel k >= 0 with the least ||grad y - k * grad x||^2 + ridge ||k||^2; grey (H, W).

    ridge: in units of the mean squared gradient.
    """
    gram, right = _normal_equations(_gradients(x), _gradients(y), size)
    gram = gram + ridge * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).to(gram)
    kernel = _cut(_nonnegative(gram, right).view(size, size))
    return kernel / kernel.sum()


def centre_of_mass(kernel: Tensor) -> tuple[float, float]:
    """(down, right) of a kernel's middle pixel, in pixels. kernel: (n, n), n odd, sum 1."""
    taps = torch.arange(len(kernel)).to(kernel) - len(kernel) // 2
    return float(kernel.sum(1) @ taps), float(kernel.sum(0) @ taps)


def _gradients(grey: Tensor) -> list[Tensor]:
    """Forward differences along columns and rows, 0 at the last."""
    return [
        functional.pad(grey.diff(dim=1), (0, 1)),
        functional.pad(grey.diff(dim=0), (0, 0, 0, 1)),
    ]


def _resized(x: Tensor, shape: Sequence[int]) -> Tensor:
    return functional.interpolate(
        x, size=tuple(shape), mode="bicubic", antialias=True, align_corners=False
    )


def _sides(size: int) -> list[int]:
    """Odd sides of the kernel from 3 to `size`, about sqrt(2) apart."""
    sides, side = [size], size
    while side > 3:
        side = max(2 * int(side / 2**1.5) + 1, 3) if side > 5 else 3
        sides.append(side)
    return sides[::-1]


def _normal_equations(
    sharp: list[Tensor], blurred: list[Tensor], size: int
) -> tuple[Tensor, Tensor]:
    """Gram matrix and right side of the least squares for the kernel, away from the edges."""
    margin = size // 2
    gram, right = sharp[0].new_zeros(size**2, size**2), sharp[0].new_zeros(size**2)
    for a, b in zip(sharp, blurred, strict=True):
        patches = functional.unfold(a[None, None], size)[0]
        inside = b[margin : b.shape[0] - margin, margin : b.shape[1] - margin].flatten()
        gram, right = gram + patches @ patches.T, right + patches @ inside
    return gram.flip(0, 1), right.flip(0)  # a convolution turns the kernel round


def _nonnegative(gram: Tensor, right: Tensor, steps: int = 300) -> Tensor:
    """argmin_{k >= 0} k'Gk / 2 - r'k by accelerated projected gradients (FISTA)."""
    step = 1 / torch.linalg.matrix_norm(gram, 2)
    kernel = ahead = torch.full_like(right, 1 / len(right))
    momentum = 1.0
    for _ in range(steps):
        new = (ahead - step * (gram @ ahead - right)).clamp(min=0)
        faster = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / faster * (new - kernel)
        kernel, momentum = new, faster
    if not float(kernel.sum()) > 0:  # no edges, nothing to be seen: a point
        kernel = torch.zeros_like(right)
        kernel[len(right) // 2] = 1.0
    return kernel


def _cut(kernel: Tensor, weak: float = 0.02, small: float = 0.1) -> Tensor:
    """Without weights below `weak` of the largest and islands below `small` of the sum."""
    from scipy import ndimage

    kernel = torch.where(kernel < weak * kernel.max(), 0, kernel)
    islands, count = ndimage.label((kernel > 0).cpu().numpy(), [[1] * 3] * 3)
    islands = torch.from_numpy(islands).to(kernel.device)
    for number in range(1, count + 1):
        island = islands == number
        if float(kernel[island].sum()) < small * float(kernel.sum()):
            kernel = torch.where(island, 0, kernel)
    return kernel


def _few_gradients(grey: Tensor, kernel: Tensor, sparsity: float, last: float = 1e5) -> Tensor:
    """argmin_S ||k * S - grey||^2 + sparsity (number of pixels with a gradient), by splitting.

    On a canvas whose margin leads smoothly from each edge to the opposite one, for the Fourier
    transform.
    """
    height, width = grey.shape
    canvas = _canvas(grey)
    shape = canvas.shape
    spectra = []
    top = len(kernel) // 2
    difference = torch.tensor([[1.0, -1.0]]).to(grey)
    for part, roll in ((kernel, (-top, -top)), (difference, (0, -1)), (difference.T, (-1, 0))):
        placed = functional.pad(part, (0, shape[1] - part.shape[1], 0, shape[0] - part.shape[0]))
        spectra.append(torch.fft.rfft2(torch.roll(placed, roll, (0, 1))))
    blur, across, down = spectra
    data = blur.conj() * torch.fft.rfft2(canvas)
    power, both = blur.abs().square(), across.abs().square() + down.abs().square()
    image, weight = canvas, 2 * sparsity
    while weight < last:
        right = torch.roll(image, -1, 1) - image
        below = torch.roll(image, -1, 0) - image
        flat = right.square() + below.square() < sparsity / weight
        pull = across.conj() * torch.fft.rfft2(right.masked_fill(flat, 0))
        pull = pull + down.conj() * torch.fft.rfft2(below.masked_fill(flat, 0))
        image = torch.fft.irfft2((data + weight * pull) / (power + weight * both), s=shape)
        weight *= 2
    return image[:height, :width]


def _moved(grey: Tensor, shift: tuple[float, float]) -> Tensor:
    """grey (H, W) moved by `shift` pixels (down, right), parts of pixels too."""
    canvas = _canvas(grey)
    down = torch.fft.fftfreq(canvas.shape[0], device=grey.device)[:, None] * shift[0]
    right = torch.fft.rfftfreq(canvas.shape[1], device=grey.device) * shift[1]
    turn = torch.exp(-2j * math.pi * (down + right))
    moved = torch.fft.irfft2(torch.fft.rfft2(canvas) * turn, s=canvas.shape)
    return moved[: grey.shape[0], : grey.shape[1]]


def _canvas(grey: Tensor) -> Tensor:
    """grey (H, W) and a margin below and to the right that leads back to its other edge."""
    return _wrapped(_wrapped(grey).T).T.contiguous()


def _wrapped(grey: Tensor, margin: int = 24) -> Tensor:
    """With `margin` more rows, from the last row's mirror to the first row's."""
    margin = min(margin, len(grey))
    share = torch.linspace(0, 1, margin + 2).to(grey)[1:-1, None]
    after, before = grey[-margin:].flip(0), grey[:margin].flip(0)
    return torch.cat([grey, (1 - share) * after + share * before], 0)
