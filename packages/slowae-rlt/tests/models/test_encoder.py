"""Contexts, shapes and bounds of both kinds of input."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from slowae_rlt.config import EncoderConfig, ModelConfig, QuantizerConfig
from slowae_rlt.models.encoder import Encoder

SMALL = EncoderConfig(width=16, dilations=(1, 2))


@pytest.mark.parametrize("inputs", ["mel", "waveform"])
def test_latents_see_their_context_and_nothing_else(inputs: str) -> None:
    encoder = Encoder(ModelConfig(encoder=replace(SMALL, inputs=inputs)), nnx.Rngs(0))
    before, after = encoder.context()
    steps = 20
    samples = np.random.default_rng(0).standard_normal((1, before + 16 * steps + after)).astype(np.float32) / 10
    found = encoder(jnp.asarray(samples))
    assert found.shape == (1, steps, 4)
    gradient = jax.grad(lambda x: encoder(x)[0, 7].sum())(jnp.asarray(samples))[0]
    reached = np.flatnonzero(gradient)
    assert reached.min() >= 7 * 16
    assert reached.max() < before + 8 * 16 + after
    # The context is not larger than needed, but for the ends of the window, which are zero.
    assert reached.min() <= 7 * 16 + 2
    assert reached.max() >= before + 8 * 16 + after - 3
    shifted = encoder(jnp.asarray(samples[:, 5 * 16 :]))
    np.testing.assert_allclose(shifted, found[:, 5:], rtol=1e-4, atol=1e-5)


def test_tanh() -> None:
    config = ModelConfig(encoder=SMALL, quantizer=QuantizerConfig(bound="tanh"))
    plain = Encoder(replace(config, quantizer=QuantizerConfig()), nnx.Rngs(0))
    samples = jnp.ones((1, 2000))
    np.testing.assert_allclose(Encoder(config, nnx.Rngs(0))(samples), jnp.tanh(plain(samples)), rtol=1e-5)
