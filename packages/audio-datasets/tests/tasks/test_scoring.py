"""The metrics of each task against scikit-learn, scipy and arithmetic."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, recall_score

from audio_datasets.tasks.definitions import TASKS, get_task
from audio_datasets.tasks.metrics import mean_ccc
from audio_datasets.tasks.scoring import task_metrics


def test_the_ranking_metric_is_first() -> None:
    found = {name: next(iter(task_metrics(task))) for name, task in TASKS.items() if task.kind != "generation"}
    assert found["exvo-multitask"] == "S_MTL"
    assert found["prosody-9"] == "mean Spearman"
    assert found["sonata-25"] == "UAR"
    assert found["avb-culture"] == found["exvo-few-shot"] == "mean CCC"


def test_multitask() -> None:
    generator = np.random.default_rng(0)
    truth = np.column_stack([generator.integers(4, size=60), generator.uniform(20, 40, 60), generator.random((60, 10))])
    predicted = truth + np.column_stack([np.zeros(60), generator.normal(0, 3, 60), generator.normal(0, 0.1, (60, 10))])
    predicted[::3, 0] = (predicted[::3, 0] + 1) % 4
    found = {name: metric(truth, predicted) for name, metric in task_metrics(get_task("exvo-multitask")).items()}
    recall = recall_score(truth[:, 0], predicted[:, 0], average="macro")
    error = mean_absolute_error(truth[:, 1], predicted[:, 1])
    expected = stats.hmean([mean_ccc(truth[:, 2:], predicted[:, 2:]), recall, 1 / error])
    assert found["S_MTL"] == pytest.approx(expected)
    assert found["UAR of countries"] == pytest.approx(recall)
    assert found["MAE of the age"] == pytest.approx(error)


def test_ratings() -> None:
    generator = np.random.default_rng(1)
    truth, predicted = generator.random((2, 30, 2))
    found = {name: metric(truth, predicted) for name, metric in task_metrics(get_task("avb-two")).items()}
    columns = range(2)
    assert found["mean Pearson"] == pytest.approx(
        np.mean([stats.pearsonr(truth[:, k], predicted[:, k])[0] for k in columns])
    )
    assert abs(found["mean CCC (hume2022)"] - found["mean CCC"]) < 0.05
    spearman = task_metrics(get_task("prosody-9"))["mean Spearman"](truth, predicted)
    assert spearman == pytest.approx(np.mean([stats.spearmanr(truth[:, k], predicted[:, k])[0] for k in columns]))
