"""Sampling with caches, and the resets that keep it exact.

The cross-attention caches keys and values of all M inputs, each self-attention those of up to N latents. A latent that
stays in a cache depends on older ones, which a fresh pass would not have: so when N latents have gathered, the stack is
computed anew with R < N latents, from the cached inputs. In between, every step equals a fresh pass with R + s latents
(section 3, generation). Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError

from perceiver_ar.attention import NOBODY, Partial, attend_by_index, attend_one
from perceiver_ar.config import PAD, SOS, SamplingOptions
from perceiver_ar.model import PerceiverAR, take
from perceiver_ar.positions import check_coordinates, latent_places


def cut(logits: Float[Array, "batch vocab"], options: SamplingOptions) -> Float[Array, "batch vocab"]:
    """Logits with -inf at tokens that `top_k` and `top_p` leave out; ties with the last one kept stay."""
    size = logits.shape[-1]
    if 0 < options.top_k < size:
        least = jax.lax.top_k(logits, options.top_k)[0][..., -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if options.top_p < 1:
        ordered = -jnp.sort(-logits, axis=-1)
        probabilities = jax.nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        least = jnp.where(before < options.top_p, ordered, jnp.inf).min(axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return logits


def choose(
    key: PRNGKeyArray,
    logits: Float[Array, "batch vocab"],
    options: SamplingOptions,
    allowed: Bool[Array, "batch vocab"] | None = None,
) -> Int[Array, " batch"]:
    """One token of each row, among the allowed ones."""
    if allowed is not None:
        logits = jnp.where(allowed, logits, -jnp.inf)
    logits = cut(logits, options)
    if options.temperature == 0:
        return logits.argmax(axis=-1)
    return jax.random.categorical(key, logits / options.temperature, axis=-1)


class Cache(NamedTuple):
    """Where a batch of sequences stands."""

    tokens: Int[Array, "batch window"]
    """the inputs still in the window, padded on the right"""
    lengths: Int[Array, " batch"]
    """inputs in the window"""
    seen: Int[Array, " batch"]
    """inputs in all, those that slid out of the window included"""
    cross: tuple[Array, Array]
    """keys and values of the inputs, [B, M, heads, channels]"""
    stack: tuple[Array, Array]
    """keys and values of the latents, [L, B, N, heads, channels]"""
    key_index: Int[Array, "batch latents"]
    """the input at which each cached latent sits; NOBODY where there is none"""
    filled: Int[Array, ""]
    """latents since the last reset, that one included"""
    drawn: Int[Array, ""]
    """tokens drawn so far: numbers the random keys"""
    logits: Float[Array, "batch vocab"]
    """of the next token"""


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


def roll(state: Cache) -> Cache:
    """Drop the oldest latent from caches that are full, rather than reset them.

    This is plain key-value caching. It is not what this package samples with: the latents that stay still depend on
    those that went, which a fresh pass would not have, and the error grows from step to step (section 3, generation).
    """
    return state._replace(
        stack=(jnp.roll(state.stack[0], -1, axis=2), jnp.roll(state.stack[1], -1, axis=2)),
        key_index=jnp.roll(state.key_index, -1, axis=1),
        filled=state.filled - 1,
    )


def _slide(state: Cache, kept: int) -> tuple[Cache, bool]:
    """Drop the oldest inputs of sequences with more than `kept` of them after the next one."""
    dropped = jnp.maximum(state.lengths + 1 - kept, 0)
    if not int(dropped.max()):
        return state, False
    places = jnp.arange(state.tokens.shape[1])
    tokens = take(state.tokens, jnp.minimum(places + dropped[:, None], places[-1]))
    lengths = state.lengths - dropped
    tokens = jnp.where(places < lengths[:, None], tokens, PAD)
    return state._replace(tokens=tokens, lengths=lengths), True


def _embed(
    model: PerceiverAR, coordinates: Array | None, state: Cache, tokens: Array, places: Array
) -> tuple[Array, Array]:
    """Embedded tokens at these places of the window, and the numbers of their positions.

    Numbers count from the start of the window, coordinates belong to places in the whole sequence.
    """
    at = None
    if coordinates is not None:
        slid_out = (state.seen - state.lengths)[:, None]
        at = coordinates[jnp.clip(places + slid_out, 0, len(coordinates) - 1)]  # what lies outside is padding
    return model.inputs(tokens, places + 1, at), places + 1


def _read(graph: Any, arguments: Any, state: Cache) -> Cache:
    """Keys and values of the whole window."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    places = jnp.broadcast_to(jnp.arange(state.tokens.shape[1]), state.tokens.shape)
    found = model.cross.keys_values(*_embed(model, coordinates, state, state.tokens, places))
    return state._replace(cross=tuple(new.astype(old.dtype) for new, old in zip(found, state.cross, strict=True)))


