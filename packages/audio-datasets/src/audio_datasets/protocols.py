"""Tasks of the paper on a copy: what a baseline predicts, and how it is scored or sent (paper, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32
from onepaper.config import check_choice
from onepaper.errors import UsageError
from onepaper.training import LoopOptions

from audio_datasets.adaptation import predict_episodes, shift_episodes
from audio_datasets.config import AdaptationConfig, FeaturesExperiment, MultitaskExperiment, SelectionConfig
from audio_datasets.data.clips import ClipSet
from audio_datasets.data.loaders import load
from audio_datasets.data.vocal_bursts import multitask_targets
from audio_datasets.models.probes import PROBES, Probe, class_scores, predict_ratings
from audio_datasets.multitask import fit_multitask
from audio_datasets.pretrained.networks import Network
from audio_datasets.selection import Choice
from audio_datasets.tasks.definitions import Task
from audio_datasets.tasks.few_shot import episodes
from audio_datasets.tasks.intervals import Comparison, Estimate, bootstrap, compare
from audio_datasets.tasks.scoring import task_metrics
from audio_datasets.tasks.submissions import submission_csv
from audio_datasets.training import fit_features, predict, read_waveforms, sigmoid

Baseline = Literal["support-vectors", "linear", "nearest", "mean", "network"]
Fusion = Literal["early", "late"]
_EPOCHS = 25


class TaskData(NamedTuple):
    """A copy of the data of a task.

    Attributes:
        task: what is predicted.
        clips: of all splits.
        truth: index of the class [clips], -1 where blind; otherwise numbers [clips, columns], NaN where blind.
    """

    task: Task
    clips: ClipSet
    truth: npt.NDArray[Any]

    def rows(self, split: str) -> npt.NDArray[np.bool_]:
        """Which clips are of a split.

        Raises:
            UsageError: none is.
        """
        self.clips.split(split)
        return np.array([clip.split == split for clip in self.clips])


@dataclass(frozen=True)
class TaskResult:
    """Predictions of one split.

    Attributes:
        task: what is predicted.
        ids: of the clips.
        groups: of the clips: speakers where they are known.
        predicted: as `TaskData.truth`.
        truth: None where any label is blind.
        unadapted: of a few-shot task, the predictions without adaptation.
        choices: of networks that were trained for it, the seeds and their scores on the validation split.
    """

    task: Task
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    predicted: npt.NDArray[Any]
    truth: npt.NDArray[Any] | None = None
    unadapted: npt.NDArray[Any] | None = None
    choices: tuple[Choice, ...] = ()

    def scores(self, resamples: int = 1000, seed: int = 0) -> dict[str, tuple[Estimate, Estimate]]:
        """Metric -> its value with the interval over clips, and with that over groups; the ranking metric is first.

        Further metrics are left out where they are undefined, as correlations of constant predictions are.

        Raises:
            UsageError: the labels are blind, or the ranking metric is undefined.
        """
        truth, found = self._known(), dict[str, tuple[Estimate, Estimate]]()
        for name, metric in task_metrics(self.task).items():
            draw = partial(bootstrap, metric, truth, self.predicted, resamples=resamples, seed=seed)
            try:
                found[name] = draw(), draw(groups=self.groups)
            except UsageError:
                if not found:
                    raise
        return found

    def gain(self, resamples: int = 1000, seed: int = 0) -> Comparison | None:
        """Of a few-shot task: the ranking metric with adaptation minus that without, over groups of clips.

        Raises:
            UsageError: the labels are blind.
        """
        if self.unadapted is None:
            return None
        metric = next(iter(task_metrics(self.task).values()))
        pair = self.predicted, self.unadapted
        return compare(metric, self._known(), *pair, resamples=resamples, seed=seed, groups=self.groups)

    def submission(self) -> str:
        """What the organisers take; of a few-shot task, the queries."""
        return submission_csv(self.task, self.ids, self.predicted)

    def _known(self) -> npt.NDArray[Any]:
        if self.truth is None:
            raise UsageError(f"labels of this split of {self.task.id} are blind; it cannot be scored, only sent")
        return self.truth


def load_task(task: Task, root: Path, *, trim: bool = False) -> TaskData:
    """The clips of a task with their labels.

    Raises:
        UsageError: a task of generation, no copy there, or a copy with other classes or columns than the task's.
    """
    if task.kind == "generation":
        raise UsageError(f"{task.id} is about clips that are generated; audio_datasets.generation_score scores them")
    clips = load(task.loader, root, trim=trim)
    if task.kind == "classes":
        labels = replace(clips, classes=task.classes)  # refuses labels that the task does not have
        index = {name: number for number, name in enumerate(task.classes)}
        return TaskData(task, labels, np.array([index.get(clip.label, -1) for clip in labels], np.int64))
    if task.kind == "multitask":
        return TaskData(task, clips, multitask_targets(root, clips))
    if clips.targets != task.columns:
        raise UsageError(f"the copy has the ratings {', '.join(clips.targets)}, expected {', '.join(task.columns)}")
    return TaskData(task, clips, clips.ratings())


def evaluate_features(
    data: TaskData,
    features: Sequence[Float32[np.ndarray, "clips features"]],
    *,
    baseline: Baseline = "support-vectors",
    fusion: Fusion = "early",
    split: str = "validation",
    seed: int = 0,
    selection: SelectionConfig = SelectionConfig(),  # noqa: B008 - frozen
) -> TaskResult:
    """Predictions of one split by a baseline on features of all clips.

    For the test split, probes are fitted to the train and validation splits, and networks to the train split.

    Args:
        data: the copy.
        features: one matrix of each kind of features.
        baseline: a probe, or network: that of `fit_features`, for ExVo-MultiTask that of `fit_multitask`.
        fusion: of several kinds of features; early: they are concatenated; late: predictions are averaged, those of
            networks as outputs, of classes as scores.
        split: validation or test.
        seed: of networks; of several, the first.
        selection: of networks, which are evaluated on the validation split after each of 25 epochs.

    Raises:
        UsageError: a split without clips, or labels to fit to that are blind.
    """
    check_choice("baseline", baseline, (*PROBES, "network"))
    check_choice("fusion", fusion, ("early", "late"))
    check_choice("split", split, ("validation", "test"))
    is_split = {name: data.rows(name) for name in {"train", "validation", split}}
    matrices = [np.concatenate(features, axis=1)] if fusion == "early" else list(features)
    if baseline == "network":
        networks = [_predict_by_network(data, matrix, is_split, split, seed, selection) for matrix in matrices]
        found, choices = [scores for scores, _ in networks], tuple(choice for _, choice in networks)
    else:
        found, choices = [_predict(data, matrix, is_split, baseline, split) for matrix in matrices], ()
    return replace(_result(data, np.mean(found, axis=0), is_split[split], split), choices=choices)


def evaluate_weights(
    data: TaskData,
    network: Network,
    *,
    split: str = "validation",
    adaptation: AdaptationConfig = AdaptationConfig(),  # noqa: B008 - frozen
) -> TaskResult:
    """Predictions of one split by a trained network on raw audio; a few-shot task adapts it to each speaker.

    Raises:
        UsageError: a network with other outputs than the task's, or clips that cannot be read.
    """
    task, rows = data.task, data.rows(split)
    names = task.classes or task.columns
    if task.kind == "multitask" or network.outputs != names:
        raise UsageError(
            f"the network predicts {', '.join(network.outputs)}, but {task.id} has {', '.join(names)}; use "
            "weights that were trained for it"
        )
    part = data.clips.split(split)
    waveforms = read_waveforms(part, network.data)
    outputs = predict(network.model, waveforms)
    if not task.support:
        return _result(data, outputs if task.kind == "classes" else sigmoid(outputs), rows, split)
    found = episodes(part.values("speaker"), task.support)
    adapted = predict_episodes(network.model, waveforms, data.truth[rows], found, adaptation)
    return _queries(data, part, rows, sigmoid(outputs), adapted)


def _predict(
    data: TaskData, matrix: Any, is_split: dict[str, Any], baseline: Probe, split: str
) -> npt.NDArray[np.float64]:
    """Scores of classes, ratings, or rows of ExVo-MultiTask with scores of the countries instead of their number."""
    kind, truth = data.task.kind, data.truth
    fitted = is_split["train"] | (is_split["validation"] if split == "test" else False)
    if kind == "regression":
        return predict_ratings(baseline, matrix, truth, is_split, split)
    labels = truth if kind == "classes" else np.where(np.isnan(truth[:, 0]), -1, truth[:, 0]).astype(np.int64)
    if (labels[fitted] < 0).any():
        raise UsageError("clips to train on have no class or country; expected one for each of them")
    scores = class_scores(
        baseline, matrix[fitted], labels[fitted], matrix[is_split[split]], data.task.outputs if kind == "classes" else 4
    )
    if kind == "classes":
        return scores
    return np.concatenate([scores, predict_ratings(baseline, matrix, truth[:, 1:], is_split, split)], axis=1)


def _predict_by_network(
    data: TaskData, matrix: Any, is_split: dict[str, Any], split: str, seed: int, selection: SelectionConfig
) -> tuple[npt.NDArray[np.float64], Choice]:
    task, truth = data.task, data.truth
    kept = truth if task.kind == "classes" else truth.astype(np.float32)
    train, validation = ((matrix[is_split[name]], kept[is_split[name]]) for name in ("train", "validation"))
    epoch = -(-int(is_split["train"].sum()) // FeaturesExperiment().batch_size)
    loop = LoopOptions(steps=_EPOCHS * epoch, evaluate_every=epoch, checkpoint_every=0)
    if task.kind == "multitask":
        multitask = fit_multitask(MultitaskExperiment(selection=selection, loop=loop), train, validation, seed=seed)
        rows = multitask.predict(matrix[is_split[split]])
        return np.concatenate([np.eye(4)[rows[:, 0].astype(int)], rows[:, 1:]], axis=1), multitask.choice
    kind = "classes" if task.kind == "classes" else "regression"
    config = FeaturesExperiment(selection=selection, loop=loop)
    network = fit_features(config, train, validation, kind, task.outputs, seed=seed)
    outputs = network.predict(matrix[is_split[split]])
    return outputs if task.kind == "classes" else sigmoid(outputs), network.choice


def _result(data: TaskData, scores: Any, rows: npt.NDArray[np.bool_], split: str) -> TaskResult:
    """The result from scores of classes, from ratings, or from rows with scores of the countries."""
    task, part, truth = data.task, data.clips.split(split), data.truth[rows]
    if task.kind == "classes":
        predicted, blind = scores.argmax(axis=1), bool((truth < 0).any())
    else:
        if task.kind == "multitask":
            scores = np.concatenate([scores[:, :4].argmax(axis=1)[:, None], scores[:, 4:]], axis=1)
        predicted = np.clip(scores, *np.transpose([task.bounds(column) for column in task.columns]))
        blind = bool(np.isnan(truth).all(axis=0).any())
    if task.support:
        found = episodes(part.values("speaker"), task.support)
        return _queries(data, part, rows, predicted, shift_episodes(predicted, truth, found))
    groups = tuple(part.groups())
    return TaskResult(task, tuple(part.values("id")), groups, predicted, None if blind else truth)


def _queries(data: TaskData, part: ClipSet, rows: Any, unadapted: Any, adapted: Any) -> TaskResult:
    truth = data.truth[rows]
    asked = ~np.isnan(adapted[:, 0])
    ids, groups = (tuple(np.array(values)[asked].tolist()) for values in (part.values("id"), part.groups()))
    known = None if np.isnan(truth[asked]).any() else truth[asked]
    return TaskResult(data.task, ids, groups, adapted[asked], known, unadapted[asked])
