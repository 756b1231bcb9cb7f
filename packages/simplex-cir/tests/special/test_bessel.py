"""Bessel functions against 50 digits, closed forms and bounds."""

import itertools
from functools import cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from simplex_cir.special.bessel import bessel_ratio, bessel_terms, log_0f1, log_0f1_slope, log_iv, log_ive

# Orders, more of them near 0, where log I has its zero for small z; and arguments, more of them there.
ORDERS = [
    -0.999,
    -0.93,
    -0.7,
    -0.51,
    -0.5,
    -0.3,
    -1e-2,
    -1e-4,
    -1e-9,
    0.0,
    1e-9,
    1e-4,
    1e-2,
    0.1,
    0.36,
    0.5,
    0.51,
    1.0,
    6.3,
    31.5,
    99.0,
    9999.0,
]
ARGUMENTS = [
    1e-12,
    1e-8,
    7e-7,
    1e-5,
    1e-4,
    1e-3,
    1e-2,
    0.1,
    0.5,
    0.9,
    1.01,
    2.0,
    3.9,
    4.1,
    7.0,
    15.0,
    17.0,
    33.0,
    60.0,
    1e3,
    1e5,
    1e8,
]

# Largest error over the grid, in ulp of the value times 1 + the condition numbers in both arguments, or as the guide
# says for derivatives.
TABLE = {
    "log_ive": {"float64": 20, "float32": 8},
    "log_iv": {"float64": 20, "float32": 8},
    "ratio": {"float64": 3, "float32": 3},
    "log_0f1": {"float64": 3, "float32": 3},
    "log_iv in z": {"float64": 3, "float32": 3},
    "log_ive in z": {"float64": 60, "float32": 30},
    "ratio in z": {"float64": 400, "float32": 40},
    "log_0f1 in q": {"float64": 4, "float32": 3},
    "log_ive in nu": {"float64": 20, "float32": 10},
    "ratio in nu": {"float64": 12, "float32": 6},
}


def power_series(a: mp.mpf, q: mp.mpf) -> mp.mpf:
    """log 0F1(; a; q) by its series, small values kept."""
    with mp.workdps(60):
        term, total, k = mp.mpf(1), mp.mpf(0), 1
        while True:
            term *= q / (k * (a + k - 1))
            total, k = total + term, k + 1
            if term < mp.mpf(10) ** -52 * total:
                return mp.log1p(total)


def log_bessel(nu: mp.mpf, z: mp.mpf) -> mp.mpf:
    """log I_nu(z): the power series, or Hankel's alternating one with digits to spare."""
    if z <= 2e3:
        return power_series(nu + 1, z * z / 4) + nu * mp.log(z / 2) - mp.loggamma(nu + 1)
    with mp.workdps(int(60 + 0.53 * nu * nu / z)):
        term, total, k = mp.mpf(1), mp.mpf(1), 1
        while abs(term) > mp.mpf(10) ** -mp.mp.dps:
            term *= -(4 * nu * nu - (2 * k - 1) ** 2) / (8 * k * z)
            total, k = total + term, k + 1
        return z - mp.log(2 * mp.pi * z) / 2 + mp.log(total)


