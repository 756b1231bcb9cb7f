"""Key-value caches of a batch of sequences, and the functions that fill and extend them.

Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from perceiver_ar.config import PAD
from perceiver_ar.models.attention import MASKED_KEY, PartialAttention, attend_by_index, attend_one
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import latent_indices


class Cache(NamedTuple):
    """The state of cached sampling for a batch of sequences."""

    tokens: Int[Array, "batch window"]
    """ids in the window, padded on the right"""
    lengths: Int[Array, " batch"]
    """number of inputs in the window"""
    seen: Int[Array, " batch"]
    """number of inputs in all, including those that have left the window"""
    cross: tuple[Array, Array]
    """keys and values of the inputs, [B, M, heads, channels]"""
    stack: tuple[Array, Array]
    """keys and values of the latents, [L, B, N, heads, channels]"""
    key_index: Int[Array, "batch latents"]
    """index of the input of each cached latent; `MASKED_KEY` for empty slots"""
    filled: Int[Array, ""]
    """cached latents: those of the last reset and one for each step since"""
    drawn: Int[Array, ""]
    """tokens sampled so far, which select the random keys"""
    logits: Float[Array, "batch vocab"]
    """logits of the next token"""


def evict_oldest(state: Cache) -> Cache:
    """Evict the oldest latent from full caches instead of resetting them.

    This is plain key-value caching, for comparison only: the remaining latents depend on evicted ones, which a forward
    pass over the window would not have, and the error grows with every step (paper, appendix E.3).
    """
    return state._replace(
        stack=(jnp.roll(state.stack[0], -1, axis=2), jnp.roll(state.stack[1], -1, axis=2)),
        key_index=jnp.roll(state.key_index, -1, axis=1),
        filled=state.filled - 1,
    )


def slide_window(state: Cache, kept: int) -> tuple[Cache, bool]:
    """Drop the oldest inputs of sequences that would exceed `kept` inputs after the next token."""
    num_evicted = jnp.maximum(state.lengths + 1 - kept, 0)
    if not int(num_evicted.max()):
        return state, False
    input_indices = jnp.arange(state.tokens.shape[1])
    tokens = take(state.tokens, jnp.minimum(input_indices + num_evicted[:, None], input_indices[-1]))
    lengths = state.lengths - num_evicted
    tokens = jnp.where(input_indices < lengths[:, None], tokens, PAD)
    return state._replace(tokens=tokens, lengths=lengths), True


def embed_window(
    model: PerceiverAR, coordinates: Array | None, state: Cache, tokens: Array, input_indices: Array
) -> tuple[Array, Array]:
    """Embedded tokens at these indices of the window, and their positions.

    Positions count from the start of the window, coordinates from the start of the sequence.
    """
    coords = None
    if coordinates is not None:
        slid_out = (state.seen - state.lengths)[:, None]
        coords = coordinates[jnp.clip(input_indices + slid_out, 0, len(coordinates) - 1)]  # indices outside are padding
    return model.embed_inputs(tokens, input_indices + 1, coords), input_indices + 1


def project_inputs(graph: Any, arguments: Any, state: Cache) -> Cache:
    """Compute keys and values of all inputs of the window for the cross-attention."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    input_indices = jnp.broadcast_to(jnp.arange(state.tokens.shape[1]), state.tokens.shape)
    found = model.cross.keys_values(*embed_window(model, coordinates, state, state.tokens, input_indices))
    return state._replace(cross=tuple(new.astype(old.dtype) for new, old in zip(found, state.cross, strict=True)))


def prefill(graph: Any, arguments: Any, state: Cache, count: int) -> Cache:
    """A reset: recompute the stack with latents at the last `count` inputs."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    state = state._replace(key_index=jnp.full_like(state.key_index, MASKED_KEY), filled=jnp.int32(0))
    return add_latents(model, coordinates, state, latent_indices(state.lengths, count))


def append(graph: Any, arguments: Any, state: Cache, token: Array) -> Cache:
    """Append one token of each sequence to the window and to the cross-attention cache."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    rows, input_indices = jnp.arange(len(token)), state.lengths
    k, v = model.cross.keys_values(*embed_window(model, coordinates, state, token[:, None], input_indices[:, None]))
    cross = tuple(
        old.at[rows, input_indices].set(new[:, 0].astype(old.dtype))
        for old, new in zip(state.cross, (k, v), strict=True)
    )
    tokens = state.tokens.at[rows, input_indices].set(token.astype(state.tokens.dtype))
    return state._replace(
        tokens=tokens, cross=cross, lengths=input_indices + 1, seen=state.seen + 1, drawn=state.drawn + 1
    )


def decode_step(graph: Any, arguments: Any, state: Cache, token: Array) -> Cache:
    """Append one token of each sequence, and run a latent at it."""
    params, _, coordinates = arguments
    state = append(graph, arguments, state, token)
    return add_latents(nnx.merge(graph, params), coordinates, state, state.lengths[:, None] - 1)


def attend_cache(q: Array, k: Array, v: Array, input_indices: Array, key_index: Array, chunk: int) -> PartialAttention:
    """Attention over cached keys; a single query is at the newest input and needs no causal mask."""
    if q.shape[1] == 1:
        return attend_one(q, k, v, key_index)
    return attend_by_index(q, k, v, input_indices, key_index, chunk=chunk)


def add_latents(model: PerceiverAR, coordinates: Array | None, state: Cache, input_indices: Array) -> Cache:
    """Run latents at these inputs, [B, n], append them to the caches, and compute the logits of the last one."""
    config, slot = model.config, state.filled
    x, position_ids = embed_window(model, coordinates, state, take(state.tokens, input_indices), input_indices)
    z = model.latent_in(x)
    window_indices = jnp.arange(state.tokens.shape[1])
    present = jnp.where(window_indices < state.lengths[:, None], window_indices, MASKED_KEY)
    found = attend_cache(model.cross.queries(z, position_ids), *state.cross, input_indices, present, config.chunk)
    z = model.cross.add(z, found.values.astype(z.dtype), None)
    added = jnp.where(input_indices < 0, MASKED_KEY, input_indices).astype(state.key_index.dtype)
    key_index = jax.lax.dynamic_update_slice(state.key_index, added, (0, slot))

    stack = state.stack
    if config.depth:
        block_graph, states = nnx.split(model.blocks)

        def layer(z: Array, layer_state: Any) -> tuple[Array, tuple[Array, Array]]:
            block = nnx.merge(block_graph, layer_state[0])
            fresh = block.keys_values(z, position_ids)
            keys, values = (
                jax.lax.dynamic_update_slice(old, new.astype(old.dtype), (0, slot, 0, 0))
                for old, new in zip(layer_state[1], fresh, strict=True)
            )
            found = attend_cache(block.queries(z, position_ids), keys, values, input_indices, key_index, config.chunk)
            return block.add(z, found.values.astype(z.dtype), None), (keys, values)

        z, stack = jax.lax.scan(layer, z, (states, state.stack))
    logits = model.logits(z[:, -1:])[:, 0]
    return state._replace(stack=stack, key_index=key_index, filled=slot + input_indices.shape[1], logits=logits)
