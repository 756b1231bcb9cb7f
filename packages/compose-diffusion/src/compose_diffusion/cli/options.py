"""Options of the verbs, and which kinds of configuration each verb takes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_non_negative, check_positive, check_seed, outside_identity
from onepaper.errors import UsageError
from onepaper.paper import RunOptions, TrainingOptions

from compose_diffusion.config.digits import DigitsConfig, GuidanceConfig, check_digit
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.config.positions import PositionsConfig
from compose_diffusion.config.reuse import ReuseConfig
from compose_diffusion.config.samplers import KERNELS
from compose_diffusion.config.toy import ToyExactConfig, ToyLearnedConfig

SAMPLERS = ("reverse", "fkc", *KERNELS)
GUIDES = ("label", "classifier")


@dataclass(frozen=True)
class TrainOptions(TrainingOptions):
    """Options of `train`."""

    log_every: int = 100
    """training steps between log rows"""
    checkpoint_every: int = 500
    """training steps between checkpoints"""
    max_minutes: float = 0.0
    """time of all networks, shared out over those that are left; each stops with a checkpoint and its weights; 0 sets
    no limit"""
    resume: Literal["auto", "require", "restart"] = "auto"
    """auto: resume from checkpoints if there are any; require: an error without one; restart: delete the old ones"""
    export: Path | None = None
    """also write the trained networks to this folder, in the layout of the shipped weights"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("log_every", self.log_every)
        check_non_negative("checkpoint_every", self.checkpoint_every)
        check_non_negative("max_minutes", self.max_minutes)


# A training may continue with other values of these.
outside_identity(FitConfig, "steps")
outside_identity(TrainOptions, "log_every", "checkpoint_every", "max_minutes", "resume", "export")


