"""The bridge against the product of transition densities that defines it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import integrate, stats

from simplex_cir.process.bridge import bridge_from_zero_sample, bridge_log_prob, bridge_mean, bridge_sample
from simplex_cir.process.cir import transition_log_prob, transition_sample

CASES = [(0.3, 1.2, 0.5), (1.0, 0.7, 2.0), (1.3, 0.9, 0.2), (4.0, 5.0, 3.0)]
ELAPSED, REMAINING = 0.4, 0.7
SHAPE = (1_100, 7)


@pytest.mark.parametrize(("a", "start", "end"), CASES)
def test_density_is_the_product_of_transitions(a: float, start: float, end: float) -> None:
    with jax.enable_x64(True):
        u = jnp.geomspace(1e-3, 20.0, 50)
        got = bridge_log_prob(u, start, end, a, ELAPSED, REMAINING)
        first = transition_log_prob(u, start, a, ELAPSED)
        second = transition_log_prob(end, u, a, REMAINING)
        expected = first + second - transition_log_prob(end, start, a, ELAPSED + REMAINING)
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


def test_draws_and_mean_follow_the_density() -> None:
    columns = [
        np.array(column) for column in zip(*CASES, (1.3, 0.0, 0.8), (0.6, 1.1, 0.0), (0.5, 0.0, 0.0), strict=True)
    ]
    a, start, end = columns
    value = np.asarray(bridge_sample(jax.random.key(0), start, end, a, ELAPSED, REMAINING, shape=SHAPE), float)
    zero = bridge_from_zero_sample(jax.random.key(1), 0.8, 1.3, ELAPSED, REMAINING, shape=SHAPE)
    zero = np.asarray(zero, float).ravel()
    with jax.enable_x64(True):
        root = np.linspace(0, np.sqrt(60.0), 6001)[1:]
        for i in range(len(a)):
            log_prob = bridge_log_prob(root**2, start[i], end[i], a[i], ELAPSED, REMAINING)
            # In the variable u^a the density is smooth at 0; cumulated by the trapezoid rule.
            power = root ** (2 * a[i])
            density = np.exp(np.asarray(log_prob)) * root ** (2 - 2 * a[i]) / a[i]
            cdf = np.concatenate([[0], integrate.cumulative_trapezoid(density, power)]) + density[0] * power[0]
            assert cdf[-1] == pytest.approx(1, abs=2e-4)
            mean = float(bridge_mean(start[i], end[i], a[i], ELAPSED, REMAINING))
            assert np.trapezoid(density * root**2, power) == pytest.approx(mean, rel=1e-3)

            def distribution(v, cdf=cdf):
                return np.interp(np.sqrt(v), root, cdf)

            assert stats.kstest(value[:, i], distribution).pvalue > 1e-3
            if start[i] == 0 and end[i] > 0:
                assert stats.kstest(zero, distribution).pvalue > 1e-3


def test_two_steps_compose_to_the_process() -> None:
    """Y_t from the transition, then Y_s from the bridge: Y_s follows the transition to s, for wrong tokens too."""
    keys = jax.random.split(jax.random.key(2))
    start = np.array([0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0])
    end = transition_sample(keys[0], start, 1.0, ELAPSED + REMAINING, shape=SHAPE)
    value = np.asarray(bridge_sample(keys[1], start, end, 1.0, ELAPSED, REMAINING), float)
    noise = -np.expm1(-ELAPSED)
    right = stats.ncx2(2, 4 * np.exp(-ELAPSED) / noise, scale=noise / 2)
    assert stats.kstest(value[:, start == 0].ravel(), stats.expon(scale=noise).cdf).pvalue > 1e-3
    assert stats.kstest(value[:, start > 0].ravel(), right.cdf).pvalue > 1e-3


def test_limits() -> None:
    key = jax.random.key(3)
    elapsed, remaining = np.ones(7), np.ones(7)
    elapsed[[0, 2]], remaining[[1, 3]] = [0.0, 1e-10], [0.0, 1e-10]
    draws = bridge_sample(key, 0.7, 2.0, 1.3, elapsed, remaining, shape=SHAPE)
    assert (draws[:, :2] == np.float32([0.7, 2.0])).all()
    np.testing.assert_allclose(draws[:, 2:4], np.tile([0.7, 2.0], (SHAPE[0], 1)), rtol=1e-3)
    assert bridge_mean(0.7, 2.0, 1.3, np.array([0.0, 1.0]), np.array([1.0, 0.0])).tolist() == [np.float32(0.7), 2.0]
    # An end at infinite time has no influence: the transition to s.
    u = jnp.asarray([0.1, 1.0, 4.0])
    np.testing.assert_allclose(
        bridge_log_prob(u, 0.7, 9.0, 1.3, 0.5, np.inf), transition_log_prob(u, 0.7, 1.3, 0.5), rtol=1e-5, atol=1e-5
    )
    assert bridge_log_prob(np.array([0.7, 0.8]), 0.7, 2.0, 1.3, 0.0, 1.0).tolist() == [np.inf, -np.inf]
    assert bridge_log_prob(-1.0, 0.7, 2.0, 1.3, 0.5, 1.0) == -np.inf


def test_gradients_are_numbers() -> None:
    slopes = jax.jit(jax.grad(bridge_log_prob, (0, 1, 2)))
    for a in (0.5, 1.0, 2.0):
        assert np.isfinite(jnp.stack(slopes(0.4, 0.7, 1.3, a, 0.3, 0.5))).all()


def test_bad_input_raises_a_usage_error() -> None:
    with pytest.raises(UsageError, match="end is -1.0"):
        bridge_sample(jax.random.key(0), 1.0, -1.0, 1.0, 0.5, 0.5)
    with pytest.raises(UsageError, match="remaining is -0.5"):
        bridge_mean(1.0, 1.0, 1.0, 0.5, -0.5)


def test_ends_close_to_zero() -> None:
    ends = jnp.asarray([0.0, 1e-45, 1e-38, 1e-30, 1e-12], jnp.float32)
    for a in (1e-3, 1.0, 30.0):
        drawn = bridge_sample(jax.random.key(0), ends, ends[:, None], a, 0.4, 0.6)
        assert np.isfinite(drawn).all()
