"""The walk of nearest neighbours on a table where it is known."""

import jax
import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.config import ScheduleConfig
from sed.diffusion.embeddings import normalize_rows
from sed.diffusion.neighbours import forward_walk
from sed.diffusion.schedule import Schedule

SCHEDULE = Schedule.of(ScheduleConfig())


def test_tokens_on_a_circle_walk_to_their_neighbours() -> None:
    angles = np.arange(100) * 2 * np.pi / 100
    table = normalize_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    walk = forward_walk(table, SCHEDULE, np.arange(100), np.array([1, 60, 999]), jax.random.key(0), neighbours=20)
    assert walk.left[0].mean() < 0.8
    assert walk.near[1][walk.left[1]].mean() > 0.95
    assert walk.left[2].mean() > 0.9
    assert walk.near[2].mean() < 0.6
    distance = np.abs((walk.tokens - np.arange(100) + 50) % 100 - 50)
    np.testing.assert_array_equal(walk.near, (distance > 0) & (distance <= 10))
    assert walk.near_when_half_left() > 0.9


def test_far_tokens_stay_and_then_jump() -> None:
    """Of independent directions none is near: a tenth of the tokens that have left is at a tenth of the others."""
    table = normalize_rows(jax.random.normal(jax.random.key(0), (201, 256)))
    steps = np.arange(100, 1000, 50)
    walk = forward_walk(table, SCHEDULE, np.arange(201), steps, jax.random.key(1), neighbours=20)
    assert steps[walk.half_left] > 700
    assert walk.near_when_half_left() < 0.35
    with pytest.raises(UsageError, match="expected 1 to 200"):
        forward_walk(table, SCHEDULE, np.arange(201), steps, jax.random.key(1), neighbours=201)
