"""Penalties of signals whose value is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slowae_rlt.events.slowness import PENALTIES, margin_loss, slowness

T, C, H = 41, 4, 0.6


def jump(channels: int = 1) -> jnp.ndarray:
    """A step of height H in so many channels at once."""
    z = np.zeros((T, C), np.float32)
    z[20:, :channels] = H
    return jnp.asarray(z)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_change_costs_nothing(penalty: str) -> None:
    z = jnp.full((T, C), 0.3)
    value, gradient = jax.value_and_grad(lambda z: slowness(z, penalty))(z)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_one_step() -> None:
    for p in (1, 2, 4):
        assert float(slowness(jump(), f"l{p}")) == pytest.approx(H**p / (C * (T - 1)))
    assert float(slowness(jump(), 3.0)) == pytest.approx(H**3 / (C * (T - 1)))
    assert float(slowness(jump())) == pytest.approx(H / np.sqrt(C) / (T - 1), rel=1e-4)


def test_group_prefers_changes_at_once() -> None:
    """All channels at once cost H / (T - 1); at different times, the square root of C more."""
    apart = np.zeros((T, C), np.float32)
    for channel in range(C):
        apart[5 * channel + 5 :, channel] = H
    assert float(slowness(jump(C))) == pytest.approx(H / (T - 1), rel=1e-4)
    assert float(slowness(jnp.asarray(apart))) == pytest.approx(np.sqrt(C) * H / (T - 1), rel=1e-4)
    for p in ("l1", "l2", "l4"):
        assert float(slowness(jump(C), p)) == pytest.approx(float(slowness(jnp.asarray(apart), p)))


def test_a_ramp_of_the_same_height() -> None:
    n = 8
    ramp = jnp.asarray(np.clip((np.arange(T) - 10) / n, 0, 1)[:, None] * H * np.eye(C)[0], jnp.float32)
    for penalty, factor in (("group", 1), ("l1", 1), ("l2", n), ("l4", n**3)):
        assert float(slowness(ramp, penalty)) * factor == pytest.approx(float(slowness(jump(), penalty)), rel=1e-3)


def test_groups_over_time() -> None:
    z = np.random.default_rng(0).standard_normal((T, C)).astype(np.float32)
    expected = np.sqrt(np.square(np.diff(z, axis=0)).mean(axis=0)).mean()
    assert float(slowness(jnp.asarray(z), group_axis="time")) == pytest.approx(expected, rel=1e-5)


def test_short_signals_and_batches() -> None:
    assert slowness(jnp.zeros((3, 1, C))).tolist() == [0, 0, 0]
    assert float(slowness(jnp.stack([jump(), 2 * jump()]), "l1")[1]) == pytest.approx(2 * float(slowness(jump(), "l1")))


def test_margin_loss() -> None:
    z = jnp.asarray([[0.5, -1.0], [1.5, -3.0]])
    assert float(margin_loss(z)) == pytest.approx((0.25 + 4) / 4)