@dataclass(frozen=True)
class SampleOptions(RunOptions):
    """Options of `sample`: the composition, and the sampler."""

    expression: Annotated[str, "positional"] = ""
    """expression to sample, e.g. "digits[3] & ~digits[5]" or "ring & bar"; if absent, digits by the options below"""
    leaf: Annotated[tuple[str, ...], "repeatable"] = ()
    """NAME=PATH, a name for another model: the folder of a diffusers pipeline, or a checkpoint; repeatable"""
    canvas: Path | None = None
    """JSON file of a canvas with an expression for each region (see the guide on tapestries), instead of an
    expression"""
    all_of: tuple[int, ...] = ()
    """digits that each image should show; several are a product (AND)"""
    none_of: tuple[int, ...] = ()
    """digits that no image should show (NOT)"""
    guidance: float = 2.0
    """weight of every digit of --all-of"""
    negation: float = 1.0
    """weight of every digit of --none-of"""
    by: Literal["label", "classifier"] = "label"
    """condition on digits by the denoiser's label or by the noise-conditional classifier"""
    sampler: Literal["reverse", "fkc", "ula", "mala", "uhmc", "hmc"] = "ula"
    """reverse process, Feynman-Kac corrector (fkc), or MCMC with this kernel at every level"""
    ancestral: bool = True
    """take a reverse step between levels; --no-ancestral for annealed MCMC without reverse steps"""
    steps_per_level: int | None = None
    """MCMC steps at each level; by default those of the models"""
    step_scale: float | None = None
    """step size in the models' units (sigma_t^2 or sigma_t for networks); by default that of the models"""
    line_points: int | Literal["path"] | None = None
    """for MALA and HMC without energies: points of the line integral of the score, or path for those of the
    trajectory"""
    first_level: int | None = None
    """highest level with MCMC; by default the top"""
    last_level: int | None = None
    """lowest level with MCMC"""
    num_levels: int | None = None
    """number of noise levels to sample on, evenly spaced among those of the models; by default all"""
    count: int = 40
    """number of samples"""
    batch_size: int = 100
    """samples drawn together; each batch has its own stream of random numbers, independent of the process"""
    weights: Path | None = None
    """folder of a training run (or its export); by default the shipped weights"""

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
        for name in ("steps_per_level", "first_level", "last_level"):
            if getattr(self, name) is not None:
                check_non_negative(name, getattr(self, name))
        for name in ("step_scale", "num_levels"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        if isinstance(self.line_points, int) and self.line_points < 2:
            raise UsageError(f"line_points is {self.line_points}, expected at least the 2 ends of the line")
        check_positive("count", self.count)
        check_positive("batch_size", self.batch_size)
        if self.sampler in ("reverse", "fkc") and not self.ancestral:
            raise UsageError(f"--sampler {self.sampler} with --no-ancestral has no steps; choose a kernel")
        self._check_request()

    def _check_request(self) -> None:
        """Raise `UsageError` unless there is one of: an expression, a canvas, options of digits."""
        if self.canvas is not None and self.expression.strip():
            raise UsageError(
                f"--canvas was given with the expression '{self.expression}', expected one of them; a canvas has an "
                "expression for each of its regions"
            )
        request = f"--canvas {self.canvas}" if self.canvas is not None else f"the expression '{self.expression}'"
        if self.canvas is None and not self.expression.strip():
            if self.leaf:
                raise UsageError("--leaf was given without an expression that names it; write the expression first")
            return
        defaults = {field.name: field.default for field in fields(self)}
        for name in ("all_of", "none_of", "guidance", "negation", "by"):
            if getattr(self, name) != defaults[name]:
                raise UsageError(
                    f"--{name.replace('_', '-')} was given with {request}, expected one of them; put weights and "
                    "digits into the expression, e.g. '2*digits[3] - digits'"
                )


@dataclass(frozen=True)
class TuneOptions(SampleOptions):
    """Options of `tune`: those of `sample`, and the step sizes to compare."""

    factors: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
    """multiples of the step scale"""
    sampler: Literal["ula", "mala", "uhmc", "hmc"] = "hmc"
    """kernel whose step sizes are compared"""
    count: int = 200
    """number of samples"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("sampler", self.sampler, KERNELS)
        if not self.factors:
            raise UsageError("--factors is empty, expected at least one step size to try, e.g. 0.5 1 2")
        for factor in self.factors:
            check_positive("factors", factor)


@dataclass(frozen=True)
class GalleryOptions(RunOptions):
    """Options of `gallery`."""

    only: tuple[str, ...] = ()
    """names of the examples to show; by default all"""


@dataclass(frozen=True)
class EvaluateOptions(RunOptions):
    """Options of `evaluate`."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """seeds of the measurements; `seed` is not used"""
    weights: Path | None = None
    """folder of a training run (or its export); by default the shipped weights"""
    last_step: Literal["clean", "official"] | None = None
    """of samplers with MCMC on the exact toy: clean for MCMC down to clean data, official as the official notebook; by
    default official with the official constant steps, else clean"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UsageError(f"seeds are {list(self.seeds)}, expected at least one, each once")
        for seed in self.seeds:
            check_seed("seeds", seed)


@dataclass(frozen=True)
class Recipe:
    """Training of one type of configuration by the `train` verb.

    Attributes:
        trainings: `module:function`, configuration -> list of `training.network_training.Training`.
        next_command: what follows the paper's name in a command that uses the result; {folder} is the run's folder.
    """

    trainings: str
    next_command: str


# Configuration type -> training; functions are named by strings and imported when used, for a short start-up.
RECIPES: Mapping[type, Recipe] = {
    ToyLearnedConfig: Recipe(
        "compose_diffusion.training.toy:trainings", "evaluate --config {folder} --weights {folder}"
    ),
    DigitsConfig: Recipe("compose_diffusion.training.digits:trainings", 'sample "digits[3]" --weights {folder}'),
    PositionsConfig: Recipe(
        "compose_diffusion.training.positions:trainings", 'sample "positions[3,12]" --weights {folder}'
    ),
    ReuseConfig: Recipe(
        "compose_diffusion.training.reuse:trainings",
        'sample "shape & thick" --leaf shape={folder}/shape --leaf thick={folder}/thick',
    ),
    PaperImagesConfig: Recipe(
        "compose_diffusion.training.paper_images:trainings", "sample model --leaf model={folder}/network"
    ),
}
# Configuration type -> `module:function` of (Invocation, Accelerator), which returns the exit status.
EVALUATIONS: Mapping[type, str] = {
    ToyExactConfig: "compose_diffusion.cli.evaluate:evaluate_toy",
    ToyLearnedConfig: "compose_diffusion.cli.evaluate:evaluate_learned_toy",
    GuidanceConfig: "compose_diffusion.cli.evaluate:evaluate_guidance",
}
