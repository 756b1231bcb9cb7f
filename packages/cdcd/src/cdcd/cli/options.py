"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path

from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.paper import RunOptions, VerbOptions

from cdcd.config import SamplingOptions


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """Options of `train`."""

    export: Path | None = None
    """also write the trained network into this folder in half precision, as the package ships it"""


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "speeches"
    """a network that ships with the package, or the folder of a training run"""
    template: str = "The {8} of the {3} was"
    """text with blanks: {8} is a blank of 8 tokens, {} at the end reaches to the end of the sequence"""
    count: int = 4
    """number of samples"""
    sampling: SamplingOptions = SamplingOptions(score_temperature=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "speeches"
    """a network that ships with the package, or the folder of a training run"""
    evaluator: str = "speeches-evaluator"
    """the causal model that scores samples: weights that ship with the package, or the folder of a training run"""
    baseline: str = ""
    """a causal model whose completions of the same prompts are evaluated too; empty: none"""
    prompts: int = 256
    """completions, each of the first half of a window of held-out text"""
    sampling: SamplingOptions = SamplingOptions()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("prompts", self.prompts)


@dataclass(frozen=True)
class DoctorOptions(VerbOptions):
    """Options of `doctor`."""

    embed_dim: tuple[int, ...] = (16, 32, 64, 128, 256)
    """d, channels of the embeddings"""
    vocab_size: tuple[int, ...] = (28, 1024, 32_000)
    """V"""
    t_min: float = 0.0
    """a smallest noise level to check against each row; 0: none"""
    t_max: float = 0.0
    """a largest noise level to check against each row; 0: none"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("embed_dim", "vocab_size"):
            for value in getattr(self, name):
                if value < 2:
                    raise UsageError(f"{name} is {value}, expected at least 2")
        for name in ("t_min", "t_max"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}, expected a number of at least 0")
