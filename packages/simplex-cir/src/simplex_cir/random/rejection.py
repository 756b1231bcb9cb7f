"""Rejection that keeps vector lanes busy, and draws in pieces that fit a cache.

A loop until every element is accepted costs as much in its last round as in its first. `until_accepted` gathers
rejected elements into a buffer a sixteenth as long and repeats there, so that the work is that of little more than one
round. Which elements wait does not depend on their new draws: the laws are exact.

A proposal returns one array, not-a-number where it was rejected: the compiler computes everything anew for each output.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from simplex_cir.random.uniform import uniforms

_SLOTS, _SMALL, _CHUNK = 2, 2048, 8192
# A row of 32 that all wait takes 16 rounds at acceptance 1: this many allow for one of 2%, and end where there is none.
_ROUNDS = 2000
Arrays = tuple[Array, ...]
# Key, values so far, rounds made.
State = tuple[PRNGKeyArray, Array, int | Array]
# From uniforms on (0, 1] and parameters, values, NaN where rejected.
Proposal = Callable[[Arrays, Arrays], Array]
# From a key, a shape and parameters that are numbers or of that shape, values of that shape.
Draw = Callable[[PRNGKeyArray, tuple[int, ...], Arrays], Array]


def in_chunks(draw: Draw, key: PRNGKeyArray, shape: tuple[int, ...], parameters: Arrays) -> Array:
    """draw(key, shape, parameters), on a CPU a piece of cache size at a time: twice as fast, and no large temporaries.

    On other devices all at once. Parameters are numbers, which stay numbers, or arrays of the shape.
    """
    size = math.prod(shape)
    if size <= _CHUNK:
        return draw(key, shape, parameters)

    def by_chunks(key: PRNGKeyArray, *parameters: Array) -> Array:
        count = -(-size // _CHUNK)
        rows = {
            place: jnp.pad(parameter.reshape(-1), (0, count * _CHUNK - size), mode="edge").reshape(count, _CHUNK)
            for place, parameter in enumerate(parameters)
            if parameter.ndim
        }

        def one(inputs: tuple[PRNGKeyArray, dict[int, Array]]) -> Array:
            key, row = inputs
            return draw(key, (_CHUNK,), tuple(row.get(place, number) for place, number in enumerate(parameters)))

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
    """Draw for every element until accepted; parameters are in the range of the method, numbers or of the shape.

    An element that no proposal is accepted for stays NaN: the loop ends after `_ROUNDS`.
    """
    size = math.prod(shape)
    flat = tuple(parameter.reshape(-1) if parameter.ndim else parameter for parameter in parameters)

    def once(key: PRNGKeyArray, length: int, parameters: Arrays) -> Array:
        values = propose(uniforms(key, num_uniforms, (length,), dtype), parameters)
        return jnp.broadcast_to(values, (length,))

    def all_again(state: State) -> State:
        key, values, rounds = state
        key, step_key = jax.random.split(key)
        return key, jnp.where(jnp.isnan(values), once(step_key, size, flat), values), rounds + 1

    def some_again(state: State) -> State:
        key, values, rounds = state
        key, step_key = jax.random.split(key)
        index = _some_of(jnp.isnan(values))
        source = jnp.minimum(index, size - 1)
        chosen = tuple(parameter[source] if parameter.ndim else parameter for parameter in flat)
        return key, values.at[index].set(once(step_key, len(index), chosen), mode="drop"), rounds + 1

    if size <= _SMALL:
        values = jax.lax.while_loop(_unfinished, all_again, (key, jnp.full(size, jnp.nan, dtype), 0))[1]
    else:
        first_key, loop_key = jax.random.split(key)
        values = jax.lax.while_loop(_unfinished, some_again, (loop_key, once(first_key, size, flat), 0))[1]
    return values.reshape(shape)


def _unfinished(state: State) -> Array:
    return jnp.any(jnp.isnan(state[1])) & (state[2] < _ROUNDS)


def _some_of(flags: Array) -> Array:
    """Indices of the first _SLOTS flagged elements in each row of 32, the size of `flags` where there are fewer."""
    size = flags.shape[0]
    rows = -(-size // 32)
    grid = jnp.pad(flags, (0, 32 * rows - size)).reshape(rows, 32)
    # A row as the bits of one word: its lowest bit is found and cleared by arithmetic.
    word = (grid.astype(jnp.uint32) << jnp.arange(32, dtype=jnp.uint32)).sum(1, dtype=jnp.uint32)
    first = 32 * jnp.arange(rows, dtype=jnp.int32)
    slots = []
    for _ in range(_SLOTS):
        lowest = word & (~word + jnp.uint32(1))
        lane = jax.lax.population_count(lowest - jnp.uint32(1)).astype(jnp.int32)
        slots.append(jnp.where(word != 0, first + lane, size))
        word = word ^ lowest
    return jnp.concatenate(slots)
