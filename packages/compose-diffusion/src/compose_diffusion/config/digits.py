"""Configurations of the digits: networks, their training, and the comparison of samplers with guidance."""

from dataclasses import dataclass

from onepaper.config import check_between, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.samplers import SamplerOptions

NUM_DIGITS = 10


@dataclass(frozen=True)
class DenoiserConfig:
    """A U-Net that predicts noise; `width` sets its size."""

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
    """A classifier of noised images; `width` sets its size."""

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
class DigitsConfig:
    """Denoiser and guiding classifier of the digits, and their training."""

    denoiser: DenoiserConfig = DenoiserConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    denoiser_fit: FitConfig = FitConfig(optimizer=DIGITS_OPTIMIZER)
    classifier_fit: FitConfig = FitConfig(steps=1500, optimizer=DIGITS_OPTIMIZER)
    label_dropout: float = 0.25
    """fraction of training images without label, on which the denoiser learns the unconditional prediction"""

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
    """lambda, weight of the classifier's gradient"""
    num_images: int = 400
    """for each seed and arm; every digit is requested equally often"""
    mcmc: SamplerOptions = SamplerOptions(
        method="reverse-mcmc",
        kernel="ula",
        steps_per_level=2,
        step_law="sigma-power",
        step_scale=0.05,
        step_power=2.0,
        clip_x0=1.0,
    )
    """the arm with MCMC; the other arm takes the same ancestral steps only"""

    def __post_init__(self) -> None:
        check_positive("scale", self.scale)
        check_positive("num_images", self.num_images)
        if self.mcmc.method != "reverse-mcmc":
            raise UsageError(f"mcmc.method is '{self.mcmc.method}', expected 'reverse-mcmc', the arm that is compared")


def check_digit(digit: int) -> None:
    """Raise `UsageError` unless the number is a digit."""
    if not 0 <= digit < NUM_DIGITS:
        raise UsageError(f"digit {digit} does not exist, expected a number from 0 to {NUM_DIGITS - 1}")
