"""Every configuration as data: what is trained and sampled, the verbs' options, and the presets that name them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset, RunOptions

from compose_diffusion.sampler_options import KERNELS, SamplerOptions
from compose_diffusion.toy_config import TOY_PRESETS

SCHEDULES = ("cosine", "linear")
SAMPLERS = ("reverse", *KERNELS)
GUIDES = ("label", "classifier")
NUM_DIGITS = 10


@dataclass(frozen=True)
class ScheduleConfig:
    """Noise levels; see `diffusion.cosine_schedule` and `diffusion.linear_schedule`."""

    kind: Literal["cosine", "linear"] = "cosine"
    num_levels: int = 100
    beta_start: float = 1e-4
    """of the linear schedule"""
    beta_end: float = 0.02
    """of the linear schedule"""

    def __post_init__(self) -> None:
        check_choice("schedule", self.kind, SCHEDULES)
        check_positive("num_levels", self.num_levels)
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise UsageError(
                f"betas go from {self.beta_start} to {self.beta_end}, expected 0 < beta_start <= beta_end < 1"
            )


@dataclass(frozen=True)
class DenoiserConfig:
    """A U-Net that predicts noise; `width` is the dial."""

    width: int = 32
    """channels at full resolution"""
    multipliers: tuple[int, ...] = (1, 2)
    """channels at each resolution in multiples of `width`; every entry after the first halves height and width"""
    dropout: float = 0.25
    image_channels: int = 1
    num_classes: int = NUM_DIGITS
    schedule: ScheduleConfig = ScheduleConfig()
    """noise levels it is trained on; saved with its weights"""

    def __post_init__(self) -> None:
        _check_network(self.width, self.multipliers, self.dropout, self.image_channels, self.num_classes)


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier of noised images; `width` is the dial."""

    width: int = 32
    """channels at full resolution"""
    multipliers: tuple[int, ...] = (1, 2)
    """as in `DenoiserConfig`"""
    dropout: float = 0.25
    image_channels: int = 1
    num_classes: int = NUM_DIGITS
    schedule: ScheduleConfig = ScheduleConfig()
    """noise levels it is trained on; saved with its weights"""

    def __post_init__(self) -> None:
        _check_network(self.width, self.multipliers, self.dropout, self.image_channels, self.num_classes)


def _check_network(width: int, multipliers: tuple[int, ...], dropout: float, channels: int, classes: int) -> None:
    check_positive("width", width)
    if width % 8:
        raise UsageError(f"width is {width}, expected a multiple of 8, the number of channels in a group")
    if not multipliers:
        raise UsageError("multipliers is empty, expected one number for each resolution, e.g. 1 2")
    for multiplier in multipliers:
        check_positive("multipliers", multiplier)
    check_between("dropout", dropout, 0.0, 0.9)
    check_positive("image_channels", channels)
    check_positive("num_classes", classes)


