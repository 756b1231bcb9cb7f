"""Nats and bits a second."""

import jax.numpy as jnp
import numpy as np
import pytest

from slowae_rlt.models.run_length_transformer import Nats
from slowae_rlt.pretrained.language_models import LanguageModel
from slowae_rlt.run_length.evaluation import bits_by_sequence, measure_nats, sequence_nats
from slowae_rlt.run_length.sequences import Sequences

ROWS = 19
SEQUENCES = Sequences(
    np.random.default_rng(0).permuted(np.tile(np.arange(15), (ROWS, 2)), axis=1)[:, :20].astype(np.int32),
    np.random.default_rng(1).integers(1, 257, (ROWS, 20)).astype(np.int32),
    np.arange(20) < np.arange(1, ROWS + 1)[:, None],
    np.full(ROWS, 250),
    np.full(ROWS, -1),
)


def test_batches_do_not_matter(language_model: LanguageModel) -> None:
    whole = language_model.model.nats(jnp.asarray(SEQUENCES.values), jnp.asarray(SEQUENCES.lengths))
    found = sequence_nats(language_model.model, SEQUENCES)
    np.testing.assert_allclose(found.lengths, whole.lengths, rtol=1e-4, atol=1e-5)


def test_bits_by_hand() -> None:
    nats = Nats(np.full((ROWS, 20), np.log(2)), np.full((ROWS, 20), 2 * np.log(2)))  # type: ignore[arg-type]
    np.testing.assert_allclose(bits_by_sequence(nats, SEQUENCES, 500.0), 3 * np.arange(1, ROWS + 1) / 0.5, rtol=1e-6)

    class Fixed:
        def nats(self, sequences: Sequences) -> Nats:
            return nats

    row = measure_nats(Fixed(), SEQUENCES, 500.0)
    assert row["nats"] == pytest.approx(3 * np.log(2))
    assert row["bits_per_second"] == pytest.approx(3 * SEQUENCES.counts.sum() / (0.5 * ROWS))
