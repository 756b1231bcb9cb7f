"""The vocabulary side against optax and numpy; chunks change memory only."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cdcd.models.vocabulary import compute_logits, cross_entropy, predict_embedding

GENERATOR = np.random.default_rng(0)
HIDDEN, KERNEL, BIAS, EMBEDDINGS = (
    jnp.asarray(GENERATOR.standard_normal(shape), jnp.float32) for shape in ((2, 5, 6), (6, 11), (11,), (11, 4))
)
TARGETS = jnp.asarray(GENERATOR.integers(0, 11, (2, 5)))


@pytest.mark.parametrize("chunk", [0, 1, 3, 10, 64])
def test_values(chunk: int) -> None:
    logits = np.asarray(HIDDEN) @ np.asarray(KERNEL) + np.asarray(BIAS)
    np.testing.assert_allclose(compute_logits(HIDDEN, KERNEL, BIAS), logits, rtol=1e-5, atol=1e-5)
    expected = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), TARGETS)
    np.testing.assert_allclose(cross_entropy(HIDDEN, KERNEL, BIAS, TARGETS, chunk), expected, rtol=1e-5)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    found = predict_embedding(HIDDEN, KERNEL, BIAS, EMBEDDINGS, chunk)
    np.testing.assert_allclose(found, probs @ np.asarray(EMBEDDINGS), rtol=1e-4, atol=1e-5)


def test_gradients_do_not_depend_on_the_chunk() -> None:
    whole, parts = (
        jax.grad(lambda h, k, b, c=c: (cross_entropy(h, k, b, TARGETS, c) ** 2).sum(), argnums=(0, 1, 2))(
            HIDDEN, KERNEL, BIAS
        )
        for c in (0, 3)
    )
    for first, second in zip(whole, parts, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_memory_of_a_large_vocabulary() -> None:
    """At 32,000 tokens, the gradient in chunks takes at most a quarter of the memory."""

    def memory(chunk: int) -> int:
        shapes = [(64, 64, 32), (32, 32_000), (32_000,)]
        arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        gradient = jax.grad(lambda h, k, b, y: cross_entropy(h, k, b, y, chunk).sum(), argnums=(0, 1, 2))
        compiled = jax.jit(gradient).lower(*arguments, jax.ShapeDtypeStruct((64, 64), jnp.int32)).compile()
        found = compiled.memory_analysis()
        assert found is not None
        return found.temp_size_in_bytes

    assert memory(256) < memory(0) / 4
