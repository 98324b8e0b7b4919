"""OpenAI's network as a `diffusers.UNet2DModel`: its options, and the new names of its weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gdp_lite.prior_files.layout import GROUPS, Layout, Recipe

_RESIDUAL = {
    **{"in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj"},
    **{"out_layers.0": "norm2", "out_layers.3": "conv2", "skip_connection": "conv_shortcut"},
}


def heads_differ(layout: Layout, recipe: Recipe) -> bool:
    """Whether the width of a head differs between resolutions, which diffusers cannot say."""
    return bool(recipe.heads) and len(set(_attended(layout))) > 1


def unet_config(layout: Layout, recipe: Recipe) -> dict[str, Any]:
    """The arguments of `diffusers.UNet2DModel` that make the same network."""
    if bool(recipe.heads) == bool(recipe.head_channels):
        raise ValueError("say how many attention heads there are, or how wide each is: one of both")
    share = recipe.heads or recipe.head_channels
    if any(width % share for width in _attended(layout)):
        raise ValueError(f"{share} divides not all of the attention's widths {_attended(layout)}")
    head = recipe.head_channels or layout.widths[-1] // recipe.heads
    sizes = "resnet" if layout.residual else "conv"
    kinds = ("ResnetDownsample", "ResnetUpsample") if layout.residual else ("Down", "Up")
    down, up = (f"{kind}Block2D" for kind in kinds)
    return {
        "sample_size": recipe.side or layout.side,
        "block_out_channels": layout.widths,
        "layers_per_block": layout.blocks,
        "down_block_types": tuple("AttnDownBlock2D" if a else down for a in layout.attention),
        "up_block_types": tuple("AttnUpBlock2D" if a else up for a in layout.attention[::-1]),
        "downsample_type": sizes,
        "upsample_type": sizes,
        "attention_head_dim": 1 if heads_differ(layout, recipe) else head,
        "resnet_time_scale_shift": "scale_shift" if layout.scaled else "default",
        "norm_num_groups": GROUPS,
        "attn_norm_num_groups": GROUPS,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
    }


def renamed(state: Mapping[str, Tensor], layout: Layout, recipe: Recipe) -> dict[str, Tensor]:
    """The same weights under diffusers' names, float32, the learned variance dropped."""
    found: dict[str, Tensor] = {}

    def take(old: str, new: str) -> None:
        for kind in ("weight", "bias"):
            if f"{old}.{kind}" in state:
                found[f"{new}.{kind}"] = state[f"{old}.{kind}"].float().contiguous()

    def residual(old: str, new: str) -> None:
        for theirs, ours in _RESIDUAL.items():
            take(f"{old}.{theirs}", f"{new}.{ours}")

    def flat(name: str) -> Tensor:
        tensor = state[name].float().contiguous()
        return tensor.flatten(1) if tensor.ndim > 1 else tensor

    def attention(old: str, new: str) -> None:
        take(f"{old}.norm", f"{new}.group_norm")
        for kind in ("weight", "bias"):
            rows = flat(f"{old}.qkv.{kind}")
            width = len(rows) // 3
            heads = recipe.heads or width // recipe.head_channels
            parts = (3, heads) if recipe.new_order else (heads, 3)
            rows = rows.view(*parts, width // heads, *rows.shape[1:])
            for part, name in enumerate(("to_q", "to_k", "to_v")):
                some = rows.select(0 if recipe.new_order else 1, part)
                found[f"{new}.{name}.{kind}"] = some.flatten(0, 1).contiguous()
            found[f"{new}.to_out.0.{kind}"] = flat(f"{old}.proj_out.{kind}")

    def resize(old: str, conv: str, new: str) -> None:
        if layout.residual:
            residual(old, new)
        else:
            take(f"{old}.{conv}", f"{new}.conv")

    take("time_embed.0", "time_embedding.linear_1")
    take("time_embed.2", "time_embedding.linear_2")
    take("input_blocks.0.0", "conv_in")
    levels, blocks = len(layout.widths), layout.blocks
    for level in range(levels):
        first, ours = 1 + level * (blocks + 1), f"down_blocks.{level}"
        for n in range(blocks):
            residual(f"input_blocks.{first + n}.0", f"{ours}.resnets.{n}")
            if layout.attention[level]:
                attention(f"input_blocks.{first + n}.1", f"{ours}.attentions.{n}")
        if level < levels - 1:
            resize(f"input_blocks.{first + blocks}.0", "op", f"{ours}.downsamplers.0")
    for n, part in enumerate(("0", "2")):
        residual(f"middle_block.{part}", f"mid_block.resnets.{n}")
    attention("middle_block.1", "mid_block.attentions.0")
    for level in range(levels):
        first, ours = level * (blocks + 1), f"up_blocks.{level}"
        attended = layout.attention[levels - 1 - level]
        for n in range(blocks + 1):
            residual(f"output_blocks.{first + n}.0", f"{ours}.resnets.{n}")
            if attended:
                attention(f"output_blocks.{first + n}.1", f"{ours}.attentions.{n}")
        if level < levels - 1:
            old = f"output_blocks.{first + blocks}.{2 if attended else 1}"
            resize(old, "conv", f"{ours}.upsamplers.0")
    take("out.0", "conv_norm_out")
    for kind in ("weight", "bias"):
        found[f"conv_out.{kind}"] = state[f"out.2.{kind}"][:3].float().contiguous()
    return found


def _attended(layout: Layout) -> list[int]:
    """The widths at which there is attention; the last is the middle's."""
    pairs = zip(layout.widths, layout.attention, strict=True)
    return [*(width for width, there in pairs if there), layout.widths[-1]]
