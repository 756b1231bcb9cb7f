"""The masked model: what is masked, and its table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sed.config import MaskedConfig
from sed.models.masked import MaskedLM, mask_tokens

CONFIG = MaskedConfig(vocab_size=50, length=16, embed_dim=8, width=16, depth=1, heads=2, head_size=8)


def test_masked_replaced_and_kept() -> None:
    tokens = jnp.full((4000, 20), 7)
    found = mask_tokens(jax.random.key(0), tokens, 50, 0.15)
    assert found.positions.shape == (4000, 3)
    assert (np.diff(np.sort(found.positions, axis=1), axis=1) > 0).all()
    np.testing.assert_allclose(
        np.bincount(np.asarray(found.positions).ravel(), minlength=20) / 4000, 0.15, atol=4 * np.sqrt(0.13 / 4000)
    )
    chosen = np.take_along_axis(np.asarray(found.tokens), np.asarray(found.positions), axis=1)
    error = 4 * np.sqrt(0.25 / 12_000)
    assert (chosen == 50).mean() == pytest.approx(0.8, abs=error)
    assert (chosen == 7).mean() == pytest.approx(0.1 + 0.1 / 50, abs=error)
    assert (np.asarray(found.tokens) != 7).sum() == (chosen != 7).sum()


def test_logits_are_products_with_the_table() -> None:
    model = MaskedLM(CONFIG, nnx.Rngs(0))
    table = np.asarray(model.table())
    assert table.shape == (50, 8)
    np.testing.assert_allclose(np.square(table).sum(axis=1), 8, rtol=1e-4)
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 51, (2, 16)))
    logits = model.logits(tokens, jnp.array([[3], [5]]))
    assert logits.shape == (2, 1, 50)
    np.testing.assert_allclose(model.logits(tokens, jnp.array([[9, 3], [5, 1]]))[0, 1], logits[0, 0], atol=1e-5)
    # Logits of the tokens, less their bias, lie in the 8 dimensions of the table.
    centred = logits[:, 0] @ np.linalg.pinv(table).T @ table.T
    np.testing.assert_allclose(centred, logits[:, 0], atol=1e-4)


def test_nats_are_cross_entropy() -> None:
    model = MaskedLM(CONFIG, nnx.Rngs(0))
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 50, (2, 16)))
    masked = mask_tokens(jax.random.key(1), tokens, 50, 0.15)
    probs = np.asarray(jax.nn.softmax(model.logits(*masked)), np.float64)
    for row in range(2):
        for number, place in enumerate(np.asarray(masked.positions[row])):
            expected = -np.log(probs[row, number, int(tokens[row, place])])
            assert float(model.nats(masked, tokens)[row, number]) == pytest.approx(expected, rel=1e-4)
