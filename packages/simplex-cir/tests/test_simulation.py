import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from simplex_cir.simulation import trajectories


def test_paths_start_where_asked_and_end_in_the_law() -> None:
    start = jnp.broadcast_to(jnp.array([1.0, 0.0]), (4000, 2))
    path = trajectories(jax.random.key(0), start, jnp.array([1.5, 0.7]), 1.2, 3)
    assert path.shape == (4000, 4, 2)
    np.testing.assert_array_equal(path[:, 0], start)
    lost = -np.expm1(-1.2)
    law = stats.ncx2(3.0, 2 * np.exp(-1.2) / lost, scale=lost / 2)
    assert stats.kstest(np.asarray(path[:, -1, 0]), law.cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(path[:, -1, 1]), stats.gamma(0.7, scale=lost).cdf).pvalue > 1e-3
