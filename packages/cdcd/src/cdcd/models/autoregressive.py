"""A causal Transformer: the evaluator of samples and the baseline, with cached keys and values for sampling."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.jax.linear import Linear
from onepaper.jax.state_files import load_pretrained, save_pretrained

from cdcd.config import AutoregressiveConfig
from cdcd.diffusion.score import token_probs
from cdcd.models.attention import MLP, NORM_EPSILON, Attention, scan_blocks


class CausalBlock(nnx.Module):
    """Attention to earlier positions and an MLP, each after a normalisation."""

    def __init__(self, config: AutoregressiveConfig, rngs: nnx.Rngs) -> None:
        self.norm_attention = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.attention = Attention(config.width, config.heads, rngs)
        self.norm_mlp = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.mlp = MLP(config.width, config.mlp_ratio * config.width, rngs)

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length width"]:
        """The states after the block."""
        x = x + self.attention(self.norm_attention(x), causal=True)
        return x + self.mlp(self.norm_mlp(x))

    def extend(
        self, x: Float[Array, "batch 1 width"], keys: Array, values: Array, position: Int[Array, ""]
    ) -> tuple[Array, Array, Array]:
        """The state of one more position, and the caches, [batch, length, heads, channels], with it."""
        q, k, v = self.attention.project(self.norm_attention(x), position[None])
        keys = jax.lax.dynamic_update_slice_in_dim(keys, k, position, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(values, v, position, axis=1)
        seen = (jnp.arange(keys.shape[1]) <= position)[None, None, None]
        x = x + self.attention.join(jax.nn.dot_product_attention(q, keys, values, mask=seen))
        return x + self.mlp(self.norm_mlp(x)), keys, values


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
        stacked = nnx.vmap(lambda key: CausalBlock(config, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.head = Linear(config.width, config.vocab_size, rngs=rngs)

    def states(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length width"]:
        """The state from which each token is predicted: position i sees the tokens before i."""
        start = jnp.full((len(tokens), 1), self.config.vocab_size)
        x = self.embed(jnp.concatenate([start, tokens[:, :-1]], axis=1))
        return self.norm(scan_blocks(self.blocks, x, lambda block, x: block(x)))

    def nats(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length"]:
        r"""$-\ln p(y_i \mid y_{<i})$ of each token."""
        logits = self.head(self.states(tokens)).astype(jnp.float32)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1)[..., 0]

    def empty_cache(self, batch: int) -> Cache:
        """A cache for `length` positions."""
        config = self.config
        shape = (config.depth, batch, config.length, config.heads, config.width // config.heads)
        return Cache(jnp.zeros(shape), jnp.zeros(shape))

    def next_logits(
        self, token: Int[Array, " batch"], position: Int[Array, ""], cache: Cache
    ) -> tuple[Float[Array, "batch vocab"], Cache]:
        """Logits of the token at `position` from the one before it, and the longer cache."""
        graph, states = nnx.split(self.blocks)

        def layer(x: Array, layer_state: Any) -> tuple[Array, tuple[Array, Array]]:
            state, keys, values = layer_state
            x, keys, values = nnx.merge(graph, state).extend(x, keys, values, position)
            return x, (keys, values)

        x, (keys, values) = jax.lax.scan(layer, self.embed(token)[:, None], (states, *cache))
        return self.head(self.norm(x))[:, 0].astype(jnp.float32), Cache(keys, values)

    def sample(
        self,
        given: Int[Array, "batch length"],
        mask: Bool[Array, "batch length"],
        keys: PRNGKeyArray,
        *,
        temperature: float = 1.0,
        nucleus: float = 1.0,
    ) -> Int[Array, "batch length"]:
        """Tokens from left to right; given ones are kept, and only earlier ones are seen.

        Args:
            given: tokens; those where the mask is true are ignored.
            mask: true where a token is sampled.
            keys: one for each sequence.
            temperature: the logits are divided by it.
            nucleus: keep the smallest set of tokens with this probability.
        """

        def step(carry: tuple[Array, Cache], position: Array) -> tuple[tuple[Array, Cache], Array]:
            token, cache = carry
            logits, cache = self.next_logits(token, position, cache)
            probs = token_probs(logits, temperature, nucleus)
            drawn = jax.vmap(lambda key, row: jax.random.categorical(jax.random.fold_in(key, position), row))(
                keys, jnp.log(probs)
            )
            token = jnp.where(mask[:, position], drawn, given[:, position])
            return (token, cache), token

        start = jnp.full(len(given), self.config.vocab_size)
        carry = (start, self.empty_cache(len(given)))
        return jax.lax.scan(step, carry, jnp.arange(given.shape[1]))[1].T

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "AutoregressiveLM":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), AutoregressiveConfig, cls)[0]
