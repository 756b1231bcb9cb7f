"""Configurations of the two composed models: training images, network, scheduler and training."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_between, check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

from compose_diffusion.config.digits import NUM_DIGITS, check_digit
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.samplers import SamplerOptions

STROKES = ("any", "thick")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")


@dataclass(frozen=True)
class UNetConfig:
    """A small `diffusers.UNet2DModel` without attention; `widths` sets its size."""

    widths: tuple[int, ...] = (24, 32)
    """channels at each resolution; every entry after the first halves height and width"""
    layers_per_block: int = 1
    group_count: int = 8
    """groups of each normalisation; divides every width"""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.widths:
            raise UsageError("widths is empty, expected one number for each resolution, e.g. 24 32")
        check_positive("layers_per_block", self.layers_per_block)
        check_positive("group_count", self.group_count)
        for width in self.widths:
            check_positive("widths", width)
            if width % self.group_count:
                raise UsageError(f"widths has {width}, expected multiples of group_count, {self.group_count}")
        check_between("dropout", self.dropout, 0.0, 0.9)


REUSE_OPTIMIZER = OptimizerOptions(
    lr=2e-3,
    betas=(0.9, 0.99),
    weight_decay=0.01,
    decay="matrices",
    clip_norm=1.0,
    schedule="cosine",
    warmup_steps=100,
    ema_decay=0.999,
    ema_warmup=True,
)


@dataclass(frozen=True)
class AttributeConfig:
    """One model: its training images, and the settings of its diffusers scheduler."""

    digits: tuple[int, ...] = tuple(range(NUM_DIGITS))
    """classes of the training images"""
    strokes: Literal["any", "thick"] = "any"
    """thick: only images with more ink than the median image"""
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = "epsilon"
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    num_train_timesteps: int = 1000
    network: UNetConfig = UNetConfig()
    fit: FitConfig = FitConfig(steps=3000, batch_size=64, optimizer=REUSE_OPTIMIZER)

    def __post_init__(self) -> None:
        check_choice("strokes", self.strokes, STROKES)
        check_choice("prediction_type", self.prediction_type, PREDICTION_TYPES)
        check_choice("beta_schedule", self.beta_schedule, BETA_SCHEDULES)
        check_positive("num_train_timesteps", self.num_train_timesteps)
        if not self.digits or len(set(self.digits)) != len(self.digits):
            raise UsageError(f"digits are {list(self.digits)}, expected at least one, each once")
        for digit in self.digits:
            check_digit(digit)


@dataclass(frozen=True)
class ReuseConfig:
    """Two separately trained models: one for digits, one for thick strokes."""

    shape: AttributeConfig = AttributeConfig(digits=(3, 5, 8))
    thick: AttributeConfig = AttributeConfig(
        strokes="thick", prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2"
    )


@dataclass(frozen=True)
class CompositionConfig:
    """The two models composed, by the reverse process alone and with MCMC, and each alone (claim C12)."""

    num_images: int = 250
    """for each seed and arm"""
    num_levels: int = 25
    """noise levels of all arms, spaced as by the scheduler of the first model"""
    mcmc: SamplerOptions = SamplerOptions(
        method="reverse-mcmc",
        kernel="ula",
        steps_per_level=1,
        step_law="sigma-power",
        step_scale=0.1,
        step_power=2.0,
        reverse_variance="posterior",
        clip_x0=1.0,
    )
    """the arm with MCMC; the others take the same ancestral steps only"""

    def __post_init__(self) -> None:
        check_positive("num_images", self.num_images)
        check_positive("num_levels", self.num_levels)
        if self.mcmc.method != "reverse-mcmc":
            raise UsageError(f"mcmc.method is '{self.mcmc.method}', expected 'reverse-mcmc', the arm that is compared")
