"""The probe against scikit-learn, for every penalty of a sweep."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from hares.probing import logistic
from hares.probing.logistic import fit_logistic

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 3, 120)
FEATURES = 2.0 + 3.0 * (np.eye(5)[LABELS] + GENERATOR.normal(size=(120, 5)))


def test_equals_scikit_learn() -> None:
    penalties = (1e-3, 1e-1)
    scaled = StandardScaler().fit_transform(FEATURES)
    for probe, penalty in zip(fit_logistic(FEATURES, LABELS, 3, penalties, tolerance=1e-6), penalties, strict=True):
        reference = LogisticRegression(C=1 / (penalty * len(LABELS)), tol=1e-9, max_iter=5000).fit(scaled, LABELS)
        np.testing.assert_allclose(probe.weight, reference.coef_.T, atol=1e-3)
        np.testing.assert_allclose(probe.probabilities(FEATURES), reference.predict_proba(scaled), atol=1e-3)


@pytest.mark.parametrize(("rows", "dim"), [(40, 90), (90, 40)])
def test_features_that_depend_on_each_other(rows: int, dim: int) -> None:
    """A sweep reaches the objective of scikit-learn also where features are nearly collinear."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=(rows, 6)) @ generator.normal(size=(6, dim)) + 0.01 * generator.normal(
        size=(rows, dim)
    )
    labels = (features[:, :3] + generator.normal(size=(rows, 3))).argmax(1)
    scaled = StandardScaler().fit_transform(features)
    penalties = (1e-3, 1e-2, 1e-1)
    for probe, penalty in zip(fit_logistic(features, labels, 3, penalties), penalties, strict=True):
        reference = LogisticRegression(C=1 / (penalty * rows), tol=1e-8, max_iter=5000).fit(scaled, labels)
        values = []
        for weight, bias in ((probe.weight, probe.bias), (reference.coef_.T, reference.intercept_)):
            loss = -log_softmax(scaled @ weight + bias, axis=1)[np.arange(rows), labels].mean()
            values.append(loss + penalty / 2 * np.square(weight).sum())
        assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_several_classes_a_row() -> None:
    targets = (FEATURES[:, :2] > 2.5).astype(float)
    targets[:, 1] = 1.0 - targets[:, 1]
    (probe,) = fit_logistic(FEATURES, targets, 2, (1e-2,), tolerance=1e-6)
    scaled = StandardScaler().fit_transform(FEATURES)
    for column in range(2):
        reference = LogisticRegression(C=100 / len(targets), tol=1e-9).fit(scaled, targets[:, column])
        np.testing.assert_allclose(
            probe.probabilities(FEATURES)[:, column], reference.predict_proba(scaled)[:, 1], atol=1e-3
        )


def test_separable_and_constant_columns() -> None:
    features = np.concatenate([np.eye(3)[LABELS], np.ones((120, 1))], 1)
    (probe,) = fit_logistic(features, LABELS, 3, (1e-4,))
    assert (probe.probabilities(features).argmax(1) == LABELS).all()
    assert np.abs(probe.weight[3]).max() == 0


def test_order_of_rows_does_not_matter() -> None:
    order = GENERATOR.permutation(120)
    first, second = (
        fit_logistic(f, y, 3, (1e-2,), tolerance=1e-6)[0]
        for f, y in ((FEATURES, LABELS), (FEATURES[order], LABELS[order]))
    )
    np.testing.assert_allclose(first.weight, second.weight, atol=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_one_penalty_at_a_time_is_all_together(several: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.eye(3)[LABELS] if several else LABELS
    together = fit_logistic(FEATURES, labels, 3, (1e-1, 1e-3), tolerance=1e-6)
    for logits in (0, 3 * 120):
        monkeypatch.setattr(logistic, "_LOGITS", logits)
        for one, other in zip(fit_logistic(FEATURES, labels, 3, (1e-1, 1e-3), tolerance=1e-6), together, strict=True):
            np.testing.assert_allclose(one.weight, other.weight, atol=2e-3)
            np.testing.assert_allclose(one.bias, other.bias, atol=2e-3)


def test_threads_are_as_before() -> None:
    """A sweep of this size is fitted on one thread, as long as it takes."""
    libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
    fit_logistic(FEATURES, LABELS, 3)
    assert [each for each in threadpool_info() if each["user_api"] == "blas"] == libraries


def test_missing_and_infinite_features_are_refused() -> None:
    for features in (np.zeros((0, 2)), np.array([[np.nan, 1.0]])):
        with pytest.raises(UsageError, match="expected at least one, and finite"):
            fit_logistic(features, np.zeros(len(features), np.int64), 2)
