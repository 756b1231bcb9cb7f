"""The translation network: what it sees of the source, of its length, and of the noise level."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cdcd.config import TranslationConfig, WarpConfig
from cdcd.data.sentences import PADDING
from cdcd.models.denoiser import ConditionalNorm
from cdcd.models.translation import TranslationDiffusion

CONFIG = TranslationConfig(
    vocab_size=11, source_length=5, length=6, embed_dim=4, width=16, encoder_depth=1, depth=2, heads=2, time_width=8,
    warp=WarpConfig(t_min=0.1, t_max=50),
)  # fmt: skip
KEYS = jax.random.split(jax.random.key(0), 4)
SOURCE = jnp.array([[3, 4, 2, 0, 0], [5, 6, 7, 8, 2]])
X, P = (3.0 * jax.random.normal(key, (2, 6, 4)) for key in KEYS[:2])
T = jnp.array([0.2, 20.0])


def stirred(config: TranslationConfig) -> TranslationDiffusion:
    """A network with random values also where it begins with zeros."""
    model = TranslationDiffusion(config, nnx.Rngs(0))
    for _, module in nnx.iter_modules(model):
        if isinstance(module, ConditionalNorm):
            kernel = module.modulate.kernel
            kernel[...] = 0.3 * jax.random.normal(KEYS[2], kernel.shape)
    return model


MODEL = stirred(CONFIG)


def logits(model: TranslationDiffusion, source: jax.Array, shown: float | jax.Array = 1.0) -> np.ndarray:
    return np.asarray(model.logits(model.hidden(X, T, model.encode(source, shown), P)))


def test_what_is_seen_of_the_source() -> None:
    before = logits(MODEL, SOURCE)
    other = logits(MODEL, SOURCE.at[:, 0].set(9))
    assert (np.abs(before - other).max(axis=-1) > 1e-4).all()
    # A hidden source has no effect but by its length.
    np.testing.assert_array_equal(logits(MODEL, SOURCE, 0.0), logits(MODEL, SOURCE.at[:, 0].set(9), 0.0))
    one = logits(MODEL, SOURCE, jnp.array([True, False]))
    np.testing.assert_allclose(one, np.stack([before[0], logits(MODEL, SOURCE, 0.0)[1]]), atol=1e-5)


@pytest.mark.parametrize("conditioned", [True, False])
def test_length_of_the_source(conditioned: bool) -> None:
    model = stirred(replace(CONFIG, length_conditioning=conditioned))
    longer = SOURCE.at[0, 3].set(2)
    found = [logits(model, source, 0.0)[0] for source in (SOURCE, longer)]
    assert np.allclose(*found, atol=1e-6) is not conditioned
    assert int((SOURCE[0] != PADDING).sum()) == 3


def test_positions_and_level() -> None:
    memory = MODEL.encode(SOURCE)
    order = jnp.array([1, 0, 2, 3, 4, 5])
    before = MODEL.hidden(X, T, memory, P)
    assert not np.allclose(MODEL.hidden(X[:, order], T, memory, P[:, order]), before[:, order], atol=1e-3)
    assert not np.allclose(MODEL.hidden(X, T[::-1], memory, P), before, atol=1e-3)


def test_denoiser() -> None:
    denoise = MODEL.denoiser(SOURCE)
    for branch in (1.0, 0.0):
        expected = MODEL.logits(MODEL.hidden(X, jnp.full(2, 3.0), MODEL.encode(SOURCE, branch), P))
        np.testing.assert_allclose(denoise(X, jnp.float32(3.0), P, jnp.float32(branch)), expected, rtol=1e-5, atol=1e-5)


def test_predictions_and_nats() -> None:
    hidden = MODEL.hidden(X, T, MODEL.encode(SOURCE), P)
    probs = jax.nn.softmax(MODEL.logits(hidden))
    np.testing.assert_allclose(
        MODEL.predict(hidden, MODEL.embeddings()), probs @ MODEL.embeddings(), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(MODEL.nats(hidden, jnp.full((2, 6), 3)), -jnp.log(probs[..., 3]), rtol=1e-4)


def test_round_trip(tmp_path: Path) -> None:
    again = TranslationDiffusion.from_pretrained(MODEL.save_pretrained(tmp_path))
    np.testing.assert_array_equal(logits(again, SOURCE), logits(MODEL, SOURCE))
