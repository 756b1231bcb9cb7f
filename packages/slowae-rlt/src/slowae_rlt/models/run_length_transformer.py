r"""The run-length Transformer: probabilities of events, each a value and then a length, given those before it.

$p(v_n \mid \text{past})\, p(l_n \mid v_n, \text{past})$. What an event is known to be before it is drawn, such as its
channel and its start, enters with the event before. Attention has biases by the distance of two events in the sequence
and by that of their starts in time.

Axes: B sequences, N events, h heads, c channels of a head.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.jax.linear import Linear

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.events.next_event import NextEvent, allowed_values, exclude, next_events

# Distances have so many classes, two for each doubling.
DISTANCES = 24

MASKED = -1e30


class Nats(NamedTuple):
    """Negative log-probabilities of events."""

    values: Float[Array, "B N"]
    lengths: Float[Array, "B N"]


class Previous(NamedTuple):
    """The event before; a length of 0 stands for none."""

    value: Int[Array, "*B"]
    length: Int[Array, "*B"]
    channel: Int[Array, "*B"]
    start: Int[Array, "*B"]


class Cache(NamedTuple):
    """Keys and values of each block for the events before, and their starts."""

    keys: Float[Array, "depth B N h c"]
    values: Float[Array, "depth B N h c"]
    starts: Int[Array, "B N"]


def distance_class(distance: Int[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Classes of distances, two for each doubling."""
    return jnp.clip(2 * jnp.log2(1.0 + jnp.maximum(distance, 0)), 0, DISTANCES - 1).astype(jnp.int32)


class Block(nnx.Module):
    """Causal attention with biases and an MLP, each after a normalisation."""

    def __init__(self, config: RunLengthConfig, rngs: nnx.Rngs) -> None:
        width, self.heads = config.width, config.heads
        small = nnx.initializers.variance_scaling(1.0 / (2 * config.depth), "fan_in", "truncated_normal")
        self.norm_attention = nnx.LayerNorm(width, rngs=rngs)
        self.qkv = Linear(width, 3 * width, rngs=rngs)
        self.out = Linear(width, width, kernel_init=small, rngs=rngs)
        self.by_index = nnx.Param(jnp.zeros((DISTANCES, config.heads)))
        self.by_time = nnx.Param(jnp.zeros((DISTANCES, config.heads)))
        self.norm_mlp = nnx.LayerNorm(width, rngs=rngs)
        self.up = Linear(width, config.mlp_ratio * width, rngs=rngs)
        self.down = Linear(config.mlp_ratio * width, width, kernel_init=small, rngs=rngs)

    def project(self, x: Float[Array, "B n width"]) -> tuple[Array, Array, Array]:
        """Queries, keys and values, [B, n, h, c]."""
        q, k, v = rearrange(self.qkv(self.norm_attention(x)), "b n (three h c) -> three b n h c", three=3, h=self.heads)
        return q / q.shape[-1] ** 0.5, k, v

    def attend(
        self, q: Array, k: Array, v: Array, index: Int[Array, "n N"], time: Int[Array, "B n N"]
    ) -> Float[Array, "B n width"]:
        """The attention's output.

        Args:
            q: queries of n positions.
            k: keys of N positions.
            v: their values.
            index: of each query, its distance to each key in the sequence; negative where the key comes later.
            time: the distance of their starts.
        """
        bias = self.by_index[...][distance_class(index)] + self.by_time[...][distance_class(time)]
        scores = jnp.einsum("bihc,bjhc->bhij", q, k) + rearrange(bias, "b i j h -> b h i j")
        probs = jax.nn.softmax(jnp.where(index >= 0, scores, MASKED).astype(jnp.float32), axis=-1)
        return self.out(rearrange(jnp.einsum("bhij,bjhc->bihc", probs.astype(v.dtype), v), "b i h c -> b i (h c)"))

    def mlp(self, x: Float[Array, "B n width"]) -> Float[Array, "B n width"]:
        """What the MLP adds to x."""
        return self.down(jax.nn.gelu(self.up(self.norm_mlp(x))))


