import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from simplex_cir.process.trajectories import trajectories


def test_paths_have_their_start_and_their_final_distribution() -> None:
    start = jnp.broadcast_to(jnp.array([1.0, 0.0]), (4000, 2))
    path, share = trajectories(jax.random.key(0), start, jnp.array([1.5, 0.7]), 1.2, 3)
    assert path.shape == (4000, 4, 2)
    np.testing.assert_array_equal(path[:, 0], start)
    lost = -np.expm1(-1.2)
    law = stats.ncx2(3.0, 2 * np.exp(-1.2) / lost, scale=lost / 2)
    assert stats.kstest(np.asarray(path[:, -1, 0]), law.cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(path[:, -1, 1]), stats.gamma(0.7, scale=lost).cdf).pvalue > 1e-3
    np.testing.assert_allclose(share, path / path.sum(axis=-1, keepdims=True), atol=1e-6)


def test_small_shapes_have_a_normalised_vector() -> None:
    """For shapes of 1e-3 almost all draws underflow; the normalised vector is at a corner, each equally often."""
    start = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (3000, 3))
    path, share = trajectories(jax.random.key(1), start, jnp.full(3, 1e-3), 20.0, 4)
    assert ((path[:, -1] == 0).all(axis=-1)).mean() > 0.5
    np.testing.assert_allclose(share.sum(axis=-1), 1, atol=1e-5)
    assert abs(np.asarray(share[:, -1]).mean(axis=0) - 1 / 3).max() < 4 * (2 / 9 / 3000) ** 0.5
