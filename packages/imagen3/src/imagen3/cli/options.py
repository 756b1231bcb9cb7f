"""Options of the verbs."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from onepaper.config import (
    check_between,
    check_choice,
    check_non_negative,
    check_positive,
    check_seed,
    outside_identity,
)
from onepaper.paper import PlainOptions, RunOptions, VerbOptions

from imagen3.config import SamplingOptions, StudyRules


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
    scale: Literal[1, 2, 4, 8] = 4
    """side of the square that shows a pixel in the files"""
    sampler: Literal["euler", "heun", "dpmpp-2m", "ancestral"] | None = None
    """this and the next five: None takes what is kept with the weights"""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_choice("scale", str(self.scale), ("1", "2", "4", "8"))
        self.sampling(SamplingOptions())  # the values are validated

    def sampling(self, kept: SamplingOptions) -> SamplingOptions:
        """The options of a system with those that are given here."""
        names = ("sampler", "steps", "guidance", "rescale", "parallel", "interval")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(kept, **given)


@dataclass(frozen=True)
class BoardOptions(PlainOptions):
    """Options of `board`."""

    votes: Path = Path("votes.csv")
    """table of votes as CSV, such as the export of `rate`"""
    ties: Literal["drop", "half", "davidson", "rao-kupper"] = "drop"
    """what is done with ties in ratings; win shares always take a tie as half"""
    interval: Literal["raters", "prompts", "independent"] = "raters"
    """resampled raters, resampled prompts, or the closed form for independent votes"""
    confidence: float = 0.99
    """of the intervals"""
    resamples: int = 1000
    """of the bootstrap"""
    prior_sd: float | None = None
    """standard deviation in Elo points of a normal prior, for boards on which a model won or lost all; None for none"""
    keep_flagged: bool = False
    """also take votes that have flags, such as those of inattentive raters"""
    reach: int = 4
    """matches without votes are listed for each model and so many above and below it"""
    online_k: float | None = None
    """also show Elo ratings that change with each vote, by this factor; they depend on the order of the votes"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between("confidence", self.confidence, 0.5, 0.9999)
        check_between("resamples", self.resamples, 100, 100_000)
        check_positive("reach", self.reach)
        for name in ("prior_sd", "online_k"):
            if (value := getattr(self, name)) is not None:
                check_positive(name, value)


@dataclass(frozen=True)
class RateOptions:
    """Options of `rate`."""

    study: Path = Path("study")
    """folder with prompts.csv and a folder of pictures for each model, named by the prompts' ids"""
    aspects: tuple[Literal["overall", "alignment", "appeal", "detail", "counting"], ...] = ("overall",)
    """questions; detail needs a folder `references`, counting a column `noun`"""
    state: Path | None = None
    """folder of the encoded pictures and the database; the default is runs/imagen3/rate-STUDY"""
    database: str = ""
    """URL of SQLAlchemy, such as postgresql+psycopg://USER@HOST/NAME; empty for SQLite in the state folder"""
    host: str = "127.0.0.1"
    """address to serve; 0.0.0.0 for all of this machine"""
    port: int = 8000
    """of the server; 0 takes a free one"""
    size: int = 512
    """height and width in pixels of the pictures that raters see"""
    rules: StudyRules = field(default_factory=StudyRules)
    check_rate: float = 0.05
    """share of tasks that ask for a certain side, to find inattentive raters"""
    seed: int = 0
    """of the order of tasks and of the sides, together with a secret of the study"""
    dry_run: bool = False
    """read the study and say what would be served"""

    def __post_init__(self) -> None:
        check_seed("seed", self.seed)
        check_between("port", self.port, 0, 65535)
        check_between("size", self.size, 16, 4096)
        check_between("check_rate", self.check_rate, 0.0, 0.5)
