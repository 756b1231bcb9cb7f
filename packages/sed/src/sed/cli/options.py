"""Options of the verbs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.paper import VerbOptions

from sed.config import TASKS, SamplingOptions

# A quarter of the steps of the schedule.
_FAST, _DEFAULT = SamplingOptions(steps=250), SamplingOptions()


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "kjv"
    """a network that ships with the package, or the folder of a training run"""
    template: Annotated[str, "positional"] = "And [[8]] the king of [[3]], and [[*]]."
    """text with blanks: [[8]] is a blank of 8 tokens, [[*]] has as many as there is room for; padding in blanks is left
    out"""
    count: int = 4
    """number of samples"""
    sampling: SamplingOptions = _FAST

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)


@dataclass(frozen=True)
class ShowOptions(VerbOptions):
    """Options of `show`."""

    process: Literal["forward", "reverse"] = "reverse"
    """forward: the nearest tokens of a text under growing noise; reverse: a sample by step"""
    weights: str = "kjv"
    """a network that ships with the package, or the folder of a training run"""
    text: str = "In the beginning God created the heaven and the earth."
    """of forward: what is noised"""
    template: Annotated[str, "positional"] = "And [[8]] the king of [[3]], and [[*]]."
    """of reverse: text with blanks, as for `sample`"""
    sampling: SamplingOptions = _FAST

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("process", self.process, ("forward", "reverse"))
        if not self.text:
            raise UsageError("text is empty, expected at least one word")


@dataclass(frozen=True)
class RateOptions(VerbOptions):
    """Options of `rate`."""

    first: Path | None = None
    """samples of the first system: the run folder of `sample`, or a text file with one on each line"""
    second: Path | None = None
    """samples of the second system, as many"""
    key: Path | None = None
    """key.json of a page that was made before: read answers to it"""
    answers: tuple[Path, ...] = ()
    """with a key: the files that raters saved"""


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "kjv"
    """a network that ships with the package, or the folder of a training run"""
    evaluator: str = "kjv-evaluator"
    """the causal model that scores samples: weights that ship with the package, or the folder of a training run"""
    baseline: str = ""
    """a causal model whose samples of the same tasks are evaluated too; empty: none"""
    samples: int = 128
    """samples of each task"""
    sampling: SamplingOptions = _FAST

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("samples", self.samples)


@dataclass(frozen=True)
class SweepOptions(VerbOptions):
    """Options of `sweep`."""

    weights: str = "kjv"
    """a network that ships with the package, or the folder of a training run"""
    evaluator: str = "kjv-evaluator"
    """the causal model that scores samples: weights that ship with the package, or the folder of a training run"""
    task: Literal["unconditional", "suffix", "prefix", "middle", "spans"] = "suffix"
    """what is filled in windows of held-out text"""
    steps: tuple[int, ...] = (10, 50, 250)
    """values of the grid; they replace those of sampling"""
    guidance: tuple[float, ...] = (1.0, 2.0, 4.0)
    """values of the grid; they replace those of sampling"""
    samples: int = 128
    """samples at each point of the grid"""
    sampling: SamplingOptions = _DEFAULT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("task", self.task, TASKS)
        check_positive("samples", self.samples)
        if not self.steps or not self.guidance:
            raise UsageError("steps and guidance need at least one value each")
        for steps in self.steps:
            replace(self.sampling, steps=steps)  # validates
        for guidance in self.guidance:
            replace(self.sampling, guidance=guidance)
