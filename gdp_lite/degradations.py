"""Degradations F_Phi: how a photo went wrong, Eq. (1) and Table 1 of the source.

A degradation is a `torch.nn.Module` that maps images to measurements, both in display
range [0, 1] but never clipped, so that linear ones stay linear:

    A(x)            the map itself, also written ``degradation(x)``; x: (B, 3, H, W)
    A_adjoint(y)    its transpose (linear ones): <A x, y> = <x, A_adjoint y>
    prox(x, y, rho) argmin_z ||A z - y||^2 + rho ||z - x||^2, what the practical sampler calls
    sigma           standard deviation of the noise added after A, display range
    simulate(x)     A(x) + sigma * noise, for training and test data
    phi()           the learnable Phi by name, each in its own unit and range
    randomise()     Phi at random, as the source's Algorithm 1 starts
    initialise(y)   Phi guessed from the photo
    loss(y, x)      what Phi is fitted by: the fidelity, Eq. (9), unless the kind has a better one
    residual(x, y)  root mean square of A(x) - y, to be compared with sigma
    fit(y, x, ...)  Phi learned on a guess x of the scene

The learnable Phi of the source are the module's parameters. Names follow deepinv.
"""

import math
from functools import reduce

import torch
from torch import nn
from torch.nn import functional

from gdp_lite.losses import fidelity_loss
from gdp_lite.solve import conjugate_gradients, per_image


