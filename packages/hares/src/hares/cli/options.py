"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_choice, outside_identity
from onepaper.errors import UsageError
from onepaper.paper import TrainingOptions, VerbOptions

from hares.data.tasks import MINI_NAMES, READINGS


@dataclass(frozen=True)
class TrainOptions(TrainingOptions):
    """Options of `train`."""

    export: Path | None = None
    """also write the trained network into this folder in half precision, as the package ships it"""


# A training may continue with another value.
outside_identity(TrainOptions, "export")


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    embeddings: tuple[str, ...] = ("simclr", "statistics", "random", "silero-vad")
    """simclr (ships with the package), statistics (mean and deviation of log-mel bands), random (the network of simclr,
    not trained), silero-vad (a peer, left out if it is not installed), the folder of a training run, or hear:MODULE, an
    installed module with the HEAR interface"""
    tasks: tuple[str, ...] = MINI_NAMES
    """mini tasks to score"""
    features: Path | None = None
    """folder in which embeddings of clips are kept, for the same network and audio; None: they are computed"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("embeddings", "tasks"):
            if not getattr(self, name):
                raise UsageError(f"{name} is empty, expected at least one name")
        for name in self.tasks:
            check_choice("tasks", name, MINI_NAMES)


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
    """folder in which embeddings of clips are kept: an interrupted scoring goes on there; None: none are kept"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for word in self.data:
            name, separator, folder = word.partition("=")
            if not separator or not folder:
                raise UsageError(f"data has '{word}', expected TASK=FOLDER such as esc50=ESC-50-master")
            check_choice("data", name, READINGS)
