"""Frames of levels, and their context."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from slowae_rlt.config import DecoderConfig, ModelConfig
from slowae_rlt.models.mel_decoder import MelDecoder


def test_frames_see_their_context_and_nothing_else() -> None:
    config = ModelConfig(decoder=DecoderConfig(width=16, dilations=(1, 2), frame_dilations=(1,)))
    decoder = MelDecoder(config, nnx.Rngs(0))
    assert decoder.context == 3 + 4
    levels = jnp.asarray(np.random.default_rng(0).standard_normal((1, 40 + 14, 4)), jnp.float32)
    assert decoder(levels).shape == (1, 10, 48)
    gradient = np.abs(jax.grad(lambda x: decoder(x)[0, 3].sum())(levels)[0]).sum(axis=1)
    reached = np.flatnonzero(gradient)
    assert (reached.min(), reached.max()) == (12, 12 + 3 + 14)
