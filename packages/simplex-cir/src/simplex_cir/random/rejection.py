"""Vectorised rejection sampling, and draws in chunks that fit a cache.

A loop until every element is accepted costs as much in its last round as in its first. `until_accepted` gathers
rejected elements into a buffer a sixteenth as long and repeats there, so that the work is that of little more than one
round. Which elements are drawn again in a round does not depend on their new values, so the distributions are exact.

A proposal returns one array, NaN where it was rejected: with several outputs the compiler would repeat the work for
each of them.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from simplex_cir.random.uniform import uniforms

_SLOTS, _SMALL, _CHUNK = 2, 2048, 8192
# A row of 32 rejected elements takes 16 rounds at acceptance probability 1; this bound allows for 2%, and ends the loop
# where nothing is ever accepted.
_ROUNDS = 2000
Arrays = tuple[Array, ...]
# Key, values so far, rounds made.
State = tuple[PRNGKeyArray, Array, int | Array]
# From uniforms on (0, 1] and parameters, values, NaN where rejected.
Proposal = Callable[[Arrays, Arrays], Array]
# From a key, a shape and parameters that are numbers or of that shape, values of that shape.
Draw = Callable[[PRNGKeyArray, tuple[int, ...], Arrays], Array]


def in_chunks(draw: Draw, key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    """draw(key, shape, parameters), on a CPU one chunk of cache size after the other: twice as fast, with no large
    temporaries. On other devices in one call.

    Parameters are scalars, which stay scalars, or arrays of the shape.
    """
    size = math.prod(shape)
    if size <= _CHUNK:
        return draw(key, shape, parameters)

    def by_chunks(key: PRNGKeyArray, *parameters: Array) -> Array:
        count = -(-size // _CHUNK)
        rows = {
            index: jnp.pad(parameter.reshape(-1), (0, count * _CHUNK - size), mode="edge").reshape(count, _CHUNK)
            for index, parameter in enumerate(parameters)
            if parameter.ndim
        }

        def one(inputs: tuple[PRNGKeyArray, dict[int, Array]]) -> Array:
            key, row = inputs
            return draw(key, (_CHUNK,), tuple(row.get(index, number) for index, number in enumerate(parameters)))

        values = jax.lax.map(one, (jax.random.split(key, count), rows))
        return values.reshape(-1)[:size].reshape(shape)

    def at_once(key: PRNGKeyArray, *parameters: Array) -> Array:
        return draw(key, shape, parameters)

    return jax.lax.platform_dependent(key, *parameters, cpu=by_chunks, default=at_once)


def until_accepted(
    key: PRNGKeyArray,
    shape: tuple[int, ...],
    dtype: jnp.dtype,
    parameters: Arrays,
    propose: Proposal,
    *,
    num_uniforms: int,
) -> Array:
    """Propose for every element until a proposal is accepted.

    An element whose proposals are all rejected is NaN after `_ROUNDS` rounds.

    Args:
        parameters: valid for the proposal, scalars or of the shape.
        propose: values from uniforms and parameters, NaN where rejected.
        num_uniforms: uniforms for each proposal.
    """
    size = math.prod(shape)
    flat = tuple(parameter.reshape(-1) if parameter.ndim else parameter for parameter in parameters)

    def propose_batch(key: PRNGKeyArray, length: int, parameters: Arrays) -> Array:
        values = propose(uniforms(key, num_uniforms, (length,), dtype), parameters)
        return jnp.broadcast_to(values, (length,))

    def redraw_all(state: State) -> State:
        key, values, rounds = state
        key, step_key = jax.random.split(key)
        return key, jnp.where(jnp.isnan(values), propose_batch(step_key, size, flat), values), rounds + 1

    def redraw_some(state: State) -> State:
        key, values, rounds = state
        key, step_key = jax.random.split(key)
        index = _rejected_indices(jnp.isnan(values))
        source = jnp.minimum(index, size - 1)
        chosen = tuple(parameter[source] if parameter.ndim else parameter for parameter in flat)
        return key, values.at[index].set(propose_batch(step_key, len(index), chosen), mode="drop"), rounds + 1

    if size <= _SMALL:
        values = jax.lax.while_loop(_unfinished, redraw_all, (key, jnp.full(size, jnp.nan, dtype), 0))[1]
    else:
        first_key, loop_key = jax.random.split(key)
        values = jax.lax.while_loop(_unfinished, redraw_some, (loop_key, propose_batch(first_key, size, flat), 0))[1]
    return values.reshape(shape)


def _unfinished(state: State) -> Array:
    return jnp.any(jnp.isnan(state[1])) & (state[2] < _ROUNDS)


def _rejected_indices(flags: Array) -> Array:
    """Indices of the first _SLOTS flagged elements in each row of 32, the size of `flags` where there are fewer."""
    size = flags.shape[0]
    rows = -(-size // 32)
    grid = jnp.pad(flags, (0, 32 * rows - size)).reshape(rows, 32)
    # A row as the bits of one word; its lowest bit is found and cleared by integer arithmetic.
    word = (grid.astype(jnp.uint32) << jnp.arange(32, dtype=jnp.uint32)).sum(1, dtype=jnp.uint32)
    first = 32 * jnp.arange(rows, dtype=jnp.int32)
    slots = []
    for _ in range(_SLOTS):
        lowest = word & (~word + jnp.uint32(1))
        lane = jax.lax.population_count(lowest - jnp.uint32(1)).astype(jnp.int32)
        slots.append(jnp.where(word != 0, first + lane, size))
        word = word ^ lowest
    return jnp.concatenate(slots)
