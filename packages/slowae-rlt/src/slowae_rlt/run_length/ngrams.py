r"""n-grams of events, the baseline of the run-length Transformer.

Probabilities of longer contexts are interpolated with those of shorter ones (Witten and Bell, 1991):
$p(x \mid h) = \frac{c(h, x) + T(h)\, p(x \mid h')}{c(h) + T(h)}$ with counts c, the number T of different symbols
after h, and h' without the last part of h. The shortest context is empty, and below it all symbols are equal.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int
from onepaper.config import check_non_negative

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.events.run_lengths import encode_runs
from slowae_rlt.models.run_length_transformer import Nats
from slowae_rlt.run_length.sequences import Sequences

Context = tuple[int, ...]


class Interpolated:
    """Interpolated counts of symbols by context.

    Args:
        symbols: their number.
    """

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols
        self._counts: dict[Context, Counter[int]] = {}

    def add(self, context: Context, symbol: int) -> None:
        """Count a symbol after a context and after its beginnings."""
        for size in range(len(context) + 1):
            self._counts.setdefault(context[:size], Counter())[symbol] += 1

    def probability(self, context: Context, symbol: int) -> float:
        """Of a symbol after a context."""
        found = 1.0 / self.symbols
        for size in range(len(context) + 1):
            counts = self._counts.get(context[:size])
            if counts is None:
                break
            found = (counts[symbol] + len(counts) * found) / (counts.total() + len(counts))
        return found


class EventNgrams:
    """Probabilities of the value and the length of an event, from its channel and the events before it.

    Args:
        levels: of the training recordings.
        config: channels, levels, longest event, and whether values that cannot follow are excluded.
        order: 0: frequencies alone. n: the channel, the last run of the channel, and the n - 1 events before.
    """

    def __init__(self, levels: Int[np.ndarray, "T C"], config: RunLengthConfig, order: int) -> None:
        check_non_negative("order", order)
        self.config, self.order = config, order
        self._values, self._lengths = Interpolated(2 * config.levels + 1), Interpolated(config.max_length)
        runs = encode_runs(levels, config.max_length)
        values = (runs.values.astype(int) + config.levels).tolist()
        for value, length, context, _ in self._contexts(values, runs.lengths.tolist()):
            self._values.add(context, value)
            self._lengths.add(self._with_value(context, value), length - 1)

    def _contexts(
        self, values: Sequence[int], lengths: Sequence[int]
    ) -> Iterator[tuple[int, int, Context, int | None]]:
        """Each event with its context, and the value that cannot follow."""
        ends = [0] * self.config.channels
        last: list[tuple[int, int] | None] = [None] * self.config.channels
        before: list[int] = []
        for value, length in zip(values, lengths, strict=True):
            channel = ends.index(min(ends))
            own = last[channel]
            known = (channel, -1, -1) if own is None else (channel, own[0], own[1].bit_length())
            context = (*known, *before)[: 0 if not self.order else 3 + self.order - 1]
            barred = own[0] if own is not None and own[1] < self.config.max_length else None
            yield value, length, context, barred
            ends[channel] += length
            last[channel] = value, length
            before = [value, *before][: max(self.order - 1, 0)]

    def _with_value(self, context: Context, value: int) -> Context:
        """The context of a length: the channel, the value, and the rest."""
        return (*context[:1], value, *context[1:]) if self.order else ()

    def nats(self, sequences: Sequences) -> Nats:
        """Nats of the value and of the length of each event."""
        found = np.zeros((2, *sequences.values.shape), np.float32)
        for row in range(len(sequences.values)):
            events = self._contexts(sequences.values[row].tolist(), sequences.lengths[row].tolist())
            for number, (value, length, context, barred) in enumerate(events):
                probability = self._values.probability(context, value)
                if barred is not None and self.config.mask_values and value != barred:
                    probability /= 1.0 - self._values.probability(context, barred)
                found[0, row, number] = -np.log(probability)
                found[1, row, number] = -np.log(self._lengths.probability(self._with_value(context, value), length - 1))
        return Nats(jnp.asarray(found[0]), jnp.asarray(found[1]))
