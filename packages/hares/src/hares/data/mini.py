"""Mini-HARES: tasks on the embedded clips, one or two of each domain of the paper.

Directions of the paper's claims can be seen on them; their scores are not those of HARES.
"""

from dataclasses import dataclass

from onepaper.config import unknown
from onepaper.errors import UsageError

from hares.data.embedded import Clip, embedded_clips
from hares.data.tasks import Domain


@dataclass(frozen=True)
class MiniTask:
    """A classification task with predefined folds, of which no two share a group.

    Attributes:
        name: of the task.
        domain: of the paper.
        source: the embedded set.
        label: its column of labels.
        crop_seconds: length of the parts of a clip that are embedded.
        stands_for: the task of HARES with the same question.
        groups: what a fold holds out.
    """

    name: str
    domain: Domain
    source: str
    label: str
    crop_seconds: float
    stands_for: str
    groups: str

    def clips(self) -> list[Clip]:
        """The clips, in the order of the table."""
        return embedded_clips(self.source, self.label)


MINI_TASKS = (
    MiniTask("mini_sounds", "environment", "sounds", "kind", 1.0, "esc50", "recordings"),
    MiniTask("mini_vowels", "speech", "syllables", "vowel", 1.0, "speech_commands_v2", "languages, and so voices"),
    MiniTask("mini_instruments", "music", "notes", "family", 1.0, "nsynth_instrument", "instruments"),
    MiniTask("mini_pitch", "music", "notes", "pitch", 1.0, "nsynth_pitch", "instruments"),
)


def mini_task(name: str) -> MiniTask:
    """The task of that name.

    Raises:
        UsageError: there is none.
    """
    tasks = {task.name: task for task in MINI_TASKS}
    if name not in tasks:
        raise UsageError(unknown("mini task", name, tasks))
    return tasks[name]
