"""Sampling with caches, and the resets that keep it exact.

The cross-attention caches keys and values of all M inputs, each self-attention those of up to N latents. A latent that
stays in a cache depends on older ones, which a fresh pass would not have: so when N latents have gathered, the stack is
computed anew with R < N latents, from the cached inputs. In between, every step equals a fresh pass with R + s latents
(section 3, generation). Axes: B batch, M window, N latents, L layers, V vocabulary.
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
from perceiver_ar.generation.cache import Cache, _feed, _fill, _read, _slide, _write
from perceiver_ar.generation.logits import choose
from perceiver_ar.models.attention import NOBODY
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import check_coordinates


class Sampler:
    """Draws continuations of prompts.

    Args:
        model: numbers its positions from the data.
        options: temperature and cuts.
        reset_fill: R, latents that a reset computes; None: half of them, as the official code does.
        allowed: which tokens may follow, one row for every place in turn: row r serves the token that comes after
            r + 1, r + 1 + rows, ... inputs. One row for text; one for each codebook for codes of sounds, or channel of
            images with vocabularies of their own. None: everything but PAD and SOS.
        coordinates: of absolute positions with several axes, for the inputs of a whole sequence, which may be more or
            fewer than the context; no sequence can outgrow them.
        cache_dtype: in which keys and values are kept, e.g. jnp.bfloat16 for half the memory; None: the precision in
            which the model computes.

    Raises:
        UsageError: positions that count from the end cannot be cached; `reset_fill` outside 1 to N - 1; `allowed` of
            another vocabulary; coordinates missing or outside the tables.
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
            raise UsageError(f"allowed speaks of {allowed.shape[1]} tokens, the model knows {config.vocab_size}")
        if config.needs_coordinates != (coordinates is not None):
            wanted = "coordinates" if config.needs_coordinates else "no coordinates"
            raise UsageError(f"the model has {len(config.axis_sizes)} axes of positions, expected {wanted}")
        if coordinates is not None:
            check_coordinates(coordinates, config.axis_sizes)
        graph, params = nnx.split(model)
        self._params = params, jnp.asarray(allowed), None if coordinates is None else jnp.asarray(coordinates)
        self._graph = graph
        self._read = jax.jit(functools.partial(_read, graph))
        self._fill = jax.jit(functools.partial(_fill, graph), static_argnums=2)
        self._draw = jax.jit(functools.partial(_draw, self.options))
        self._write = jax.jit(functools.partial(_write, graph))
        self._advance = jax.jit(functools.partial(_advance, graph, self.options))
        self._feed = jax.jit(functools.partial(_feed, graph))

    def use(self, model: PerceiverAR) -> None:
        """Go on with other weights of the same architecture; nothing is compiled anew.

        Raises:
            UsageError: another architecture.
        """
        graph, params = nnx.split(model)
        if graph != self._graph:
            raise UsageError("the model has another architecture than the sampler was made for; make another sampler")
        self._params = params, *self._params[1:]

    def start(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Cache:
        """Caches of prompts, which may differ in length, ready for the first token.

        Sequences shorter than N make every input a latent.

        Args:
            prompts: ids, each beginning with SOS; longer than the context only where coordinates say what stands where.
            new_tokens: how many will follow: room is made for as many as fit before the first reset.

        Raises:
            UsageError: an empty or too long prompt, an id that the model does not know, more tokens than coordinates.
        """
        config, coordinates = self.config, self._params[2]
        most = config.context_length if coordinates is None else len(coordinates)
        for number, prompt in enumerate(prompts):
            if not 1 <= len(prompt) <= most:
                raise UsageError(f"prompt {number} has {len(prompt)} tokens, expected 1 (SOS) to {most}; cut it")
            if not 0 < min(prompt) <= max(prompt) < config.vocab_size:
                raise UsageError(
                    f"prompt {number} has ids from {min(prompt)} to {max(prompt)}, "
                    f"expected 1 to {config.vocab_size - 1}"
                )
        longest = max(len(prompt) for prompt in prompts)
        self._check_places(longest, new_tokens)
        latents = config.num_latents
        fill = longest if longest < latents else self.reset_fill
        kept = self._kept(fill, new_tokens)
        tokens = np.zeros((len(prompts), config.context_length), np.int32)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt[-kept:])] = prompt[-kept:]
        lengths = np.array([min(len(prompt), kept) for prompt in prompts], np.int32)
        seen = np.array([len(prompt) for prompt in prompts], np.int32)
        state = self._empty(jnp.asarray(tokens), jnp.asarray(lengths), jnp.asarray(seen))
        return self._fill(self._params, self._read(self._params, state), min(fill, kept))

    def step(self, state: Cache, key: PRNGKeyArray, new_tokens: int = 1) -> tuple[Cache, Int[Array, " batch"]]:
        """Draw one token of each sequence and take it in, with a reset where N latents have gathered.

        Args:
            state: where the sequences stand.
            key: the same for all steps; each draws its own from it.
            new_tokens: how many are still wanted, this one included.

        Raises:
            UsageError: more tokens than coordinates.
        """
        self._check_places(state.seen, 1)
        if int(state.filled) < self.config.num_latents:
            state, drawn = self._advance(self._params, state, key, 1)
            return state, drawn[:, 0]
        token = self._draw(self._params, state, key)
        state, slid = _slide(state, self._kept(self.reset_fill, new_tokens - 1))
        if slid:  # places have changed, and with them every key
            state = self._read(self._params, state)
        state = self._write(self._params, state, token)
        return self._fill(self._params, state, self.reset_fill), token

    def refill(self, state: Cache, latents: int) -> Cache:
        """A reset now: the stack computed anew, with latents at the last inputs.

        Raises:
            UsageError: more latents than the model caches.
        """
        if not 1 <= latents <= self.config.num_latents:
            raise UsageError(f"latents are {latents}, expected 1 to {self.config.num_latents}")
        return self._fill(self._params, state, latents)

    def feed(self, state: Cache, token: Int[Array, " batch"]) -> Cache:
        """Take a given token of each sequence in instead of a drawn one, without a reset: for scoring with caches.

        Raises:
            UsageError: no room for another latent or input (`roll` makes room for latents), or no coordinates for it.
        """
        self._check_places(state.seen, 1)
        if int(state.filled) >= self.config.num_latents or int(state.lengths.max()) >= self.config.context_length:
            raise UsageError(
                f"the caches hold {int(state.filled)} latents and {int(state.lengths.max())} inputs, expected fewer "
                f"than {self.config.num_latents} and {self.config.context_length}"
            )
        return self._feed(self._params, state, token)

    def generate(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, key: PRNGKeyArray, *, stop: int | None = None
    ) -> list[Int[np.ndarray, "_"]]:
        """Continuations of prompts, without the prompts.

        Args:
            prompts: ids, each beginning with SOS; their lengths may differ.
            new_tokens: the most tokens to draw for each.
            key: of all draws; the result does not depend on how they fall between resets.
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
                state, drawn = self._advance(self._params, state, key, steps)
                parts.append(np.asarray(drawn)[:, :steps])
            left -= parts[-1].shape[1]
            ended |= (parts[-1] == stop).any(axis=1) if stop is not None else False
        tokens = np.concatenate(parts, axis=1) if parts else np.zeros((len(prompts), 0), int)
        if stop is None:
            return list(tokens)
        ends = [np.append(np.flatnonzero(row == stop), len(row))[0] for row in tokens]
        return [row[:end] for row, end in zip(tokens, ends, strict=True)]

    def _check_places(self, seen: int | Array, new_tokens: int) -> None:
        coordinates = self._params[2]
        if coordinates is None:
            return
        most = int(np.max(seen))
        if most + new_tokens > len(coordinates):
            raise UsageError(
                f"{most} + {new_tokens} tokens are more than the {len(coordinates)} places that have coordinates; "
                "draw fewer"
            )

    def _kept(self, fill: int, new_tokens: int) -> int:
        """Inputs that may stay, so that those until the end of the next reset find room."""
        room = min(self.config.num_latents - fill + 1, new_tokens)
        return max(1, self.config.context_length - room)

    def _empty(self, tokens: Array, lengths: Array, seen: Array) -> Cache:
        config, batch = self.config, len(tokens)
        cross = batch, config.context_length, config.num_cross_heads, config.input_dim // config.num_cross_heads
        stack = config.depth, batch, config.num_latents, config.heads, config.width // config.heads
        return Cache(
            tokens,
            lengths,
            seen,
            (jnp.zeros(cross, self.cache_dtype), jnp.zeros(cross, self.cache_dtype)),
            (jnp.zeros(stack, self.cache_dtype), jnp.zeros(stack, self.cache_dtype)),
            jnp.full((batch, config.num_latents), NOBODY),
            jnp.int32(0),
            jnp.int32(0),
            jnp.zeros((batch, config.vocab_size)),
        )


def _draw(options: SamplingOptions, arguments: Any, state: Cache, key: Array) -> Array:
    allowed = arguments[1]
    rows = allowed[(state.seen - 1) % len(allowed)]
    return choose(jax.random.fold_in(key, state.drawn), state.logits, options, rows)


def _advance(graph: Any, options: SamplingOptions, arguments: Any, state: Cache, key: Array, steps: Any) -> Any:
    """Draw `steps` tokens without a reset: the state, and the tokens in the first columns of [B, N]."""

    def one(number: Any, carry: tuple[Cache, Array]) -> tuple[Cache, Array]:
        state, drawn = carry
        token = _draw(options, arguments, state, key)
        return _feed(graph, arguments, state, token), drawn.at[:, number].set(token.astype(drawn.dtype))

    return jax.lax.fori_loop(0, steps, one, (state, jnp.zeros_like(state.key_index)))
