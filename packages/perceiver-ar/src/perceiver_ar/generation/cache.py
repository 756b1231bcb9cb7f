"""Key-value caches of a batch of sequences, and the functions that fill and extend them.

Every sequence has its own number of cached latents, so that its results do not depend on the others of the batch. All
store their next latent in the same slot; slots are used cyclically, and attention does not depend on their order.

Axes: B batch, M window, N latents, L layers, V vocabulary.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, UInt32

from perceiver_ar.config import PAD
from perceiver_ar.models.attention import MASKED_KEY, PartialAttention, attend_by_index, attend_one, merge
from perceiver_ar.models.perceiver_ar import PerceiverAR, take


class Cache(NamedTuple):
    """The state of cached sampling for a batch of sequences."""

    tokens: Int[Array, "batch window"]
    """ids in the window, padded on the right"""
    lengths: Int[Array, " batch"]
    """number of inputs in the window"""
    seen: Int[Array, " batch"]
    """number of inputs in all, including those that have left the window"""
    streams: UInt32[Array, " batch"]
    """selects the random numbers of each sequence"""
    cross: tuple[Array, Array]
    """keys and values of the inputs, [B, M, heads, channels]"""
    stack: tuple[Array, Array]
    """keys and values of the latents, [L, B, N, heads, channels]"""
    key_index: Int[Array, "batch latents"]
    """index of the input of the latent in each slot; `MASKED_KEY` for empty slots"""
    slot: Int[Array, ""]
    """slot of the next latent"""
    drawn: Int[Array, ""]
    """tokens sampled so far, which select the random keys"""
    logits: Float[Array, "batch vocab"]
    """logits of the next token"""

    @property
    def latents(self) -> Int[np.ndarray, " batch"]:
        """Number of cached latents of each sequence."""
        return (np.asarray(self.key_index) < MASKED_KEY).sum(axis=1)

    @property
    def filled(self) -> int:
        """The most latents cached for a sequence."""
        return int(self.latents.max())


def evict_oldest(state: Cache) -> Cache:
    """Evict the oldest latent of each sequence from full caches instead of resetting them.

    This is plain key-value caching, for comparison only: the remaining latents depend on evicted ones, which a forward
    pass over the window would not have, and the error grows with every step (paper, appendix E.3).
    """
    rows = jnp.arange(len(state.key_index))
    return state._replace(key_index=state.key_index.at[rows, state.key_index.argmin(axis=1)].set(MASKED_KEY))


def slide_windows(state: Cache, kept: int) -> Cache:
    """Drop the oldest inputs of full windows, so that `kept` inputs remain after the next token."""
    window = state.tokens.shape[1]
    num_evicted = jnp.where(state.lengths == window, window + 1 - kept, 0)
    input_indices = jnp.arange(window)
    tokens = take(state.tokens, jnp.minimum(input_indices + num_evicted[:, None], window - 1))
    lengths = state.lengths - num_evicted
    return state._replace(tokens=jnp.where(input_indices < lengths[:, None], tokens, PAD), lengths=lengths)


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


def read_inputs(
    model: PerceiverAR, coordinates: Array | None, state: Cache, input_indices: Int[Array, "batch count"]
) -> tuple[Array, Array]:
    """Latents at these inputs after the cross-attention, and their positions."""
    x, position_ids = embed_window(model, coordinates, state, take(state.tokens, input_indices), input_indices)
    z = model.latent_in(x)
    window_indices = jnp.arange(state.tokens.shape[1])
    present = jnp.where(window_indices < state.lengths[:, None], window_indices, MASKED_KEY)
    q = model.cross.queries(z, position_ids)
    if input_indices.shape[1] == 1:  # at the newest input, which needs no causal mask
        found = attend_one(q, *state.cross, present)
    else:
        found = attend_by_index(q, *state.cross, input_indices, present, chunk=model.config.chunk)
    return model.cross.add(z, found.values.astype(z.dtype), None), position_ids


def prefill(graph: Any, arguments: Any, state: Cache, count: int, latents: Int[Array, " batch"]) -> Cache:
    """A reset: recompute the stack with latents at the last inputs.

    Args:
        graph: of the model.
        arguments: parameters, allowed tokens and coordinates.
        state: with keys and values of all inputs.
        count: the most latents of a sequence.
        latents: number of latents of each sequence, at most `count` and its number of inputs.
    """
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    number = jnp.arange(count)
    input_indices = jnp.where(number >= count - latents[:, None], state.lengths[:, None] - count + number, -1)
    key_index = jnp.where(input_indices < 0, MASKED_KEY, input_indices)
    z, position_ids = read_inputs(model, coordinates, state, input_indices)

    def store(new: Array, old: Array, axis: int, empty: int) -> Array:
        """The new entries in the slots before the next one, the other slots empty."""
        widths = [(0, 0)] * new.ndim
        widths[axis] = (old.shape[axis] - count, 0)
        return jnp.roll(jnp.pad(new.astype(old.dtype), widths, constant_values=empty), state.slot, axis=axis)

    stack = state.stack
    if model.config.depth:
        block_graph, states = nnx.split(model.blocks)

        def layer(z: Array, block_state: Any) -> tuple[Array, tuple[Array, Array]]:
            block = nnx.merge(block_graph, block_state)
            k, v = block.keys_values(z, position_ids)
            q = block.queries(z, position_ids)
            found = attend_by_index(q, k, v, input_indices, key_index, chunk=model.config.chunk)
            return block.add(z, found.values.astype(z.dtype), None), (k, v)

        z, fresh = jax.lax.scan(layer, z, states)
        stack = tuple(store(new, old, 2, 0) for new, old in zip(fresh, stack, strict=True))
    return state._replace(
        stack=stack, key_index=store(key_index, state.key_index, 1, MASKED_KEY), logits=model.logits(z[:, -1:])[:, 0]
    )


def decode_step(graph: Any, arguments: Any, state: Cache, token: Array) -> Cache:
    """Append one token of each sequence, and run a latent at it."""
    params, _, coordinates = arguments
    model = nnx.merge(graph, params)
    state = append(graph, arguments, state, token)
    input_indices, slot = state.lengths[:, None] - 1, state.slot
    z, position_ids = read_inputs(model, coordinates, state, input_indices)
    # The oldest latent of a full cache is replaced; the caller resets such a sequence.
    earlier = jax.lax.dynamic_update_slice(state.key_index, jnp.full_like(input_indices, MASKED_KEY), (0, slot))

    stack = state.stack
    if model.config.depth:
        block_graph, states = nnx.split(model.blocks)

        def layer(z: Array, layer_state: Any) -> tuple[Array, tuple[Array, Array]]:
            block, (keys, values) = nnx.merge(block_graph, layer_state[0]), layer_state[1]
            k, v = (new.astype(keys.dtype) for new in block.keys_values(z, position_ids))
            q = block.queries(z, position_ids)
            # The caches are written after the last layer: a scan that returned them would copy them.
            own = jnp.einsum("bnhd,bnhd->bnh", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
            found = merge(attend_one(q, keys, values, earlier), PartialAttention(v.astype(jnp.float32), own))
            return block.add(z, found.values.astype(z.dtype), None), (k, v)

        z, fresh = jax.lax.scan(layer, z, (states, state.stack))
        stack = tuple(
            jax.lax.dynamic_update_slice(old, new, (0, 0, slot, 0, 0)) for old, new in zip(stack, fresh, strict=True)
        )
    return state._replace(
        stack=stack,
        key_index=jax.lax.dynamic_update_slice(earlier, input_indices.astype(earlier.dtype), (0, slot)),
        slot=(slot + 1) % state.key_index.shape[1],
        logits=model.logits(z)[:, 0],
    )


def restart(graph: Any, fill: int, kept: int, slides: bool, arguments: Any, state: Cache, token: Array) -> Cache:
    """Append one token of each sequence, with a reset to `fill` latents, after full windows slid to `kept` inputs."""
    if slides:  # positions change, and with them all keys
        state = project_inputs(graph, arguments, slide_windows(state, kept))
    state = append(graph, arguments, state, token)
    state = state._replace(slot=(state.slot + 1) % state.key_index.shape[1])
    return prefill(graph, arguments, state, fill, jnp.full(len(token), fill))


def restart_rows(
    graph: Any,
    fill: int,
    kept: int,
    slides: bool,
    arguments: Any,
    state: Cache,
    token: Array,
    rows: Int[Array, " rows"],
) -> Cache:
    """`restart` of some sequences of the batch, and `decode_step` of the others."""
    part = state._replace(**{
        name: jax.tree.map(lambda array, axis=axis: jnp.take(array, rows, axis), getattr(state, name))
        for name, axis in BATCH_AXES.items()
    })  # fmt: skip
    part = restart(graph, fill, kept, slides, arguments, part, token[rows])
    state = decode_step(graph, arguments, state, token)

    def put(name: str, axis: int) -> Any:
        where = (slice(None),) * axis + (rows,)
        return jax.tree.map(lambda old, new: old.at[where].set(new), getattr(state, name), getattr(part, name))

    return state._replace(**{name: put(name, axis) for name, axis in BATCH_AXES.items()})


# Axis of the sequences in the fields of a cache.
BATCH_AXES = {
    "tokens": 0, "lengths": 0, "seen": 0, "streams": 0, "cross": 0, "stack": 1, "key_index": 0, "logits": 0,
}  # fmt: skip
