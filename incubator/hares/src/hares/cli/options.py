"""Options of the verbs."""

from dataclasses import dataclass

from onepaper.config import check_choice
from onepaper.paper import VerbOptions

from hares.data.mini import MINI_TASKS


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    embeddings: tuple[str, ...] = ("random", "statistics")
    """random (the laptop's network, not trained), statistics (mean and deviation of log-mel bands), the folder of a
    training run, or hear:MODULE, an installed module with the HEAR interface"""
    tasks: tuple[str, ...] = tuple(task.name for task in MINI_TASKS)
    """mini tasks to score"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.tasks:
            check_choice("tasks", name, [task.name for task in MINI_TASKS])
