"""Cached sampling with resets.

The cross-attention caches keys and values of all M inputs, each self-attention those of up to N latents. A cached
latent depends on older latents, which a forward pass over the window would not have. So when N latents are cached, a
reset recomputes the stack with R < N latents from the cached inputs, and s steps after a reset the logits equal those
of a forward pass with R + s latents (paper, appendix E.3; official code, sample_utils.py).

No input leaves the window before there are more than M. Then the window slides: N - R + 1 inputs leave at once, which
makes room until the next reset, and the remaining ones are numbered from 1 again. When resets happen and the window
slides depends only on the sequence itself, not on the others of the batch or on how many tokens are asked for.

Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

import functools
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Int, PRNGKeyArray, UInt32
from onepaper.config import check_non_negative
from onepaper.errors import UsageError

from perceiver_ar.config import PAD, SOS, SamplingOptions
from perceiver_ar.generation.cache import Cache, decode_step, prefill, project_inputs, restart, restart_rows
from perceiver_ar.generation.logits import sample_token
from perceiver_ar.models.attention import MASKED_KEY
from perceiver_ar.models.embeddings import check_ids
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
        # What a window keeps when it slides, so that it is full when N latents are cached.
        kept = config.context_length - (latents - self.reset_fill)
        self._restart = jax.jit(functools.partial(restart, graph, self.reset_fill, kept), static_argnums=0)
        self._restart_rows = jax.jit(functools.partial(restart_rows, graph, self.reset_fill, kept), static_argnums=0)
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

    def start(self, prompts: Sequence[Sequence[int]], new_tokens: int = 0) -> Cache:
        """Caches of prompts, which may differ in length, before the first sampled token.

        Every input of a prompt shorter than N is a latent, and the last R inputs of a longer one.

        Args:
            prompts: ids, each beginning with SOS; longer than the context only with coordinates.
            new_tokens: how many tokens will be sampled, all of which need coordinates if the model has them.

        Raises:
            UsageError: no prompts, an empty or too long one, ids that are not integers inside the vocabulary, more
                tokens than coordinates.
        """
        config, coordinates = self.config, self._params[2]
        most = config.context_length if coordinates is None else len(coordinates)
        check_prompts(prompts, most, config.vocab_size)
        seen = np.array([len(prompt) for prompt in prompts], np.int32)
        self._check_coordinates(int(seen.max()), new_tokens)
        tokens = np.full((len(prompts), config.context_length), PAD, np.int32)
        for row, prompt in enumerate(prompts):
            inputs = prompt[-config.context_length :]
            tokens[row, : len(inputs)] = inputs
        latents = np.where(seen < config.num_latents, seen, self.reset_fill)
        state = self._project_inputs(self._params, self._empty_cache(tokens, seen, streams(prompts)))
        count = self.reset_fill if latents.max() <= self.reset_fill else config.num_latents  # two compiled programs
        return self._prefill(self._params, state, count, jnp.asarray(latents))

    def step(self, state: Cache, key: PRNGKeyArray, new_tokens: int = 1) -> tuple[Cache, Int[Array, " batch"]]:
        """Sample one token of each sequence and append it.

        A sequence with N cached latents is reset, and a full window slides.

        Args:
            state: of the sampling.
            key: the same for all steps; each step and each sequence derives its own from it.
            new_tokens: how many tokens remain to be sampled, including this one, all of which need coordinates if the
                model has them.

        Raises:
            UsageError: more tokens than coordinates.
        """
        self._check_coordinates(int(np.max(state.seen)), new_tokens)
        steps, slides = self._steps_left(state), np.asarray(state.lengths) == self.config.context_length
        if steps.all():
            state, drawn = self._decode_steps(self._params, state, key, 1)
            return state, drawn[:, 0]
        token = self._draw_token(self._params, state, key)
        if not steps.any():
            return self._restart(bool(slides.any()), self._params, state, token), token
        rows = np.flatnonzero(steps == 0)
        padded = np.resize(rows, 1 << (len(rows) - 1).bit_length())  # fewer numbers of rows to compile for
        return self._restart_rows(bool(slides.any()), self._params, state, token, padded), token

    def reset(self, state: Cache, latents: int) -> Cache:
        """Reset now: recompute the stack with latents at the last inputs.

        Raises:
            UsageError: more latents than the model caches.
        """
        if not 1 <= latents <= self.config.num_latents:
            raise UsageError(f"latents are {latents}, expected 1 to {self.config.num_latents}")
        lengths = jnp.minimum(state.lengths, latents)
        return self._prefill(self._params, state, latents, lengths)

    def decode_step(self, state: Cache, token: Int[Array, " batch"]) -> Cache:
        """Append a given token of each sequence instead of a sampled one, without a reset, to score with caches.

        Raises:
            UsageError: no free slot for a latent (`evict_oldest` frees one) or an input, no coordinates for it, or not
                one id of the vocabulary for each sequence.
        """
        self._check_coordinates(int(np.max(state.seen)), 1)
        if len(token) != len(state.lengths):
            raise UsageError(f"there are {len(token)} tokens for {len(state.lengths)} sequences, expected one for each")
        check_ids("token", np.asarray(token), self.config.vocab_size)
        if not self._steps_left(state).all():
            raise UsageError(
                f"the caches hold {state.filled} latents and {int(state.lengths.max())} inputs, expected fewer "
                f"than {self.config.num_latents} and {self.config.context_length}"
            )
        return self._decode_step(self._params, state, token)

    def generate(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, key: PRNGKeyArray, *, stop: int | None = None
    ) -> list[Int[np.ndarray, "_"]]:
        """Continuations of prompts, without the prompts, each as if it were sampled alone.

        Random numbers belong to a prompt, not to its row in the batch; equal prompts differ by their number among
        each other. The first tokens do not depend on `new_tokens`.

        Args:
            prompts: ids, each beginning with SOS; their lengths may differ.
            new_tokens: the most tokens to sample for each.
            key: of the random numbers.
            stop: a token that ends a sequence, such as EOS; it is not returned.

        Raises:
            UsageError: as for `start`, or a negative number of tokens.
        """
        check_non_negative("new_tokens", new_tokens)
        state = self.start(prompts, new_tokens)
        parts: list[np.ndarray] = []
        left = new_tokens
        ended = np.zeros(len(prompts), bool)
        while left > 0 and not ended.all():
            steps = min(int(self._steps_left(state).min()), left)
            if steps == 0:
                state, token = self.step(state, key)
                parts.append(np.asarray(token)[:, None])
            else:
                state, drawn = self._decode_steps(self._params, state, key, steps)
                parts.append(np.asarray(drawn)[:, :steps])
            left -= parts[-1].shape[1]
            ended |= (parts[-1] == stop).any(axis=1) if stop is not None else False
        tokens = np.concatenate(parts, axis=1) if parts else np.zeros((len(prompts), 0), int)
        if stop is None:
            return list(tokens)
        ends = [np.append(np.flatnonzero(row == stop), len(row))[0] for row in tokens]
        return [row[:end] for row, end in zip(tokens, ends, strict=True)]

    def _check_coordinates(self, seen: int, new_tokens: int) -> None:
        coordinates = self._params[2]
        if coordinates is not None and seen + new_tokens > len(coordinates):
            raise UsageError(
                f"{seen} + {new_tokens} tokens are more than the {len(coordinates)} that have coordinates; sample fewer"
            )

    def _steps_left(self, state: Cache) -> Int[np.ndarray, " batch"]:
        """Steps of each sequence before a reset or before its window slides."""
        latents, inputs = (
            self.config.num_latents - state.latents,
            self.config.context_length - np.asarray(state.lengths),
        )
        return np.minimum(latents, inputs)

    def _empty_cache(
        self,
        tokens: Int[np.ndarray, "batch window"],
        seen: Int[np.ndarray, " batch"],
        streams: UInt32[np.ndarray, " batch"],
    ) -> Cache:
        config, batch = self.config, len(tokens)
        cross = batch, config.context_length, config.num_cross_heads, config.input_dim // config.num_cross_heads
        stack = config.depth, batch, config.num_latents, config.heads, config.width // config.heads
        return Cache(
            jnp.asarray(tokens),
            jnp.asarray(np.minimum(seen, config.context_length)),
            jnp.asarray(seen),
            jnp.asarray(streams),
            (jnp.zeros(cross, self.cache_dtype), jnp.zeros(cross, self.cache_dtype)),
            (jnp.zeros(stack, self.cache_dtype), jnp.zeros(stack, self.cache_dtype)),
            jnp.full((batch, config.num_latents), MASKED_KEY),
            jnp.int32(0),
            jnp.int32(0),
            jnp.zeros((batch, config.vocab_size)),
        )


def check_prompts(prompts: Sequence[Sequence[int]], most: int, vocab_size: int) -> None:
    """Raise `UsageError` unless there are prompts of 1 to `most` integers from 1 to `vocab_size` - 1."""
    if not len(prompts):
        raise UsageError("there are no prompts, expected at least one; a sequence from nothing begins with SOS")
    for number, prompt in enumerate(prompts):
        if not 1 <= len(prompt) <= most:
            raise UsageError(f"prompt {number} has {len(prompt)} tokens, expected 1 (SOS) to {most}; shorten it")
        check_ids(f"prompt {number}", np.asarray(prompt), vocab_size)


def streams(prompts: Sequence[Sequence[int]]) -> UInt32[np.ndarray, " batch"]:
    """Numbers that select random streams: a hash of each prompt and its number among equal prompts."""
    earlier = Counter[bytes]()
    found = []
    for prompt in prompts:
        content = np.asarray(prompt, np.int32).tobytes()
        found.append(zlib.crc32(np.int32(earlier[content]).tobytes(), zlib.crc32(content)))
        earlier[content] += 1
    return np.array(found, np.uint32)


def draw_token(options: SamplingOptions, arguments: Any, state: Cache, key: Array) -> Array:
    """One token of each sequence from the logits of the cache, with random numbers of its own."""
    allowed = arguments[1]
    rows = allowed[(state.seen - 1) % len(allowed)]
    key = jax.random.fold_in(key, state.drawn)

    def draw(stream: Array, logits: Array, row: Array) -> Array:
        return sample_token(jax.random.fold_in(key, stream), logits[None], options, row[None])[0]

    return jax.vmap(draw)(state.streams, state.logits, rows)


def decode_steps(graph: Any, options: SamplingOptions, arguments: Any, state: Cache, key: Array, steps: Any) -> Any:
    """Sample `steps` tokens without a reset: the state, and the tokens in the first columns of [B, N]."""

    def one(number: Any, carry: tuple[Cache, Array]) -> tuple[Cache, Array]:
        state, drawn = carry
        token = draw_token(options, arguments, state, key)
        return decode_step(graph, arguments, state, token), drawn.at[:, number].set(token.astype(drawn.dtype))

    return jax.lax.fori_loop(0, steps, one, (state, jnp.zeros_like(state.key_index)))
