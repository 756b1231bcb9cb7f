"""Evaluation of language models of events: nats of values and lengths, bits a second."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from slowae_rlt.models.run_length_transformer import Nats, RunLengthTransformer
from slowae_rlt.run_length.sequences import Sequences

# Sequences that are evaluated at once.
BATCH = 16


@runtime_checkable
class Scorer(Protocol):
    """Any model of events, such as n-grams."""

    def nats(self, sequences: Sequences) -> Nats:
        """Of the value and of the length of each event."""
        ...


@nnx.jit
def _nats(model: RunLengthTransformer, values: jax.Array, lengths: jax.Array, conditions: jax.Array) -> Nats:
    return model.nats(values, lengths, condition=conditions)


def sequence_nats(model: RunLengthTransformer, sequences: Sequences) -> Nats:
    """Nats of the value and of the length of each event, computed in batches of one size."""
    parts = []
    for start in range(0, len(sequences.values), BATCH):
        rows = np.arange(start, start + BATCH).clip(max=len(sequences.values) - 1)
        known = (sequences.values, sequences.lengths, sequences.conditions)
        found = _nats(model, *(jnp.asarray(part[rows]) for part in known))
        parts.append([np.asarray(part)[: len(sequences.values) - start] for part in found])
    return Nats(*(np.concatenate(part) for part in zip(*parts, strict=True)))  # type: ignore[arg-type]


def bits_by_sequence(nats: Nats, sequences: Sequences, grid_rate: float) -> Float[np.ndarray, " B"]:
    r"""Bits a second of each sequence, $\sum \mathrm{nats} / (\ln 2\; t / f_z)$.

    Unlike nats of an event they can be compared between codecs of any rate. The last runs of a sequence go on after the
    time t that all channels cover, so that the value is slightly too high, by the same for all models.
    """
    total = np.where(sequences.counts, np.asarray(nats.values) + np.asarray(nats.lengths), 0.0).sum(axis=1)
    return total / np.log(2) / (sequences.steps / grid_rate)


def measure_nats(model: RunLengthTransformer | Scorer, sequences: Sequences, grid_rate: float) -> dict[str, float]:
    """Means over events of the nats of values and lengths, and bits a second over all sequences together."""
    nats = sequence_nats(model, sequences) if isinstance(model, RunLengthTransformer) else model.nats(sequences)
    values, lengths = (float(np.asarray(part)[sequences.counts].mean()) for part in nats)
    seconds = float(sequences.steps.sum()) / grid_rate
    bits = float((values + lengths) * sequences.counts.sum() / np.log(2))
    return {
        "value_nats": values, "length_nats": lengths, "nats": values + lengths, "bits_per_second": bits / seconds
    }  # fmt: skip
