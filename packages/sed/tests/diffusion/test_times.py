"""Steps of low discrepancy."""

import jax
import numpy as np

from sed.diffusion.times import low_discrepancy_steps


def test_one_step_of_each_part() -> None:
    t = np.asarray(low_discrepancy_steps(jax.random.key(0), 64, 640))
    assert t.min() >= 1
    assert t.max() <= 640
    assert (np.diff(np.sort(t)) == 10).all()
    assert (np.diff(t) < 0).any()


def test_every_step_is_as_probable() -> None:
    draws = jax.vmap(lambda key: low_discrepancy_steps(key, 4, 10))(jax.random.split(jax.random.key(1), 5000))
    counts = np.bincount(np.asarray(draws)[:, 0], minlength=11)[1:]
    np.testing.assert_allclose(counts / 5000, 0.1, atol=4 * np.sqrt(0.09 / 5000))
