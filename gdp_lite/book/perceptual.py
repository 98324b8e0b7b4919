"""Perceptual terms L^k of Eq. (8): what an image should look like, whatever the photo says.

Each is made once and called with an image, (B, 3, H, W), display range; it returns a scalar,
the sum over the batch, scaled like the fidelity (a sum over pixels), so that one lambda2 means
the same at every size. None is a likelihood: they act as one more prior, and each can hurt.
benchmarks/perceptual.py shows what they do and what they cost. ``a + b`` is a function of your
own: ``lambda x: a(x) + 0.1 * b(x)``.
"""

import math

import torch
from torch.nn import functional

from gdp_lite.degradations.shapes import per_photo
from gdp_lite.image import check_photo, to_model


class ExposureControl:
    """Patches should be as bright as `target`: the sum of (mean of the patch - target)^2.

    Each square is weighted by its pixels. patch: side in pixels; the whole image where it is
    smaller. Source: Guo et al. 2020 (Zero-DCE), who take 0.6; photos have 0.45 on average.
    """

    def __init__(self, target=0.45, patch=16):
        if patch < 1 or patch % 1 or not math.isfinite(target):
            raise ValueError(f"patches have a whole number of pixels, got {patch}, {target}")
        self.target, self.patch = target, patch

    def __call__(self, x):
        size = [min(self.patch, n) for n in x.shape[-2:]]
        means = functional.avg_pool2d(x.mean(1, keepdim=True), size)
        return 3 * size[0] * size[1] * (means - self.target).square().sum()


class ColourConstancy:
    """The image's mean should be grey: squared differences of the channels' means, times pixels.

    Source: Guo et al. 2020, after Buchsbaum's grey-world hypothesis (1980).
    """

    def __call__(self, x):
        red, green, blue = x.mean((-2, -1)).unbind(1)
        pairs = (red - green).square() + (green - blue).square() + (blue - red).square()
        return x.shape[-2] * x.shape[-1] * pairs.sum()


class TotalVariation:
    """The sum of the lengths of the gradients over pixels and channels, smoothed by `rounding`.

    Takes away small contrasts, noise and texture alike. Source: Rudin, Osher and Fatemi 1992.
    """

    def __init__(self, rounding=1e-3):
        if not rounding >= 0:
            raise ValueError(f"rounding cannot be negative, got {rounding}")
        self.rounding = rounding

    def __call__(self, x):
        down = functional.pad(x.diff(dim=-2), (0, 0, 0, 1))
        right = functional.pad(x.diff(dim=-1), (0, 1))
        return (down.square() + right.square() + self.rounding**2).sqrt().sum()


class PriorFeatures:
    """Distance to a reference in the features of the prior's own encoder.

    The counterpart of VGG features where no other network can be had: the activations after each
    resolution of the way down, each channel scaled by its spread over the reference, mean over
    channels, sum over the pixels of the image. prior: a `Prior` on a diffusers UNet2DModel.
    reference: (1 or B, 3, H, W), made from the photo; ValueError, before the network is called,
    for images of another size. t: the time the network is told.
    """

    def __init__(self, prior, reference, t=20):
        if not hasattr(getattr(prior, "unet", None), "down_blocks"):
            raise ValueError("the features of a Prior with a UNet2DModel are needed")
        check_photo(reference)
        self.prior, self.t, self.size = prior, t, reference.shape
        with torch.no_grad():
            self.reference = self._features(reference)
        self.scales = [f.std((0, 2, 3), keepdim=True).clamp(min=1e-6) for f in self.reference]

    def __call__(self, x):
        _check_size(x, self.size)
        total = 0.0
        for f, g, scale in zip(self._features(x), self.reference, self.scales, strict=True):
            pixels = x.shape[-2] * x.shape[-1] / (f.shape[-2] * f.shape[-1])
            total = total + pixels * ((f - per_photo(g, f)) / scale).square().mean(1).sum()
        return total

    def _features(self, x):
        found = []

        def keep(module, inputs, output):
            found.append(output[0])

        hooks = [block.register_forward_hook(keep) for block in self.prior.unet.down_blocks]
        try:
            self.prior.eps(to_model(x), self.t)
        finally:
            for hook in hooks:
                hook.remove()
        return found


class Lpips:
    """LPIPS (Zhang et al. 2018) to a reference, VGG-16, times pixels.

    reference: (1 or B, 3, H, W), at least 16 x 16. Its backbone is a download of 528 MB, which
    torchvision caches; ValueError, in one line, where it cannot be had: a random one would give
    numbers without meaning.
    """

    def __init__(self, reference):
        check_photo(reference)
        from gdp_lite._torchvision import repair_torchvision

        repair_torchvision()
        import lpips

        try:
            self.network = lpips.LPIPS(net="vgg", verbose=False).to(reference.device)
        except (OSError, RuntimeError) as error:
            raise ValueError("the VGG-16 weights of LPIPS could not be downloaded") from error
        self.network.eval().requires_grad_(False)
        self.reference = to_model(reference)

    def __call__(self, x):
        _check_size(x, self.reference.shape)
        distance = self.network(to_model(x), per_photo(self.reference, x))
        return x.shape[-2] * x.shape[-1] * distance.sum()


def _check_size(x, size):
    if x.shape[1:] != size[1:] or len(x) % size[0]:
        raise ValueError(f"the reference is {tuple(size)} and the image {tuple(x.shape)}")
