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


# The order of the official submission file of ExVo-MultiTask, whose country is a number.
MULTITASK_COLUMNS = ("Country", "Age", *BURST_EMOTIONS)
MAX_AGE = 120.0

Kind = Literal["classes", "regression", "multitask", "generation"]
MetricName = Literal["mean ccc", "uar", "mean spearman", "S_MTL", "S_GEN"]


@dataclass(frozen=True)
class Task:
    """One benchmark task.

    Attributes:
        id: lower-case name.
        dataset: id in the catalogue.
        loader: what `load` opens for it.
        section: of the paper.
        kind: classes: one class a clip; regression: ratings in [0, 1]; multitask: number of the country, age in years
            and ratings; generation: clips are made, not predicted.
        columns: columns of the label file that are predicted: one for classes.
        classes: names of the classes.
        metric: what ranks submissions.
        support: labelled clips of each speaker that a model may adapt to before it predicts the others.
    """

    id: str
    dataset: str
    loader: str
    section: str
    kind: Kind
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    metric: MetricName = "mean ccc"
    support: int = 0

    @property
    def outputs(self) -> int:
        """Number of outputs of a model: those of ExVo-MultiTask are 10 ratings, the age and 4 countries."""
        if self.kind == "multitask":
            return len(self.columns) - 1 + len(COUNTRIES)
        return len(self.classes) or len(self.columns)

    def bounds(self, column: str) -> tuple[float, float]:
        """Smallest and largest value of a column of numbers in a submission."""
        special = {"Country": (0.0, len(COUNTRIES) - 1.0), "Age": (0.0, MAX_AGE)} if self.kind == "multitask" else {}
        return special.get(column, (0.0, 1.0))


_BURSTS, _EXVO = "hume-vocalburst", "hume-vocalburst-exvo"
TASKS = {
    task.id: task
    for task in (
        Task("avb-high", _BURSTS, f"{_BURSTS}-high", "3.4", "regression", BURST_EMOTIONS),
        Task("avb-two", _BURSTS, f"{_BURSTS}-two", "3.4", "regression", ("Valence", "Arousal")),
        Task("avb-culture", _BURSTS, f"{_BURSTS}-culture", "3.4", "regression", CULTURE_COLUMNS),
        Task("avb-type", _BURSTS, f"{_BURSTS}-type", "3.4", "classes", ("Voc_Type",), BURST_TYPES, "uar"),
        Task("exvo-multitask", _BURSTS, _EXVO, "3.3", "multitask", MULTITASK_COLUMNS, (), "S_MTL"),
        Task("exvo-generate", _BURSTS, _EXVO, "3.3", "generation", BURST_EMOTIONS, (), "S_GEN"),
        Task("exvo-few-shot", _BURSTS, _EXVO, "3.3", "regression", BURST_EMOTIONS, support=2),
        Task("prosody-9", "hume-prosody", "hume-prosody", "3.2", "regression", PROSODY_EMOTIONS, (), "mean spearman"),
        Task("sonata-25", "modulate-sonata", "modulate-sonata", "3.7", "classes", ("emotion",), SONATA_EMOTIONS, "uar"),
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