def _fill(graph: Any, arguments: Any, state: Cache, count: int) -> Cache:
    """A reset: the stack from scratch, with latents at the last `count` inputs."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    state = state._replace(key_index=jnp.full_like(state.key_index, NOBODY), filled=jnp.int32(0))
    return _add_latents(model, coordinates, state, latent_places(state.lengths, count))


def _write(graph: Any, arguments: Any, state: Cache, token: Array) -> Cache:
    """Take one token of each sequence into the window."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    rows, places = jnp.arange(len(token)), state.lengths
    k, v = model.cross.keys_values(*_embed(model, coordinates, state, token[:, None], places[:, None]))
    cross = tuple(
        old.at[rows, places].set(new[:, 0].astype(old.dtype)) for old, new in zip(state.cross, (k, v), strict=True)
    )
    tokens = state.tokens.at[rows, places].set(token.astype(state.tokens.dtype))
    return state._replace(tokens=tokens, cross=cross, lengths=places + 1, seen=state.seen + 1, drawn=state.drawn + 1)


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


def _feed(graph: Any, arguments: Any, state: Cache, token: Array) -> Cache:
    """Take one token of each sequence in, with a latent on it."""
    params, _, coordinates = arguments
    state = _write(graph, arguments, state, token)
    return _add_latents(nnx.merge(graph, params), coordinates, state, state.lengths[:, None] - 1)


def _attend(q: Array, k: Array, v: Array, places: Array, key_index: Array, chunk: int) -> Partial:
    """A single latent is the newest input: it sees everything that is there."""
    if q.shape[1] == 1:
        return attend_one(q, k, v, key_index)
    return attend_by_index(q, k, v, places, key_index, chunk=chunk)


def _add_latents(model: PerceiverAR, coordinates: Array | None, state: Cache, places: Array) -> Cache:
    """Run latents at these inputs, [B, n], on top of those that are cached; logits of the last one."""
    config, slot = model.config, state.filled
    x, numbers = _embed(model, coordinates, state, take(state.tokens, places), places)
    z = model.latent_in(x)
    inputs = jnp.arange(state.tokens.shape[1])
    present = jnp.where(inputs < state.lengths[:, None], inputs, NOBODY)
    found = _attend(model.cross.queries(z, numbers), *state.cross, places, present, config.chunk)
    z = model.cross.add(z, found.values.astype(z.dtype), None)
    added = jnp.where(places < 0, NOBODY, places).astype(state.key_index.dtype)
    key_index = jax.lax.dynamic_update_slice(state.key_index, added, (0, slot))

    stack = state.stack
    if config.depth:
        block_graph, states = nnx.split(model.blocks)

        def layer(z: Array, of_layer: Any) -> tuple[Array, tuple[Array, Array]]:
            block = nnx.merge(block_graph, of_layer[0])
            fresh = block.keys_values(z, numbers)
            keys, values = (
                jax.lax.dynamic_update_slice(old, new.astype(old.dtype), (0, slot, 0, 0))
                for old, new in zip(of_layer[1], fresh, strict=True)
            )
            found = _attend(block.queries(z, numbers), keys, values, places, key_index, config.chunk)
            return block.add(z, found.values.astype(z.dtype), None), (keys, values)

        z, stack = jax.lax.scan(layer, z, (states, state.stack))
    logits = model.logits(z[:, -1:])[:, 0]
    return state._replace(stack=stack, key_index=key_index, filled=slot + places.shape[1], logits=logits)
