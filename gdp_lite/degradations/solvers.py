"""argmin_z ||A z - y||^2 + rho ||z - x||^2, solved three ways, for any map A.

Images are (B, C, H, W) in display range; every image of a batch is solved by itself.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]
Linearise = Callable[[Tensor], tuple[Tensor, Map, Map]]  # of `Degradation`


def conjugate_gradients(apply: Map, right: Tensor, iterations: int, tolerance: float) -> Tensor:
    """z with apply(z) = right, for a symmetric positive `apply`, started at 0.

    right: (B, C, H, W); every image of the batch is solved by itself, and all stop when the
    last has its residual below `tolerance` times the first one.
    """
    z, residual, direction = torch.zeros_like(right), right, right
    power = per_image(residual.square())
    stop = tolerance**2 * power
    for _ in range(iterations):
        if bool((power <= stop).all()):
            break
        image = apply(direction)
        curvature = per_image(direction * image)
        step = torch.where(curvature > 0, power / curvature, 0)  # 0: this image is solved
        z = z + step * direction
        residual = residual - step * image
        previous, power = power, per_image(residual.square())
        direction = residual + torch.where(previous > 0, power / previous, 0) * direction
    return z


def prox_of_linear(
    A: Map, A_adjoint: Map, x: Tensor, y: Tensor, rho: float, iterations: int, tolerance: float
) -> Tensor:
    """A linear: conjugate gradients for the correction d = z - x,

        (A^T A + rho) d = A^T (y - A x),

    started at 0, so that rho = 0 gives the nearest solution to x.
    """
    right = A_adjoint(y - A(x))
    return x + conjugate_gradients(
        lambda z: A_adjoint(A(z)) + rho * z, right, iterations, tolerance
    )


def prox_of_pixels(
    A: Map, starts: Iterable[Tensor], x: Tensor, y: Tensor, rho: float, steps: int = 20
) -> Tensor:
    """A pointwise: damped Newton steps in each pixel, from each of `starts`; the best is kept.

    Where A clips there is no slope, so that one start may be stuck.
    """

    def at(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A(z), its derivative, and what is minimised, pixel by pixel."""
        image, pull = vjp(A, z)
        value = (image - y).square() + rho * (z - x).square()
        return image, pull(torch.ones_like(image)), value

    best, least = x, torch.full_like(x, torch.inf)
    for z in starts:
        image, slope, value = at(z)
        damping = torch.zeros_like(x)
        for _ in range(steps):
            downhill = slope * (y - image) + rho * (x - z)
            step = downhill / ((slope.square() + rho) * (1 + damping) + 1e-30)
            if bool((step.abs() < 1e-5).all()):
                break
            trial = z + step
            new_image, new_slope, new_value = at(trial)
            better = new_value < value
            z, image = torch.where(better, trial, z), torch.where(better, new_image, image)
            slope = torch.where(better, new_slope, slope)
            value = torch.where(better, new_value, value)
            damping = torch.where(better, damping / 8, 4 * damping + 1)
        best = torch.where(value < least, z, best)
        least = torch.minimum(value, least)
    return best


def prox_of_images(
    linearise: Linearise,
    x: Tensor,
    y: Tensor,
    rho: float,
    iterations: int,
    tolerance: float,
    rounds: bool = False,
    steps: int = 8,
) -> Tensor:
    """Any A: Gauss-Newton steps, solved to a tenth, each image with a damping of its own.

    Until a step gains less than the share sqrt(`tolerance`): enough within a sampler. Where A
    rounds, also until a step after the first gains less than a quarter of what its linear model
    promises: what rounding moves back and forth has no slope that could be followed.
    """

    def objective(z: Tensor, image: Tensor) -> Tensor:
        return per_image((image - y).square()) + rho * per_image((z - x).square())

    z, damping = x, x.new_zeros(len(x), 1, 1, 1)
    moved = stuck = torch.zeros_like(damping, dtype=torch.bool)
    image, push, pull = linearise(z)
    value = objective(z, image)
    for _ in range(steps):

        def apply(
            v: Tensor, pull: Map = pull, push: Map = push, damping: Tensor = damping
        ) -> Tensor:
            return pull(push(v)) + (rho + damping) * v

        right = pull(y - image) + rho * (x - z)
        step = conjugate_gradients(apply, right, iterations, 0.1)
        promised = per_image(right * step) / value
        trial = z + step
        ahead = linearise(trial)
        trial_value = objective(trial, ahead[0])
        better = (trial_value < value) & ~stuck
        damping = torch.where(better, damping / 8, 8 * damping + 0.05)
        z, gained = torch.where(better, trial, z), (value - trial_value) / value
        value = torch.where(better, trial_value, value)
        done = torch.where(better, gained <= tolerance**0.5, damping > 3)
        if rounds:
            stuck = stuck | (moved & (gained < promised / 4))
            moved = moved | better
        if bool((done | stuck).all()):
            break
        if bool(better.any()):
            image, push, pull = ahead if bool(better.all()) else linearise(z)
    return z


def vjp(A: Map, x: Tensor) -> tuple[Tensor, Map]:
    """A(x), and the map v -> J^T v with the Jacobian J of A at x."""
    pulled = torch.func.vjp(A, x)
    return pulled[0], lambda v: pulled[1](v)[0]


def per_image(x: Tensor) -> Tensor:
    """The sum over all but the batch, shaped (B, 1, 1, 1)."""
    return x.flatten(1).sum(1).view(-1, 1, 1, 1)
