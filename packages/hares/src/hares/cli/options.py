"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.paper import VerbOptions

from hares.data.tasks import EMBEDDED_NAMES, MINI_NAMES, READINGS


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    embeddings: tuple[str, ...] = ("simclr", "statistics", "random", "silero-vad")
    """simclr (ships with the package), statistics (mean and deviation of log-mel bands), random (the network of simclr,
    not trained), silero-vad (a peer, left out if it is not installed), the folder of a training run, mule:FOLDER (of
    weights of the package mule-torch), or hear:MODULE, an installed module with the HEAR interface"""
    tasks: Annotated[tuple[str, ...], "one of hares.data.tasks:MINI_NAMES"] = ()
    """mini tasks to score; without it the seven that are installed, with --prepared all ten"""
    prepared: Path | None = None
    """the folder that prepare made; without it: $ONEPAPER_DATA/hares-mini"""
    features: Path | None = None
    """folder in which embeddings of clips are kept, for the same network and audio; without it: they are computed"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.embeddings:
            raise UsageError("embeddings is empty, expected at least one name")
        for name in self.tasks:
            check_choice("tasks", name, MINI_NAMES)

    def chosen_tasks(self) -> tuple[str, ...]:
        """The mini tasks to score."""
        return self.tasks or (EMBEDDED_NAMES if self.prepared is None else MINI_NAMES)


@dataclass(frozen=True)
class GalleryOptions(VerbOptions):
    """Options of `gallery`."""

    embedding: str = "simclr"
    """as of evaluate"""
    task: Annotated[str, "one of hares.data.tasks:MINI_NAMES"] = "mini_sounds"
    """mini task whose clips are compared"""
    prepared: Path | None = None
    """the folder that prepare made; without it: $ONEPAPER_DATA/hares-mini"""
    queries: int = 8
    """clips whose neighbours are shown, at equal distances in the task's table"""
    neighbours: int = 4
    """clips that are shown beside each"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("task", self.task, MINI_NAMES)
        for name in ("queries", "neighbours"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class PrepareOptions(VerbOptions):
    """Options of `prepare`."""

    debian: Path | None = None
    """folder into which Debian packages of spoken prompts were extracted; without it, the packages are named"""
    folder: Path = Path("hares-mini")
    """where the mini tasks go"""


@dataclass(frozen=True)
class ScoreOptions(VerbOptions):
    """Options of `score`."""

    data: tuple[str, ...] = ()
    """TASK=FOLDER for each task of HARES whose data set you have, e.g. esc50=ESC-50-master"""
    embedding: str = "simclr"
    """as of evaluate"""
    probe: Literal["paper", "logistic", "mlp", "svm", "ridge", "knn"] = "paper"
    """paper: linear, one hidden layer for AudioSet, support vectors for ESC-50"""
    features: Path | None = None
    """folder in which embeddings of clips are kept: an interrupted scoring goes on there; without it: none are kept"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for word in self.data:
            name, separator, folder = word.partition("=")
            if not separator or not folder:
                raise UsageError(f"data has '{word}', expected TASK=FOLDER such as esc50=ESC-50-master")
            check_choice("data", name, READINGS)
