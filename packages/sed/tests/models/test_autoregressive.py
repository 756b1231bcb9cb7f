"""The causal model: probabilities, nucleus, and cached steps against whole passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sed.config import AutoregressiveConfig
from sed.models.autoregressive import AutoregressiveLM, token_probs

CONFIG = AutoregressiveConfig(vocab_size=7, length=5, width=16, depth=2, heads=2, head_size=6)
TOKENS = jax.random.randint(jax.random.key(0), (3, 5), 0, 7)


@pytest.fixture(scope="module")
def model() -> AutoregressiveLM:
    return AutoregressiveLM(CONFIG, nnx.Rngs(0))


def test_only_earlier_tokens_are_seen(model: AutoregressiveLM) -> None:
    before = model.logits(TOKENS)
    after = model.logits(TOKENS.at[:, 2].set((TOKENS[:, 2] + 1) % 7))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert bool((jnp.abs(before[:, 3:] - after[:, 3:]).max(axis=-1) > 1e-4).all())


def test_probabilities_of_all_sequences_sum_to_one(model: AutoregressiveLM) -> None:
    pairs = jnp.stack(jnp.meshgrid(jnp.arange(7), jnp.arange(7), indexing="ij"), axis=-1).reshape(49, 2)
    assert float(jnp.exp(-model.nats(pairs).sum(axis=1)).sum()) == pytest.approx(1.0, abs=1e-5)


def test_uniform_logits(model: AutoregressiveLM) -> None:
    flat = nnx.clone(model)
    flat.head.kernel[...] = jnp.zeros_like(flat.head.kernel[...])
    np.testing.assert_allclose(flat.nats(TOKENS), np.log(7), rtol=1e-6)


def test_cached_steps_equal_a_whole_pass(model: AutoregressiveLM) -> None:
    expected = model.logits(TOKENS)
    cache, token, keys = model.empty_cache(3), jnp.full(3, 7), model.transformer.offset_keys(5)
    for position in range(5):
        logits, cache = model.next_logits(token, jnp.int32(position), cache, keys)
        np.testing.assert_allclose(logits, expected[:, position], rtol=1e-4, atol=1e-5)
        token = TOKENS[:, position]


def test_samples_keep_the_given_and_have_the_probabilities(model: AutoregressiveLM) -> None:
    tokens = jnp.tile(jnp.array([[3, 0]]), (4000, 1))
    given = jnp.tile(jnp.array([[True, False]]), (4000, 1))
    found = model.sample(tokens, given, jax.random.split(jax.random.key(1), 4000))
    assert bool((found[:, 0] == 3).all())
    expected = jax.nn.softmax(model.logits(jnp.array([[3, 0]]))[0, 1])
    np.testing.assert_allclose(np.bincount(found[:, 1], minlength=7) / 4000, expected, atol=0.03)
    greedy = model.sample(tokens[:5], given[:5], jax.random.split(jax.random.key(2), 5), nucleus=1e-6)
    assert bool((greedy[:, 1] == jnp.argmax(expected)).all())


def test_nucleus_is_the_smallest_set() -> None:
    probs = jnp.array([0.05, 0.5, 0.3, 0.15])
    logits = jnp.log(probs)
    np.testing.assert_allclose(token_probs(logits), probs, rtol=1e-5)
    np.testing.assert_allclose(token_probs(logits, nucleus=0.79), [0, 0.625, 0.375, 0], rtol=1e-5)
    np.testing.assert_allclose(token_probs(logits, nucleus=0.81), [0, 0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95], rtol=1e-5)
    cold = token_probs(logits, temperature=0.5)
    np.testing.assert_allclose(cold, probs**2 / (probs**2).sum(), rtol=1e-5)
