"""Simple models of features of a clip: support vectors, linear models, nearest clips and constants (paper, sections
3.2 and 3.7). Features are standardised by the clips that a model is fitted to."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int
from onepaper.errors import UsageError

from audio_datasets.features.functionals import Scaler

Probe = Literal["support-vectors", "linear", "nearest", "mean"]
PROBES = ("support-vectors", "linear", "nearest", "mean")

# Penalty of the linear support vector machine; chosen on nothing, a common value for standardised functionals.
PENALTY = 1e-3
_ITERATIONS = 50_000
# Grid of the emotion share baseline of ComParE 2023.
_GRID = {
    "svr__estimator__loss": ("epsilon_insensitive", "squared_epsilon_insensitive"),
    "svr__estimator__C": tuple(10.0**-power for power in range(2, 7)),
}
# Penalties of the ridge regression, of which leave-one-out errors choose one.
_RIDGE = tuple(10.0**power for power in range(-1, 6))


def classify(train: Any, labels: Any, test: Any, penalty: float = PENALTY) -> npt.NDArray[np.int64]:
    """Classes by linear support vectors, weighted by the inverse frequency of the classes."""
    from sklearn.svm import LinearSVC

    scaler = Scaler.fit(train)
    machine = LinearSVC(C=penalty, class_weight="balanced", random_state=0, max_iter=_ITERATIONS)
    return np.asarray(machine.fit(scaler(train), labels).predict(scaler(test)), np.int64)


def class_scores(
    probe: Probe,
    train: Float[np.ndarray, "clips features"],
    labels: Int[np.ndarray, " clips"],
    test: Float[np.ndarray, "others features"],
    classes: int,
) -> Float[np.ndarray, "others classes"]:
    """One score for each class, of which the largest is the prediction; their mean over features is late fusion.

    Args:
        probe: support-vectors: margins of one class against the others; linear: probabilities of a logistic
            regression; nearest: 1 for the class of the nearest clip; mean: the shares of the classes.
        train: features of the clips to fit to.
        labels: their classes.
        test: features of the clips to predict.
        classes: number of classes. One without clips in `labels` is never predicted.
    """
    scores = np.full((len(test), classes), -np.inf)
    present = np.unique(labels)
    if probe == "mean" or len(present) == 1:
        scores[:, present] = np.bincount(labels, minlength=classes)[present] / len(labels)
        return scores
    scaler = Scaler.fit(train)
    x, y = scaler(train), scaler(test)
    if probe == "nearest":
        scores[:, present] = labels[_nearest(x, y)][:, None] == present
    elif probe == "linear":
        from sklearn.linear_model import LogisticRegression

        scores[:, present] = LogisticRegression(max_iter=2000).fit(x, labels).predict_proba(y)
    else:
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=PENALTY, class_weight="balanced", random_state=0, max_iter=_ITERATIONS)
        margins = machine.fit(x, labels).decision_function(y)
        scores[:, present] = np.stack([-margins, margins], axis=1) if len(present) == 2 else margins
    return scores


def predict_ratings(
    probe: Probe,
    features: Float[np.ndarray, "clips features"],
    ratings: Float[np.ndarray, "clips targets"],
    is_split: dict[str, Bool[np.ndarray, " clips"]],
    split: str,
) -> npt.NDArray[np.float64]:
    """Ratings of one split; for the test split the others are fitted to, otherwise the train split.

    Args:
        probe: support-vectors: `regress`; linear: ridge regression whose penalty leave-one-out errors choose; nearest:
            the ratings of the nearest clip; mean: those of all clips.
        features: of all clips.
        ratings: of all clips; those of `split` are not read.
        is_split: rows of each split.
        split: validation or test.

    Raises:
        UsageError: ratings that are fitted to are missing.
    """
    if probe == "support-vectors":
        return regress(features, ratings, is_split, split)
    fitted = is_split["train"] | (is_split["validation"] if split == "test" else False)
    targets = ratings[fitted]
    if np.isnan(targets).all(axis=0).any():
        raise UsageError("a column of ratings of the train split is empty; expected numbers")
    if probe == "mean":
        return np.repeat(np.nanmean(targets, axis=0)[None], int(is_split[split].sum()), axis=0)
    scaler = Scaler.fit(features[fitted])
    x, y = scaler(features[fitted]), scaler(features[is_split[split]])
    # A clip of A-VB Culture has ratings in the columns of its own country only.
    columns = [_one_rating(probe, x[known], column[known], y) for column in targets.T for known in [~np.isnan(column)]]
    return np.stack(columns, axis=1)


def _one_rating(probe: Probe, train: Any, ratings: Any, test: Any) -> npt.NDArray[np.float64]:
    if probe == "nearest":
        return ratings[_nearest(train, test)]
    from sklearn.linear_model import RidgeCV

    return RidgeCV(_RIDGE).fit(train, ratings).predict(test)


def _nearest(train: Any, test: Any) -> npt.NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=1).fit(train).kneighbors(test, return_distance=False)[:, 0]


def regress(features: Any, ratings: Any, is_split: dict[str, Any], split: str) -> npt.NDArray[np.float64]:
    """Ratings of one split by the emotion share baseline of ComParE 2023 (its src/ml/svm.py).

    Linear support vector regression of each target; its scaler, loss and penalty are those with the smallest mean
    absolute error on the validation split. For the test split it is then fitted to both other splits.

    Raises:
        UsageError: ratings of the train or validation split are missing.
    """
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import LinearSVR

    fitted = is_split["train"] | is_split["validation"]
    if np.isnan(ratings[fitted]).any():
        raise UsageError("ratings of the train or validation split are missing; expected numbers in all columns")
    regressor = MultiOutputRegressor(LinearSVR(random_state=42, max_iter=_ITERATIONS))
    search = GridSearchCV(
        Pipeline([("scaler", StandardScaler()), ("svr", regressor)]),
        {"scaler": [StandardScaler(), MinMaxScaler()], **_GRID},
        scoring="neg_mean_absolute_error",
        cv=PredefinedSplit(np.where(is_split["train"][fitted], -1, 0)),
        refit=split == "test",
    )
    search.fit(features[fitted], ratings[fitted])
    if split == "test":
        return search.predict(features[is_split[split]])
    best = search.estimator.set_params(**search.best_params_)
    return best.fit(features[is_split["train"]], ratings[is_split["train"]]).predict(features[is_split[split]])
