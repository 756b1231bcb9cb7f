"""What is known of the next event, against the placement of whole lists."""

import jax.numpy as jnp
import numpy as np
import pytest

from slowae_rlt.events.next_event import allowed_values, next_events
from slowae_rlt.events.run_lengths import encode_runs, place_runs


@pytest.mark.parametrize("channels", [1, 3])
def test_places_are_those_of_the_list(channels: int) -> None:
    generator = np.random.default_rng(0)
    values, lengths = generator.integers(0, 5, (4, 30)), generator.integers(1, 9, (4, 30))
    known = next_events(jnp.asarray(values), jnp.asarray(lengths), channels)
    for row in range(4):
        placed = place_runs(lengths[row], channels)
        np.testing.assert_array_equal(known.start[row], placed.starts)
        np.testing.assert_array_equal(known.channel[row], placed.channels)
        ends, last = [0] * channels, [(0, 0)] * channels
        for number in range(30):
            channel = ends.index(min(ends))
            np.testing.assert_array_equal(known.remaining[row, number], np.array(ends) - min(ends))
            assert (int(known.value[row, number]), int(known.length[row, number])) == last[channel]
            ends[channel] += int(lengths[row, number])
            last[channel] = int(values[row, number]), int(lengths[row, number])


def test_events_of_a_raster_are_always_allowed() -> None:
    levels = np.random.default_rng(1).integers(-1, 2, (400, 2)).repeat(3, axis=0)
    runs = encode_runs(levels, 4)
    values, lengths = jnp.asarray(runs.values[None] + 1), jnp.asarray(runs.lengths[None])
    known = next_events(values, lengths, 2)
    allowed = np.asarray(allowed_values(known, 3, 4))
    assert np.take_along_axis(allowed, np.asarray(values)[..., None], axis=-1).all()
    # One of three values is excluded but at the first event of a channel, and after a run of the largest length.
    free = (np.asarray(known.length) == 0) | (np.asarray(known.length) == 4)
    np.testing.assert_array_equal(allowed.sum(axis=-1), np.where(free, 3, 2))
