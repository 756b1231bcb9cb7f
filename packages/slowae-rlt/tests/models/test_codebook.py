"""Statistics of codes: against loops in NumPy, moving averages in NumPy, revival, and devices."""

import jax
import jax.numpy as jnp
import numpy as np

from slowae_rlt.config import CodebookConfig
from slowae_rlt.models.codebook import Statistics, batch_statistics, k_means, nearest_codes, revive, update_statistics

CONFIG = CodebookConfig(codes=4, dim=3, decay=0.9, revive_below=0.05)


def _clusters() -> np.ndarray:
    generator = np.random.default_rng(0)
    centres = 10.0 * np.eye(4, 3) + 5.0
    return (centres[generator.integers(0, 4, 60)] + generator.normal(0, 0.1, (60, 3))).astype(np.float32)


def test_nearest_codes() -> None:
    x, vectors = np.random.default_rng(0).normal(size=(2, 9, 3)), np.random.default_rng(1).normal(size=(4, 3))
    expected = np.square(x[:, :, None] - vectors).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(nearest_codes(jnp.asarray(x), jnp.asarray(vectors)), expected)


def test_k_means_finds_clusters_and_its_sums_agree_with_its_counts() -> None:
    x = jnp.asarray(_clusters())
    found = k_means(x, 4, jax.random.key(0))
    codes = np.asarray(nearest_codes(x, found.vectors()))
    assert len(np.unique(codes)) == 4
    assert float(found.counts.sum()) == len(x)
    for code in range(4):
        own = np.asarray(x)[codes == code]
        assert float(found.counts[code]) == len(own)
        np.testing.assert_allclose(found.sums[code], own.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(found.vectors()[code], own.mean(axis=0), rtol=1e-5)


def test_the_first_batch_is_clustered_and_later_ones_move_the_averages() -> None:
    x, empty = jnp.asarray(_clusters()), Statistics(jnp.zeros(4), jnp.zeros((4, 3)))
    first = update_statistics(empty, x, CONFIG, jax.random.key(0))
    np.testing.assert_array_equal(first.counts, k_means(x, 4, jax.random.key(0)).counts)
    later = x + 0.2
    second = update_statistics(first, later, CONFIG, jax.random.key(1))
    codes = np.asarray(nearest_codes(later, first.vectors()))
    for code in range(4):
        own = np.asarray(later)[codes == code]
        expected = 0.9 * np.asarray(first.counts)[code] + 0.1 * len(own)
        np.testing.assert_allclose(second.counts[code], expected, rtol=1e-5)
        expected = 0.9 * np.asarray(first.sums)[code] + 0.1 * own.sum(axis=0)
        np.testing.assert_allclose(second.sums[code], expected, rtol=1e-5)


def test_a_revived_code_starts_again() -> None:
    """Its vector is one of the batch at once, and it moves as a code of count 1."""
    x = jnp.asarray(_clusters())
    old = Statistics(jnp.array([3.0, 0.01, 2.0, 1.0]), jnp.arange(12.0).reshape(4, 3))
    found = revive(old, x, 0.05, jax.random.key(0))
    np.testing.assert_array_equal(found.counts, [3.0, 1.0, 2.0, 1.0])
    assert (np.asarray(found.vectors()[1]) == np.asarray(x)).all(axis=1).any()
    np.testing.assert_array_equal(found.sums[jnp.array([0, 2, 3])], old.sums[jnp.array([0, 2, 3])])


def test_fewer_vectors_than_codes() -> None:
    found = k_means(jnp.asarray(_clusters()[:2]), 4, jax.random.key(0))
    assert np.isfinite(found.vectors()).all()
    assert (np.asarray(found.counts) >= 1).all()


def test_statistics_add_up_over_parts() -> None:
    x = jnp.asarray(_clusters())
    codes = nearest_codes(x, x[:4])
    whole = batch_statistics(x, codes, 4)
    parts = [batch_statistics(x[start::2], codes[start::2], 4) for start in range(2)]
    for total, *own in zip(whole, *parts, strict=True):
        np.testing.assert_allclose(total, sum(own), rtol=1e-5)