class Degradation(nn.Module):
    """Base class: the noise, and what follows from ``A`` and ``A_adjoint`` alone."""

    linear = True  # A is linear; an affine or bent one says False, and `prox` then differentiates
    pointwise = False  # each number of A(x) depends on the same number of x alone
    start_sigma = 0.25  # noise level at which the practical sampler starts, display range

    def __init__(self, sigma=0.0):
        super().__init__()
        if not 0 <= sigma < math.inf:
            raise ValueError(f"sigma is a standard deviation and cannot be {sigma}")
        self.sigma = float(sigma)

    def A(self, x):
        raise NotImplementedError(f"{type(self).__name__} defines no map A")

    def A_adjoint(self, y):
        raise NotImplementedError(f"{type(self).__name__} has no adjoint: it is not linear")

    def forward(self, x):
        return self.A(x)

    def simulate(self, x, generator=None):
        """A(x) plus Gaussian noise of standard deviation ``sigma``, not clipped. Eq. (1)."""
        clean = self.A(x)
        noise = torch.randn(clean.shape, generator=generator, dtype=x.dtype)
        return clean + self.sigma * noise.to(clean.device)

    def check_measurement(self, y):
        """Raise ValueError, in one line, where y cannot be a measurement of this kind."""

    def start(self, y):
        """A first image from the measurement, for the sampler's warm start; the size of x."""
        return y

    def phi(self):
        """Phi by name, detached, as it enters A: in its unit and range, see `gdp_lite.phi`."""
        names = [name for name, _ in self.named_parameters()]
        names = [n.replace("parametrizations.", "").removesuffix(".original") for n in names]
        return {n: reduce(getattr, n.split("."), self).detach().clone() for n in names}

    def randomise(self, generator=None):
        """Draw Phi at random, before its range is imposed: N(0, 1/4). Returns the degradation."""
        with torch.no_grad():
            for raw in self.parameters():
                raw.copy_(0.5 * torch.randn(raw.shape, generator=generator))
        return self

    def initialise(self, y, sigma=None, generator=None):
        """Set Phi to a guess from the photo y, where there is one; returns the degradation.

        What a photo tells better than x_{0|t} will is frozen. sigma: noise in y, display range;
        the degradation's own by default. generator: draws Phi from its posterior, where there is
        one, in place of its middle.
        """
        return self

    def loss(self, y, x):
        """||y - A(x)||^2, Eq. (9): what `fit` lowers."""
        return fidelity_loss(y, self.A(x))

    def residual(self, x, y):
        """Root mean square of A(x) - y where y tells something about x, (B,), display range."""
        return (self.A(x) - y).square().flatten(1).mean(1).sqrt()

    def fit(self, y, x, sigma_bar):
        """Learn Phi where y and a guess x of the scene are given: L-BFGS on `loss`.

        sigma_bar: noise level at which x was guessed, display range; kinds that know how the
        guess errs make use of it.
        """
        phi = [p for p in self.parameters() if p.requires_grad]
        if not phi:
            return
        optimiser = torch.optim.LBFGS(phi, max_iter=10, line_search_fn="strong_wolfe")

        def closure():
            optimiser.zero_grad()
            loss = self.loss(y, x) / y.numel()
            loss.backward()
            return loss

        with torch.enable_grad():
            optimiser.step(closure)

    def prox(self, x, y, rho, iterations=20, tolerance=1e-4):
        """argmin_z ||A z - y||^2 + rho ||z - x||^2.

        x: (B, 3, H, W); y: a measurement; rho >= 0. For a linear A conjugate gradients solve
        (A^T A + rho) d = A^T (y - A x) for the correction d = z - x, starting at 0, so that
        rho = 0 gives the nearest solution to x; they stop at `tolerance` times the first
        residual's norm. Else a local minimum: damped Newton steps, in every pixel by itself
        or, where pixels mix, damped Gauss-Newton steps with conjugate gradients inside, until a
        step gains less than the share sqrt(`tolerance`): enough within a sampler.
        """
        if not self.linear:
            if self.pointwise:
                return self._prox_of_pixels(x, y, rho)
            return self._prox_of_images(x, y, rho, iterations, tolerance)
        right = self.A_adjoint(y - self.A(x))
        return x + conjugate_gradients(
            lambda z: self.A_adjoint(self.A(z)) + rho * z, right, iterations, tolerance
        )

    def _prox_of_pixels(self, x, y, rho, steps=20):
        """Newton steps in each pixel, from x and from `start`: where A clips, x may be stuck."""
        best, least = x, torch.full_like(x, torch.inf)
        for z in (x, self.start(y)):
            image, slope, value = self._at_pixels(z, x, y, rho)
            damping = torch.zeros_like(x)
            for _ in range(steps):
                downhill = slope * (y - image) + rho * (x - z)
                step = downhill / ((slope.square() + rho) * (1 + damping) + 1e-30)
                if bool((step.abs() < 1e-5).all()):
                    break
                trial = z + step
                new_image, new_slope, new_value = self._at_pixels(trial, x, y, rho)
                better = new_value < value
                z, image = torch.where(better, trial, z), torch.where(better, new_image, image)
                slope = torch.where(better, new_slope, slope)
                value = torch.where(better, new_value, value)
                damping = torch.where(better, damping / 8, 4 * damping + 1)
            best = torch.where(value < least, z, best)
            least = torch.minimum(value, least)
        return best

    def _at_pixels(self, z, x, y, rho):
        """A(z), its derivative, and what `prox` minimises, pixel by pixel."""
        image, pull = torch.func.vjp(self.A, z)
        value = (image - y).square() + rho * (z - x).square()
        return image, pull(torch.ones_like(image))[0], value

    def _prox_of_images(self, x, y, rho, iterations, tolerance, steps=8):
        """Gauss-Newton steps, solved to a tenth, each image with a damping of its own."""

        def objective(z, image):
            return per_image((image - y).square()) + rho * per_image((z - x).square())

        z, damping = x, x.new_zeros(len(x), 1, 1, 1)
        image, pull = torch.func.vjp(self.A, z)
        value = objective(z, image)
        for _ in range(steps):
            # J v, by differentiating u -> J^T u, which is linear, once more.
            push = torch.func.vjp(lambda u, pull=pull: pull(u)[0], torch.zeros_like(image))[1]

            def apply(v, pull=pull, push=push, damping=damping):
                return pull(push(v)[0])[0] + (rho + damping) * v

            right = pull(y - image)[0] + rho * (x - z)
            trial = z + conjugate_gradients(apply, right, iterations, 0.1)
            trial_value = objective(trial, self.A(trial))
            better = trial_value < value
            damping = torch.where(better, damping / 8, 8 * damping + 0.05)
            z, gained = torch.where(better, trial, z), (value - trial_value) / value
            value = torch.minimum(value, trial_value)
            if bool((torch.where(better, gained <= tolerance**0.5, damping > 3)).all()):
                break
            image, pull = torch.func.vjp(self.A, z)
        return z


class GaussianNoise(Degradation):
    """Noise alone: y = x + sigma n. Table 1, first row (H = I)."""

    pointwise = True

    def A(self, x):
        return x

    def A_adjoint(self, y):
        return y

    def prox(self, x, y, rho):
        return (y + rho * x) / (1 + rho)


