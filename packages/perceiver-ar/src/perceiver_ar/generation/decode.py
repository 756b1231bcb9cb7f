"""Cached sampling with resets.

The cross-attention caches keys and values of all M inputs, each self-attention those of up to N latents. A cached
latent depends on older latents, which a forward pass over the window would not have. So when N latents are cached, a
reset recomputes the stack with R < N latents from the cached inputs, and s steps after a reset the logits equal those
of a forward pass with R + s latents (paper, appendix E.3; official code, sample_utils.py).

Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Int, PRNGKeyArray
from onepaper.errors import UsageError

from perceiver_ar.config import PAD, SOS, SamplingOptions
from perceiver_ar.generation.cache import Cache, append, decode_step, prefill, project_inputs, slide_window
from perceiver_ar.generation.logits import sample_token
from perceiver_ar.models.attention import MASKED_KEY
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import check_coordinates


class Sampler:
    """Samples continuations of prompts.

    Args:
        model: with the numbering "data".
        options: temperature, top-k and top-p.
        reset_fill: R, number of latents that a reset computes; None: N / 2, as in the official code.
        allowed: mask of tokens that may be sampled, with rows that are used in turn: row r is for the token after
            r + 1, r + 1 + rows, ... inputs. One row for text, one for each codebook for codes of sounds. None: all but
            PAD and SOS.
        coordinates: absolute positions on several axes, for all inputs of a sequence, more or fewer than the context;
            sequences cannot be longer.
        cache_dtype: of cached keys and values, e.g. jnp.bfloat16 for half the memory; None: the precision of the
            model.

    Raises:
        UsageError: another numbering than "data"; `reset_fill` outside 1 to N - 1; `allowed` of another vocabulary;
            coordinates missing or outside the tables.
    """

    def __init__(
        self,
        model: PerceiverAR,
        options: SamplingOptions | None = None,
        *,
        reset_fill: int | None = None,
        allowed: Bool[np.ndarray, "rows vocab"] | None = None,
        coordinates: Int[np.ndarray, "inputs axes"] | None = None,
        cache_dtype: DTypeLike | None = None,
    ) -> None:
        config = model.config
        self.config, self.options = config, options or SamplingOptions()
        self.cache_dtype = jnp.dtype(cache_dtype or model.cross.key.dtype or jnp.float32)
        if config.numbering != "data":
            raise UsageError(
                f"numbering is '{config.numbering}', expected 'data': positions from the end cannot be cached"
            )
        latents = config.num_latents
        self.reset_fill = max(1, latents // 2) if reset_fill is None else reset_fill
        if not 1 <= self.reset_fill <= max(1, latents - 1):
            raise UsageError(f"reset_fill is {reset_fill}, expected 1 to {latents - 1}")
        if allowed is None:
            allowed = ~np.isin(np.arange(config.vocab_size), (PAD, SOS))[None]
        if allowed.shape[1] != config.vocab_size:
            raise UsageError(f"allowed has {allowed.shape[1]} columns, expected vocab_size, {config.vocab_size}")
        if config.needs_coordinates != (coordinates is not None):
            wanted = "coordinates" if config.needs_coordinates else "no coordinates"
            raise UsageError(f"the model has {len(config.axis_sizes)} axes of positions, expected {wanted}")
        if coordinates is not None:
            check_coordinates(coordinates, config.axis_sizes)
        graph, params = nnx.split(model)
        self._params = params, jnp.asarray(allowed), None if coordinates is None else jnp.asarray(coordinates)
        self._graph = graph
        self._project_inputs = jax.jit(functools.partial(project_inputs, graph))
        self._prefill = jax.jit(functools.partial(prefill, graph), static_argnums=2)
        self._draw_token = jax.jit(functools.partial(draw_token, self.options))
        self._append = jax.jit(functools.partial(append, graph))
        self._decode_steps = jax.jit(functools.partial(decode_steps, graph, self.options))
        self._decode_step = jax.jit(functools.partial(decode_step, graph))

    def set_weights(self, model: PerceiverAR) -> None:
        """Continue with other weights of the same architecture, without compiling again.

        Raises:
            UsageError: another architecture.
        """
        graph, params = nnx.split(model)
        if graph != self._graph:
            raise UsageError("the model differs in architecture from that of the sampler; construct another sampler")
        self._params = params, *self._params[1:]

    def start(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Cache:
        """Caches of prompts, which may differ in length, before the first sampled token.

        Where all prompts are shorter than N, every input is a latent.

        Args:
            prompts: ids, each beginning with SOS; longer than the context only with coordinates.
            new_tokens: how many tokens will be sampled; the window leaves room for those before the first reset.

        Raises:
            UsageError: an empty or too long prompt, an id outside the vocabulary, more tokens than coordinates.
        """
        config, coordinates = self.config, self._params[2]
        most = config.context_length if coordinates is None else len(coordinates)
        for number, prompt in enumerate(prompts):
            if not 1 <= len(prompt) <= most:
                raise UsageError(f"prompt {number} has {len(prompt)} tokens, expected 1 (SOS) to {most}; shorten it")
            if not 0 < min(prompt) <= max(prompt) < config.vocab_size:
                raise UsageError(
                    f"prompt {number} has ids from {min(prompt)} to {max(prompt)}, "
                    f"expected 1 to {config.vocab_size - 1}"
                )
        longest = max(len(prompt) for prompt in prompts)
        self._check_coordinates(longest, new_tokens)
        latents = config.num_latents
        fill = longest if longest < latents else self.reset_fill
        kept = self._max_kept_inputs(fill, new_tokens)
        tokens = np.zeros((len(prompts), config.context_length), np.int32)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt[-kept:])] = prompt[-kept:]
        lengths = np.array([min(len(prompt), kept) for prompt in prompts], np.int32)
        seen = np.array([len(prompt) for prompt in prompts], np.int32)
        state = self._empty_cache(jnp.asarray(tokens), jnp.asarray(lengths), jnp.asarray(seen))
        return self._prefill(self._params, self._project_inputs(self._params, state), min(fill, kept))

    def step(self, state: Cache, key: PRNGKeyArray, new_tokens: int = 1) -> tuple[Cache, Int[Array, " batch"]]:
        """Sample one token of each sequence and append it, with a reset when N latents are cached.

        Args:
            state: of the sampling.
            key: the same for all steps; each step derives its own from it.
            new_tokens: how many tokens remain to be sampled, including this one.

        Raises:
            UsageError: more tokens than coordinates.
        """
        self._check_coordinates(state.seen, 1)
        if int(state.filled) < self.config.num_latents:
            state, drawn = self._decode_steps(self._params, state, key, 1)
            return state, drawn[:, 0]
        token = self._draw_token(self._params, state, key)
        state, slid = slide_window(state, self._max_kept_inputs(self.reset_fill, new_tokens - 1))
        if slid:  # positions have changed, and with them all keys
            state = self._project_inputs(self._params, state)
        state = self._append(self._params, state, token)
        return self._prefill(self._params, state, self.reset_fill), token

    def reset(self, state: Cache, latents: int) -> Cache:
        """Reset now: recompute the stack with latents at the last inputs.

        Raises:
            UsageError: more latents than the model caches.
        """
        if not 1 <= latents <= self.config.num_latents:
            raise UsageError(f"latents are {latents}, expected 1 to {self.config.num_latents}")
        return self._prefill(self._params, state, latents)

    def decode_step(self, state: Cache, token: Int[Array, " batch"]) -> Cache:
        """Append a given token of each sequence instead of a sampled one, without a reset, to score with caches.

        Raises:
            UsageError: no free slot for a latent (`evict_oldest` frees one) or an input, or no coordinates for it.
        """
        self._check_coordinates(state.seen, 1)
        if int(state.filled) >= self.config.num_latents or int(state.lengths.max()) >= self.config.context_length:
            raise UsageError(
                f"the caches hold {int(state.filled)} latents and {int(state.lengths.max())} inputs, expected fewer "
                f"than {self.config.num_latents} and {self.config.context_length}"
            )
        return self._decode_step(self._params, state, token)

    def generate(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, key: PRNGKeyArray, *, stop: int | None = None
    ) -> list[Int[np.ndarray, "_"]]:
        """Continuations of prompts, without the prompts.

        Args:
            prompts: ids, each beginning with SOS; their lengths may differ.
            new_tokens: the most tokens to sample for each.
            key: of the random numbers.
            stop: a token that ends a sequence, such as EOS; it is not returned.
        """
        state = self.start(prompts, new_tokens)
        parts: list[np.ndarray] = []
        left = new_tokens
        ended = np.zeros(len(prompts), bool)
        while left > 0 and not ended.all():
            free = self.config.num_latents - int(state.filled)
            if free == 0:
                state, token = self.step(state, key, left)
                parts.append(np.asarray(token)[:, None])
            else:
                steps = min(free, left)
                state, drawn = self._decode_steps(self._params, state, key, steps)
                parts.append(np.asarray(drawn)[:, :steps])
            left -= parts[-1].shape[1]
            ended |= (parts[-1] == stop).any(axis=1) if stop is not None else False
        tokens = np.concatenate(parts, axis=1) if parts else np.zeros((len(prompts), 0), int)
        if stop is None:
            return list(tokens)
        ends = [np.append(np.flatnonzero(row == stop), len(row))[0] for row in tokens]
        return [row[:end] for row, end in zip(tokens, ends, strict=True)]

    def _check_coordinates(self, seen: int | Array, new_tokens: int) -> None:
        coordinates = self._params[2]
        if coordinates is None:
            return
        most = int(np.max(seen))
        if most + new_tokens > len(coordinates):
            raise UsageError(
                f"{most} + {new_tokens} tokens are more than the {len(coordinates)} that have coordinates; sample fewer"
            )

    def _max_kept_inputs(self, fill: int, new_tokens: int) -> int:
        """The most inputs to keep, so that the tokens until the next reset fit into the window."""
        room = min(self.config.num_latents - fill + 1, new_tokens)
        return max(1, self.config.context_length - room)

    def _empty_cache(self, tokens: Array, lengths: Array, seen: Array) -> Cache:
        config, batch = self.config, len(tokens)
        cross = batch, config.context_length, config.num_cross_heads, config.input_dim // config.num_cross_heads
        stack = config.depth, batch, config.num_latents, config.heads, config.width // config.heads
        return Cache(
            tokens,
            lengths,
            seen,
            (jnp.zeros(cross, self.cache_dtype), jnp.zeros(cross, self.cache_dtype)),
            (jnp.zeros(stack, self.cache_dtype), jnp.zeros(stack, self.cache_dtype)),
            jnp.full((batch, config.num_latents), MASKED_KEY),
            jnp.int32(0),
            jnp.int32(0),
            jnp.zeros((batch, config.vocab_size)),
        )


def draw_token(options: SamplingOptions, arguments: Any, state: Cache, key: Array) -> Array:
    """One token of each sequence from the logits of the cache."""
    allowed = arguments[1]
    rows = allowed[(state.seen - 1) % len(allowed)]
    return sample_token(jax.random.fold_in(key, state.drawn), state.logits, options, rows)


def decode_steps(graph: Any, options: SamplingOptions, arguments: Any, state: Cache, key: Array, steps: Any) -> Any:
    """Sample `steps` tokens without a reset: the state, and the tokens in the first columns of [B, N]."""

    def one(number: Any, carry: tuple[Cache, Array]) -> tuple[Cache, Array]:
        state, drawn = carry
        token = draw_token(options, arguments, state, key)
        return decode_step(graph, arguments, state, token), drawn.at[:, number].set(token.astype(drawn.dtype))

    return jax.lax.fori_loop(0, steps, one, (state, jnp.zeros_like(state.key_index)))
