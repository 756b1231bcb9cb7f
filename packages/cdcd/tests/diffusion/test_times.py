"""Low discrepancy of u, and times of the steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from cdcd.config import SamplingOptions, WarpConfig
from cdcd.diffusion.times import karras_times, low_discrepancy, step_times
from cdcd.time_warping.warp import initial_logits, make_warp

WARP = make_warp(initial_logits(WarpConfig()), WarpConfig())


def test_low_discrepancy() -> None:
    u = np.asarray(jax.vmap(lambda key: low_discrepancy(key, 8))(jax.random.split(jax.random.key(0), 500)))
    gaps = np.diff(np.sort(u, axis=1), axis=1)
    np.testing.assert_allclose(gaps, 1 / 8, atol=1e-6)
    assert all(kstest(u[:, place], "uniform").pvalue > 0.001 for place in range(8))


def test_karras_times_by_hand() -> None:
    np.testing.assert_allclose(karras_times(1.0, 9.0, 2, 2.0), [9.0, 4.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(karras_times(1.0, 9.0, 2, 1.0), [9.0, 5.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("spacing", ["warped", "karras", "warped-karras"])
def test_times_fall_from_t_max_to_t_min(spacing: str) -> None:
    times = step_times(WARP, SamplingOptions(steps=7, spacing=spacing, rho=3.0))  # type: ignore[arg-type]
    assert times.shape == (8,)
    np.testing.assert_allclose(times[jnp.array([0, -1])], [300.0, 1.0], rtol=1e-5)
    assert bool((jnp.diff(times) < 0).all())


def test_identity_warping_is_even() -> None:
    np.testing.assert_allclose(step_times(WARP, SamplingOptions(steps=4)), np.linspace(300, 1, 5), rtol=1e-5)
