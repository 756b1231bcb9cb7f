"""A masked language model (Devlin et al., 2019), whose normalised token embeddings the diffusion uses."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from sed.config import MaskedConfig
from sed.diffusion.embeddings import normalize_rows
from sed.models.attention import Transformer, linear

# What becomes of tokens that are to be predicted: the mask, a random token, or themselves.
MASKED_SHARE, REPLACED_SHARE = 0.8, 0.1

# Standard deviation of initial rows.
ROW_SCALE = 0.05


class MaskedLM(nnx.Module):
    """Predicts masked tokens, with rows of the table normalised inside, so that what is trained is what is used.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: MaskedConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        # The last row stands for the mask. Rows are normalised, so that their scale is that of a step's effect: small
        # rows turn quickly.
        rows = ROW_SCALE * jax.random.normal(rngs.params(), (config.vocab_size + 1, config.embed_dim))
        self.rows = nnx.Param(rows)
        self.embed_inputs = linear(config.embed_dim, config.width, rngs)
        self.transformer = Transformer(config, rngs)
        self.predict = linear(config.width, config.embed_dim, rngs)
        self.bias = nnx.Param(jnp.zeros(config.vocab_size))

    def table(self) -> Float[Array, "vocab embed"]:
        """The embeddings of all tokens, without the mask."""
        return normalize_rows(self.rows[...])[:-1]

    def logits(
        self, tokens: Int[Array, "batch length"], positions: Int[Array, "batch chosen"]
    ) -> Float[Array, "batch chosen vocab"]:
        """Logits of the tokens at some positions; the number V stands for the mask."""
        table = normalize_rows(self.rows[...])
        states = self.transformer(self.embed_inputs(table[tokens]), self.transformer.offset_keys(tokens.shape[1]))
        found = self.predict(jnp.take_along_axis(states, positions[..., None], axis=1))
        products = jnp.einsum("bpd,vd->bpv", found, table[:-1], preferred_element_type=jnp.float32)
        return products / self.config.embed_dim**0.5 + self.bias[...]

    def nats(self, masked: "MaskedTokens", tokens: Int[Array, "batch length"]) -> Float[Array, "batch chosen"]:
        """Cross-entropy of the tokens that are to be predicted."""
        log_probs = jax.nn.log_softmax(self.logits(masked.tokens, masked.positions))
        targets = jnp.take_along_axis(tokens, masked.positions, axis=1)
        return -jnp.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]


class MaskedTokens(NamedTuple):
    """Tokens of which some are masked or replaced, and the positions that are to be predicted."""

    tokens: Int[Array, "batch length"]
    positions: Int[Array, "batch chosen"]


def mask_tokens(key: PRNGKeyArray, tokens: Int[Array, "batch length"], vocab_size: int, rate: float) -> MaskedTokens:
    """The same number of positions of each sequence, drawn at random, is to be predicted.

    Args:
        key: of the random numbers.
        tokens: true tokens.
        vocab_size: V, the number that stands for the mask.
        rate: of positions to be predicted, at least one of a sequence.
    """
    batch, length = tokens.shape
    key_positions, key_kind, key_random = jax.random.split(key, 3)
    order = jnp.argsort(jax.random.uniform(key_positions, (batch, length)), axis=-1)
    positions = order[:, : max(1, round(rate * length))]
    targets = jnp.take_along_axis(tokens, positions, axis=1)
    kind = jax.random.uniform(key_kind, positions.shape)
    random = jax.random.randint(key_random, positions.shape, 0, vocab_size)
    seen = jnp.where(kind < MASKED_SHARE, vocab_size, jnp.where(kind < MASKED_SHARE + REPLACED_SHARE, random, targets))
    return MaskedTokens(jax.vmap(lambda row, at, to: row.at[at].set(to))(tokens, positions, seen), positions)
