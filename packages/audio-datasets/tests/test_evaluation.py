"""Baselines on sounds that are easy to distinguish, without a voice on both sides."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.metrics import confusion_matrix

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import ClipSet
from audio_datasets.data.loaders import load
from audio_datasets.evaluation import Evaluation, clip_matrix, cross_validate, evaluate_split


@pytest.fixture(scope="module")
def features(sounds: ClipSet) -> np.ndarray:
    return clip_matrix(sounds, FeatureConfig())


def test_folds(sounds: ClipSet, features: np.ndarray) -> None:
    found = cross_validate(sounds, features, folds=3)
    assert found.scores(resamples=50)["UAR"][0].value > 0.9
    np.testing.assert_array_equal(found.confusion(), confusion_matrix(found.truth, found.predicted))


def test_training_clips_alone_decide(sounds: ClipSet, features: np.ndarray) -> None:
    """Features of the test split scaled by a thousand leave predictions of the validation split unchanged."""
    before = evaluate_split(sounds, features, "validation").predicted
    changed = features.copy()
    changed[[clip.split == "test" for clip in sounds]] *= 1000
    np.testing.assert_array_equal(evaluate_split(sounds, changed, "validation").predicted, before)
    assert evaluate_split(sounds, features, "test").scores(resamples=20)["UAR"][0].value > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ratings(bursts: Path) -> None:
    clips = load("hume-vocalburst-two", bursts)
    features = clip_matrix(clips, FeatureConfig())
    found = evaluate_split(clips, features, "validation")
    assert found.predicted.shape == (4, 2)
    assert found.names == ("Valence", "Arousal")
    with pytest.raises(UsageError, match="a blind split cannot be scored"):
        evaluate_split(clips, features, "test")
    with pytest.raises(UsageError, match="no confusion matrix"):
        found.confusion()


def test_scores_of_ratings() -> None:
    truth = np.random.default_rng(0).random((20, 2))
    found = Evaluation(tuple(map(str, range(20))), truth, truth, ("a", "b") * 10, ("x", "y"), "regression")
    assert found.scores(resamples=20)["mean CCC"][0].value == pytest.approx(1)
    assert found.scores(resamples=20)["mean Spearman"][1].low == pytest.approx(1)


@pytest.mark.slow
def test_the_baseline_on_the_shipped_clips() -> None:
    """Open functionals reach what eGeMAPS with linear support vectors does, 0.33 UAR of eight classes."""
    voices = load("hedgewars-voices")
    found = cross_validate(voices, clip_matrix(voices, FeatureConfig()), folds=5)
    estimate = found.scores(resamples=200)["UAR"][0]
    assert estimate.value >= 0.33
    assert estimate.low > 0.25, "twice chance"
