"""Every configuration as data: what is trained and sampled, the verbs' options, and the presets that name them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.paper import Preset, RunOptions

from compose_diffusion.digits.config import (
    DIGITS_OPTIMIZER,
    ClassifierConfig,
    DenoiserConfig,
    DigitsConfig,
    GuidanceConfig,
    check_digit,
)
from compose_diffusion.network_options import FitConfig
from compose_diffusion.sampler_options import KERNELS
from compose_diffusion.toy.config import TOY_PRESETS

SAMPLERS = ("reverse", *KERNELS)
GUIDES = ("label", "classifier")


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