class GaussianBlur(Degradation):
    """Blur with an n x n Gaussian kernel of width ``width`` pixels. Table 1, second row.

    size: n, odd. width: standard deviation of the kernel in pixels, above 0; ValueError else.
    The image is mirrored at its edges (the edge pixel repeated). A symmetric kernel with this
    boundary gives a symmetric matrix, A^T = A, and on the mirrored image a circular convolution,
    which the Fourier transform makes diagonal: hence the exact `prox`.
    """

    def __init__(self, size=9, width=2.0, sigma=0.0):
        super().__init__(sigma)
        if size < 1 or size % 2 != 1:
            raise ValueError(f"the kernel size must be a positive odd number, got {size}")
        if not width > 0:
            raise ValueError(f"the kernel's width must be positive, got {width}")
        self.width = float(width)
        taps = torch.arange(size, dtype=torch.float64) - size // 2
        kernel = torch.exp(-0.5 * (taps / width) ** 2)
        # The 2-D kernel is the outer product of this one with itself and sums to 1 as well.
        # A plain tensor, no buffer: it stays float64 on the CPU wherever the module goes.
        self.kernel = kernel / kernel.sum()

    def A(self, x):
        return self._along(self._along(x, -1), -2)

    def A_adjoint(self, y):
        return self.A(y)

    def prox(self, x, y, rho):
        """Exact: one division at each frequency of the image mirrored to twice its size.

        Written for the correction z - x, so that rounding errors stay small where the blur
        leaves almost nothing. rho > 0; float32 wants 1e-8 at least.
        """
        height, width = x.shape[-2:]
        right = self.A_adjoint(y - self.A(x))
        right = torch.cat([right, right.flip(-1)], dim=-1)
        right = torch.cat([right, right.flip(-2)], dim=-2)
        gain = self._gain(2 * height, x)[:, None] * self._gain(2 * width, x)[: width + 1]
        spectrum = torch.fft.rfft2(right) / (gain**2 + rho)
        return x + torch.fft.irfft2(spectrum, s=right.shape[-2:])[..., :height, :width]

    def _along(self, x, axis):
        """1-D blur along one axis, mirrored at both ends."""
        radius, length = len(self.kernel) // 2, x.shape[axis]
        index = torch.arange(-radius, length + radius, device=x.device) % (2 * length)
        index = torch.minimum(index, 2 * length - 1 - index)
        padded = x.index_select(axis, index).movedim(axis, -1)
        kernel = self.kernel.to(x).view(1, 1, -1)
        blurred = functional.conv1d(padded.reshape(-1, 1, padded.shape[-1]), kernel)
        return blurred.reshape(*padded.shape[:-1], length).movedim(-1, axis)

    def _gain(self, length, like):
        """What the 1-D blur leaves of each of the discrete Fourier frequencies, (length,)."""
        taps = torch.arange(len(self.kernel), dtype=torch.float64) - len(self.kernel) // 2
        frequency = 2 * torch.pi / length * torch.arange(length, dtype=torch.float64)
        return (torch.cos(frequency[:, None] * taps) @ self.kernel).to(like)


