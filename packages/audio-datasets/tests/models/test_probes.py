"""Simple models of features: classes and ratings that a line, a neighbour or a constant explains."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVR

from audio_datasets.models.probes import PROBES, Probe, class_scores, predict_ratings

SPLITS = np.repeat(["train", "validation", "test"], [40, 20, 20])
IS_SPLIT = {name: name == SPLITS for name in ("train", "validation", "test")}


@pytest.fixture
def linear() -> tuple[np.ndarray, np.ndarray]:
    """Features, and two ratings that are linear in them."""
    generator = np.random.default_rng(0)
    features = generator.standard_normal((80, 5)).astype(np.float32)
    return features, 0.5 + features[:, :2] @ np.array([[0.1, 0.02], [-0.05, 0.1]])


@pytest.mark.parametrize("probe", PROBES)
def test_classes(probe: Probe) -> None:
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 2], [10, 20])  # class 1 has no clips
    features = generator.standard_normal((30, 4)).astype(np.float32) + 6 * labels[:, None].astype(np.float32)
    scores = class_scores(probe, features, labels, features[5:15], 3)
    assert scores.shape == (10, 3)
    expected = np.full(10, 2) if probe == "mean" else labels[5:15]
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_linear_model_finds_lines(linear: tuple[np.ndarray, np.ndarray], split: str) -> None:
    features, ratings = linear
    hidden = np.where(IS_SPLIT[split][:, None], np.nan, ratings)
    found = predict_ratings("linear", features, hidden, IS_SPLIT, split)
    np.testing.assert_allclose(found, ratings[IS_SPLIT[split]], atol=0.02)


def test_constants_and_neighbours(linear: tuple[np.ndarray, np.ndarray]) -> None:
    features, ratings = linear
    mean = predict_ratings("mean", features, ratings, IS_SPLIT, "test")
    np.testing.assert_allclose(mean, np.tile(ratings[:60].mean(axis=0), (20, 1)))
    copied = np.concatenate([features[:60], features[:20]])
    np.testing.assert_allclose(predict_ratings("nearest", copied, ratings, IS_SPLIT, "test"), ratings[:20])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_support_vectors_choose_on_validation(linear: tuple[np.ndarray, np.ndarray]) -> None:
    """Against a plain loop over the grid of the emotion share baseline."""
    features, ratings = linear
    best, expected = np.inf, np.zeros(0)
    for scaler in (StandardScaler(), MinMaxScaler()):
        x, held_out = scaler.fit_transform(features[:40]), scaler.transform(features[40:60])
        for loss in ("epsilon_insensitive", "squared_epsilon_insensitive"):
            for penalty in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
                machine = LinearSVR(loss=loss, C=penalty, random_state=42, max_iter=50_000)
                found = np.stack([machine.fit(x, y).predict(held_out) for y in ratings[:40].T], axis=1)
                error = np.abs(found - ratings[40:60]).mean()
                if error < best:
                    best, expected = error, found
    found = predict_ratings("support-vectors", features, ratings, IS_SPLIT, "validation")
    np.testing.assert_allclose(found, expected)


def test_columns_of_other_countries_are_left_out(linear: tuple[np.ndarray, np.ndarray]) -> None:
    features, ratings = linear
    ratings = ratings.copy()
    ratings[:20, 0], ratings[20:40, 1] = np.nan, np.nan
    found = predict_ratings("mean", features, ratings, IS_SPLIT, "validation")
    np.testing.assert_allclose(found[0], [ratings[20:40, 0].mean(), ratings[:20, 1].mean()])
    ratings[:, 0] = np.nan
    with pytest.raises(UsageError, match="a column of ratings of the train split is empty"):
        predict_ratings("linear", features, ratings, IS_SPLIT, "validation")
    with pytest.raises(UsageError, match="expected numbers in all columns"):
        predict_ratings("support-vectors", features, ratings, IS_SPLIT, "validation")
