"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.paper import VerbOptions

from slowae_rlt.config import LANGUAGES, METRICS, PEERS, EventSamplingOptions

_NUCLEUS = EventSamplingOptions(nucleus=0.95)


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
    languages: Annotated[tuple[str, ...], "one of slowae_rlt.config:LANGUAGES"] = ("en",)
    """of the held-out prompts: en, es, fr, it, ru"""
    audio: tuple[Path, ...] = ()
    """in place of the prompts: audio files, or folders of them; their pauses are found by the extra `metrics`"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_languages(self.languages)


@dataclass(frozen=True)
class GenerateOptions(VerbOptions):
    """Options of `generate`."""

    weights: str = "laptop-rlt"
    """a run-length Transformer that ships with the package, or the folder of its training run"""
    prompt: str = ""
    """a recording that ships with the package, after which the samples go on, e.g. en/agent-loginok"""
    audio: Path | None = None
    """in place of it: an audio file of any rate; its channels are mixed"""
    seconds: float = 1.0
    """of the recording, from its beginning, that are given"""
    count: int = 2
    """number of samples"""
    condition: str = ""
    """of a model with conditions, e.g. `fr` of a training with the preset laptop-rlt-languages; empty: none"""
    draws: int = 0
    """draw so many and keep the `count` of them with the lowest entropy of phone predictions; 0: no ranking"""
    sampling: EventSamplingOptions = _NUCLEUS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("seconds", self.seconds)
        check_positive("count", self.count)
        if self.draws and self.draws < self.count:
            raise UsageError(f"draws is {self.draws}, expected at least count, which is {self.count}, or 0")


@dataclass(frozen=True)
class EvaluateLanguageModelOptions(VerbOptions):
    """Options of `evaluate-language-model`."""

    weights: str = "laptop-rlt"
    """a run-length Transformer that ships with the package, or the folder of its training run"""
    languages: tuple[str, ...] = LANGUAGES
    """of the prompts: en, es, fr, it, ru"""
    orders: tuple[int, ...] = (0, 1, 2)
    """of the n-grams, which are counted on the training part; 0: frequencies alone"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_languages(self.languages)
        for order in self.orders:
            check_non_negative("order", order)


@dataclass(frozen=True)
class CompareCodecsOptions(VerbOptions):
    """Options of `compare-codecs`."""

    weights: tuple[str, ...] = ("laptop", "identity")
    """slow autoencoders that ship with the package, folders of training runs, or `identity`"""
    vq_weights: tuple[str, ...] = ("laptop-vq",)
    """VQ-VAEs that ship with the package, or folders of training runs"""
    peers: tuple[str, ...] = PEERS
    """other codecs; they need the extra `metrics`"""
    metrics: tuple[str, ...] = ("stoi", "pesq", "dnsmos")
    """besides the log-mel distance: stoi, pesq, dnsmos of the extra `metrics`, speaker of the extra `speaker`"""
    languages: Annotated[tuple[str, ...], "one of slowae_rlt.config:LANGUAGES"] = ("en",)
    """of the held-out prompts: en, es, fr, it, ru"""
    count: int = 20
    """number of held-out prompts, in the order of their names"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_languages(self.languages)
        check_positive("count", self.count)
        for peer in self.peers:
            check_choice("peer", peer, PEERS)
        for metric in self.metrics:
            check_choice("metric", metric, METRICS)


def check_languages(languages: tuple[str, ...]) -> None:
    """Raise `UsageError` unless there are prompts in these languages, of which there is at least one."""
    if not languages:
        raise UsageError(f"languages is empty, expected some of {', '.join(LANGUAGES)}")
    for language in languages:
        check_choice("language", language, LANGUAGES)
