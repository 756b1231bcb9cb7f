"""Options of the verbs."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_non_negative, check_positive, outside_identity
from onepaper.errors import UsageError
from onepaper.paper import PlainOptions, RunOptions, VerbOptions

from imagen3.config import FilterConfig, SamplingOptions


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """Options of `train`."""

    max_minutes: float = 0.0
    """time of this command, shared out over the stages; the same command goes on; 0 sets no limit"""
    export: Path | None = None
    """also write the trained system into this folder, in half precision"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_non_negative("max_minutes", self.max_minutes)


# A training may continue with other values.
outside_identity(TrainOptions, "max_minutes", "export")


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "emoji"
    """a system that ships with the package, or the folder of a training run"""
    prompt: str = "a tomato"
    """what the pictures show"""
    negative: str = ""
    """what they do not show: guidance leads away from it; empty for plain guidance"""
    count: int = 4
    """number of pictures"""
    size: tuple[int, int] | None = None
    """height and width in pixels; None takes those of the training"""
    scale: Literal[1, 2, 4, 8] = 4
    """side of the square that shows a pixel in the files"""
    upscale: Literal[1, 2, 4, 8] = 1
    """factor of the upsampler"""
    upsampler: str = ""
    """folder of the training of an upsampler"""
    weak: str = ""
    """a system with the same latents and text encoder, trained for a shorter time or smaller: guidance leads away from
    it in place of the empty text"""
    average: float | None = None
    """relative width of the average of the weights, from the snapshots of a training run; None takes what is kept as
    the weights"""
    sampler: Literal["euler", "heun", "dpmpp-2m", "ancestral", "churn"] | None = None
    """this and the next eight: None takes what is kept with the weights"""
    steps: int | None = None
    """of the sampler; Heun needs two evaluations for each"""
    guidance: float | None = None
    """weight of classifier-free guidance; 1 is the conditional model alone"""
    rescale: float | None = None
    """share in which guided predictions are scaled back, against saturated colours"""
    parallel: float | None = None
    """share of the guidance along the predicted picture that is kept, against saturated colours"""
    interval: tuple[float, float] | None = None
    """noise levels at which guidance is used"""
    momentum: float | None = None
    """of the differences that guidance adds, from step to step"""
    norm_limit: float | None = None
    """largest norm of the difference of pictures that guidance adds; 0 sets no limit"""
    churn: float | None = None
    """noise that the sampler churn adds in all steps together"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_choice("scale", str(self.scale), ("1", "2", "4", "8"))
        check_choice("upscale", str(self.upscale), ("1", "2", "4", "8"))
        if (self.upscale > 1) != bool(self.upsampler):
            raise UsageError("upscale 2, 4 or 8 needs an upsampler; give --upscale and --upsampler, or neither")
        if self.weak and self.negative:
            raise UsageError("guidance leads away from a weak system or a negative text; give --weak or --negative")
        self.sampling(SamplingOptions())  # the values are validated

    def sampling(self, kept: SamplingOptions) -> SamplingOptions:
        """The options of a system with those that are given here."""
        names = ("sampler", "steps", "guidance", "rescale", "parallel", "interval", "momentum", "norm_limit", "churn")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(kept, **given)


@dataclass(frozen=True)
class ImportOptions(VerbOptions):
    """Options of `import`."""

    folder: Annotated[Path, "positional"] = Path("pipeline")
    """a pipeline of the library diffusers (SD3, FLUX, PixArt), or one of its networks, e.g. `transformer` or `vae`"""
    half: bool = False
    """write a system in half precision"""


@dataclass(frozen=True)
class ExportOptions(VerbOptions):
    """Options of `export`."""

    weights: str = "emoji"
    """a system that ships with the package, or the folder of a training run"""
    part: Literal["denoiser", "autoencoder"] = "denoiser"
    """which network is written"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("part", self.part, ("denoiser", "autoencoder"))


@dataclass(frozen=True)
class DataOptions(PlainOptions):
    """Options of `data`."""

    action: Annotated[Literal["filter"], "positional"] = "filter"
    """filter: write what is kept of a folder, and why the rest is not"""
    limits: FilterConfig = field(default_factory=FilterConfig)
