import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx
from reference import intermediate_sizes

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.losses import Loss, sequence_loss, token_nats
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=2, width=16, heads=2, rotary_fraction=0.5, chunk=5
)
ADAPTIVE = replace(SMALL, adaptive_cutoffs=(5, 8), adaptive_factor=2)


def drawn_tokens(batch: int = 2, length: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(3, 11, (batch, length))


def test_starts_with_the_loss_of_a_guess() -> None:
    tokens = drawn_tokens()
    got = nnx.jit(sequence_loss)(PerceiverAR(SMALL, nnx.Rngs(0)), jnp.asarray(tokens), jnp.asarray(tokens))
    assert float(got.targets) == 8
    np.testing.assert_allclose(got.nats / 8, math.log(11), rtol=1e-6)
    np.testing.assert_allclose(got.total(1e-4) / 8, math.log(11) + 1e-4 * math.log(11) ** 2, rtol=1e-6)


def test_loss_and_its_gradient_in_closed_form() -> None:
    logits = np.random.default_rng(0).standard_normal((1, 3, 5)) * 3
    targets, z_loss = np.array([[1, 4, 2]]), 0.01

    def total(logits: jax.Array) -> jax.Array:
        nats, log_z = token_nats(logits, jnp.asarray(targets))
        return Loss(nats.sum(), jnp.square(log_z).sum(), jnp.float32(3)).total(z_loss)

    value, gradient = jax.value_and_grad(total)(jnp.asarray(logits, jnp.float32))
    log_z = np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    softmax, target = np.exp(logits - log_z), np.eye(5)[targets]
    np.testing.assert_allclose(
        value, (log_z[..., 0] - (logits * target).sum(-1) + z_loss * log_z[..., 0] ** 2).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(gradient, (1 + 2 * z_loss * log_z) * softmax - target, atol=1e-5)
    huge = jax.grad(total)(jnp.asarray(logits, jnp.float32) * 1e4)
    assert np.isfinite(huge).all()


@pytest.mark.parametrize("smoothing", [0.1, 0.6])
def test_smoothed_labels_by_their_definition(smoothing: float, stirred) -> None:
    model, tokens = stirred(SMALL), jnp.asarray(drawn_tokens())
    loss = nnx.jit(sequence_loss, static_argnames="label_smoothing")
    got = loss(model, tokens, tokens, label_smoothing=smoothing)
    logits = np.asarray(nnx.jit(PerceiverAR.__call__)(model, tokens), np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    label = np.where(np.eye(11)[tokens[:, -4:]] > 0, 1 - smoothing, smoothing / 10)
    np.testing.assert_allclose(got.total(0.0), (label * np.log(label / chances)).sum(), rtol=1e-4)
    plain = loss(model, tokens, tokens)
    np.testing.assert_allclose(got.nats, plain.nats)  # what is logged stays comparable


@pytest.mark.parametrize("config", [SMALL, ADAPTIVE], ids=["plain", "adaptive"])
@pytest.mark.parametrize("chunk", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_loss_in_pieces_is_the_same_loss(chunk: int, config: ModelConfig, stirred) -> None:
    tokens = jnp.asarray(drawn_tokens()).at[1, 9:].set(0)
    lengths = jnp.array([12, 8])

    def values(chunk: int) -> list[jax.Array]:
        model = stirred(replace(config, logits_chunk=chunk))

        def loss(model: PerceiverAR) -> tuple[jax.Array, Loss]:
            found = sequence_loss(model, tokens, tokens, lengths, label_smoothing=0.1)
            return found.total(1e-2), found

        (_, parts), gradients = nnx.jit(nnx.value_and_grad(loss, has_aux=True))(model)
        return [*parts, *jax.tree.leaves(gradients)]

    for whole, pieces in zip(values(0), values(chunk), strict=True):
        np.testing.assert_allclose(pieces, whole, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("cutoffs", [(), (1000,)])
def test_a_loss_in_pieces_never_holds_all_logits(cutoffs: tuple[int, ...]) -> None:
    config = replace(
        SMALL, vocab_size=4000, context_length=64, num_latents=64, logits_chunk=4, adaptive_cutoffs=cutoffs
    )
    graph, abstract = nnx.split(nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0))))
    tokens = jax.ShapeDtypeStruct((1, 64), jnp.int32)

    def loss(params, tokens: jax.Array) -> jax.Array:
        return sequence_loss(nnx.merge(graph, params), tokens, tokens).total(1e-4)

    found = intermediate_sizes(jax.make_jaxpr(jax.value_and_grad(loss))(abstract, tokens).jaxpr)
    assert 4 * 4000 in found
    assert max(found) <= 16 * 4000  # the table of embeddings itself, where all logits would be four times that


def test_padding_and_short_examples_count_nothing(stirred) -> None:
    model = stirred(SMALL)
    events = np.array([[2, 5, 6, 7, 8, 9, 10], [2, 4, 5, 0, 0, 0, 0]])
    inputs, targets, lengths = jnp.asarray(events[:, :-1]), jnp.asarray(events[:, 1:]), jnp.array([6, 2])
    got = nnx.jit(sequence_loss)(model, inputs, targets, lengths)
    assert float(got.targets) == 4 + 2
    wanted = 0.0
    for row, length in ((0, 6), (1, 2)):
        logits = reference.forward(model, events[row, :length], 4)
        for latent, place in enumerate(range(max(0, length - 4), length)):
            wanted += np.log(np.exp(logits[latent]).sum()) - logits[latent, events[row, place + 1]]
    np.testing.assert_allclose(got.nats, wanted, rtol=1e-4)