@cache
def reference(dtype: str, stride: int) -> list[dict[str, float]]:
    rows = []
    with mp.workdps(50):
        for order, z in list(itertools.product(ORDERS, ARGUMENTS))[::stride]:
            nu_64, z_64 = float(np.asarray(order, dtype)), float(np.asarray(z, dtype))
            if order == 9999.0 and z == 1e5:
                continue  # Hankel's series would need thousands of digits
            nu, argument = mp.mpf(nu_64), mp.mpf(z_64)
            step = mp.mpf(10) ** -14 * (nu + 1)
            logs = {k: log_bessel(nu + k * step, argument) for k in (-1, 0, 1)}
            ratios = {k: mp.exp(log_bessel(nu + 1 + k * step, argument) - logs[k]) for k in (-1, 0, 1)}
            ratio, in_nu = ratios[0], (logs[1] - logs[-1]) / (2 * step)
            in_z = ratio + nu / argument - 1
            ratio_in_z = 1 - ratio**2 - (2 * nu + 1) / argument * ratio
            ratio_in_nu = (ratios[1] - ratios[-1]) / (2 * step)
            log_0f1_value = power_series(nu + 1, argument**2 / 4) if z < 1e3 else None
            if log_0f1_value is None:
                log_0f1_value = logs[0] - nu * mp.log(argument / 2) + mp.loggamma(nu + 1)
            in_a = in_nu - mp.log(argument / 2) + mp.digamma(nu + 1)
            values = {
                "log_ive": (logs[0] - argument, abs(argument * in_z) + abs(nu * in_nu)),
                "log_iv": (logs[0], abs(argument * (in_z + 1)) + abs(nu * in_nu)),
                "ratio": (ratio, abs(argument * ratio_in_z) + abs(nu * ratio_in_nu)),
                "log_0f1": (log_0f1_value, argument * ratio / 2 + abs((nu + 1) * in_a)),
                "log_ive in z": (in_z, 1 / argument),
                "log_iv in z": (in_z + 1, abs(argument * ratio_in_z) + abs(nu / argument)),
                "ratio in z": (ratio_in_z, 1 / (1 + argument**2)),
                "log_0f1 in q": (2 * ratio / argument, mp.mpf(0)),
                "log_ive in nu": (in_nu, mp.mpf(1)),
                "ratio in nu": (ratio_in_nu, 1 / (1 + argument)),
            }
            rows.append({"nu": nu_64, "z": z_64, "values": values})
    return rows


@pytest.mark.parametrize(
    ("dtype", "stride"),
    [("float64", 5), ("float32", 5), *(pytest.param(dtype, 1, marks=pytest.mark.slow) for dtype in TABLE["ratio"])],
)
def test_table_of_errors(dtype: str, stride: int) -> None:
    """On every fifth point of the grid, which meets all orders and arguments, and on all of them."""
    rows = reference(dtype, stride)
    with jax.enable_x64(dtype == "float64"), mp.workdps(50):
        nu = jnp.asarray([row["nu"] for row in rows], dtype)
        z = jnp.asarray([row["z"] for row in rows], dtype)

        def slope(function, argument):
            return jax.jit(jax.grad(lambda x, y: function(x, y).sum(), argument))

        got = {
            "log_ive": log_ive(nu, z),
            "log_iv": log_iv(nu, z),
            "ratio": bessel_ratio(nu, z),
            "log_0f1": log_0f1(nu + 1, z**2 / 4),
            "log_iv in z": slope(log_iv, 1)(nu, z),
            "log_ive in z": slope(log_ive, 1)(nu, z),
            "ratio in z": slope(bessel_ratio, 1)(nu, z),
            "log_0f1 in q": slope(log_0f1, 1)(nu + 1, z**2 / 4),
            "log_ive in nu": slope(log_ive, 0)(nu, z),
            "ratio in nu": slope(bessel_ratio, 0)(nu, z),
        }
        eps = float(jnp.finfo(dtype).eps)
        for name, limits in TABLE.items():
            assert got[name].dtype == dtype
            for row, value in zip(rows, np.asarray(got[name], np.float64), strict=True):
                exact, condition = row["values"][name]
                error = abs(mp.mpf(float(value)) - exact) / (abs(exact) + condition) / eps
                assert error < limits[dtype], (name, row["nu"], row["z"], value, float(exact), float(error))


def test_half_integer_orders_and_order_zero() -> None:
    with jax.enable_x64(True):
        z = jnp.geomspace(1e-3, 500.0, 40)
        np.testing.assert_allclose(bessel_ratio(-0.5, z), np.tanh(z), rtol=1e-14)
        large = z[z > 0.5]
        np.testing.assert_allclose(bessel_ratio(0.5, large), 1 / np.tanh(large) - 1 / large, rtol=1e-13)
        zeroth = jax.scipy.special.i1e(z) / jax.scipy.special.i0e(z)
        np.testing.assert_allclose(bessel_ratio(0, z), zeroth, rtol=1e-14)


