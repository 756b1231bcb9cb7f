"""Discretisations: one step by hand, weak order, and behaviour at the boundary."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.process.cir import transition_mean, transition_variance
from simplex_cir.process.schemes import SCHEMES, euler_floored, simulate


def final(scheme, *, start: float, a: float, steps: int, count: int, time: float = 1.0, seed: int = 0) -> np.ndarray:
    grid = np.linspace(0, time, steps + 1)
    run = jax.jit(lambda key: simulate(key, jnp.full(count, start), a, grid, scheme)[-1])
    return np.asarray(run(jax.random.key(seed)), float)


def test_single_steps_by_hand() -> None:
    y, a, h, key = jnp.asarray([0.4, 2.0]), jnp.full(2, 1.3), jnp.asarray(0.05), jax.random.key(1)
    xi = np.asarray(jax.random.normal(key, (2,)), float)
    values = np.asarray(y, float)
    noise = np.sqrt(2 * values * 0.05) * xi
    euler = values + (1.3 - values) * 0.05 + noise
    root = np.sqrt(values) + np.sqrt(0.025) * xi
    implicit = (root + np.sqrt(root**2 + 2 * 1.025 * 0.8 * 0.05)) / (2 * 1.025)
    # The implicit step solves u' = u + [(a - 1/2) / (2 u') - u' / 2] h + sqrt(h/2) xi.
    np.testing.assert_allclose(implicit, root + (0.8 / (2 * implicit) - implicit / 2) * 0.05, rtol=1e-12)
    expected = {
        "euler-plain": euler,
        "euler-truncated": euler,
        "euler-reflected": abs(euler),
        "euler-floored": values + (1.3 - values) * 0.05 + np.sqrt(2 * (values + 1e-3) * 0.05) * xi,
        "milstein": euler + 0.025 * (xi**2 - 1),
        "log-euler": values * np.exp((0.3 / values - 1) * 0.05 + np.sqrt(0.1 / values) * xi),
        "implicit-root": implicit**2,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(SCHEMES[name](key, y, a, h), value, rtol=2e-5, err_msg=name)


def test_quadratic_exponential_keeps_two_moments() -> None:
    for start, h in ((1.0, 0.3), (0.02, 1.0)):  # the squared Gaussian and the exponential with an atom
        value = final("quadratic-exponential", start=start, a=0.4, steps=1, count=40_000, time=h)
        mean, variance = float(transition_mean(start, 0.4, h)), float(transition_variance(start, 0.4, h))
        assert abs(value.mean() - mean) < 4 * (variance / 40_000) ** 0.5
        assert value.var() == pytest.approx(variance, rel=0.1)
        assert (value.min() == 0) == (start == 0.02)


@pytest.mark.parametrize("name", ["euler-truncated", "euler-reflected", "milstein"])
def test_mean_and_second_moment_have_weak_order_one(name: str) -> None:
    """With a = 6 and h = 1/4, 1/8 paths stay away from 0: the mean is a + (1 - h)^(1/h) (x - a), exactly."""
    for steps in (4, 8):
        value = final(name, start=9.0, a=6.0, steps=steps, count=40_000)
        h = 1 / steps
        mean = 6 + (1 - h) ** steps * 3
        second = 81.0
        first = 9.0
        for _ in range(steps):
            extra = 0.5 * h**2 if name == "milstein" else 0.0
            second = second * (1 - h) ** 2 + 2 * 6 * h * (1 - h) * first + 36 * h**2 + 2 * first * h + extra
            first = first + (6 - first) * h
        assert abs(value.mean() - mean) < 4 * value.std() / 200
        assert abs((value**2).mean() - second) < 4 * (value**2).std() / 200
        # Halving the step halves the distance to the exact mean.
        assert abs(mean - float(transition_mean(9.0, 6.0, 1.0))) == pytest.approx(0.6 * h, rel=0.3)


@pytest.mark.parametrize(
    "name", ["exact", "implicit-root", "log-euler", "quadratic-exponential", "milstein", "euler-floored"]
)
def test_refined_schemes_approach_the_distribution(name: str) -> None:
    """Largest gap to the exact distribution function, at a = 3 where paths stay away from the boundary."""
    value = final(name, start=2.0, a=3.0, steps=64, count=8_000)
    points = np.array([0.8, 1.5, 2.4, 3.6, 5.0])
    noise = -np.expm1(-1.0)
    law = stats.ncx2(6, 4 * np.exp(-1.0) / noise, scale=noise / 2)
    gap = abs((value[:, None] <= points).mean(0) - law.cdf(points))
    assert gap.max() < 0.025


def test_without_a_floor_paths_become_nan() -> None:
    """Plain Euler gives NaN at the boundary; truncation, reflection and the floor do not."""
    lost = {
        name: np.isnan(final(name, start=0.3, a=0.5, steps=40, count=2_000)).mean()
        for name in (
            "euler-plain",
            "euler-truncated",
            "euler-reflected",
            "euler-floored",
            "quadratic-exponential",
            "implicit-root",
        )
    }
    assert lost["euler-plain"] > 0.05
    assert all(share == 0 for name, share in lost.items() if name != "euler-plain")
    assert (final("euler-reflected", start=0.1, a=0.3, steps=20, count=2_000) >= 0).all()
    assert (final("euler-truncated", start=0.1, a=0.3, steps=20, count=2_000) < 0).any()


def test_floor_biases_in_proportion() -> None:
    """E[Y^2] grows by about 2 eps times (1 - exp(-2)) / 2 over unit time."""
    coarse = final(partial(euler_floored, eps=0.5), start=6.0, a=6.0, steps=64, count=40_000)
    fine = final(partial(euler_floored, eps=0.0), start=6.0, a=6.0, steps=64, count=40_000)
    assert coarse.var() - fine.var() == pytest.approx(0.5 * (1 - np.exp(-2)), abs=0.2)


def test_paths_start_where_they_should_and_errors() -> None:
    path = simulate(jax.random.key(0), np.array([0.2, 3.0]), 1.0, np.array([0.0, 0.1, 0.5]), "exact")
    assert path.shape == (3, 2)
    np.testing.assert_allclose(path[0], [0.2, 3.0])
    with pytest.raises(UsageError, match="did you mean 'milstein'"):
        simulate(jax.random.key(0), 1.0, 1.0, np.array([0.0, 1.0]), "milstien")
    with pytest.raises(UsageError, match="a is -1.0"):
        simulate(jax.random.key(0), 1.0, -1.0, np.array([0.0, 1.0]))
