"""Metrics against other libraries and closed forms; what cannot be scored is refused."""

import audmetric
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onepaper.errors import UsageError
from scipy.stats import hmean, pearsonr, spearmanr
from sklearn.metrics import recall_score

from audio_datasets.tasks.metrics import ccc, mean_ccc, mean_spearman, multitask_score, recall_weights, uar


def values(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.random(count)
    return x, 0.5 * x + generator.random(count)


@given(st.integers(0, 10_000))
def test_ccc(seed: int) -> None:
    x, y = values(seed)
    found = ccc(x, y)
    assert found == pytest.approx(audmetric.concordance_cc(x, y), abs=1e-12)
    assert found == pytest.approx(ccc(y, x), abs=1e-12)
    assert found == pytest.approx(ccc(3 * x - 2, 3 * y - 2), abs=1e-12)
    assert abs(found) <= abs(pearsonr(x, y)[0]) + 1e-12


def test_official_variant() -> None:
    x = np.random.default_rng(0).random(50)
    assert ccc(x, x, "hume2022") == 0.98
    assert ccc(x, x) == pytest.approx(1)
    long = np.random.default_rng(0).random((2, 19_396))
    assert ccc(*long, "hume2022") == pytest.approx(ccc(*long), abs=1e-4)


def test_columns_with_missing_ratings() -> None:
    x, y = np.stack([values(0)[0], values(1)[0]], axis=1), np.stack([values(0)[1], values(1)[1]], axis=1)
    x[:10, 1] = np.nan
    assert mean_ccc(x, y) == pytest.approx((ccc(x[:, 0], y[:, 0]) + ccc(x[10:, 1], y[10:, 1])) / 2)


@given(st.integers(0, 10_000))
def test_uar(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.choice(4, 30, p=[0.7, 0.2, 0.1, 0]), generator.integers(4, size=30)
    found = uar(x, y)
    assert found == pytest.approx(recall_score(x, y, average="macro", labels=np.unique(x), zero_division=0))
    assert found == pytest.approx((recall_weights(x) * (x == y)).mean())


def test_spearman() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(5, size=(30, 3)), generator.random((30, 3))
    expected = np.mean([spearmanr(a, b)[0] for a, b in zip(x.T, y.T, strict=True)])
    assert mean_spearman(x, y) == pytest.approx(expected)


def test_multitask_score() -> None:
    assert multitask_score(0.5, 0.5, 2) == pytest.approx(0.5)
    assert multitask_score(0.416, 0.506, 4.222) == pytest.approx(hmean([0.416, 0.506, 1 / 4.222]))
    with pytest.warns(UserWarning, match="the score is 0"):
        assert multitask_score(-0.1, 0.5, 2) == 0


def test_refused() -> None:
    x = np.array([0.1, 0.2, np.nan])
    for call in (
        lambda: ccc(x, np.ones(3)),
        lambda: ccc([1.0], [1.0]),
        lambda: ccc([1.0, 1.0], [1.0, 1.0]),
        lambda: mean_ccc(np.full((3, 2), np.nan), np.ones((3, 2))),
        lambda: mean_spearman(np.ones((3, 1)), np.arange(3)[:, None]),
        lambda: uar([np.nan, 1.0], [0, 1]),
        lambda: uar([], []),
        lambda: multitask_score(0.5, np.nan, 1),
    ):
        with pytest.raises(UsageError):
            call()
