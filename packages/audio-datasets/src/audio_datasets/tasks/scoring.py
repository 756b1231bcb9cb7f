"""The metrics that a task is scored by, as functions of (truth, predicted), the one that ranks systems first."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from audio_datasets.tasks.definitions import Task
from audio_datasets.tasks.intervals import Metric
from audio_datasets.tasks.metrics import mean_ccc, mean_pearson, mean_spearman, multitask_score, uar

Rows = npt.NDArray[Any]


def task_metrics(task: Task) -> dict[str, Metric]:
    """Metrics of a task by name.

    Rows of ExVo-MultiTask are the number of the country, the age in years, and ten ratings, as in a submission. Ratings
    have the standard concordance first, then that of the official code and the correlation that A-VB reports beside it.
    """
    if task.kind == "classes":
        return {"UAR": uar}
    if task.metric == "mean spearman":
        return {"mean Spearman": mean_spearman, "mean CCC": mean_ccc}
    ratings: dict[str, Metric] = {
        "mean CCC": mean_ccc,
        "mean CCC (hume2022)": partial(mean_ccc, variant="hume2022"),
        "mean Pearson": mean_pearson,
    }
    if task.kind == "regression":
        return ratings
    return {
        "S_MTL": _multitask,
        "mean CCC": _of_columns(mean_ccc, slice(2, None)),
        "UAR of countries": _of_columns(uar, 0),
        "MAE of the age": _of_columns(_mean_absolute_error, 1),
    }


def _multitask(truth: Rows, predicted: Rows) -> float:
    return multitask_score(
        mean_ccc(truth[:, 2:], predicted[:, 2:]),
        uar(truth[:, 0], predicted[:, 0]),
        _mean_absolute_error(truth[:, 1], predicted[:, 1]),
    )


def _of_columns(metric: Callable[[Rows, Rows], float], columns: int | slice) -> Metric:
    return lambda truth, predicted: metric(truth[:, columns], predicted[:, columns])


def _mean_absolute_error(truth: Rows, predicted: Rows) -> float:
    return float(np.abs(truth - predicted).mean())
