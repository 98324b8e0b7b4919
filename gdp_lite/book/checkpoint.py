"""Checkpoints in the layout of OpenAI's diffusion models, with random weights, of any size."""

import math

import torch


def random_state(widths, blocks, attended, residual, scaled, outputs=6, seed=0):
    """A state dictionary with random weights, small enough that nothing overflows.

    widths: channels at each resolution, multiples of 32. blocks: residual blocks at each.
    attended: the levels with attention; the middle always has it. residual: whether sizes change in
    residual blocks, as in ADM. scaled: whether the time scales and shifts, as in ADM. outputs: 6
    with a learned variance, else 3.
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
