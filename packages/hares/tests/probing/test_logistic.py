"""The probe against scikit-learn, for every penalty of a sweep."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hares.probing.logistic import fit_logistic

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 3, 120)
FEATURES = 2.0 + 3.0 * (np.eye(5)[LABELS] + GENERATOR.normal(size=(120, 5)))


def test_equals_scikit_learn() -> None:
    penalties = (1e-3, 1e-1)
    scaled = StandardScaler().fit_transform(FEATURES)
    for probe, penalty in zip(fit_logistic(FEATURES, LABELS, 3, penalties), penalties, strict=True):
        reference = LogisticRegression(C=1 / (penalty * len(LABELS)), tol=1e-9, max_iter=5000).fit(scaled, LABELS)
        np.testing.assert_allclose(probe.weight, reference.coef_.T, atol=1e-3)
        np.testing.assert_allclose(probe.probabilities(FEATURES), reference.predict_proba(scaled), atol=1e-3)


def test_separable_and_constant_columns() -> None:
    features = np.concatenate([np.eye(3)[LABELS], np.ones((120, 1))], 1)
    (probe,) = fit_logistic(features, LABELS, 3, (1e-4,))
    assert (probe.probabilities(features).argmax(1) == LABELS).all()
    assert np.abs(probe.weight[3]).max() == 0


def test_order_of_rows_does_not_matter() -> None:
    order = GENERATOR.permutation(120)
    first, second = (
        fit_logistic(f, y, 3, (1e-2,))[0] for f, y in ((FEATURES, LABELS), (FEATURES[order], LABELS[order]))
    )
    np.testing.assert_allclose(first.weight, second.weight, atol=1e-5)


def test_missing_and_infinite_features_are_refused() -> None:
    for features in (np.zeros((0, 2)), np.array([[np.nan, 1.0]])):
        with pytest.raises(UsageError, match="expected at least one, and finite"):
            fit_logistic(features, np.zeros(len(features), np.int64), 2)
