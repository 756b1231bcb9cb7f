"""Rates of known levels, and the controller on a plant with a known solution."""

import jax.numpy as jnp
import numpy as np
import pytest

from slowae_rlt.config import ControllerConfig
from slowae_rlt.events.event_rate import ControllerState, average_event_rate, count_changes, update_weight


def test_rate() -> None:
    levels = np.array([[0, 0], [1, 0], [1, 0], [2, -1], [2, -1]])
    assert average_event_rate(levels, 500.0) == 3 * 500 / 4
    assert count_changes(jnp.asarray(np.stack([levels, levels * 0]))).tolist() == [3, 0]
    assert average_event_rate(levels[:1], 500.0) == 0


@pytest.mark.parametrize("start", [1e-3, 1e3])
def test_controller_finds_the_weight(start: float) -> None:
    """Of the plant 200 / (1 + weight), 75 events a second need 200 / 75 - 1."""
    config = ControllerConfig(target_rate=75.0, rate_decay=0.0)
    state = ControllerState(jnp.float32(start), jnp.float32(-1))
    for _ in range(3000):
        state = update_weight(state, 200.0 / (1.0 + state.weight), config)
    assert float(state.rate) == pytest.approx(75, rel=0.02)
    assert float(state.weight) == pytest.approx(200 / 75 - 1, rel=0.05)


def test_limits_band_and_average() -> None:
    config = ControllerConfig(target_rate=100.0, step=0.5, tolerance=0.1, smallest=0.5, largest=2.0, rate_decay=0.5)
    state = ControllerState(jnp.float32(1.0), jnp.float32(-1.0))
    assert update_weight(state, jnp.float32(109.0), config) == (1.0, 109.0)
    assert update_weight(state, jnp.float32(120.0), config).weight == 1.5
    assert float(update_weight(state, jnp.float32(80.0), config).weight) == pytest.approx(1 / 1.5)
    assert update_weight(ControllerState(jnp.float32(1.9), jnp.float32(300.0)), jnp.float32(0.0), config) == (
        2.0,
        150.0,
    )
    assert update_weight(ControllerState(jnp.float32(0.6), jnp.float32(0.0)), jnp.float32(0.0), config).weight == 0.5
    fixed = ControllerConfig(target_rate=0.0)
    assert update_weight(state, jnp.float32(500.0), fixed).weight == 1.0
