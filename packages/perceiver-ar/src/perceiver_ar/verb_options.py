"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.paper import RunOptions

from perceiver_ar.config import SamplingOptions

# Networks that ship with the package.
SHIPPED = ("copy", "text", "music")
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
class SampleOptions(RunOptions):
    """Options of `sample`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the `pretrained` folder of a training run"""
    prompt: str = ""
    """where text begins"""
    prompt_file: Path | None = None
    """a MIDI file, a text file or an .npy file of codes to go on from"""
    prompt_tokens: int = 0
    """how many tokens of the prompt to keep, the first ones; 0 keeps all that leave room"""
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
class EvaluateOptions(RunOptions):
    """Options of `evaluate`."""

    weights: str = "text"
    """a network that ships with the package (copy, text, music), or the `pretrained` folder of a training run"""
    part: Literal["validation", "test"] = "validation"
    mode: Literal["incremental", "block", "strided"] = "block"
    """incremental: a pass for each token, all context there is; block: half of the latents are scored by each pass;
    strided: as sampling sees it, N - R + 1 tokens by each pass with R = N / 2"""
    stride: int = 0
    """tokens that one pass scores; 0: what the mode says"""
    latents: tuple[int, ...] = ()
    """numbers of latents to try, e.g. 32 64 128; none: that of training"""
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


@dataclass(frozen=True)
class ImportOptions(RunOptions):
    """Options of `import`: weights of the official code, for the model and the data of the preset."""

    checkpoint: Annotated[Path, "positional"] = Path("checkpoint.dill")
    """the official code's checkpoint.dill, or an .npz file with its arrays named MODULE/PARAMETER"""
