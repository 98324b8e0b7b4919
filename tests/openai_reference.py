"""OpenAI's U-Net, from the papers and the names of its weights: what a conversion must equal.

Written for these tests as a function of a state dictionary: Nichol and Dhariwal 2021 (appendix A)
and Dhariwal and Nichol 2021 (section 3, table 4) describe it, the names say which block is which.
Nothing here uses diffusers or, but for the checkpoints with random weights, the package.
"""

import math

import torch
from torch.nn import functional

from gdp_lite.book.checkpoint import random_state

__all__ = ["answer", "random_state"]


@torch.no_grad()
def answer(state, x, t, heads=None, head_channels=None, new_order=False):
    """The network's answer, (B, outputs, H, W), to x in model range at the floats t."""

    def affine(name, h, **options):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if weight.ndim == 2:
            return functional.linear(h, weight, bias)
        conv = functional.conv2d if weight.ndim == 4 else functional.conv1d
        return conv(h, weight, bias, padding=weight.shape[-1] // 2, **options)

    def norm(name, h):
        return functional.group_norm(h, 32, state[f"{name}.weight"], state[f"{name}.bias"], 1e-5)

    def residual(name, h, resize=lambda h: h):
        """GroupNorm, SiLU, (size), convolution; the time; GroupNorm, SiLU, convolution; sum."""
        inner = resize(functional.silu(norm(f"{name}.in_layers.0", h)))
        inner = affine(f"{name}.in_layers.2", inner)
        told = affine(f"{name}.emb_layers.1", functional.silu(time))[:, :, None, None]
        if told.shape[1] == 2 * inner.shape[1]:  # adaptive group normalisation, Eq. (1) of ADM
            scale, shift = told.tensor_split(2, 1)
            inner = norm(f"{name}.out_layers.0", inner) * (1 + scale) + shift
        else:
            inner = norm(f"{name}.out_layers.0", inner + told)
        inner = affine(f"{name}.out_layers.3", functional.silu(inner))
        h = resize(h)
        there = f"{name}.skip_connection.weight" in state
        return inner + (affine(f"{name}.skip_connection", h) if there else h)

    def attention(name, h):
        """Each head by itself, written out: softmax(q k / sqrt(d)) v."""
        flat = h.flatten(2)
        width = flat.shape[1]
        rows = affine(f"{name}.qkv", norm(f"{name}.norm", flat))
        count = heads or width // head_channels
        d = width // count
        outs = []
        for head in range(count):
            starts = [i * width + head * d for i in range(3)]
            if not new_order:
                starts = [head * 3 * d + i * d for i in range(3)]
            q, k, v = (rows[:, s : s + d] for s in starts)
            weights = torch.softmax(torch.einsum("bdi,bdj->bij", q, k) / d**0.5, -1)
            outs.append(torch.einsum("bij,bdj->bdi", weights, v))
        return h + affine(f"{name}.proj_out", torch.cat(outs, 1)).view_as(h)

    def parts(name, h, way):
        """All parts of a numbered block, in order."""
        n = 0
        while any(key.startswith(f"{name}.{n}.") for key in state):
            part, resize = f"{name}.{n}", way == "down" or (way == "up" and n > 0)
            if f"{part}.qkv.weight" in state:
                h = attention(part, h)
            elif f"{part}.op.weight" in state:
                h = affine(f"{part}.op", h, stride=2)
            elif f"{part}.conv.weight" in state:
                h = affine(f"{part}.conv", h.repeat_interleave(2, 2).repeat_interleave(2, 3))
            elif f"{part}.in_layers.0.weight" not in state:
                h = affine(part, h)
            elif not resize:
                h = residual(part, h)
            elif way == "down":
                h = residual(part, h, lambda h: functional.avg_pool2d(h, 2))
            else:
                h = residual(part, h, lambda h: h.repeat_interleave(2, 2).repeat_interleave(2, 3))
            n += 1
        return h

    half = state["time_embed.0.weight"].shape[1] // 2
    angle = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    time = torch.cat([angle.cos(), angle.sin()], 1)
    time = affine("time_embed.2", functional.silu(affine("time_embed.0", time)))
    down = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("input_blocks."))
    up = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("output_blocks."))
    sizes = sum(f"output_blocks.{n}.{p}" in names(state) for n in range(up) for p in (1, 2))
    per_level = down // (1 + sizes)
    h, kept = x, []
    for n in range(down):
        h = parts(f"input_blocks.{n}", h, "down" if n and n % per_level == 0 else "")
        kept.append(h)
    h = parts("middle_block", h, "")
    for n in range(up):
        h = parts(f"output_blocks.{n}", torch.cat([h, kept.pop()], 1), "up")
    return affine("out.2", functional.silu(norm("out.0", h)))


def names(state):
    """Parts on the way up that change the size."""
    return {
        key.rsplit(".", 3 if ".in_layers." in key else 2)[0]
        for key in state
        if key.endswith((".in_layers.0.weight", ".conv.weight"))
    }
