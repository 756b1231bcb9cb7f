"""The benchmark tasks of the paper as data: targets in the official order of columns, and the metric."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import unknown
from onepaper.errors import UsageError

BURST_EMOTIONS = (
    "Awe", "Excitement", "Amusement", "Awkwardness", "Fear", "Horror", "Distress", "Triumph", "Sadness", "Surprise",
)  # fmt: skip
BURST_TYPES = ("Gasp", "Laugh", "Cry", "Scream", "Grunt", "Groan", "Pant", "Other")
COUNTRIES = ("China", "United States", "South Africa", "Venezuela")
PROSODY_EMOTIONS = (
    "Anger", "Boredom", "Calmness", "Concentration", "Determination", "Excitement", "Interest", "Sadness", "Tiredness",
)  # fmt: skip
SONATA_EMOTIONS = (
    "adoration", "amusement", "anger", "awe", "confusion", "contempt", "contentment", "desire", "disappointment",
    "disgust", "distress", "elation", "embarrassment", "fear", "hype", "interest", "pain", "realization", "relief",
    "sadness", "seduction/ecstasy", "positive surprise", "negative surprise", "sympathy", "triumph",
)  # fmt: skip
# Nine emotions of each country, then the four of Surprise, as in the official label file.
CULTURE_COLUMNS = (
    *(f"{country}_{emotion}" for country in COUNTRIES for emotion in BURST_EMOTIONS[:-1]),
    *(f"{country}_{BURST_EMOTIONS[-1]}" for country in COUNTRIES),
)


@dataclass(frozen=True)
class Task:
    """One benchmark task.

    Attributes:
        id: lower-case name.
        dataset: id in the catalogue.
        section: of the paper.
        kind: classes or regression.
        columns: columns of the label file that are predicted: one for classes.
        classes: names of the classes.
        metric: what ranks submissions.
    """

    id: str
    dataset: str
    section: str
    kind: Literal["classes", "regression"]
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    metric: Literal["mean ccc", "uar", "mean spearman"] = "mean ccc"

    @property
    def outputs(self) -> int:
        """Number of outputs of a model."""
        return len(self.classes) or len(self.columns)


TASKS = {
    task.id: task
    for task in (
        Task("avb-high", "hume-vocalburst", "3.4", "regression", BURST_EMOTIONS),
        Task("avb-two", "hume-vocalburst", "3.4", "regression", ("Valence", "Arousal")),
        Task("avb-culture", "hume-vocalburst", "3.4", "regression", CULTURE_COLUMNS),
        Task("avb-type", "hume-vocalburst", "3.4", "classes", ("Voc_Type",), BURST_TYPES, "uar"),
        Task("exvo-few-shot", "hume-vocalburst", "3.3", "regression", BURST_EMOTIONS),
        Task("prosody-9", "hume-prosody", "3.2", "regression", PROSODY_EMOTIONS, (), "mean spearman"),
        Task("sonata-25", "modulate-sonata", "3.7", "classes", ("emotion",), SONATA_EMOTIONS, "uar"),
    )
}


def get_task(name: str) -> Task:
    """The task of that id.

    Raises:
        UsageError: there is none; the message suggests the nearest.
    """
    if name not in TASKS:
        raise UsageError(unknown("task", name, TASKS))
    return TASKS[name]