@pytest.mark.parametrize("nu", [-0.5, -0.2, 0.0, 0.3, 1.0, 5.0, 50.0])
def test_ratio_keeps_its_bounds(nu: float) -> None:
    """Amos's bounds for nu >= -1/2, which also say that R lies in [0, 1) and rises."""
    with jax.enable_x64(True):
        z = np.geomspace(1e-3, 1e3, 200)
        ratio = np.asarray(bessel_ratio(nu, z))
        slack = 1 + 4e-16
        assert (z / (nu + 0.5 + np.sqrt((nu + 1.5) ** 2 + z**2)) <= ratio * slack).all()
        assert (ratio <= slack * z / (nu + np.sqrt((nu + 2) ** 2 + z**2))).all()
        assert (ratio <= slack * z / (nu + 0.5 + np.sqrt((nu + 0.5) ** 2 + z**2))).all()
        assert (np.diff(ratio) > -1e-15).all()


def test_zero_and_values_out_of_range() -> None:
    assert log_iv(np.array([-0.5, 0.0, 2.0]), 0.0).tolist() == [np.inf, 0.0, -np.inf]
    assert bessel_ratio(0.3, 0.0) == 0
    assert log_0f1(0.3, 0.0) == 0
    assert jax.grad(log_0f1, 1)(0.25, 0.0) == 4.0
    assert jax.grad(log_0f1, 0)(1.0, 0.0) == 0
    assert jax.grad(bessel_ratio, 1)(1.0, 0.0) == 0.25
    assert np.isnan(log_iv(np.array([-1.0, 0.5, np.nan]), np.array([1.0, -1.0, 1.0]))).all()
    assert np.isnan(log_0f1(np.array([0.0, 1.0]), np.array([1.0, -1.0]))).all()
    assert np.isnan(bessel_ratio(-2.0, 1.0))


def test_second_derivatives_by_riccati() -> None:
    """q F'' + a F' = F gives q s' = 1 - a s - q s^2 for the slope s of log F."""
    with jax.enable_x64(True):
        a, q = jnp.asarray([0.3, 1.0, 4.0, 60.0]), jnp.asarray([0.1, 2.0, 900.0, 40.0])
        slope = log_0f1_slope(a, q)
        curvature = jax.vmap(jax.grad(jax.grad(log_0f1, 1), 1))(a, q)
        np.testing.assert_allclose(q * curvature, 1 - a * slope - q * slope**2, rtol=1e-11)
        in_a = jax.vmap(jax.jit(jax.grad(jax.grad(log_0f1, 1), 0)))(a, q)
        step = 1e-5
        difference = (log_0f1_slope(a + step, q) - log_0f1_slope(a - step, q)) / (2 * step)
        np.testing.assert_allclose(in_a, difference, rtol=1e-7)


def test_terms_sum_to_log_i() -> None:
    with jax.enable_x64(True):
        a = jnp.asarray([0.2, 0.999, 1.0, 3.0, 80.0, 0.2, 1.0, 3.0])
        z = jnp.asarray([0.3, 5.0, 8.0, 2.0, 30.0, 1e3, 1e3, 1e3])
        terms = bessel_terms(a, z)
        beta = jnp.maximum(a - 1, 0)
        w = jnp.sqrt(beta**2 + z**2)
        whole = terms.remainder + (a - 1) * jnp.log(z / 2) + w - beta * jnp.log((beta + w) / 2)
        np.testing.assert_allclose(whole, log_iv(a - 1, z), rtol=1e-13)
        np.testing.assert_allclose(terms.excess, bessel_ratio(a - 1, z) / z - 1 / (beta + w), rtol=2e-12)


def test_shapes_dtypes_and_transformations() -> None:
    assert log_iv(np.float32(1.0), np.ones((3, 1), np.float32)).shape == (3, 1)
    assert log_iv(1, 2).dtype == jnp.float32
    assert bessel_ratio(np.ones(0), 2.0).shape == (0,)
    mapped = jax.jit(jax.vmap(log_ive, (None, 0)))(0.3, jnp.arange(1.0, 4.0))
    np.testing.assert_allclose(mapped, log_ive(0.3, jnp.arange(1.0, 4.0)), rtol=1e-6)
