"""Scores: intervals by bootstrap over groups, means over domains, the HARES score, and ranks of embeddings."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onepaper.errors import UsageError
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from hares.data.tasks import DOMAINS, TASKS

_RESAMPLES = 2000


class Score(NamedTuple):
    """A mean with its 95% interval."""

    mean: float
    low: float
    high: float


def bootstrap_over_groups(
    correct: npt.NDArray[np.floating], groups: Sequence[str], *, resamples: int = _RESAMPLES, seed: int = 0
) -> Score:
    """The mean of `correct` with a percentile interval over draws of whole groups.

    Clips of one recording, voice or instrument are not independent; groups are drawn, with all their clips.

    Args:
        correct: one value a clip; for a paired comparison, the difference of two embeddings.
        groups: the group of each clip.
        resamples: number of draws.
        seed: of the draws.

    Raises:
        UsageError: no clips.
    """
    low, high = np.quantile(resampled_means(correct, groups, resamples=resamples, seed=seed), (0.025, 0.975))
    return Score(float(np.mean(correct)), float(low), float(high))


def resampled_means(
    values: npt.NDArray[np.floating], groups: Sequence[str], *, resamples: int = _RESAMPLES, seed: int = 0
) -> npt.NDArray[np.float64]:
    """The mean of `values` in each draw of whole groups; the same groups are drawn for the same seed and groups.

    Raises:
        UsageError: no values.
    """
    if not len(values):
        raise UsageError("no clips to score, expected at least one")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng([seed, len(names)]).integers(0, len(names), (resamples, len(names)))
    return sums[drawn].sum(1) / counts[drawn].sum(1)


def mean_average_precision(truth: npt.NDArray[np.number], scores: npt.NDArray[np.floating]) -> tuple[float, int]:
    r"""Mean over classes of the average precision $\sum_k (R_k - R_{k-1}) P_k$, and the number of classes left out.

    Precision and recall are those at every distinct score, without interpolation. A class without a positive clip has
    no average precision and is left out.

    Args:
        truth: zeros and ones [clips, classes].
        scores: [clips, classes].

    Raises:
        UsageError: other shapes, scores that are not finite, or no class with a positive clip.
    """
    if truth.shape != scores.shape or truth.ndim != 2 or not np.isfinite(scores).all():
        raise UsageError(
            f"labels have shape {truth.shape}, scores {scores.shape}; expected equal shapes, finite scores"
        )
    found = []
    for labels, values in zip(truth.T, scores.T, strict=True):
        if not labels.any():
            continue
        order = np.argsort(-values, kind="stable")
        hits = np.cumsum(labels[order])
        last = np.append(np.diff(values[order]) != 0, True)  # clips of equal score enter together
        precision, recall = (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]
        found.append(float((np.diff(recall, prepend=0.0) * precision).sum()))
    if not found:
        raise UsageError("no class has a positive clip; expected labels of the test clips")
    return float(np.mean(found)), truth.shape[1] - len(found)


def ranking_precision(truth: npt.NDArray[np.number], scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Of each row, the mean over its classes of the share of true ones among those that score as high or higher.

    Args:
        truth: zeros and ones [clips, classes], at least one 1 a clip.
        scores: [clips, classes].
    """
    is_true = truth.astype(bool)
    # [clip, class, other]: whether the other class scores at least as high.
    above = scores[:, None, :] >= scores[:, :, None]
    precision = (above & is_true[:, None, :]).sum(2) / above.sum(2)
    return (precision * is_true).sum(1) / is_true.sum(1)


def domain_means(scores: Mapping[str, float]) -> dict[str, float]:
    """The mean of each domain whose tasks of HARES are all there."""
    found: dict[str, float] = {}
    for domain in DOMAINS:
        names = [task.name for task in TASKS if task.domain == domain]
        if all(name in scores for name in names):
            found[domain] = float(np.mean([scores[name] for name in names]))
    return found


def hares_score(scores: Mapping[str, float]) -> float | None:
    """The mean over the twelve tasks (not over domains); None unless all are there.

    Raises:
        UsageError: a name is not a task of HARES.
    """
    names = {task.name for task in TASKS}
    if unknown := set(scores) - names:
        raise UsageError(f"{sorted(unknown)[0]} is not a task of HARES; expected {', '.join(sorted(names))}")
    return float(np.mean(list(scores.values()))) if names == set(scores) else None


def rank_test(scores: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, float], float, float]:
    r"""Mean ranks over tasks, the critical difference of two ranks, and the p-value of Friedman's test (Demsar, 2006).

    The difference is Nemenyi's at 5%, $q \sqrt{k (k + 1) / (6 n)}$ for k embeddings and n tasks, with q from the
    studentised range.

    Args:
        scores: embedding -> task -> score, of the same tasks; rank 1 is the highest score, and ties share their mean.

    Raises:
        UsageError: fewer than three embeddings or two tasks, or embeddings with different tasks.
    """
    tasks = list(next(iter(scores.values()), {}))
    if len(scores) < 3 or len(tasks) < 2 or any(list(each) != tasks for each in scores.values()):
        raise UsageError(f"{len(scores)} embeddings, {len(tasks)} tasks; ranks need 3 and 2, the same tasks for all")
    table = np.array([[scores[name][task] for name in scores] for task in tasks])
    means = rankdata(-table, axis=1).mean(0)
    count = len(scores)
    quantile = float(studentized_range.ppf(0.95, count, np.inf)) / math.sqrt(2.0)
    difference = quantile * math.sqrt(count * (count + 1) / (6.0 * len(tasks)))
    tied = (table == table[:, :1]).all()
    p_value = 1.0 if tied else float(friedmanchisquare(*table.T).pvalue)
    return dict(zip(scores, means.tolist(), strict=True)), difference, p_value
