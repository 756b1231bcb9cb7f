"""The autoregressive baseline of translation: an encoder and a causal decoder, with beam search.

Axes: B batch, K beams, S source, L target, h width, V vocabulary.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.jax.state_files import load_pretrained, save_pretrained

from cdcd.config import CausalTranslationConfig
from cdcd.data.sentences import BEGIN, END, PADDING
from cdcd.models.attention import NORM_EPSILON, scan_blocks
from cdcd.models.encoder_decoder import DecoderBlock, Encoder, Memory, sinusoidal_positions


class Beams(NamedTuple):
    """Hypotheses of a beam search, the best one first.

    Attributes:
        tokens: begin, tokens, end, padding.
        scores: log-probability divided by the length penalty.
    """

    tokens: Int[Array, "batch beams length"]
    scores: Float[Array, "batch beams"]


class CausalTranslator(nnx.Module):
    """Probabilities of each target token given the source and the tokens before it (Vaswani et al., 2017).

    Sources, targets and the output layer share one table of embeddings.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: CausalTranslationConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, heads, ratio = config.width, config.heads, config.mlp_ratio
        self.embed = nnx.Param(width**-0.5 * jax.random.normal(rngs.params(), (config.vocab_size, width)))
        self.encoder = Encoder(width, width, config.encoder_depth, heads, ratio, rngs)

        def make_norm(rngs: nnx.Rngs) -> nnx.Module:
            return nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)

        stacked = nnx.vmap(lambda key: DecoderBlock(width, heads, ratio, make_norm, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)

    def encode(self, source: Int[Array, "batch source"]) -> Memory:
        """The memory of sources."""
        return self.encoder(self._embed(source), source != PADDING)

    def logits(self, memory: Memory, target: Int[Array, "batch length"]) -> Float[Array, "batch length vocab"]:
        """Logits of the token after each of the target's."""
        length = target.shape[1]
        x = self._embed(target) + sinusoidal_positions(length, self.config.width)
        mask = jnp.tril(jnp.ones((length, length), bool))[None, None]
        x = scan_blocks(self.blocks, x, lambda block, x: block(x, memory, mask))
        return (self.norm(x) @ self.embed[...].T).astype(jnp.float32)

    def nats(
        self, source: Int[Array, "batch source"], target: Int[Array, "batch length"], smoothing: float = 0.0
    ) -> Float[Array, "batch length-1"]:
        r"""$-\ln p(y_i \mid y_{<i})$ of each token after the begin, 0 for padding.

        Args:
            source: tokens.
            target: begin, tokens, end, padding.
            smoothing: part of each target distribution that is uniform.
        """
        log_probs = jax.nn.log_softmax(self.logits(self.encode(source), target[:, :-1]))
        nats = -jnp.take_along_axis(log_probs, target[:, 1:, None], axis=-1)[..., 0]
        nats = (1 - smoothing) * nats - smoothing * log_probs.mean(axis=-1)
        return jnp.where(target[:, 1:] != PADDING, nats, 0.0)

    def _embed(self, tokens: Int[Array, "batch length"]) -> Float[Array, "batch length width"]:
        return self.embed[...][tokens] * self.config.width**0.5

    def _next_log_probs(self, token: Array, position: Array, memory: Memory, caches: Any) -> tuple[Array, Any]:
        """Log-probabilities of the token after `position`, and the caches with that position; rows are hypotheses."""
        graph, states = nnx.split(self.blocks)
        keys, values, source_keys, source_values = caches
        length = keys.shape[2]
        seen = (jnp.arange(length) <= position)[None, None, None]
        present = memory.present[:, None, None]

        def layer(x: Array, layer_state: Any) -> tuple[Array, tuple[Array, Array]]:
            state, keys, values, source_keys, source_values = layer_state
            block: DecoderBlock = nnx.merge(graph, state)
            normed = block.norm_target(x)  # type: ignore[operator]
            key, value = block.attention.keys_values(normed)
            keys = jax.lax.dynamic_update_slice_in_dim(keys, key, position, axis=1)
            values = jax.lax.dynamic_update_slice_in_dim(values, value, position, axis=1)
            x = x + block.attention.attend(normed, keys, values, seen)
            normed = block.norm_source(x)  # type: ignore[operator]
            x = x + block.attention_to_source.attend(normed, source_keys, source_values, present)
            return x + block.mlp(block.norm_mlp(x)), (keys, values)  # type: ignore[operator]

        where = jnp.asarray(sinusoidal_positions(length, self.config.width))[position]
        x = self._embed(token[:, None]) + where
        x, (keys, values) = jax.lax.scan(layer, x, (states, keys, values, source_keys, source_values))
        logits = (self.norm(x)[:, 0] @ self.embed[...].T).astype(jnp.float32)
        return jax.nn.log_softmax(logits), (keys, values, source_keys, source_values)

    def beam_search(self, source: Int[Array, "batch source"], beams: int = 4, length_penalty: float = 0.6) -> Beams:
        r"""The best translations by $\ln p(y) / ((5 + |y|) / 6)^\alpha$ (Wu et al., 2016).

        A hypothesis that has ended stays among the beams, with its penalty, and competes with longer ones.

        Args:
            source: tokens.
            beams: K, hypotheses that are kept; 1 is greedy.
            length_penalty: $\alpha$; 0: none.
        """
        config = self.config
        batch, rows = len(source), len(source) * beams
        memory = self.encode(source)
        memory = Memory(*(jnp.repeat(array, beams, axis=0) for array in memory))
        graph, states = nnx.split(self.blocks)
        project = jax.vmap(lambda state: nnx.merge(graph, state).attention_to_source.keys_values(memory.states))
        shape = (config.depth, rows, config.length, config.heads, config.width // config.heads)
        caches = (jnp.zeros(shape), jnp.zeros(shape), *project(states))

        tokens = jnp.full((batch, beams, config.length), PADDING).at[:, :, 0].set(BEGIN)
        # Only one of the equal beams at the start counts.
        log_probs = jnp.where(jnp.arange(beams) == 0, 0.0, -jnp.inf) * jnp.ones((batch, 1))
        ended = jnp.zeros((batch, beams), bool)
        sizes = jnp.zeros((batch, beams))

        def penalised(log_probs: Array, sizes: Array) -> Array:
            return log_probs / ((5 + sizes) / 6) ** length_penalty

        def step(carry: Any, position: Array) -> tuple[Any, None]:
            tokens, log_probs, ended, sizes, caches = carry
            last = jax.lax.dynamic_index_in_dim(tokens, position, axis=2, keepdims=False)
            found, caches = self._next_log_probs(last.reshape(rows), position, memory, caches)
            found = found.reshape(batch, beams, -1).at[:, :, jnp.array([PADDING, BEGIN])].set(-jnp.inf)
            # At the last position only the end fits.
            only_end = jnp.arange(found.shape[-1]) == END
            found = jnp.where((position == config.length - 2) & ~only_end, -jnp.inf, found)
            stay = jnp.where(jnp.arange(found.shape[-1]) == PADDING, 0.0, -jnp.inf)
            extended = log_probs[..., None] + jnp.where(ended[..., None], stay, found)
            grown = jnp.where(ended, sizes, sizes + 1)
            _, best = jax.lax.top_k(penalised(extended, grown[..., None]).reshape(batch, -1), beams)
            parents, token = best // found.shape[-1], best % found.shape[-1]
            take = lambda array: jnp.take_along_axis(array, parents, axis=1)  # noqa: E731
            tokens = jnp.take_along_axis(tokens, parents[..., None], axis=1)
            tokens = jax.lax.dynamic_update_slice_in_dim(tokens, token[..., None], position + 1, axis=2)
            log_probs = jnp.take_along_axis(extended.reshape(batch, -1), best, axis=1)
            origin = (jnp.arange(batch)[:, None] * beams + parents).reshape(rows)
            caches = (*(cache[:, origin] for cache in caches[:2]), *caches[2:])
            return (tokens, log_probs, take(ended) | (token == END), take(grown), caches), None

        carry = (tokens, log_probs, ended, sizes, caches)
        (tokens, log_probs, _, sizes, _), _ = jax.lax.scan(step, carry, jnp.arange(config.length - 1))
        scores = penalised(log_probs, sizes)
        order = jnp.argsort(scores, axis=1, descending=True)
        return Beams(jnp.take_along_axis(tokens, order[..., None], axis=1), jnp.take_along_axis(scores, order, axis=1))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "CausalTranslator":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), CausalTranslationConfig, cls)[0]
