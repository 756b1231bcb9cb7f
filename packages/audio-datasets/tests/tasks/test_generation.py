"""Frechet distance and expression precision in closed form."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.tasks.generation import (
    activation_statistics,
    expression_precision,
    frechet_distance,
    generation_score,
)


def test_distance() -> None:
    one = frechet_distance(np.zeros(1), np.eye(1), np.ones(1) * 3, 4 * np.eye(1))
    assert one == pytest.approx(9 + (2 - 1) ** 2)
    activations = np.random.default_rng(0).standard_normal((200, 8))
    statistics = activation_statistics(activations)
    np.testing.assert_allclose(statistics[1], np.cov(activations.T))
    assert frechet_distance(*statistics, *statistics) == pytest.approx(0, abs=1e-8)
    moved = activation_statistics(activations + 2)
    assert frechet_distance(*statistics, *moved) == pytest.approx(32)


def test_distance_against_the_matrix_root() -> None:
    from scipy.linalg import sqrtm

    generator = np.random.default_rng(1)
    first, second = (np.cov(generator.standard_normal((4, 30))) for _ in range(2))
    expected = np.trace(first + second - 2 * sqrtm(first @ second)).real
    assert frechet_distance(np.zeros(4), first, np.zeros(4), second) == pytest.approx(expected)
    singular = np.diag([1.0, 0, 0, 0])
    assert frechet_distance(np.zeros(4), singular, np.zeros(4), singular) == pytest.approx(0, abs=1e-12)


def test_precision_and_score() -> None:
    assert expression_precision(np.eye(10)) == pytest.approx(1)
    ratings = np.random.default_rng(0).random((10, 10))
    assert expression_precision(ratings) == pytest.approx(np.corrcoef(ratings.ravel(), np.eye(10).ravel())[0, 1])
    assert generation_score(5.0, 0.4) == pytest.approx(0.3)


def test_refused() -> None:
    eye = np.eye(2)
    for call in (
        lambda: activation_statistics(np.zeros((1, 3))),
        lambda: frechet_distance(np.zeros(2), eye, np.zeros(3), np.eye(3)),
        lambda: frechet_distance(np.zeros(2), -eye, np.zeros(2), eye),
        lambda: frechet_distance(np.zeros(2), np.nan * eye, np.zeros(2), eye),
        lambda: expression_precision(np.ones((3, 3))),
        lambda: expression_precision(np.ones((2, 3))),
        lambda: generation_score(0.0, 0.5),
    ):
        with pytest.raises(UsageError):
            call()
