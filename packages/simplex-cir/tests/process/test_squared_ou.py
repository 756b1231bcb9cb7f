"""Sums of squared Ornstein-Uhlenbeck processes have the transition of the process."""

import jax
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.process.squared_ou import squared_ou_path, squared_ou_sample


@pytest.mark.parametrize("num_components", [1, 2, 5])
def test_law_after_one_and_many_steps(num_components: int) -> None:
    a, start = num_components / 2, np.full(6_000, 1.4)
    once = squared_ou_sample(jax.random.key(0), start, num_components, 0.6)
    path = squared_ou_path(jax.random.key(1), start, num_components, np.linspace(0, 0.6, 4))
    assert path.shape == (4, 6_000)
    assert (path[0] == start.astype(np.float32)).all()
    noise = -np.expm1(-0.6)
    law = stats.ncx2(2 * a, 2 * 1.4 * np.exp(-0.6) / noise, scale=noise / 2).cdf
    for draws in (once, path[-1]):
        assert stats.kstest(np.asarray(draws, float), law).pvalue > 1e-3


def test_path_remembers() -> None:
    """Correlation of Y_s and Y_t in the stationary state is exp(-(t - s))."""
    start = np.random.default_rng(0).gamma(1.5, size=20_000)
    path = np.asarray(squared_ou_path(jax.random.key(2), start, 3, np.array([0.0, 0.3, 0.8])))
    assert np.corrcoef(path)[0, 2] == pytest.approx(np.exp(-0.8), abs=0.03)
    assert np.corrcoef(path)[1, 2] == pytest.approx(np.exp(-0.5), abs=0.03)


def test_no_time_and_bad_input() -> None:
    np.testing.assert_allclose(
        squared_ou_sample(jax.random.key(0), np.array([0.3, 2.0]), 2, 0.0), [0.3, 2.0], rtol=1e-6
    )
    with pytest.raises(UsageError, match="num_components is 0"):
        squared_ou_sample(jax.random.key(0), 1.0, 0, 1.0)
    with pytest.raises(UsageError, match="start is -1.0"):
        squared_ou_path(jax.random.key(0), -1.0, 1, np.array([0.0, 1.0]))
