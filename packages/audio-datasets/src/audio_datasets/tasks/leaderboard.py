"""Baselines and best known results as the paper's tables give them, to set beside one's own."""

from typing import NamedTuple


class Row(NamedTuple):
    """One result.

    Attributes:
        task: id of the task, or of the challenge.
        system: what was evaluated.
        metric: name of the score.
        value: on the test split.
        table: of the paper; empty for a result of one's own.
        kind: baseline, best, or ours.
    """

    task: str
    system: str
    metric: str
    value: float
    table: str
    kind: str = "baseline"


PAPER_ROWS = (
    Row("prosody-9", "fine-tuned wav2vec2 features and SVR", "mean rho", 0.514, "5"),
    Row("prosody-9", "late fusion", "mean rho", 0.476, "5"),
    Row("avb-high", "ComParE features", "mean ccc", 0.521, "7"),
    Row("avb-two", "ComParE features", "mean ccc", 0.499, "7"),
    Row("avb-culture", "ComParE features", "mean ccc", 0.380, "7"),
    Row("avb-type", "ComParE features", "uar", 0.384, "7"),
    Row("avb-high", "End2You", "mean ccc", 0.569, "7"),
    Row("avb-two", "End2You", "mean ccc", 0.508, "7"),
    Row("avb-culture", "End2You", "mean ccc", 0.440, "7"),
    Row("avb-type", "End2You", "uar", 0.417, "7"),
    Row("exvo-multitask", "baseline", "S_MTL", 0.335, "8a"),
    Row("exvo-multitask", "NLPros", "S_MTL", 0.435, "8a", "best"),
    Row("exvo-generate", "baseline", "S_GEN", 0.174, "8b"),
    Row("exvo-generate", "StyleMelMila", "S_GEN", 0.408, "8b", "best"),
    Row("exvo-few-shot", "baseline", "mean ccc", 0.444, "8c"),
    Row("exvo-few-shot", "SaruLab-UTokyo", "mean ccc", 0.739, "8c", "best"),
    Row("avb-high", "EIHW", "mean ccc", 0.736, "9", "best"),
    Row("avb-two", "EIHW", "mean ccc", 0.707, "9", "best"),
    Row("avb-culture", "EIHW", "mean ccc", 0.620, "9", "best"),
    Row("avb-type", "HCAI", "uar", 0.586, "9", "best"),
    Row("sonata-25", "wav2vec2, logistic regression", "uar", 0.85, "10"),
    Row("sonata-25", "HuBERT, logistic regression", "uar", 0.86, "10"),
    Row("sonata-25", "early fusion of both", "uar", 0.90, "10"),
)


def leaderboard(task: str, ours: tuple[Row, ...] = ()) -> list[Row]:
    """Results of a task, best first, with rows of our own."""
    rows = [row for row in (*PAPER_ROWS, *ours) if row.task == task]
    return sorted(rows, key=lambda row: -row.value)