class RunLengthTransformer(nnx.Module):
    """A language model of events.

    Args:
        config: sizes; kept as `config`.
    """

    def __init__(self, config: RunLengthConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, values, lengths = config.width, 2 * config.levels + 1, config.max_length + 1
        embed = functools.partial(nnx.Embed, features=width, rngs=rngs)
        # Of the event before: its value, length and channel. The last row of the first stands for none.
        self.value, self.length, self.channel = embed(values + 1), embed(lengths), embed(config.channels)
        # Of the next event: its channel, the last value there, the time since the event before, the ends of all runs.
        self.next_channel, self.last_value = embed(config.channels), embed(values + 1)
        self.gap, self.remaining = embed(lengths), embed(config.channels * lengths)
        # Of the whole sequence; the last row stands for none.
        self.condition = embed(len(config.conditions) + 1) if config.conditions else None
        self.blocks = nnx.List([Block(config, rngs) for _ in range(config.depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.value_head = Linear(width, values, rngs=rngs)
        self.chosen_value = embed(values)
        self.length_hidden = Linear(2 * width, width, rngs=rngs)
        self.length_head = Linear(width, config.max_length, rngs=rngs)

    def embed_condition(self, condition: Int[Array, " B"] | None) -> Float[Array, "*B width"]:
        """What is added to the inputs of sequences; 0 for a model without conditions.

        Args:
            condition: the number of each; None or -1: none.
        """
        if self.condition is None:
            return jnp.zeros(())
        none = len(self.config.conditions)
        return self.condition(jnp.array([none]) if condition is None else jnp.where(condition < 0, none, condition))

    def embed(self, before: Previous, known: NextEvent) -> Float[Array, "*B width"]:
        """The input at an event: the one before it, and what is known of it."""
        config = self.config
        lengths, none = config.max_length + 1, 2 * config.levels + 1
        first = before.length == 0
        offsets = lengths * np.arange(config.channels)
        return (
            self.value(jnp.where(first, none, before.value))
            + self.length(before.length)
            + jnp.where(first[..., None], 0.0, self.channel(before.channel))
            + self.next_channel(known.channel)
            + self.last_value(jnp.where(known.length == 0, none, known.value))
            + self.gap(jnp.clip(known.start - before.start, 0, config.max_length))
            + self.remaining(jnp.clip(known.remaining, 0, config.max_length) + offsets).sum(axis=-2)
        )

    def value_logits(self, states: Float[Array, "*B width"], known: NextEvent) -> Float[Array, "*B values"]:
        """Logits of values in float32; with `mask_values` those that cannot follow have probability 0."""
        logits = self.value_head(states).astype(jnp.float32)
        if not self.config.mask_values:
            return logits
        return exclude(logits, allowed_values(known, logits.shape[-1], self.config.max_length))

    def length_logits(
        self, states: Float[Array, "*B width"], value: Int[Array, "*B"]
    ) -> Float[Array, "*B {self.config.max_length}"]:
        """Logits of lengths 1 to `max_length` of an event with a value, in float32."""
        hidden = self.length_hidden(jnp.concatenate([states, self.chosen_value(value)], axis=-1))
        return self.length_head(jax.nn.gelu(hidden)).astype(jnp.float32)

    def states(
        self,
        values: Int[Array, "B N"],
        lengths: Int[Array, "B N"],
        key: PRNGKeyArray | None = None,
        condition: Int[Array, " B"] | None = None,
    ) -> tuple[Float[Array, "B N width"], NextEvent]:
        """The state at each event from those before it, and what is known of it.

        Args:
            values: of the events, 0 to 2k.
            lengths: 1 to `max_length`.
            key: of the dropout; None: none.
            condition: the number of that of each sequence; None or -1: none.
        """
        known = next_events(values, lengths, self.config.channels)
        shifted = (jnp.pad(array[:, :-1], ((0, 0), (1, 0))) for array in (values, lengths, known.channel, known.start))
        keys = jax.random.split(key if key is not None else jax.random.key(0), 2 * len(self.blocks) + 1)

        def drop(x: Array, own_key: PRNGKeyArray) -> Array:
            if key is None or not self.config.dropout:
                return x
            kept = jax.random.bernoulli(own_key, 1 - self.config.dropout, x.shape)
            return jnp.where(kept, x / (1 - self.config.dropout), 0.0)

        given = self.embed_condition(condition)
        x = drop(self.embed(Previous(*shifted), known) + (given[:, None] if given.ndim else given), keys[0])
        positions = jnp.arange(values.shape[1])
        index = positions[:, None] - positions
        time = known.start[:, :, None] - known.start[:, None]
        for number, block in enumerate(self.blocks):
            x = x + drop(block.attend(*block.project(x), index, time), keys[2 * number + 1])
            x = x + drop(block.mlp(x), keys[2 * number + 2])
        return self.norm(x), known

    def nats(
        self,
        values: Int[Array, "B N"],
        lengths: Int[Array, "B N"],
        key: PRNGKeyArray | None = None,
        condition: Int[Array, " B"] | None = None,
    ) -> Nats:
        r"""$-\ln p(v_n \mid \cdot)$ and $-\ln p(l_n \mid v_n, \cdot)$; arguments as for `states`."""
        states, known = self.states(values, lengths, key, condition)
        log_values = jax.nn.log_softmax(self.value_logits(states, known))
        log_lengths = jax.nn.log_softmax(self.length_logits(states, values))
        return Nats(
            -jnp.take_along_axis(log_values, values[..., None], axis=-1)[..., 0],
            -jnp.take_along_axis(log_lengths, lengths[..., None] - 1, axis=-1)[..., 0],
        )

    def empty_cache(self, batch: int, length: int) -> Cache:
        """A cache for so many events."""
        config = self.config
        shape = (config.depth, batch, length, config.heads, config.width // config.heads)
        return Cache(jnp.zeros(shape), jnp.zeros(shape), jnp.zeros((batch, length), jnp.int32))

    def step(
        self,
        before: Previous,
        known: NextEvent,
        position: Int[Array, ""],
        cache: Cache,
        condition: Int[Array, " B"] | None = None,
    ) -> tuple[Float[Array, "B width"], Cache]:
        """The state at one event, and the longer cache.

        Args:
            before: the event before.
            known: of this event.
            position: of it in the sequence.
            cache: of the events before.
            condition: the number of that of each sequence; None or -1: none.
        """
        length = cache.starts.shape[1]
        starts = cache.starts.at[:, position].set(known.start)
        index = (position - jnp.arange(length))[None]
        time = (known.start[:, None] - starts)[:, None]
        x = (self.embed(before, known) + self.embed_condition(condition))[:, None]
        keys, values = cache.keys, cache.values
        for number, block in enumerate(self.blocks):
            q, k, v = block.project(x)
            keys = keys.at[number, :, position].set(k[:, 0])
            values = values.at[number, :, position].set(v[:, 0])
            x = x + block.attend(q, keys[number], values[number], index, time)
            x = x + block.mlp(x)
        return self.norm(x)[:, 0], Cache(keys, values, starts)
