"""Options of the verbs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_non_negative, check_positive, outside_identity
from onepaper.errors import UsageError
from onepaper.paper import TrainingOptions, VerbOptions

from perceiver_ar.config import KINDS, DataConfig, SamplingOptions

MODES = ("incremental", "block", "strided")


@dataclass(frozen=True)
class TrainOptions(TrainingOptions):
    """Options of `train`; with `--shards`, the devices over which the model is distributed."""

    tensor: int = 1
    """devices over which heads, hidden units and the vocabulary are sharded"""
    context: int = 1
    """devices over which the inputs of the cross-attention are sharded"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("tensor", self.tensor)
        check_positive("context", self.context)


outside_identity(TrainOptions, "tensor", "context")


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the folder of a training run"""
    prompt: str = ""
    """text that the sequences begin with"""
    prompt_file: Path | None = None
    """a text file, MIDI file, image or .npy file of codes that the sequences begin with"""
    prompt_tokens: int = 0
    """number of tokens of the prompt to use, from its start; 0: all, and for an image half"""
    count: int = 4
    """number of sequences"""
    tokens: int = 256
    """the most tokens to sample for each; images have a fixed number"""
    reset_fill: int = 0
    """R, latents computed by a reset of the caches; 0: half of them"""
    sampling: SamplingOptions = SamplingOptions(temperature=1.0, top_p=0.95)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_positive("tokens", self.tokens)
        check_non_negative("reset_fill", self.reset_fill)
        check_non_negative("prompt_tokens", self.prompt_tokens)


@dataclass(frozen=True)
class DataOverride:
    """Another dataset than that of the training, read in the same way."""

    dataset: Annotated[str, "one of perceiver_ar.config:KINDS"] = ""
    """a dataset of the same kind; empty: that of the weights"""
    path: Path | None = None
    """its path"""

    def override(self, data: DataConfig) -> DataConfig:
        """The data of the weights, with the values given here instead.

        Raises:
            UsageError: no such dataset, or one of another kind.
        """
        if not self.dataset:
            return data if self.path is None else replace(data, path=self.path)
        check_choice("data.dataset", self.dataset, KINDS)
        if KINDS[self.dataset] != data.kind:
            raise UsageError(
                f"data.dataset '{self.dataset}' is {KINDS[self.dataset]}, but the weights were trained on "
                f"{data.kind}; choose "
                f"one of {', '.join(name for name, kind in KINDS.items() if kind == data.kind)}"
            )
        return replace(data, dataset=self.dataset, path=self.path)


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the folder of a training run"""
    data: DataOverride = DataOverride()
    files: tuple[Path, ...] = ()
    """files to score completely instead of a part of a dataset: text, MIDI, images or .npy files of codes"""
    part: Literal["validation", "test"] = "validation"
    mode: Literal["incremental", "block", "strided"] = "block"
    """incremental: a pass for each token, with the longest context; block: each pass scores the targets of half of the
    latents; strided: N - R + 1 targets per pass with R = N / 2, as in cached sampling"""
    stride: int = 0
    """targets that one pass scores; 0: as the mode defines"""
    latents: tuple[int, ...] = ()
    """numbers of latents to compare, e.g. 32 64 128, all with the stride of the smallest; default: that of training"""
    context: int = 0
    """the most inputs of a pass; 0: the context length"""
    max_tokens: int = 20_000
    """number of tokens to score, from the first document on; 0: all"""
    passes_at_once: int = 8
    """passes in a batch; affects memory, not results"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("part", self.part, ("validation", "test"))
        check_choice("mode", self.mode, MODES)
        for name in ("stride", "context", "max_tokens"):
            check_non_negative(name, getattr(self, name))
        for number in self.latents:
            check_positive("latents", number)
        check_positive("passes_at_once", self.passes_at_once)
        if self.files and self.data != DataOverride():
            raise UsageError("both --files and --data are given; give one")

    def document_options(self) -> str:
        """The given options that do not apply to the copy task, which has no documents."""
        names = ("data", "files", "part", "mode", "stride", "latents", "context", "max_tokens")
        plain = EvaluateOptions()
        return ", ".join(f"--{name.replace('_', '-')}" for name in names if getattr(self, name) != getattr(plain, name))


outside_identity(EvaluateOptions, "passes_at_once")


@dataclass(frozen=True)
class ImportOptions(VerbOptions):
    """Options of `import`; model and data are those of the preset."""

    checkpoint: Annotated[Path, "positional"] = Path("checkpoint.dill")
    """checkpoint.dill of the official code, or an .npz file with its arrays named MODULE/PARAMETER"""
    vocabulary: Path | None = None
    """vocabulary of the training, for text in pieces or words: a SentencePiece model, or a file with one word per
    line"""
