"""The caches of a batch of sequences, and the steps that read and write them.

Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from perceiver_ar.config import PAD
from perceiver_ar.models.attention import NOBODY, Partial, attend_by_index, attend_one
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import latent_places


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
