"""Options of the verbs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.paper import RunOptions, VerbOptions

from perceiver_ar.config import KINDS, DataConfig, SamplingOptions

MODES = ("incremental", "block", "strided")


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """Options of `train`: how many devices share one copy of the model; `--shards` has its usual meaning."""

    tensor: int = 1
    """devices over which heads, hidden units and the vocabulary are split"""
    context: int = 1
    """devices over which the inputs of the cross-attention are split"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("tensor", self.tensor)
        check_positive("context", self.context)


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the `pretrained` folder of a training run"""
    prompt: str = ""
    """where text begins"""
    prompt_file: Path | None = None
    """a text file, a MIDI file, a picture or an .npy file of codes to go on from"""
    prompt_tokens: int = 0
    """how many tokens of the prompt to keep, the first ones; 0 keeps all, of a picture half"""
    count: int = 4
    """sequences"""
    tokens: int = 256
    """the most tokens to draw for each; images take what they need"""
    reset_fill: int = 0
    """latents that a reset of the caches computes; 0: half of them"""
    sampling: SamplingOptions = SamplingOptions(temperature=1.0, top_p=0.95)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_positive("tokens", self.tokens)
        check_non_negative("reset_fill", self.reset_fill)
        check_non_negative("prompt_tokens", self.prompt_tokens)


@dataclass(frozen=True)
class OtherData:
    """Other documents than those that the network learnt from, read in the same way."""

    dataset: str = ""
    """another dataset of the same kind; empty: that of the weights"""
    path: Path | None = None
    """where it is"""

    def instead_of(self, data: DataConfig) -> DataConfig:
        """The data of the weights, with what is given here in its place.

        Raises:
            UsageError: no such dataset, or one of another kind.
        """
        if not self.dataset:
            return data if self.path is None else replace(data, path=self.path)
        check_choice("data.dataset", self.dataset, KINDS)
        if KINDS[self.dataset] != data.kind:
            raise UsageError(
                f"data.dataset '{self.dataset}' is {KINDS[self.dataset]}, but the weights learnt {data.kind}; choose "
                f"one of {', '.join(name for name, kind in KINDS.items() if kind == data.kind)}"
            )
        return replace(data, dataset=self.dataset, path=self.path)


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the `pretrained` folder of a training run"""
    data: OtherData = OtherData()
    files: tuple[Path, ...] = ()
    """documents of yours to score whole, instead of a part of a dataset: text, MIDI, pictures or .npy files of codes"""
    part: Literal["validation", "test"] = "validation"
    mode: Literal["incremental", "block", "strided"] = "block"
    """incremental: a pass for each token, all context there is; block: half of the latents are scored by each pass;
    strided: as sampling sees it, N - R + 1 tokens by each pass with R = N / 2"""
    stride: int = 0
    """tokens that one pass scores; 0: what the mode says"""
    latents: tuple[int, ...] = ()
    """numbers of latents to try, e.g. 32 64 128, all with the stride of the smallest; none: that of training"""
    context: int = 0
    """the most inputs that a pass sees; 0: all the model can"""
    max_tokens: int = 20_000
    """tokens to score, from the start of the documents in turn; 0 scores all"""
    passes_at_once: int = 8
    """sets memory, not results"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("part", self.part, ("validation", "test"))
        check_choice("mode", self.mode, MODES)
        for name in ("stride", "context", "max_tokens"):
            check_non_negative(name, getattr(self, name))
        for number in self.latents:
            check_positive("latents", number)
        check_positive("passes_at_once", self.passes_at_once)
        if self.files and self.data != OtherData():
            raise UsageError("both --files and --data are given; give one")

    def about_documents(self) -> str:
        """The options given that mean nothing to the copy task, which has no documents."""
        names = ("data", "files", "part", "mode", "stride", "latents", "context", "max_tokens")
        plain = EvaluateOptions()
        return ", ".join(f"--{name.replace('_', '-')}" for name in names if getattr(self, name) != getattr(plain, name))


@dataclass(frozen=True)
class ImportOptions(VerbOptions):
    """Options of `import`: weights of the official code, for the model and the data of the preset."""

    checkpoint: Annotated[Path, "positional"] = Path("checkpoint.dill")
    """the official code's checkpoint.dill, or an .npz file with its arrays named MODULE/PARAMETER"""
    vocabulary: Path | None = None
    """of text in pieces or words, what the checkpoint was trained with: SentencePiece's model, or a word a line"""
