"""The twelve tasks of HARES (paper, table 1) with their protocols (paper, appendix A)."""

from dataclasses import dataclass
from typing import Literal, get_args

from onepaper.config import unknown
from onepaper.errors import UsageError

Domain = Literal["environment", "speech", "music"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
Metric = Literal["accuracy", "mean average precision"]


@dataclass(frozen=True)
class Task:
    """A task of HARES.

    Attributes:
        name: of the task.
        domain: environment, speech or music.
        classes: number of classes; of Fluent Speech Commands, triples of action, object and location.
        samples: training and test clips together, in thousands (paper, table 1).
        metric: accuracy, or mean average precision over classes.
        train_seconds: length of the random crops of the probe's training; None: whole clips.
        test_parts: how a test clip is cut; scores are averaged over the parts.
        probe: linear, mlp (one hidden layer of 512 units) or svm.
        batch_size: of the probe's training.
        steps: of the probe's training; 0 for svm.
    """

    name: str
    domain: Domain
    classes: int
    samples: float
    metric: Metric = "accuracy"
    train_seconds: float | None = None
    test_parts: str = "whole clip"
    probe: Literal["linear", "mlp", "svm"] = "linear"
    batch_size: int = 64
    steps: int = 400_000


_AP: Metric = "mean average precision"
_CONSECUTIVE = "consecutive parts of 3 s"

TASKS = (
    Task("audioset", "environment", 527, 1900, _AP, 3.0, "10 overlapping parts of 3 s", "mlp", 128, 200_000),
    Task("birdsong", "environment", 2, 36, train_seconds=1.0, test_parts="consecutive parts of 1 s"),
    Task("tut18", "environment", 10, 8.6, train_seconds=5.0, test_parts="consecutive parts of 5 s"),
    Task("esc50", "environment", 50, 2.0, probe="svm", steps=0),
    Task("speech_commands_v1", "speech", 12, 90),
    Task("speech_commands_v2", "speech", 35, 96),
    Task("fluent_speech_commands", "speech", 31, 27, train_seconds=3.0, test_parts=_CONSECUTIVE),
    Task("voxforge", "speech", 6, 145, train_seconds=3.0, test_parts=_CONSECUTIVE),
    Task("voxceleb1", "speech", 1251, 147, train_seconds=3.0, test_parts=_CONSECUTIVE),
    Task("nsynth_pitch", "music", 128, 293, train_seconds=1.0, test_parts="consecutive parts of 1 s"),
    Task("nsynth_instrument", "music", 11, 293),
    Task("magnatagatune", "music", 50, 26, _AP, 3.0, _CONSECUTIVE, batch_size=128, steps=20_000),
)

# Names for options, which are read without the libraries of audio.
READINGS = (*(task.name for task in TASKS), "speech_commands_v1_raw30")
EMBEDDED_NAMES = (
    "mini_sounds",
    "mini_birds",
    "mini_scenes",
    "mini_vowels",
    "mini_instruments",
    "mini_pitch",
    "mini_tags",
)
PREPARED_NAMES = ("mini_languages", "mini_speakers", "mini_intents")
MINI_NAMES = (*EMBEDDED_NAMES, *PREPARED_NAMES)


def task_of(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: there is none.
    """
    tasks = {task.name: task for task in TASKS}
    if name not in tasks:
        raise UsageError(unknown("task", name, tasks))
    return tasks[name]
