"""Linear systems too large for a matrix."""

import torch


def conjugate_gradients(apply, right, iterations, tolerance):
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


def per_image(x):
    """The sum over all but the batch, shaped (B, 1, 1, 1)."""
    return x.flatten(1).sum(1).view(-1, 1, 1, 1)
