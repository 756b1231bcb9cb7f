"""The paper's own scores: 24 rows of twelve tasks (paper, tables 6 to 9), in per cent."""

import csv

import numpy as np
import numpy.typing as npt
from onepaper.data import embedded

from hares.data.tasks import DOMAINS, TASKS


class PrintedRow:
    """One network with one kind of pre-training.

    Attributes:
        model: name of the network.
        objective: supervised or simclr.
        scores: of the twelve tasks, in the order of `TASKS`.
        printed: the means that the paper prints, by domain and "hares".
    """

    def __init__(self, row: dict[str, str]) -> None:
        self.model, self.objective = row["model"], row["objective"]
        self.scores: npt.NDArray[np.float64] = np.array([float(row[task.name]) for task in TASKS])
        self.printed = {name: float(row[name]) for name in (*DOMAINS, "hares")}

    def computed(self) -> dict[str, float]:
        """The same means from the twelve scores."""
        means = {domain: float(self.scores[[task.domain == domain for task in TASKS]].mean()) for domain in DOMAINS}
        return {**means, "hares": float(self.scores.mean())}


def published_rows() -> list[PrintedRow]:
    """All rows, supervised first."""
    with embedded("hares", "published.csv").open(encoding="utf-8", newline="") as file:
        return [PrintedRow(row) for row in csv.DictReader(file)]
