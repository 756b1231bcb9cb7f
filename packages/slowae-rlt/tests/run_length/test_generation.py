"""Sampling: the probabilities of the model, prompts that go on, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.config import EventSamplingOptions
from slowae_rlt.events.event_list import Events
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.pretrained.language_models import LanguageModel
from slowae_rlt.run_length.generation import draw, known_events, sample_events


def test_draws_have_the_probabilities() -> None:
    probs = np.array([0.05, 0.5, 0.3, 0.15])
    logits = jnp.broadcast_to(jnp.log(jnp.asarray(probs)), (4000, 4))
    rows = jnp.arange(4000)
    for options, expected in (
        (EventSamplingOptions(), probs),
        (EventSamplingOptions(nucleus=0.79), np.array([0, 0.625, 0.375, 0])),
        (EventSamplingOptions(temperature=0.5), probs**2 / (probs**2).sum()),
    ):
        found = np.bincount(draw(jax.random.key(0), logits, options, rows), minlength=4) / 4000
        np.testing.assert_allclose(found, expected, atol=0.03)


def test_first_events_have_the_probabilities_of_the_model(language_model: LanguageModel) -> None:
    found = sample_events(language_model, 1000)
    model = language_model.model
    logits, known = model.states(jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1), jnp.int32))
    expected = jax.nn.softmax(model.value_logits(logits, known)[0, 0])
    counted = np.bincount([events.values[0] + 7 for events in found], minlength=15) / 1000
    np.testing.assert_allclose(counted, expected, atol=0.05)


def test_samples_do_not_depend_on_their_number(language_model: LanguageModel) -> None:
    three, two = sample_events(language_model, 3, seed=4), sample_events(language_model, 2, seed=4)
    assert three[:2] == two
    assert three[0] != three[1]
    assert sample_events(language_model, 1, seed=5) != two[:1]
    assert BandEnergies().decode(two[0]).shape == (two[0].samples,)


def test_values_differ_from_the_run_before(language_model: LanguageModel) -> None:
    """So that the events of the raster are those that were drawn, but for the last runs."""
    events = sample_events(language_model, 1)[0]
    again = Events.from_raster(events.raster(), highest=7, max_length=256, stride=16, sample_rate=8000)
    ended = int((events.placement.starts + events.lengths < events.steps).argmin())
    np.testing.assert_array_equal(again.values[:ended], events.values[:ended])
    np.testing.assert_array_equal(again.lengths[:ended], events.lengths[:ended])


def test_prompts_go_on(language_model: LanguageModel, speech: np.ndarray) -> None:
    whole = language_model.codec.encode(speech)
    prompt = whole.crop(0, 200)
    while len(prompt) >= 24:
        prompt = prompt.crop(0, prompt.steps - 10)
    samples = sample_events(language_model, 3, prompt=prompt)
    for events in samples:
        assert len(events) == 32
        assert events.steps > prompt.steps
        np.testing.assert_array_equal(events.raster()[: prompt.steps], prompt.raster())
    assert samples[0] != samples[1]
    given = known_events(prompt, 32)
    assert given.is_given.sum() == len(prompt)
    assert given.has_ended.sum() == len(prompt) - 4  # the last run of each channel is open


def test_open_runs_are_at_least_as_long_as_the_prompt_has_them(language_model: LanguageModel) -> None:
    levels = np.zeros((200, 4), int)
    prompt = Events.from_raster(levels, highest=7, max_length=256, stride=16, sample_rate=8000)
    for events in sample_events(language_model, 5, prompt=prompt):
        assert events.lengths[:4].min() >= 200
        np.testing.assert_array_equal(events.raster()[:200], levels)


def test_refused(language_model: LanguageModel, speech: np.ndarray) -> None:
    events = language_model.codec.encode(speech)
    with pytest.raises(UsageError, match="expected fewer than 32"):
        sample_events(language_model, prompt=events)
    with pytest.raises(UsageError, match="encode it with 'identity'"):
        sample_events(language_model, prompt=Events(*_fields(events), model=b"12345678"))
    with pytest.raises(UsageError, match="count is 0"):
        sample_events(language_model, 0)
    model = nnx.clone(language_model.model)
    model.length_head.bias[...] = model.length_head.bias[...] * jnp.nan
    with pytest.raises(UsageError, match="not finite at event 0"):
        sample_events(language_model._replace(model=model))


def _fields(events):  # type: ignore[no-untyped-def]
    return events.values, events.lengths, *events.header[:-1]
