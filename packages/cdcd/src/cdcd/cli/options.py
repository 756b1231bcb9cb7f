"""Options of the verbs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.paper import VerbOptions

from cdcd.config import SamplingOptions, Tokenization


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
    steps: tuple[int, ...] = ()
    """values that replace that of sampling, each a point of the frontier of quality and entropy; empty: none"""
    softmax_temperatures: tuple[float, ...] = ()
    """the same of the softmax temperature"""
    score_temperatures: tuple[float, ...] = ()
    """the same of the score temperature"""
    guidance: tuple[float, ...] = ()
    """the same of guidance"""
    repeats: int = 3
    """seeds of each point of the frontier"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("prompts", self.prompts)
        check_positive("repeats", self.repeats)
        for field, values in self.knobs().items():  # values are validated before anything is measured
            for value in values:
                replace(self.sampling, **{field: value})

    def knobs(self) -> dict[str, tuple[float, ...]]:
        """Values of the frontier by field of `SamplingOptions`."""
        every = {
            "steps": self.steps,
            "softmax_temperature": self.softmax_temperatures,
            "score_temperature": self.score_temperatures,
            "guidance": self.guidance,
        }
        return {field: values for field, values in every.items() if values}


@dataclass(frozen=True)
class ImportOptions(VerbOptions):
    """Options of `import`."""

    checkpoint: Annotated[Path, "positional"] = Path("plaid")
    """folder with model.pt, embedding_matrix.pt and loss_cdf.pt of train_cdcd.py, or .npz files of the same arrays"""
    length: int = 256
    """positions of a sequence, seq_len of its training"""
    t_min: float = 2.0
    """smallest noise level of its training, in its units"""
    t_max: float = 300.0
    """largest noise level of its training, in its units"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "t_min", "t_max"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class FiguresOptions(VerbOptions):
    """Options of `figures`."""

    weights: str = "speeches"
    """a network that ships with the package, or the folder of a training run"""
    sampling: SamplingOptions = SamplingOptions()


@dataclass(frozen=True)
class TranslateOptions(VerbOptions):
    """Options of `translate`."""

    weights: str = "verses"
    """a translation network that ships with the package, or the folder of a training run of one"""
    text: str = "And he said unto them, Follow me."
    """a sentence"""
    file: Path | None = None
    """a UTF-8 file of sentences, one in each line, in place of the text"""
    hypotheses: int = 8
    """number of translations sampled of each sentence, of which the one of least risk is taken"""
    sampling: SamplingOptions = SamplingOptions(steps=50, score_temperature=0.8, guidance=4.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("hypotheses", self.hypotheses)


@dataclass(frozen=True)
class EvaluateTranslationOptions(VerbOptions):
    """Options of `evaluate-translation`."""

    weights: str = "verses"
    """a translation network that ships with the package, or the folder of a training run of one"""
    baseline: str = ""
    """an autoregressive network that translates the same sentences, the folder of a training run; empty: none"""
    part: Literal["validation", "test"] = "validation"
    """validation is for the choice of temperature and guidance"""
    sentences: int = 128
    """number of sentences, from the beginning of the part"""
    hypotheses: int = 1
    """number of translations sampled of each sentence, of which the one of least risk is taken"""
    score_temperatures: tuple[float, ...] = (0.8,)
    """values of the grid; they replace that of sampling"""
    guidance: tuple[float, ...] = (1.0, 4.0)
    """values of the grid; they replace that of sampling"""
    beams: int = 4
    """of the baseline's beam search"""
    tokenization: Tokenization = "13a"
    """of BLEU: 13a for English and Spanish, intl for German, zh for Chinese, char for characters"""
    sampling: SamplingOptions = SamplingOptions(steps=50)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sentences", "hypotheses", "beams"):
            check_positive(name, getattr(self, name))
        if not self.score_temperatures or not self.guidance:
            raise UsageError("score_temperatures and guidance need at least one value each")


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
