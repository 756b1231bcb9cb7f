"""Configurations of published U-Nets and classifiers, and of those that the paper trained on images.

One family: guided-diffusion (Dhariwal and Nichol, 2021) and its GLIDE variant, which composable diffusion (Liu et al.,
2022) and the official code of this paper train on CLEVR. `presets.PUBLISHED` lists the published files by name.
"""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError

from compose_diffusion.config.networks import ScheduleConfig

CONDITIONS = ("none", "class", "position", "text")
FORMS = ("noise", "dae", "l2", "dot")
ATTENTION_ORDERS = ("heads-first", "qkv-first")
POOLS = ("attention", "average")
# Number of normalisation groups; every width is a multiple of it.
NUM_GROUPS = 32


@dataclass(frozen=True)
class BackboneConfig:
    """Settings of U-Net and classifier; `width` sets their size."""

    image_size: int = 64
    """height and width the network was trained on"""
    width: int = 128
    """channels at full resolution, before the multiplier"""
    multipliers: tuple[int | float, ...] = (1, 2, 3, 4)
    """channels at each resolution in multiples of `width`; every entry after the first halves height and width"""
    num_blocks: int = 3
    """residual blocks at each resolution"""
    attention_sizes: tuple[int, ...] = (32, 16, 8)
    """heights at which blocks are followed by attention"""
    head_width: int = 64
    """channels of an attention head"""
    num_heads: int = 0
    """attention heads at every resolution; 0 for heads of `head_width` channels"""
    attention_order: Literal["heads-first", "qkv-first"] = "heads-first"
    """how the rows of the qkv projection are split: into heads first, or into q, k, v first"""
    scale_shift_norm: bool = True
    """true: the embedding scales and shifts normalised channels; false: it is added"""
    residual_resampling: bool = True
    """true: residual blocks change the resolution; false: convolutions do"""
    dropout: float = 0.0
    image_channels: int = 3
    schedule: ScheduleConfig = ScheduleConfig("linear", 1000)
    """noise levels it was trained on"""

    def __post_init__(self) -> None:
        for name in ("image_size", "width", "num_blocks", "head_width", "image_channels"):
            check_positive(name, getattr(self, name))
        check_non_negative("num_heads", self.num_heads)
        check_choice("attention_order", self.attention_order, ATTENTION_ORDERS)
        check_between("dropout", self.dropout, 0.0, 0.9)
        if not self.multipliers:
            raise UsageError("multipliers is empty, expected one number for each resolution, e.g. 1 2 3 4")
        for level, multiplier in enumerate(self.multipliers):
            check_positive("multipliers", multiplier)
            channels = self.width * multiplier
            if channels % NUM_GROUPS:
                raise UsageError(
                    f"width {self.width} times multiplier {multiplier:g} is {channels:g} channels, expected a multiple "
                    f"of {NUM_GROUPS}, the number of normalised groups"
                )
            # The middle block always has attention.
            attends = self.attends(2**level) or level == len(self.multipliers) - 1
            heads = self.num_heads or self.head_width
            if attends and int(channels) % heads:
                name = "num_heads" if self.num_heads else "head_width"
                raise UsageError(
                    f"{name} is {heads}, expected a divisor of the {int(channels)} channels with attention"
                )
        coarsest = 2 ** (len(self.multipliers) - 1)
        if self.image_size % coarsest:
            raise UsageError(
                f"image_size is {self.image_size}, expected a multiple of {coarsest} for {len(self.multipliers)} "
                "resolutions"
            )

    @property
    def channels(self) -> tuple[int, ...]:
        """At each resolution, finest first."""
        return tuple(int(self.width * multiplier) for multiplier in self.multipliers)

    def attends(self, factor: int) -> bool:
        """Whether blocks at the resolution image_size / factor are followed by attention."""
        return self.image_size // factor in self.attention_sizes

    def heads(self, channels: int) -> int:
        """Attention heads over that many channels."""
        return self.num_heads or channels // self.head_width


@dataclass(frozen=True)
class UNetConfig(BackboneConfig):
    """A U-Net that predicts noise, or whose output defines a scalar energy (paper, section 4.2)."""

    condition: Literal["none", "class", "position", "text"] = "none"
    """class: an integer; position: two coordinates of one object; text: embeddings of tokens"""
    num_classes: int = 0
    """with condition class"""
    null_condition: bool = False
    """whether there is a learnt null condition: class `num_classes` or position (-1, -1). The null condition of text is
    not learnt: tokens of zeros are padding."""
    text_dim: int = 0
    """size of a token's embedding, with condition text"""
    predicts_variance: bool = False
    """the network also outputs the variance of reverse steps, as a second half of channels"""
    form: Literal["noise", "dae", "l2", "dot"] = "noise"
    """noise: the output is the predicted noise; otherwise the output h defines an energy whose gradient is the noise:
    dae 0.5 |h - x|^2, l2 0.5 |h|^2, dot x . h"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("condition", self.condition, CONDITIONS)
        check_choice("form", self.form, FORMS)
        check_non_negative("num_classes", self.num_classes)
        check_non_negative("text_dim", self.text_dim)
        for kind, field in (("class", "num_classes"), ("text", "text_dim")):
            if (self.condition == kind) != (getattr(self, field) > 0):
                raise UsageError(
                    f"{field} is {getattr(self, field)} with condition '{self.condition}', expected a number above 0 "
                    f"with condition '{kind}' and 0 otherwise"
                )
        if self.null_condition and self.condition not in ("class", "position"):
            raise UsageError(
                f"null_condition is set with condition '{self.condition}', expected 'class' or 'position'; text needs "
                "none"
            )
        if self.form != "noise" and self.predicts_variance:
            raise UsageError(f"form '{self.form}' is an energy, which predicts no variance; unset predicts_variance")


@dataclass(frozen=True)
class EncoderConfig(BackboneConfig):
    """A classifier of noised images: the first half of the U-Net, pooled."""

    num_blocks: int = 2
    num_classes: int = 1000
    pool: Literal["attention", "average"] = "attention"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("num_classes", self.num_classes)
        check_choice("pool", self.pool, POOLS)
