"""The codec is lossless, and its order is that of a naive reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from slowae_rlt.events.run_lengths import Runs, decode_runs, encode_runs, place_runs


def naive(levels: np.ndarray, max_length: int) -> list[tuple[int, int, int, int]]:
    """(start, channel, value, length) of all events, by loops."""
    events = []
    for channel in range(levels.shape[1]):
        start = 0
        for step in range(1, len(levels) + 1):
            ended = step == len(levels) or levels[step, channel] != levels[start, channel]
            if ended or step - start == max_length:
                events.append((start, channel, int(levels[start, channel]), step - start))
                start = step
    return sorted(events)


@given(
    st.integers(1, 80), st.integers(1, 5), st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([0.05, 0.5, 1])
)
@settings(max_examples=150, deadline=None)
def test_round_trip_and_order(steps: int, channels: int, max_length: int, seed: int, busy: float) -> None:
    generator = np.random.default_rng(seed)
    moves = generator.integers(-1, 2, (steps, channels)) * (generator.random((steps, channels)) < busy)
    levels = np.cumsum(moves, axis=0).astype(np.int32)
    runs = encode_runs(levels, max_length)
    np.testing.assert_array_equal(decode_runs(runs, channels), levels)
    placed = place_runs(runs.lengths, channels)
    found = zip(placed.starts, placed.channels, runs.values, runs.lengths, strict=True)
    assert [tuple(map(int, event)) for event in found] == naive(levels, max_length)
    assert placed.ends.tolist() == [steps] * channels


def test_any_prefix_is_a_prefix_of_the_levels() -> None:
    levels = np.random.default_rng(0).integers(-1, 2, (60, 3)).cumsum(axis=0)
    runs = encode_runs(levels, 16)
    for count in range(3, len(runs.values) + 1):
        part = decode_runs(Runs(runs.values[:count], runs.lengths[:count]), 3)
        np.testing.assert_array_equal(part, levels[: len(part)])
        assert len(part) == place_runs(runs.lengths[:count], 3).ends.min()


def test_silence_costs_only_splits() -> None:
    """A pause of n steps adds at most ceil(n / longest) + 1 events a channel."""
    levels = np.random.default_rng(1).integers(-2, 3, (50, 4))
    for pause in (100, 1000):
        longer = np.concatenate([levels, np.zeros((pause, 4), int)])
        added = len(encode_runs(longer, 256).values) - len(encode_runs(levels, 256).values)
        assert added <= 4 * (-(-pause // 256) + 1)


def test_wrong_arguments() -> None:
    with pytest.raises(UsageError, match=r"shape \(0, 3\)"):
        encode_runs(np.zeros((0, 3), int), 8)
    with pytest.raises(UsageError, match="max_length is 0"):
        encode_runs(np.zeros((2, 3), int), 0)
    with pytest.raises(UsageError, match="at least 3"):
        decode_runs(Runs(np.zeros(2, int), np.ones(2, int)), 3)
    with pytest.raises(UsageError, match="event 1 has length 0"):
        decode_runs(Runs(np.zeros(3, int), np.array([1, 0, 2])), 3)
