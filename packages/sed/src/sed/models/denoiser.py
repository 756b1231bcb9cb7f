"""The denoiser: a bidirectional Transformer that estimates clean embeddings (paper, section 3 and appendix A).

Axes: B batch, L length, D embedding, d width, V vocabulary.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from sed.config import ModelConfig
from sed.diffusion.embeddings import bits_to_tokens
from sed.diffusion.schedule import Schedule
from sed.models.attention import Transformer, linear, sinusoids


class Fixed(nnx.Variable[Any]):
    """An array that belongs to the model and is never trained."""


class EmbeddingDiffusion(nnx.Module):
    """The network with its fixed embeddings and its readout.

    Args:
        config: the architecture; kept as `config`.
        table: embeddings of the tokens, rows of norm sqrt(D); None: zeros, to be replaced by saved ones.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs, table: Float[Array, "vocab embed"] | None = None) -> None:
        self.config = config
        table = jnp.zeros((config.vocab_size, config.embed_dim)) if table is None else jnp.asarray(table)
        if table.shape != (config.vocab_size, config.embed_dim):
            raise ValueError(f"table has the shape {table.shape}, expected {(config.vocab_size, config.embed_dim)}")
        self.table = Fixed(table)
        features = 3 * config.embed_dim + 1 if config.cond_input == "concat" else 2 * config.embed_dim
        self.embed_inputs = linear(features, config.width, rngs)
        self.embed_time = linear(config.width, config.width, rngs)
        self.transformer = Transformer(config, rngs)
        # The first estimate is 0, whose error is the mean square of the embeddings, 1.
        self.predict = linear(config.width, config.embed_dim, rngs, scale=0.0)
        # R starts as E (paper, section 3.1). A copy, because an array may not be donated twice.
        self.readout = None if config.bits else nnx.Param(jnp.array(table, copy=True))

    @property
    def schedule(self) -> Schedule:
        """The forward process that the network is trained for."""
        return Schedule.of(self.config.schedule)

    def offset_keys(self) -> Float[Array, "depth offsets heads channels"]:
        """What attention needs of positions, computed once for any number of calls."""
        return self.transformer.offset_keys(self.config.length)

    def __call__(
        self,
        x_t: Float[Array, "batch length embed"],
        cond: Float[Array, "batch length embed"],
        cond_mask: Bool[Array, "batch length"],
        x_self: Float[Array, "batch length embed"],
        t: Int[Array, " batch"],
        offset_keys: Array | None = None,
    ) -> Float[Array, "batch length embed"]:
        """Estimates of the clean embeddings.

        Args:
            x_t: noisy embeddings; ignored where tokens are given.
            cond: embeddings of given tokens; ignored elsewhere. Zeros hide them.
            cond_mask: true where a token is given.
            x_self: the previous estimate, or zeros; ignored where tokens are given.
            t: steps 1 to T.
            offset_keys: of `offset_keys`; None: computed here.
        """
        given = cond_mask[..., None].astype(x_t.dtype)
        noisy, estimate, shown = (1 - given) * x_t, (1 - given) * x_self, given * cond
        if self.config.cond_input == "concat":
            inputs = [noisy, estimate, shown, given]
        else:
            inputs = [noisy + shown, estimate]
        time = self.embed_time(sinusoids(t.astype(jnp.float32), self.config.width))
        states = self.embed_inputs(jnp.concatenate(inputs, axis=-1)) + time[:, None]
        keys = self.offset_keys() if offset_keys is None else offset_keys
        return self.predict(self.transformer(states, keys)).astype(x_t.dtype)

    def logits(self, x_0: Float[Array, "*batch embed"]) -> Float[Array, "*batch vocab"]:
        """R x_0, in float32."""
        assert self.readout is not None
        return jnp.einsum("...d,vd->...v", x_0.astype(jnp.float32), self.readout[...])

    def decode(self, x_0: Float[Array, "*batch embed"]) -> Int[Array, "*batch"]:
        """The most probable tokens; of bits the signs."""
        if self.readout is None:
            return bits_to_tokens(x_0, self.config.vocab_size)
        return jnp.argmax(self.logits(x_0), axis=-1)


def add_start_noise(
    table: Float[Array, "vocab embed"], tokens: Int[Array, "*batch"], key: jax.Array, sigma_0: float
) -> Float[Array, "*batch embed"]:
    r"""$x_0 \sim N(E w, \sigma_0^2 I)$ (paper, section 3.1)."""
    embedded = table[tokens]
    return embedded + sigma_0 * jax.random.normal(key, embedded.shape, embedded.dtype)
