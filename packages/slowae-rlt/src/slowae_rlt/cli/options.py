"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path

from onepaper.paper import RunOptions, VerbOptions


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """Options of `train`."""

    export: Path | None = None
    """also write the trained model into this folder, e.g. `assets/weights/NAME` of the package"""


@dataclass(frozen=True)
class EncodeOptions(VerbOptions):
    """Options of `encode`."""

    audio: Path | None = None
    """an audio file of any rate; its channels are mixed"""
    prompt: str = ""
    """in place of a file: a recording that ships with the package, e.g. en/agent-loginok"""
    weights: str = "laptop"
    """a model that ships with the package, the folder of a training run, or `identity`: band energies, no training"""


@dataclass(frozen=True)
class DecodeOptions(VerbOptions):
    """Options of `decode`."""

    events: Path | None = None
    """a file of events that `encode` wrote, .sae"""
    weights: str = "laptop"
    """the model that encoded it"""


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "laptop"
    """a model that ships with the package, the folder of a training run, or `identity`"""
    languages: tuple[str, ...] = ("en",)
    """of the held-out prompts"""
