"""Baselines with intervals: support vectors on functionals over folds of voices, and trained networks on a split."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int
from onepaper.errors import UsageError
from onepaper.progress import track

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import ClipSet
from audio_datasets.data.folds import group_folds
from audio_datasets.features.functionals import clip_features
from audio_datasets.features.open_smile import smile_features
from audio_datasets.models.probes import PENALTY, classify, regress
from audio_datasets.tasks.intervals import Estimate, bootstrap
from audio_datasets.tasks.metrics import mean_ccc, mean_spearman, uar


@dataclass(frozen=True)
class Evaluation:
    """Predictions of clips that were not trained on.

    Attributes:
        ids: of the clips.
        truth: indices of classes [clips], or ratings [clips, targets].
        predicted: the same.
        groups: of the clips, such as speakers.
        names: of the classes or targets.
        kind: classes or regression.
    """

    ids: tuple[str, ...]
    truth: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    kind: str

    def scores(self, resamples: int = 1000, seed: int = 0) -> dict[str, tuple[Estimate, Estimate]]:
        """Metric -> its value with the interval over clips, and with that over groups."""
        metrics: dict[str, Callable[[Any, Any], float]] = (
            {"UAR": uar} if self.kind == "classes" else {"mean CCC": mean_ccc, "mean Spearman": mean_spearman}
        )
        found = {}
        for name, metric in metrics.items():
            clips, groups = (
                bootstrap(metric, self.truth, self.predicted, resamples=resamples, seed=seed, groups=units)
                for units in (None, self.groups)
            )
            found[name] = (clips, groups)
        return found

    def confusion(self) -> Int[np.ndarray, "truth predicted"]:
        """Counts of clips by true and predicted class.

        Raises:
            UsageError: an evaluation of ratings.
        """
        if self.kind != "classes":
            raise UsageError("ratings have no confusion matrix; use the scores")
        counts = np.zeros((len(self.names), len(self.names)), np.int64)
        np.add.at(counts, (self.truth, self.predicted), 1)
        return counts


def clip_matrix(
    clips: ClipSet,
    config: FeatureConfig,
    max_seconds: float = 10.0,
    bank: Literal["open", "egemaps", "compare"] = "open",
) -> Float32[np.ndarray, "clips features"]:
    """Functionals of each clip; files are read one by one, each resampled from its own rate.

    Args:
        clips: to read.
        config: rate, and the analysis of the open functionals.
        max_seconds: longer clips are cut.
        bank: open, or a set of openSMILE.

    Raises:
        UsageError: a file that cannot be read; the message names it. Or openSMILE is not installed.
    """
    shown = track(clips, "features", total=len(clips), unit="clip")
    waveforms = (clip.read(config.rate, max_seconds) for clip in shown)
    if bank == "open":
        return np.stack([clip_features(samples, config) for samples in waveforms])
    return np.stack([smile_features(samples, config.rate, bank) for samples in waveforms])


def cross_validate(
    clips: ClipSet, features: Float32[np.ndarray, "clips features"], folds: int = 5, penalty: float = PENALTY
) -> Evaluation:
    """Linear support vectors on functionals, each fold of groups predicted by the others.

    Classes are weighted by their inverse frequency. Features are standardised by the training folds.

    Raises:
        UsageError: clips without classes, or fewer groups than folds.
    """
    truth = clips.labels()
    fold_of = group_folds(clips, folds)
    predicted = np.zeros_like(truth)
    for fold in range(folds):
        test = fold_of == fold
        predicted[test] = classify(features[~test], truth[~test], features[test], penalty)
    return _evaluation(clips, truth, predicted, clips.classes, "classes")


def evaluate_split(
    clips: ClipSet,
    features: Float32[np.ndarray, "clips features"],
    split: str = "validation",
    penalty: float = PENALTY,
) -> Evaluation:
    """Support vectors on functionals, trained on the train split; of ratings the emotion share baseline.

    Regression follows the official code of ComParE 2023: linear support vector regression of each target, its scaler,
    loss and penalty chosen by the mean absolute error on the validation split. Scores on validation are therefore
    optimistic; those on test are of a model trained on both other parts.

    Raises:
        UsageError: a split without clips or without labels.
    """
    is_split = {name: np.array([clip.split == name for clip in clips]) for name in ("train", "validation", "test")}
    chosen = is_split[split]
    part = clips.split(split)
    if clips.classes:
        labels = part.labels()
        train = clips.split("train").labels()
        predicted = classify(features[is_split["train"]], train, features[chosen], penalty)
        return _evaluation(part, labels, predicted, clips.classes, "classes")
    ratings = clips.ratings()
    if np.isnan(ratings[chosen]).all():
        raise UsageError(f"the {split} split of '{clips.name}' has no ratings; a blind split cannot be scored")
    predicted = regress(features, ratings, is_split, split)
    return _evaluation(part, ratings[chosen], predicted, clips.targets, "regression")


def _evaluation(clips: ClipSet, truth: Any, predicted: Any, names: tuple[str, ...], kind: str) -> Evaluation:
    return Evaluation(tuple(clips.values("id")), truth, predicted, tuple(clips.groups()), names, kind)
