"""Mini-HARES: ten tasks, three or four of each domain of the paper.

Seven need only the embedded clips, three a folder that `prepare` makes of Debian packages. Directions of the paper's
claims can be seen on them; their scores are not those of HARES.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from onepaper.config import unknown
from onepaper.data import data_root
from onepaper.errors import UsageError

from hares.data import mixtures
from hares.data.embedded import Clip, embedded_clips, read_set
from hares.data.tasks import EMBEDDED_NAMES, Domain


@dataclass(frozen=True)
class MiniTask:
    """A classification task with predefined folds, of which no two share a group.

    Attributes:
        name: of the task.
        domain: of the paper.
        source: the embedded set, "mixtures" of several, or "prepared".
        label: its column of labels.
        crop_seconds: length of the parts of a clip that are embedded.
        stands_for: the task of HARES with the same question.
        groups: what a fold holds out.
        several: whether a clip has several classes, which its label names with spaces between them.
        folder: of a prepared set.
    """

    name: str
    domain: Domain
    source: str
    label: str
    crop_seconds: float
    stands_for: str
    groups: str
    several: bool = False
    folder: Path | None = None

    def clips(self) -> list[Clip]:
        """The clips, in the order of the table.

        Raises:
            UsageError: the folder of a prepared set is not given, incomplete or damaged.
        """
        if self.source == "mixtures":
            return mixtures.mixed_clips(self.name)
        if self.source != "prepared":
            return embedded_clips(self.source, self.label)
        root = data_root("hares-mini", self.folder, (f"{self.name}.flac", f"{self.name}.csv"))
        return read_set(root / f"{self.name}.flac", root / f"{self.name}.csv", self.label)


MINI_TASKS = (
    MiniTask("mini_sounds", "environment", "sounds", "kind", 1.0, "esc50", "recordings"),
    MiniTask("mini_birds", "environment", "mixtures", "bird", 1.0, "birdsong", "recordings, and languages behind them"),
    MiniTask("mini_scenes", "environment", "mixtures", "scene", 1.0, "tut18", "recordings, languages, instruments"),
    MiniTask("mini_vowels", "speech", "syllables", "vowel", 1.0, "speech_commands_v2", "languages, and so voices"),
    MiniTask("mini_languages", "speech", "prepared", "language", 1.0, "voxforge", "voices, and recording companies"),
    MiniTask("mini_speakers", "speech", "prepared", "speaker", 1.0, "voxceleb1", "texts"),
    MiniTask("mini_intents", "speech", "prepared", "intent", 1.0, "fluent_speech_commands", "languages, and so voices"),
    MiniTask("mini_instruments", "music", "notes", "family", 1.0, "nsynth_instrument", "instruments"),
    MiniTask("mini_pitch", "music", "notes", "pitch", 1.0, "nsynth_pitch", "instruments"),
    MiniTask("mini_tags", "music", "mixtures", "families", 1.0, "magnatagatune", "instruments", several=True),
)
EMBEDDED_TASKS = tuple(task for task in MINI_TASKS if task.name in EMBEDDED_NAMES)


def mini_task(name: str, prepared: Path | None = None) -> MiniTask:
    """The task of that name.

    Args:
        name: of one of `MINI_TASKS`.
        prepared: the folder that `prepare` made, for the tasks that need it; None: `$ONEPAPER_DATA/hares-mini`.

    Raises:
        UsageError: there is none.
    """
    tasks = {task.name: task for task in MINI_TASKS}
    if name not in tasks:
        raise UsageError(unknown("mini task", name, tasks))
    return replace(tasks[name], folder=prepared)
