"""Checks that every degradation has to pass, and the degradations to try them on."""

import torch
from exact import normal

SIZES = [(16, 24), (37, 53), (5, 9)]


def photo(height, width, batch=1, seed=0):
    """A smooth picture with an edge, colours from 0.1 to 0.9, float64."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 6, 7, generator=generator, dtype=torch.float64)
    x = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    x = 0.2 + 0.5 * x
    x[..., height // 3 :, width // 2 :] += 0.15
    return x


def adjoint_mismatch(degradation, size):
    """|<A x, y> - <x, A^T y>| / (|A x| |y|), for random x and y, two images."""
    x = normal(2, 3, *size)
    image = degradation.A(x)
    y = normal(*image.shape, seed=1)
    back = degradation.A_adjoint(y)
    assert back.shape == x.shape
    image, back = image.detach(), back.detach()
    return float(((image * y).sum() - (x * back).sum()).abs() / (image.norm() * y.norm()))


def prox_slope(degradation, x, y, rho):
    """|gradient at the prox| / |gradient at x| of what the prox minimises."""

    def slope(z):
        z = z.detach().requires_grad_()
        loss = (degradation.A(z) - y).square().sum() + rho * (z - x).square().sum()
        return float(torch.autograd.grad(loss, z)[0].norm())

    with torch.no_grad():
        z = degradation.prox(x, y, rho)
    assert z.shape == x.shape
    return slope(z) / slope(x)


def gradients_agree(degradation, size=(6, 7)):
    """Autograd against finite differences, in x and in every raw parameter of Phi."""
    x = photo(*size).requires_grad_()
    names = [name for name, _ in degradation.named_parameters()]

    def image(x, *raw):
        return torch.func.functional_call(degradation, dict(zip(names, raw, strict=True)), (x,))

    raw = [p.detach().clone().requires_grad_() for p in degradation.parameters()]
    return torch.autograd.gradcheck(image, (x, *raw), fast_mode=True)


def fit(degradation, x, y, steps=300, loss=None):
    """L-BFGS on the raw parameters with the scene known; returns the degradation's phi()."""
    optimiser = torch.optim.LBFGS(
        degradation.parameters(),
        max_iter=steps,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimiser.zero_grad()
        value = loss(x, y) if loss else (degradation(x) - y).square().sum()
        value.backward()
        return value

    optimiser.step(closure)
    return degradation.phi()


def wild(degradation, seed):
    """Raw parameters far out: 0, and normal numbers of standard deviation 1, 10 and 1000."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for raw in degradation.parameters():
            raw.copy_((0, 1, 10, 1000)[seed] * torch.randn(raw.shape, generator=generator))
    return degradation.phi()
