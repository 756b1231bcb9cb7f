"""What is known of the next event from those before it, in JAX: its channel, its start, and the state of all channels.

The next event begins where the first of the current runs ends, so that only its value and its length are uncertain.
Values are numbered from 0: level + k.

Axes: B sequences, N events, C channels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class EventState(NamedTuple):
    """Of each channel, the end of its last run, with its value and length; a length of 0 stands for none yet."""

    ends: Int[Array, "B C"]
    values: Int[Array, "B C"]
    lengths: Int[Array, "B C"]


class NextEvent(NamedTuple):
    """What is known before an event.

    Attributes:
        channel: of the event.
        start: its first grid step.
        remaining: steps from there until the current run of each channel ends, 0 for the channel of the event.
        value: of the last run of its channel.
        length: of that run, 0 where it is the first.
    """

    channel: Int[Array, "*B"]
    start: Int[Array, "*B"]
    remaining: Int[Array, "*B C"]
    value: Int[Array, "*B"]
    length: Int[Array, "*B"]


def initial_state(batch: int, channels: int) -> EventState:
    """Before the first event of all channels."""
    zeros = jnp.zeros((batch, channels), jnp.int32)
    return EventState(zeros, zeros, zeros)


def next_event(state: EventState) -> NextEvent:
    """The earliest end, and the first channel among equal ones."""
    channel = jnp.argmin(state.ends, axis=-1).astype(jnp.int32)
    start = state.ends.min(axis=-1)
    value, length = (
        jnp.take_along_axis(array, channel[:, None], axis=-1)[:, 0] for array in (state.values, state.lengths)
    )
    return NextEvent(channel, start, state.ends - start[:, None], value, length)


def advance(state: EventState, value: Int[Array, " B"], length: Int[Array, " B"]) -> EventState:
    """The state after the next event."""
    own = jax.nn.one_hot(jnp.argmin(state.ends, axis=-1), state.ends.shape[-1], dtype=bool)
    return EventState(
        state.ends + own * length[:, None],
        jnp.where(own, value[:, None], state.values),
        jnp.where(own, length[:, None], state.lengths),
    )


def next_events(values: Int[Array, "B N"], lengths: Int[Array, "B N"], channels: int) -> NextEvent:
    """What is known before each event of sequences, with axes [B, N]."""

    def step(state: EventState, event: tuple[Array, Array]) -> tuple[EventState, NextEvent]:
        return advance(state, *event), next_event(state)

    _, known = jax.lax.scan(step, initial_state(len(values), channels), (values.T, lengths.T))
    return NextEvent(*(jnp.moveaxis(array, 0, 1) for array in known))


def allowed_values(known: NextEvent, values: int, max_length: int) -> Bool[Array, "*B {values}"]:
    """Values that can follow: not that of the run before, unless it has the largest length and may go on."""
    repeats = jnp.arange(values) == known.value[..., None]
    ended = (known.length > 0) & (known.length < max_length)
    return ~(repeats & ended[..., None])


def exclude(logits: Float[Array, "*B values"], allowed: Bool[Array, "*B values"]) -> Float[Array, "*B values"]:
    """Logits with probability 0 for what is not allowed."""
    return jnp.where(allowed, logits, -jnp.inf)
