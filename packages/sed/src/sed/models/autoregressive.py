"""The same Transformer with causal attention: the evaluator of samples and the baseline, with a cache for sampling."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from sed.config import AutoregressiveConfig
from sed.models.attention import MASKED_SCORE, Block, Transformer, linear


def token_probs(
    logits: Float[Array, "*batch vocab"], temperature: float = 1.0, nucleus: float = 1.0
) -> Float[Array, "*batch vocab"]:
    """Probabilities, of which the smallest set of tokens with at least the mass `nucleus` is kept.

    Args:
        logits: of tokens.
        temperature: the logits are divided by it.
        nucleus: p of nucleus sampling (Holtzman et al., 2020); 1: all tokens.
    """
    probs = jax.nn.softmax(logits / temperature, axis=-1)
    if nucleus >= 1.0:
        return probs
    falling = jnp.sort(probs, axis=-1)[..., ::-1]
    # A token is kept where those before it have less than the mass.
    before = jnp.cumsum(falling, axis=-1) - falling
    least = jnp.min(jnp.where(before < nucleus, falling, jnp.inf), axis=-1, keepdims=True)
    kept = jnp.where(probs >= least, probs, 0.0)
    return kept / kept.sum(axis=-1, keepdims=True)


class Cache(NamedTuple):
    """Keys and values of every block, [depth, batch, length, heads, channels]."""

    keys: Array
    values: Array


class AutoregressiveLM(nnx.Module):
    """Probabilities of each token given those before it.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: AutoregressiveConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        self.embed = nnx.Embed(config.vocab_size + 1, config.width, rngs=rngs)  # the last one stands for the start
        self.transformer = Transformer(config, rngs, causal=True)
        self.head = linear(config.width, config.vocab_size, rngs)

    def logits(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length vocab"]:
        """Logits of each token from those before it, in float32."""
        start = jnp.full((len(tokens), 1), self.config.vocab_size)
        x = self.embed(jnp.concatenate([start, tokens[:, :-1]], axis=1))
        states = self.transformer(x, self.transformer.offset_keys(tokens.shape[1]))
        return self.head(states).astype(jnp.float32)

    def nats(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length"]:
        r"""$-\ln p(w_i \mid w_{<i})$ of each token."""
        log_probs = jax.nn.log_softmax(self.logits(tokens))
        return -jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]

    def empty_cache(self, batch: int) -> Cache:
        """A cache for `length` positions."""
        config = self.config
        shape = (config.depth, batch, config.length, config.heads, config.head_size)
        return Cache(jnp.zeros(shape), jnp.zeros(shape))

    def next_logits(
        self, token: Int[Array, " batch"], position: Int[Array, ""], cache: Cache, offset_keys: Array
    ) -> tuple[Float[Array, "batch vocab"], Cache]:
        """Logits of the token at `position` from the one before it, and the longer cache.

        Args:
            token: the one before; V stands for the start.
            position: 0 to N - 1.
            cache: of the positions before.
            offset_keys: of the Transformer, for N positions.
        """
        length = cache.keys.shape[2]
        # Offsets fall from N - 1: those of `position` to keys 0 to N - 1 begin at N - 1 - position.
        offset_keys = jax.lax.dynamic_slice_in_dim(offset_keys, length - 1 - position, length, axis=1)
        seen = jnp.arange(length) <= position

        def extend(block: Block, x: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
            keys, values, by_offset = inputs
            q, k, v = block.attention.project(block.norm_attention(x))
            keys = jax.lax.dynamic_update_slice_in_dim(keys, k.astype(keys.dtype), position, axis=1)
            values = jax.lax.dynamic_update_slice_in_dim(values, v.astype(values.dtype), position, axis=1)
            content, relative = block.attention.biased(q)
            scores = jnp.einsum("bihc,bjhc->bhij", content, keys) + jnp.einsum("bihc,jhc->bhij", relative, by_offset)
            x = x + block.attention.join(jnp.where(seen, scores, MASKED_SCORE), values)
            return x + block.mlp(x), (keys, values)

        x, (keys, values) = self.transformer.scan(self.embed(token)[:, None], (*cache, offset_keys), extend)
        return self.head(self.transformer.norm(x))[:, 0].astype(jnp.float32), Cache(keys, values)

    def sample(
        self,
        tokens: Int[Array, "batch length"],
        cond_mask: Bool[Array, "batch length"],
        keys: PRNGKeyArray,
        *,
        temperature: float = 1.0,
        nucleus: float = 1.0,
    ) -> Int[Array, "batch length"]:
        """Tokens from left to right; given ones are kept, and only earlier ones are seen.

        Args:
            tokens: those that are given; others are ignored.
            cond_mask: true where a token is given.
            keys: one for each sequence.
            temperature: the logits are divided by it.
            nucleus: keep the smallest set of tokens with this probability.
        """
        offset_keys = self.transformer.offset_keys(self.config.length)

        def step(carry: tuple[Array, Cache], position: Array) -> tuple[tuple[Array, Cache], Array]:
            token, cache = carry
            logits, cache = self.next_logits(token, position, cache, offset_keys)
            probs = token_probs(logits, temperature, nucleus)
            drawn = jax.vmap(lambda key, row: jax.random.categorical(jax.random.fold_in(key, position), row))(
                keys, jnp.log(probs)
            )
            token = jnp.where(cond_mask[:, position], tokens[:, position], drawn).astype(jnp.int32)
            return (token, cache), token

        start = jnp.full(len(tokens), self.config.vocab_size, jnp.int32)
        carry = (start, self.empty_cache(len(tokens)))
        return jax.lax.scan(step, carry, jnp.arange(tokens.shape[1]))[1].T
