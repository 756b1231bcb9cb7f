"""Probes against scikit-learn and closed forms; all separate what can be separated."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from hares.probing import probes
from hares.probing.probes import GRIDS, fit_probes

GENERATOR = np.random.default_rng(0)
LABELS = np.arange(90) % 3
FEATURES = (GENERATOR.standard_normal((3, 12))[LABELS] + 0.7 * GENERATOR.standard_normal((90, 12))).astype(np.float32)
SCALED = StandardScaler().fit_transform(FEATURES.astype(np.float64))


@pytest.mark.parametrize("kind", list(GRIDS))
def test_classes_and_tags(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_MLP_STEPS", 100)
    for labels in (LABELS, np.eye(3)[LABELS]):
        fitted = fit_probes(kind, FEATURES, labels, 3, GRIDS[kind])  # type: ignore[arg-type]
        assert len(fitted) == len(GRIDS[kind])  # type: ignore[index]
        right = [(probe.probabilities(FEATURES).argmax(1) == LABELS).mean() for probe in fitted]
        assert max(right) > 0.9
        again = fit_probes(kind, FEATURES, labels, 3, GRIDS[kind][:1])  # type: ignore[arg-type, index]
        # Logistic regressions are fitted together; products of other shapes are rounded otherwise.
        tolerance = 1e-3 if kind == "logistic" else 0.0
        np.testing.assert_allclose(
            again[0].probabilities(FEATURES), fitted[0].probabilities(FEATURES), rtol=0, atol=tolerance
        )


def test_ridge_is_that_of_scikit_learn() -> None:
    (probe,) = fit_probes("ridge", FEATURES, LABELS, 3, (0.1,))
    expected = Ridge(alpha=0.1 * 90).fit(SCALED, np.eye(3)[LABELS]).predict(SCALED)
    np.testing.assert_allclose(probe.probabilities(FEATURES), expected, atol=1e-8)


def test_support_vectors_are_those_of_scikit_learn() -> None:
    (probe,) = fit_probes("svm", FEATURES, LABELS, 3, (0.01,))
    machine = OneVsRestClassifier(LinearSVC(C=0.01, max_iter=20_000, random_state=0)).fit(SCALED, LABELS)
    np.testing.assert_allclose(probe.probabilities(FEATURES), machine.decision_function(SCALED), atol=1e-6)
    (constant,) = fit_probes("svm", FEATURES, LABELS, 4, (0.01,))
    assert (constant.probabilities(FEATURES)[:, 3] == -1).all()


def test_neighbours_are_those_of_scikit_learn() -> None:
    (probe,) = fit_probes("knn", FEATURES, LABELS, 3, (5,))
    expected = KNeighborsClassifier(5, metric="cosine").fit(SCALED, LABELS).predict_proba(SCALED)
    np.testing.assert_allclose(probe.probabilities(FEATURES), expected, atol=1e-12)


def test_refused() -> None:
    with pytest.raises(UsageError, match="tree"):
        fit_probes("tree", FEATURES, LABELS, 3, (1,))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="finite"):
        fit_probes("ridge", FEATURES * np.nan, LABELS, 3, (1,))
