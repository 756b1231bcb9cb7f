"""Sampling of events: from nothing, or going on after the events of a recording."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_positive, unknown
from onepaper.errors import UsageError

from slowae_rlt.config import EventSamplingOptions, RunLengthConfig
from slowae_rlt.events.event_list import Events
from slowae_rlt.events.next_event import advance, initial_state, next_event
from slowae_rlt.events.run_lengths import place_runs
from slowae_rlt.models.run_length_transformer import Previous
from slowae_rlt.pretrained.language_models import LanguageModel


class Given(NamedTuple):
    """What is known of each event of a sequence.

    Attributes:
        values: level + k, of the events that are given.
        lengths: of the events that have ended; of those that are open, the least length; 1 elsewhere.
        is_given: whether the value is known.
        has_ended: whether the length is known too.
    """

    values: Any
    lengths: Any
    is_given: Any
    has_ended: Any


def draw(
    key: PRNGKeyArray, logits: Float[Array, "B symbols"], options: EventSamplingOptions, keys_of: Int[Array, " B"]
) -> Int[Array, " B"]:
    """A symbol of each row, from the smallest set with the probability `nucleus`; row i uses the key of number i."""
    logits = logits / options.temperature
    if options.nucleus < 1.0:
        falling = -jnp.sort(-logits, axis=-1)
        probs = jax.nn.softmax(falling, axis=-1)
        # A symbol is kept where those before it have less than the mass.
        kept = jnp.cumsum(probs, axis=-1) - probs < options.nucleus
        least = jnp.min(jnp.where(kept, falling, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(keys_of)
    return jax.vmap(jax.random.categorical)(keys, logits).astype(jnp.int32)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _sample(
    graph: Any, options: EventSamplingOptions, count: int, state: Any, given: Given, key: Any, condition: Any
) -> tuple[Any, Any, Any]:
    model = nnx.merge(graph, state)
    length, rows = given.values.shape[0], jnp.arange(count)
    sizes = jnp.arange(1, model.config.max_length + 1)

    def step(carry: Any, inputs: Any) -> tuple[Any, Any]:
        events, before, cache = carry
        position, own = inputs
        known = next_event(events)
        states, cache = model.step(before, known, position, cache, condition)
        keys = jax.random.split(jax.random.fold_in(key, position))
        logits = model.value_logits(states, known)
        value = jnp.where(own.is_given, own.values, draw(keys[0], logits, options, rows))
        logits = model.length_logits(states, value)
        finite = jnp.isfinite(logits).all()
        logits = jnp.where(sizes >= own.lengths, logits, -jnp.inf)
        size = jnp.where(own.has_ended, own.lengths, draw(keys[1], logits, options, rows) + 1)
        before = Previous(value, size, known.channel, known.start)
        return (advance(events, value, size), before, cache), (value, size, finite)

    zeros = jnp.zeros(count, jnp.int32)
    start = (initial_state(count, model.config.channels), Previous(*[zeros] * 4), model.empty_cache(count, length))
    _, found = jax.lax.scan(step, start, (jnp.arange(length), Given(*map(jnp.asarray, given))))
    return found


def known_events(prompt: Events | None, length: int) -> Given:
    """What a prompt says of the first events of a sequence: nothing for None.

    Raises:
        UsageError: it has as many events as the sequence.
    """
    values, lengths = np.zeros(length, np.int32), np.ones(length, np.int32)
    is_given, has_ended = np.zeros((2, length), bool)
    if prompt is not None:
        count = len(prompt)
        if count >= length:
            raise UsageError(
                f"the prompt has {count} events, expected fewer than {length}, the length of the sequences; give a "
                "shorter prompt"
            )
        values[:count], lengths[:count] = prompt.values + prompt.highest, prompt.lengths
        is_given[:count] = True
        has_ended[:count] = prompt.placement.starts + prompt.lengths < prompt.steps
    return Given(values, lengths, is_given, has_ended)


def find_condition(config: RunLengthConfig, name: str) -> int:
    """The number of a condition, -1 for an empty name (`UsageError` if the model has none of that name)."""
    if not name:
        return -1
    if name not in config.conditions:
        raise UsageError(unknown("condition", name, config.conditions or ["(the model has none)"]))
    return config.conditions.index(name)


def sample_events(
    language_model: LanguageModel,
    count: int = 1,
    *,
    prompt: Events | None = None,
    options: EventSamplingOptions | None = None,
    condition: str = "",
    seed: int = 0,
) -> list[Events]:
    """Sequences of the model's length; sequence i depends on (seed, i), not on the others.

    The runs that are open at the end of a prompt keep their values, and their lengths are drawn among those that are
    at least as long as what the prompt has of them.

    Args:
        language_model: the model with its codec.
        count: number of sequences.
        prompt: events of the codec, whose sequence goes on.
        options: temperature and nucleus.
        condition: one of those of the model; empty: none.
        seed: of the draws.

    Raises:
        UsageError: a condition that the model has not, a prompt of another codec or one that leaves no room, or
            probabilities that are not finite.
    """
    check_positive("count", count)
    model, codec = language_model.model, language_model.codec
    config = model.config
    if prompt is not None and prompt.model != codec.digest():
        raise UsageError(f"the prompt has events of another codec; encode it with '{language_model.codec_name}'")
    given = known_events(prompt, config.length)
    number = jnp.full(count, find_condition(config, condition))
    graph, state = nnx.split(model)
    found = _sample(graph, options or EventSamplingOptions(), count, state, given, jax.random.key(seed), number)
    drawn_values, drawn_lengths, finite = map(np.asarray, found)
    if not finite.all():
        raise UsageError(f"the model is not finite at event {int(finite.argmin())}; use weights of another training")
    stride, rate = codec.config.encoder.stride, codec.config.sample_rate
    samples = []
    for row in range(count):
        own = drawn_values[:, row] - config.levels, drawn_lengths[:, row]
        steps = int(place_runs(own[1], config.channels).ends.min())
        samples.append(
            Events(
                *own, config.channels, config.levels, config.max_length, stride, rate, steps * stride, codec.digest()
            )
        )
    return samples