class BlockAverage(Degradation):
    """Low resolution: the mean of every d x d block, y smaller than x. Table 1, third row.

    factor: d, a whole number. image_size: (H, W) of x where these are no multiples of d; blocks
    cut off at the lower and right edge are averaged over the pixels they have. ValueError for
    other sizes.
    """

    def __init__(self, factor=4, image_size=None, sigma=0.0):
        super().__init__(sigma)
        self.factor, self.image_size = _whole_factor(factor), _two(image_size, "image_size")

    def A(self, x):
        size = self.image_size or tuple(n - n % self.factor for n in x.shape[-2:])
        if tuple(x.shape[-2:]) != tuple(size) or 0 in size:
            raise ValueError(
                f"an image of {tuple(x.shape[-2:])} pixels for blocks of {self.factor}: "
                "give its image_size where that is no multiple of the factor"
            )
        return functional.avg_pool2d(x, self.factor, ceil_mode=True)

    def A_adjoint(self, y):
        return self._replicate(y / self._counts(y))

    def check_measurement(self, y):
        height, width = self._size_of_x(y)
        small = (-(-height // self.factor), -(-width // self.factor))
        if small != tuple(y.shape[-2:]):
            raise ValueError(
                f"a {height} x {width} image has {small[0]} x {small[1]} blocks, "
                f"but y is {y.shape[-2]} x {y.shape[-1]}"
            )

    def start(self, y):
        large = functional.interpolate(y, scale_factor=self.factor, mode="bicubic")
        height, width = self._size_of_x(y)
        return large[..., :height, :width]

    def prox(self, x, y, rho):
        """Exact, for any rho >= 0: A A^T is diagonal, 1 / (pixels in the block)."""
        return x + self.A_adjoint((y - self.A(x)) / (1 / self._counts(y) + rho))

    def _size_of_x(self, y):
        return self.image_size or (y.shape[-2] * self.factor, y.shape[-1] * self.factor)

    def _replicate(self, y):
        height, width = self._size_of_x(y)
        rows = torch.arange(height, device=y.device) // self.factor
        columns = torch.arange(width, device=y.device) // self.factor
        return y[..., rows, :][..., columns]

    def _counts(self, y):
        """Pixels in each block, shaped (h, w)."""
        height, width = self._size_of_x(y)
        rows = _block_lengths(height, self.factor).to(y)
        return rows[:, None] * _block_lengths(width, self.factor).to(y)


class BlockAverageSameSize(Degradation):
    """Low resolution shown at the size of x: block average, then every block filled with it.

    An orthogonal projection, A = A^T = A A: what the source needs where x and y have one size.
    factor: d. Sizes that are no multiples of d are handled as in `BlockAverage`.
    """

    def __init__(self, factor=4, sigma=0.0):
        super().__init__(sigma)
        self.factor = _whole_factor(factor)

    def A(self, x):
        average = BlockAverage(self.factor, tuple(x.shape[-2:]))
        return average._replicate(average.A(x))

    def A_adjoint(self, y):
        return self.A(y)

    def prox(self, x, y, rho):
        return x + self.A(y - x) / (1 + rho)


class Inpainting(Degradation):
    """Occlusion: y = mask * x. Table 1, fourth row, with content M = 0.

    mask: 1 where the pixel is kept, 0 where it is missing; (H, W) or, for each photo of a batch
    and all its samples, (B, 1, H, W). What y holds in the holes does not matter. ValueError for
    other numbers or shapes.
    """

    pointwise = True

    def __init__(self, mask, sigma=0.0):
        super().__init__(sigma)
        mask = torch.as_tensor(mask).float()
        if mask.ndim not in (2, 3, 4) or mask.shape[-3:-2] not in ((), (1,)):
            raise ValueError(f"a mask is (H, W) or (B, 1, H, W), not {tuple(mask.shape)}")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("a mask holds only 0 (missing) and 1 (kept)")
        self.register_buffer("mask", mask)

    def A(self, x):
        return _tiled(self.mask, x) * x

    def A_adjoint(self, y):
        return self.A(y)

    def residual(self, x, y):
        return _rms(self.A(x) - y, _tiled(self.mask, x))

    def check_measurement(self, y):
        if self.mask.shape[-2:] != y.shape[-2:]:
            (a, b), (c, d) = self.mask.shape[-2:], y.shape[-2:]
            raise ValueError(f"the mask is {a} x {b} and y is {c} x {d}")
        if self.mask.ndim == 4 and len(y) % len(self.mask):
            raise ValueError(f"{len(self.mask)} masks for {len(y)} photos: give one, or as many")

    def start(self, y):
        """The kept pixels, and in the holes the mean of the kept ones around them.

        A hole pixel takes the mean over the smallest block (2, 4, 8 ... pixels wide) that
        holds any kept pixel; where nothing at all is kept, middle grey.
        """
        mask = _tiled(self.mask, y).expand(len(y), 1, -1, -1)
        filled, known, block = mask * y, mask.clone(), 1
        while not bool(known.all()):
            block *= 2
            average = BlockAverage(block, tuple(y.shape[-2:]))
            kept = average._replicate(average.A(mask))
            mean = average._replicate(average.A(mask * y)) / kept.clamp(min=1e-12)
            filled = torch.where((known == 0) & (kept > 0), mean, filled)
            known = torch.maximum(known, (kept > 0).to(known))
            if block >= max(y.shape[-2:]):
                filled = torch.where(known == 0, torch.full_like(filled, 0.5), filled)
                break
        return filled

    def prox(self, x, y, rho):
        return x + self.A(y - x) / (1 + rho)


class Exposure(Degradation):
    """Brightness: y = gain x + offset, two learnable numbers (Phi), before clipping.

    The simplest degradation whose Phi is not known. Affine, of the form H x + M of Table 1.
    Phi: ``gain`` and ``offset``, display range, without bounds: `gdp_lite.light` has them.
    """

    linear, pointwise = False, True

    def __init__(self, gain=1.0, offset=0.0, sigma=0.0):
        super().__init__(sigma)
        if not math.isfinite(gain) or not math.isfinite(offset):
            raise ValueError(f"gain and offset must be finite, got {gain}, {offset}")
        self.gain = nn.Parameter(torch.tensor(float(gain)))
        self.offset = nn.Parameter(torch.tensor(float(offset)))

    def randomise(self, generator=None):
        """Draw Phi at random, as the source's algorithm asks; returns the degradation."""
        with torch.no_grad():
            self.gain.copy_(0.5 + torch.rand((), generator=generator))
            self.offset.copy_(0.2 * torch.rand((), generator=generator) - 0.1)
        return self

    def A(self, x):
        return self.gain * x + self.offset

    def prox(self, x, y, rho):
        return (self.gain * (y - self.offset) + rho * x) / (self.gain**2 + rho)


class Compose(Degradation):
    """One degradation after another, in the order in which the camera applies them.

    Phi is that of all stages, ``phi()`` names it stages.0.width and so on. A stage whose Phi is
    known, ``stage.requires_grad_(False)``, keeps it while the others' is guessed and learned.

    Only the last may add noise, ValueError else: noise that a later map would blur is not white
    any more, and no step of the sampler models that.
    """

    def __init__(self, *stages):
        if not stages:
            raise ValueError("nothing to compose")
        if not all(isinstance(stage, Degradation) for stage in stages):
            raise ValueError("only degradations can be composed, as Compose(first, second)")
        if any(stage.sigma for stage in stages[:-1]):
            raise ValueError("only the last of composed degradations may have noise")
        nn.Module.__init__(self)
        self.stages = nn.ModuleList(stages)
        self.linear = all(stage.linear for stage in stages)
        self.pointwise = all(stage.pointwise for stage in stages)

    @property
    def sigma(self):
        return self.stages[-1].sigma

    def A(self, x):
        for stage in self.stages:
            x = stage.A(x)
        return x

    def A_adjoint(self, y):
        for stage in reversed(self.stages):
            y = stage.A_adjoint(y)
        return y

    def simulate(self, x, generator=None):
        for stage in self.stages[:-1]:
            x = stage.A(x)
        return self.stages[-1].simulate(x, generator)

    def randomise(self, generator=None):
        for stage in self.stages:
            if not _known(stage):
                stage.randomise(generator)
        return self

    def initialise(self, y, sigma=None, generator=None):
        """Each stage from the photo as it was before the stages after it, roughly."""
        sigma = self.sigma if sigma is None else sigma
        for stage in reversed(self.stages):
            if not _known(stage):
                stage.initialise(y, sigma, generator)
            y = stage.start(y).detach()
        return self

    def check_measurement(self, y):
        for stage in reversed(self.stages):
            stage.check_measurement(y)
            y = stage.start(y).detach()

    def start(self, y):
        for stage in reversed(self.stages):
            y = stage.start(y)
        return y


def check_photo(y):
    """Raise ValueError, in one line, where y is no batch of photos, (B, 3, h, w), finite floats."""
    if not isinstance(y, torch.Tensor) or y.dtype not in (torch.float32, torch.float64):
        kind = getattr(y, "dtype", type(y).__name__)
        raise ValueError(f"y must be a tensor of finite floats, float32 or float64, not {kind}")
    if y.ndim != 4 or y.shape[1] != 3 or not y.numel() or not bool(y.isfinite().all()):
        raise ValueError(f"photos (B, 3, h, w) of finite floats are needed, got {tuple(y.shape)}")


def random_mask(height, width, missing=0.25, generator=None):
    """A random mask, (height, width): 0 with probability `missing`, in [0, 1], else 1.

    Source: "Training data preparation": 25% of the pixels are set to zero.
    """
    if not 0 <= missing <= 1:
        raise ValueError(f"the share of missing pixels lies in 0 to 1, got {missing}")
    return (torch.rand(height, width, generator=generator) >= missing).float()


def _known(degradation):
    """Whether it has a Phi and none of it is to be learned."""
    phi = list(degradation.parameters())
    return bool(phi) and not any(p.requires_grad for p in phi)


def _tiled(tensor, y):
    """What is given for each photo, (B, ...), for all samples of them in y; else as it is."""
    tensor = tensor.to(y)
    return tensor.repeat(len(y) // len(tensor), 1, 1, 1) if tensor.ndim == 4 else tensor


def _rms(x, mask):
    """Root mean square of x, (B, C, H, W) -> (B,), where the mask, (.., 1, H, W), is 1."""
    mask = mask.expand_as(x)
    return ((mask * x.square()).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)).sqrt()


def _two(size, name):
    """(rows, columns), two whole numbers of at least 1, or None."""
    if size is None:
        return None
    if not hasattr(size, "__len__") or len(size) != 2 or any(n < 1 or n % 1 for n in size):
        raise ValueError(f"{name} is two whole numbers, (rows, columns), not {size}")
    return tuple(int(n) for n in size)


def _whole_factor(factor):
    if not factor >= 1 or factor % 1:
        raise ValueError(f"the factor must be a whole number of at least 1, got {factor}")
    return int(factor)


def _block_lengths(length, factor):
    """Pixels along one axis in each block: factor, but for the last where it is cut off."""
    return torch.bincount(torch.arange(length) // factor)
