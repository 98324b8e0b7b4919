"""OpenAI's U-Net, from the papers and the names of its weights: what a conversion must equal.

Written for these tests as a function of a state dictionary: Nichol and Dhariwal 2021 (appendix A)
and Dhariwal and Nichol 2021 (section 3, table 4) describe it, the names say which block is which.
Nothing here uses diffusers or the package. `random_state` makes a checkpoint of any such shape.
"""

import math

import torch
from torch.nn import functional


def random_state(widths, blocks, attended, residual, scaled, outputs=6, seed=0):
    """A checkpoint with random weights, small enough that nothing overflows.

    attended: the levels with attention; the middle always has it.
    """
    generator = torch.Generator().manual_seed(seed)
    state, told = {}, 4 * widths[0]

    def layer(name, *shape):
        fan = math.prod(shape[1:])
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) / fan**0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)

    def norm(name, width):
        state[f"{name}.weight"] = 1 + 0.2 * torch.randn(width, generator=generator)
        state[f"{name}.bias"] = 0.2 * torch.randn(width, generator=generator)

    def block(name, width, out):
        norm(f"{name}.in_layers.0", width)
        layer(f"{name}.in_layers.2", out, width, 3, 3)
        layer(f"{name}.emb_layers.1", 2 * out if scaled else out, told)
        norm(f"{name}.out_layers.0", out)
        layer(f"{name}.out_layers.3", out, out, 3, 3)
        if width != out:
            layer(f"{name}.skip_connection", out, width, 1, 1)

    def attention(name, width):
        norm(f"{name}.norm", width)
        layer(f"{name}.qkv", 3 * width, width, 1)
        layer(f"{name}.proj_out", width, width, 1)

    layer("time_embed.0", told, widths[0])
    layer("time_embed.2", told, told)
    layer("input_blocks.0.0", widths[0], 3, 3, 3)
    width, kept, n = widths[0], [widths[0]], 1
    for level, out in enumerate(widths):
        for _ in range(blocks):
            block(f"input_blocks.{n}.0", width, out)
            if level in attended:
                attention(f"input_blocks.{n}.1", out)
            width, n = out, n + 1
            kept.append(width)
        if level < len(widths) - 1:
            if residual:
                block(f"input_blocks.{n}.0", width, width)
            else:
                layer(f"input_blocks.{n}.0.op", width, width, 3, 3)
            n += 1
            kept.append(width)
    block("middle_block.0", width, width)
    attention("middle_block.1", width)
    block("middle_block.2", width, width)
    n = 0
    for level, out in reversed(list(enumerate(widths))):
        for i in range(blocks + 1):
            block(f"output_blocks.{n}.0", width + kept.pop(), out)
            if level in attended:
                attention(f"output_blocks.{n}.1", out)
            width = out
            if level and i == blocks:
                part = f"output_blocks.{n}.{2 if level in attended else 1}"
                if residual:
                    block(part, width, width)
                else:
                    layer(f"{part}.conv", width, width, 3, 3)
            n += 1
    norm("out.0", width)
    layer("out.2", outputs, width, 3, 3)
    return state


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
