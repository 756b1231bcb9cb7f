"""Conditions of sequences: their labels, the null condition, learning from them, and sampling with them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.config import RunLengthConfig, RunLengthExperiment
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.presets import PRESETS
from slowae_rlt.pretrained.language_models import LanguageModel
from slowae_rlt.run_length.evaluation import sequence_nats
from slowae_rlt.run_length.generation import sample_events
from slowae_rlt.run_length.sequences import join_levels, language_labels, successive_sequences
from slowae_rlt.run_length.training import EventData, loss, train_language_model

SMOKE: RunLengthExperiment = PRESETS["smoke-rlt"].config
CONFIG = replace(SMOKE.model, conditions=("fr", "it"))


@pytest.fixture(scope="module")
def model() -> RunLengthTransformer:
    return RunLengthTransformer(CONFIG, nnx.Rngs(0))


def _data() -> EventData:
    """Runs of one length in one condition, and of another length in the other."""
    halves = [np.tile(np.repeat([-3, 3], length), 16 * 60 // length)[:, None].repeat(4, axis=1) for length in (3, 9)]
    levels = np.concatenate(halves)
    labels = np.repeat([0, 1], [len(half) for half in halves])
    return EventData(BandEnergies(), {"train": levels, "validation": levels}, {"train": labels, "validation": labels})


def test_labels_follow_the_recordings() -> None:
    parts, codec = split_prompts(("fr", "it")), BandEnergies()
    levels = join_levels(codec, [prompt.samples for prompt in parts["test"]])
    labels = language_labels(("fr", "it"), 16, "test", len(levels))
    assert labels.shape == (len(levels),)
    french = sum(len(prompt.samples) for prompt in parts["test"] if prompt.name.startswith("fr"))
    assert (labels == 0).sum() == -(-french // 16)


def test_the_null_condition_is_no_condition(model: RunLengthTransformer) -> None:
    values, lengths = jnp.full((2, 32), 4), jnp.full((2, 32), 5)
    none = model.nats(values, lengths).lengths
    np.testing.assert_allclose(model.nats(values, lengths, condition=jnp.full(2, -1)).lengths, none, atol=1e-5)
    own = model.nats(values, lengths, condition=jnp.array([0, 1])).lengths
    assert (np.abs(own - none).max(axis=1) > 1e-3).all()


def test_cached_steps_see_the_condition(model: RunLengthTransformer) -> None:
    """The mean value drawn first has the probabilities of the forward pass with that condition."""
    language_model = LanguageModel(model, BandEnergies(), "identity")
    found = sample_events(language_model, 600, condition="it")
    states, known = model.states(jnp.zeros((1, 1), int), jnp.ones((1, 1), int), condition=jnp.array([1]))
    expected = jax.nn.softmax(model.value_logits(states, known)[0, 0])
    counted = np.bincount([events.values[0] + 7 for events in found], minlength=15) / 600
    np.testing.assert_allclose(counted, expected, atol=0.06)
    with pytest.raises(UsageError, match="unknown condition 'de'"):
        sample_events(language_model, condition="de")
    with pytest.raises(UsageError, match="has none"):
        sample_events(language_model._replace(model=RunLengthTransformer(SMOKE.model, nnx.Rngs(0))), condition="it")


def test_some_sequences_of_a_training_have_none(model: RunLengthTransformer) -> None:
    data = _data()
    batch = successive_sequences(data.levels["train"], CONFIG, data.labels["train"])
    assert set(batch.conditions) == {0, 1}
    every = nnx.clone(model)
    every.config = replace(CONFIG, null_share=1.0, dropout=0.0)
    blind = batch._replace(conditions=np.full_like(batch.conditions, -1))
    key = jax.random.key(0)
    np.testing.assert_allclose(loss(every, batch, key)[0], loss(every, blind, key)[0], rtol=1e-6)
    every.config = replace(every.config, null_share=0.0)
    assert abs(float(loss(every, batch, key)[0] - loss(every, blind, key)[0])) > 0.1


def test_learns_from_conditions() -> None:
    config = replace(SMOKE, data=replace(SMOKE.data, languages=("fr", "it")), model=replace(CONFIG, dropout=0.0))
    data = _data()
    trained = train_language_model(replace(config, loop=replace(config.loop, steps=40)), seed=0, data=data).model
    held_out = successive_sequences(data.levels["validation"], config.model, data.labels["validation"])
    wrong = held_out._replace(conditions=1 - held_out.conditions)
    first = [np.asarray(sequence_nats(trained, rows).lengths)[:, :4].mean() for rows in (held_out, wrong)]
    assert first[0] < first[1] - 0.1


def test_refused() -> None:
    with pytest.raises(UsageError, match="expected each once"):
        RunLengthConfig(conditions=("it", "it"))
    with pytest.raises(UsageError, match="expected the languages of the prompts, en"):
        RunLengthExperiment(model=CONFIG)
