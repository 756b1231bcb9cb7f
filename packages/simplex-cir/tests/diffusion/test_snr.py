import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.diffusion.snr import elapsed_from_snr, identifying_snr, scale_from_snr, snr_from_elapsed, snr_grid


def test_time_and_back() -> None:
    with jax.enable_x64(True):
        for mass in (0.3, 1.0, 27.0):
            elapsed = jnp.geomspace(1e-9, 20.0, 40)
            kappa = np.exp(-np.asarray(elapsed))
            np.testing.assert_allclose(snr_from_elapsed(elapsed, mass), mass * kappa / -np.expm1(-np.asarray(elapsed)))
            np.testing.assert_allclose(elapsed_from_snr(snr_from_elapsed(elapsed, mass), mass), elapsed, rtol=1e-12)
            scale = scale_from_snr(snr_from_elapsed(elapsed, mass), mass)
            np.testing.assert_allclose(scale, 1 / -np.expm1(-np.asarray(elapsed)), rtol=1e-12)


def test_the_ends_of_time() -> None:
    assert np.isinf(snr_from_elapsed(0.0))
    assert float(snr_from_elapsed(jnp.inf)) == 0


def test_grid_is_even_in_log_snr() -> None:
    grid = snr_grid(8, lowest=0.1, highest=50.0)
    assert len(grid) == 9
    np.testing.assert_allclose(grid[[0, -1]], [0.1, 50.0])
    np.testing.assert_allclose(np.diff(np.log(grid)), np.log(500) / 8)
    with pytest.raises(UsageError, match="from 2.0 to 1.0, expected an increasing range"):
        snr_grid(3, lowest=2.0, highest=1.0)
    with pytest.raises(UsageError, match="num_steps"):
        snr_grid(0)


def test_a_dilated_grid_is_denser_in_the_upper_half() -> None:
    levels = np.log(snr_grid(10, lowest=0.1, highest=10.0, dilation=4.0))
    np.testing.assert_allclose(levels[[0, 2, -1]], [np.log(0.1), 0.0, np.log(10.0)], atol=1e-12)
    np.testing.assert_allclose(np.diff(levels)[0] / np.diff(levels)[-1], 4.0)
    with pytest.raises(UsageError, match="dilation"):
        snr_grid(3, dilation=0.0)


def test_identifying_snr_grows_with_the_logarithm() -> None:
    assert identifying_snr(54) - identifying_snr(27) == pytest.approx(4 * np.log(2))
