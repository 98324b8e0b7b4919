"""What the names and shapes in a checkpoint of OpenAI's tell of its network.

The networks of Nichol and Dhariwal 2021 (improved-diffusion) and of Dhariwal and Nichol 2021 (ADM,
guided-diffusion) are one U-Net with options. Their files hold weights alone, numbered blocks on the
way down (``input_blocks``), in the middle and on the way up (``output_blocks``). Widths, depth,
attention and options follow from them; the number of attention heads does not.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

GROUPS = 32  # of every group normalisation


class Layout(NamedTuple):
    """A network of OpenAI's.

    Parameters
    ----------
    widths : channels at each resolution, the full one first.
    blocks : residual blocks at each of them on the way down; one more on the way up.
    attention : whether there is attention, at each of them; in the middle there always is.
    residual : whether sizes change inside residual blocks (ADM) or by convolutions.
    scaled : whether the time scales and shifts (`use_scale_shift_norm`) or is added.
    outputs : channels of the answer: 3, or 6 where a variance was learned too.
    """

    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    residual: bool
    scaled: bool
    outputs: int

    @property
    def side(self) -> int:
        """The native size that this depth has in OpenAI's models: 8 pixels at the bottom."""
        return 8 * 2 ** (len(self.widths) - 1)


class Recipe(NamedTuple):
    """What a checkpoint does not say about itself.

    Parameters
    ----------
    heads, head_channels : of the attention: how many, or how wide each; one of the two.
    schedule : linear or cosine.
    T : number of noise steps.
    rescaled : whether the network is told t in thousandths of T (`rescale_timesteps`).
    new_order : whether queries, keys and values come before heads (`use_new_attention_order`).
    side : the native size, pixels; by the network's depth where it is 0.

    Examples
    --------
    >>> Recipe(heads=4, schedule="cosine", T=4000, rescaled=True).time_scale
    0.25
    """

    heads: int = 0
    head_channels: int = 0
    schedule: str = "linear"
    T: int = 1000
    rescaled: bool = False
    new_order: bool = False
    side: int = 0

    def __str__(self) -> str:
        """In words, as a line says what was assumed."""
        heads = f"{self.heads} heads" if self.heads else f"heads of {self.head_channels} channels"
        times = ", times in thousandths" if self.rescaled else ""
        return f"{heads}, {self.schedule} schedule, T = {self.T}{times}"

    @property
    def time_scale(self) -> float:
        """What a time is multiplied by before the network is told it."""
        return 1000 / self.T if self.rescaled else 1.0


# The defaults of guided-diffusion's models and of improved-diffusion's.
ADM = Recipe(head_channels=64)
IMPROVED = Recipe(heads=4, schedule="cosine", T=4000, rescaled=True)
# Of the published unconditional files, by stem: the flags on the pages that offer them.
RECIPES = {
    **dict.fromkeys(
        ("256x256_diffusion_uncond", "lsun_bedroom", "lsun_cat", "lsun_horse"),
        ADM._replace(side=256),
    ),
    **dict.fromkeys(
        ("imagenet64_uncond_100M_1500K", "imagenet64_uncond_vlb_100M_1500K"),
        IMPROVED._replace(side=64),
    ),
    **dict.fromkeys(
        ("cifar10_uncond_50M_500K", "cifar10_uncond_vlb_50M_500K"), IMPROVED._replace(side=32)
    ),
    **dict.fromkeys(
        ("lsun_uncond_100M_1200K_bs128", "lsun_uncond_100M_2400K_bs64"), Recipe(heads=1, side=256)
    ),
}


def layout_of(state: Mapping[str, Tensor]) -> Layout:
    """Read the layout off a checkpoint's names and shapes.

    state : its state dictionary.

    Raises ValueError, in one line, for another kind of network and for one that needs a class.
    """
    if "input_blocks.0.0.weight" not in state:
        raise ValueError("no checkpoint of OpenAI's diffusion models")
    if "label_emb.weight" in state:
        raise ValueError("the network asks for a class: unconditional ones alone are priors")
    try:
        return _read(state)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise ValueError(f"no checkpoint of OpenAI's diffusion models: {error} is not there") from (
            error
        )


def _read(state: Mapping[str, Tensor]) -> Layout:
    down = 1 + max(
        (int(k.split(".")[1]) for k in state if k.startswith("input_blocks.")), default=0
    )
    last: dict[int, int] = {}  # of each block on the way up, the number of its last part
    for key in state:
        if key.startswith("output_blocks."):
            block, part = (int(n) for n in key.split(".")[1:3])
            last[block] = max(last.get(block, 0), part)
    ends = {b: f"output_blocks.{b}.{part}" for b, part in last.items() if part}
    residual = [b for b, end in ends.items() if f"{end}.in_layers.0.weight" in state]
    plain = [b for b, end in ends.items() if f"{end}.conv.weight" in state]
    levels = 1 + len(residual) + len(plain)
    blocks = down // levels - 1
    if blocks < 1 or down != levels * (blocks + 1) or (residual and plain):
        raise ValueError(f"{down} blocks on the way down make no {levels} resolutions")
    firsts = [1 + level * (blocks + 1) for level in range(levels)]
    widths = tuple(len(state[f"input_blocks.{n}.0.out_layers.3.weight"]) for n in firsts)
    attention = tuple(f"input_blocks.{n}.1.qkv.weight" in state for n in firsts)
    first = state["input_blocks.0.0.weight"]
    if first.shape[1] != 3:
        raise ValueError(f"the network sees {first.shape[1]} channels, not a picture's 3")
    if not len(first) == widths[0] == state["time_embed.0.weight"].shape[1]:
        raise ValueError("the full resolution has another width than the time: not supported")
    if any(width % GROUPS for width in widths):
        raise ValueError(f"widths {widths} are no multiples of {GROUPS}")
    told = len(state["input_blocks.1.0.emb_layers.1.weight"])
    outputs = len(state["out.2.weight"])
    if outputs not in (3, 6):
        raise ValueError(f"the network answers with {outputs} channels, not 3 or 6")
    return Layout(widths, blocks, attention, bool(residual), told == 2 * widths[0], outputs)