DIGITS_OPTIMIZER = OptimizerOptions(
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
class FitConfig:
    """How one network is trained; the defaults are those of the digits' denoiser."""

    steps: int = 3000
    """updates in all"""
    batch_size: int = 128
    optimizer: OptimizerOptions = DIGITS_OPTIMIZER

    def __post_init__(self) -> None:
        check_positive("steps", self.steps)
        check_positive("batch_size", self.batch_size)


@dataclass(frozen=True)
class DigitsConfig:
    """Denoiser and guiding classifier of the real digits, and how they are trained."""

    denoiser: DenoiserConfig = DenoiserConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    denoiser_fit: FitConfig = FitConfig()
    classifier_fit: FitConfig = FitConfig(steps=1500)
    label_dropout: float = 0.25
    """share of training images whose label is withheld, from which the denoiser learns its unconditional prediction"""

    def __post_init__(self) -> None:
        check_between("label_dropout", self.label_dropout, 0.0, 1.0)
        if self.denoiser.schedule != self.classifier.schedule:
            raise UsageError(
                f"denoiser.schedule is {self.denoiser.schedule} and classifier.schedule {self.classifier.schedule}, "
                "expected equal ones: the classifier guides the denoiser level by level"
            )
        for network, name in ((self.denoiser, "denoiser"), (self.classifier, "classifier")):
            if network.num_classes != NUM_DIGITS or network.image_channels != 1:
                raise UsageError(
                    f"{name} has {network.num_classes} classes and {network.image_channels} image channels, expected "
                    f"{NUM_DIGITS} and 1 for digits"
                )


@dataclass(frozen=True)
class GuidanceConfig:
    """Classifier guidance of the unconditional denoiser, by the reverse process alone and with MCMC (claim C10)."""

    scale: float = 1.0
    """lambda: how much the classifier's gradient weighs"""
    num_images: int = 400
    """for each seed and arm; every digit is asked for equally often"""
    mcmc: SamplerOptions = SamplerOptions(
        method="reverse-mcmc",
        kernel="ula",
        steps_per_level=2,
        step_law="sigma-power",
        step_scale=0.05,
        step_power=2.0,
        clip_x0=1.0,
    )
    """the arm with MCMC; the other arm takes the same ancestral steps and no more"""

    def __post_init__(self) -> None:
        check_positive("scale", self.scale)
        check_positive("num_images", self.num_images)
        if self.mcmc.method != "reverse-mcmc":
            raise UsageError(f"mcmc.method is '{self.mcmc.method}', expected 'reverse-mcmc', the arm that is compared")


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """Options of `train`; the configuration says what is learnt, these how."""

    log_every: int = 100
    """steps between log rows"""
    checkpoint_every: int = 500
    """steps between checkpoints"""
    max_minutes: float = 0.0
    """stop each network's training after this time, with a checkpoint; 0 sets no limit"""
    resume: Literal["auto", "require", "restart"] = "auto"
    export: Path | None = None
    """also write the trained networks to this folder, as the package ships them"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("log_every", self.log_every)
        check_non_negative("checkpoint_every", self.checkpoint_every)
        check_non_negative("max_minutes", self.max_minutes)


@dataclass(frozen=True)
class SampleOptions(RunOptions):
    """Options of `sample`: what to ask for, and how to draw it."""

    all_of: tuple[int, ...] = ()
    """digits that each image shall show; several are a product (AND)"""
    none_of: tuple[int, ...] = ()
    """digits that no image shall show (NOT)"""
    guidance: float = 2.0
    """weight of every wanted digit"""
    negation: float = 1.0
    """weight of every unwanted digit"""
    by: Literal["label", "classifier"] = "label"
    """what knows the digits: the denoiser's own label, or the noise-conditional classifier"""
    sampler: Literal["reverse", "ula", "mala", "uhmc", "hmc"] = "ula"
    """reverse process alone, or followed by MCMC with this kernel at every level"""
    ancestral: bool = True
    """take a reverse step between levels; without, MCMC alone moves the samples (annealed MCMC)"""
    steps_per_level: int = 2
    """MCMC moves at each level"""
    step_scale: float | None = None
    """step size in units of sigma_t^2 (ULA, MALA) or sigma_t (U-HMC, HMC); by default one that suits the kernel"""
    line_points: int | None = None
    """let MALA and HMC run without energies: points of the line integral of the score"""
    count: int = 40
    """number of images"""
    weights: Path | None = None
    """folder of a training run (or its export); by default the weights that ship with the package"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("by", self.by, GUIDES)
        check_choice("sampler", self.sampler, SAMPLERS)
        for digit in (*self.all_of, *self.none_of):
            check_digit(digit)
        for digit in self.all_of:
            if digit in self.none_of:
                raise UsageError(f"digit {digit} is both in --all-of and in --none-of; take it out of one")
        for option, digits in (("--all-of", self.all_of), ("--none-of", self.none_of)):
            for digit in digits:
                if digits.count(digit) > 1:
                    raise UsageError(f"{option} names digit {digit} twice; name it once and raise its weight instead")
        check_positive("guidance", self.guidance)
        check_positive("negation", self.negation)
        check_non_negative("steps_per_level", self.steps_per_level)
        if self.step_scale is not None:
            check_positive("step_scale", self.step_scale)
        if self.line_points is not None and self.line_points < 2:
            raise UsageError(f"line_points is {self.line_points}, expected at least the 2 ends of the line")
        check_positive("count", self.count)
        if self.sampler == "reverse" and not self.ancestral:
            raise UsageError("--sampler reverse with --no-ancestral would never move a sample; choose a kernel")


def check_digit(digit: int) -> None:
    """Raise `UsageError` unless it is a digit."""
    if not 0 <= digit < NUM_DIGITS:
        raise UsageError(f"digit {digit} does not exist, expected a number from 0 to {NUM_DIGITS - 1}")


@dataclass(frozen=True)
class EvaluateOptions(RunOptions):
    """Options of `evaluate`."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """one measurement of both arms for each; `seed` is not used"""
    weights: Path | None = None
    """folder of a training run (or its export); by default the weights that ship with the package"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UsageError(f"seeds are {list(self.seeds)}, expected at least one, each once")
        for seed in self.seeds:
            check_non_negative("seeds", seed)


PRESETS: Mapping[str, Preset] = {
    **TOY_PRESETS,
    "laptop-digits": Preset("train denoiser and classifier of the 8 x 8 digits, as shipped", DigitsConfig()),
    "laptop-guidance": Preset("classifier guidance of the digits, with and without MCMC", GuidanceConfig()),
    "smoke": Preset(
        "train tiny networks on the digits in seconds",
        DigitsConfig(
            denoiser=DenoiserConfig(width=8),
            classifier=ClassifierConfig(width=8),
            denoiser_fit=FitConfig(60, 32, replace(DIGITS_OPTIMIZER, warmup_steps=10)),
            classifier_fit=FitConfig(30, 32, replace(DIGITS_OPTIMIZER, warmup_steps=5)),
        ),
    ),
}

ALIASES: Mapping[str, str] = {"laptop": "laptop-digits"}
