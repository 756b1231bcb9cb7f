"""Probabilities of events: they sum to one over all sequences, see the past only, and are the same step by step."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from slowae_rlt.cli.costs import count_parameters
from slowae_rlt.config import RunLengthConfig
from slowae_rlt.events.next_event import advance, initial_state, next_event
from slowae_rlt.models.run_length_transformer import Previous, RunLengthTransformer, distance_class
from slowae_rlt.presets import PRESETS

CONFIG = RunLengthConfig(channels=2, levels=2, max_length=6, length=12, width=16, depth=2, heads=2)


def model_of(config: RunLengthConfig) -> RunLengthTransformer:
    model = RunLengthTransformer(config, nnx.Rngs(0))
    for number, block in enumerate(model.blocks):
        for bias in (block.by_index, block.by_time):
            bias[...] = jax.random.normal(jax.random.key(number), bias.shape)
    return model


@pytest.fixture(scope="module")
def model() -> RunLengthTransformer:
    return model_of(CONFIG)


def events(count: int = 3) -> tuple[jax.Array, jax.Array]:
    """Random events, none of which is excluded."""
    generator = np.random.default_rng(0)
    values, lengths = np.zeros((count, 12), int), generator.integers(1, 7, (count, 12))
    state = initial_state(count, 2)
    for number in range(12):
        known = next_event(state)
        values[:, number] = (np.asarray(known.value) + generator.integers(1, 5, count)) % 5
        state = advance(state, jnp.asarray(values[:, number]), jnp.asarray(lengths[:, number]))
    return jnp.asarray(values), jnp.asarray(lengths)


@pytest.mark.parametrize("mask_values", [True, False])
def test_probabilities_of_all_sequences_sum_to_one(mask_values: bool) -> None:
    """One channel, three values, lengths up to 2: all sequences until the first event that ends at step 4 or later."""
    config = replace(CONFIG, channels=1, levels=1, max_length=2, length=5, mask_values=mask_values)
    model = model_of(config)
    open_ = [((), ())]
    complete = []
    while open_:
        values, lengths = open_.pop()
        if sum(lengths) >= 4:
            complete.append((values, lengths))
            continue
        for value in range(3):
            if mask_values and values and value == values[-1] and lengths[-1] < 2:
                continue
            open_ += [((*values, value), (*lengths, length)) for length in (1, 2)]
    shape = (len(complete), 4)
    padded_values, padded_lengths, counts = np.zeros(shape, int), np.ones(shape, int), np.zeros(shape, bool)
    for row, (values, lengths) in enumerate(complete):
        padded_values[row, : len(values)], padded_lengths[row, : len(values)] = values, lengths
        counts[row, : len(values)] = True
    nats = model.nats(jnp.asarray(padded_values), jnp.asarray(padded_lengths))
    total = np.where(counts, np.asarray(nats.values) + np.asarray(nats.lengths), 0.0).sum(axis=1)
    assert np.exp(-total).sum() == pytest.approx(1.0, abs=1e-5)


def test_only_earlier_events_are_seen(model: RunLengthTransformer) -> None:
    values, lengths = events()
    before = model.nats(values, lengths)
    after = model.nats(values.at[:, 7].set((values[:, 7] + 1) % 5), lengths.at[:, 7].set(7 - lengths[:, 7]))
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first[:, :7], second[:, :7])
    assert np.abs(before.lengths[:, 8:] - after.lengths[:, 8:]).max() > 1e-4


def test_length_depends_on_the_value(model: RunLengthTransformer) -> None:
    states = jnp.ones((1, 16))
    logits = [model.length_logits(states, jnp.array([value])) for value in (0, 1)]
    assert logits[0].shape == (1, 6)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


def test_cached_steps_equal_a_whole_pass(model: RunLengthTransformer) -> None:
    values, lengths = events()
    whole, _ = model.states(values, lengths)
    state, cache = initial_state(3, 2), model.empty_cache(3, 12)
    before = Previous(*[jnp.zeros(3, jnp.int32)] * 4)
    for number in range(12):
        known = next_event(state)
        found, cache = model.step(before, known, jnp.int32(number), cache)
        np.testing.assert_allclose(found, whole[:, number], rtol=1e-3, atol=1e-4)
        before = Previous(values[:, number], lengths[:, number], known.channel, known.start)
        state = advance(state, values[:, number], lengths[:, number])


def test_uniform_model() -> None:
    """ln 15 + ln 256 nats for an event, where all heads are zero and nothing is excluded."""
    model = RunLengthTransformer(replace(PRESETS["smoke-rlt"].config.model, mask_values=False), nnx.Rngs(0))
    for head in (model.value_head, model.length_head):
        head.kernel[...] = jnp.zeros_like(head.kernel[...])
    nats = model.nats(jnp.array([[3, 4, 5, 6, 3]]), jnp.array([[9, 1, 200, 256, 3]]))
    np.testing.assert_allclose(nats.values + nats.lengths, np.log(15) + np.log(256), rtol=1e-5)


def test_dropout_needs_a_key(model: RunLengthTransformer) -> None:
    values, lengths = events()
    plain = model.nats(values, lengths)
    np.testing.assert_array_equal(plain.values, model.nats(values, lengths).values)
    assert np.abs(plain.values - model.nats(values, lengths, jax.random.key(0)).values).max() > 1e-4


def test_distances() -> None:
    found = np.asarray(distance_class(jnp.array([-3, 0, 1, 3, 7, 10**6])))
    np.testing.assert_array_equal(found, [0, 0, 2, 4, 6, 23])


@pytest.mark.parametrize(("preset", "billions"), [("paper-rlt-1b", 1.0), ("paper-rlt-2400m", 2.4)])
def test_sizes_of_the_paper(preset: str, billions: float) -> None:
    assert count_parameters(PRESETS[preset].config) / 1e9 == pytest.approx(billions, rel=0.03)
