"""n-grams: interpolation by hand, and probabilities that sum to one."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.run_length.ngrams import EventNgrams, Interpolated
from slowae_rlt.run_length.sequences import Sequences, cut_sequences

CONFIG = RunLengthConfig(channels=2, levels=1, max_length=6, length=24, width=8, depth=1, heads=1)
LEVELS = np.random.default_rng(0).integers(-1, 2, (1500, 2)).repeat(2, axis=0).astype(np.int8)


def test_interpolation_by_hand() -> None:
    counts = Interpolated(4)
    for context, symbol in (((1,), 0), ((1,), 0), ((1,), 2), ((2,), 3)):
        counts.add(context, symbol)
    empty = (2 + 3 * 0.25) / (4 + 3)  # symbol 0: twice of four, three different ones
    assert counts.probability((), 0) == pytest.approx(empty)
    assert counts.probability((1,), 0) == pytest.approx((2 + 2 * empty) / (3 + 2))
    assert counts.probability((9,), 0) == pytest.approx(empty)  # a context that was never seen
    assert sum(counts.probability((1,), symbol) for symbol in range(4)) == pytest.approx(1)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_values_and_lengths_sum_to_one(order: int) -> None:
    """Over the values that can follow, and over the lengths, of the last event of a sequence."""
    model = EventNgrams(LEVELS, CONFIG, order)
    row = cut_sequences(LEVELS, np.array([5]), CONFIG)
    barred = _barred(row)
    totals = np.zeros(2)
    for value in range(3):
        values = row.values.copy()
        values[0, -1] = value
        if value != barred:
            totals[0] += np.exp(-float(model.nats(row._replace(values=values)).values[0, -1]))
    for length in range(1, 7):
        lengths = row.lengths.copy()
        lengths[0, -1] = length
        totals[1] += np.exp(-float(model.nats(row._replace(lengths=lengths)).lengths[0, -1]))
    np.testing.assert_allclose(totals, 1.0, rtol=1e-5)


def _barred(row: Sequences) -> int | None:
    """The value before the last event in its channel, unless its run has the largest length."""
    ends, last = [0, 0], [(-1, 6), (-1, 6)]
    for value, length in zip(row.values[0, :-1].tolist(), row.lengths[0, :-1].tolist(), strict=True):
        channel = ends.index(min(ends))
        ends[channel] += length
        last[channel] = value, length
    value, length = last[ends.index(min(ends))]
    return value if length < 6 else None


def test_contexts_help_where_there_is_structure() -> None:
    levels = np.tile(np.array([[-1, 0], [0, 1], [1, -1]], np.int8).repeat(3, axis=0), (300, 1))
    rows = cut_sequences(levels, np.arange(0, 900, 100), CONFIG)
    nats = [float(np.mean(EventNgrams(levels, CONFIG, order).nats(rows).values)) for order in (0, 1)]
    assert nats[0] > 0.5
    assert nats[1] < 0.25 * nats[0]


def test_negative_order() -> None:
    with pytest.raises(UsageError, match="order is -1"):
        EventNgrams(LEVELS, CONFIG, -1)
