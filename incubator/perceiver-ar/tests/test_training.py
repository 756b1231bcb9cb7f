from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import PRESETS, ExperimentConfig
from perceiver_ar.copying import mirrored
from perceiver_ar.model import PerceiverAR
from perceiver_ar.training import copy_accuracy, copy_batches, make_loss, train

SMOKE: ExperimentConfig = PRESETS["smoke"].config


def test_batches_are_functions_of_the_step() -> None:
    first, again = copy_batches(SMOKE, seed=0), copy_batches(SMOKE, seed=0)
    for name, array in first(7).items():
        np.testing.assert_array_equal(array, again(7)[name])
    assert (first(7)["inputs"] != first(8)["inputs"]).any()
    halves = [copy_batches(SMOKE, seed=0, rank=rank, world=2)(7)["inputs"] for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), first(7)["inputs"])


def test_the_sum_grows_with_the_batch_and_the_mean_does_not(stirred) -> None:
    model, batch = stirred(SMOKE.model), copy_batches(SMOKE, seed=0)(0)
    twice = {name: np.concatenate([array, array]) for name, array in batch.items()}
    ratios = {}
    for reduction in ("sum", "mean"):
        loss = jax.jit(make_loss(replace(SMOKE, loss_reduction=reduction, z_loss=0.0)))
        values = []
        for part in (batch, twice):
            total, weight, logged = loss(model, {k: jnp.asarray(v) for k, v in part.items()}, jax.random.key(0))
            values.append(float(total / weight))
            targets = part["lengths"].size * SMOKE.model.num_latents
            np.testing.assert_allclose(logged["nats"] / weight, total / targets, rtol=1e-5)
        ratios[reduction] = values[1] / values[0]
    np.testing.assert_allclose([ratios["sum"], ratios["mean"]], [2, 1], rtol=1e-5)


class Oracle(PerceiverAR):
    """Knows the sequence: says what stands at the mirror place among the inputs it may see, else symbol 3."""

    def __call__(self, tokens, lengths=None, coordinates=None, *, num_latents=None, key=None):
        del key
        config = self.config
        length = config.context_length
        out = []
        for row in range(len(tokens)):
            places = {int(coordinates[row, m, 0]) - 1: tokens[row, m] for m in range(tokens.shape[1])}
            start = int(coordinates[row, 0, 0]) - 1
            size = int(lengths[row])
            for latent in range(num_latents):
                target = start + size - num_latents + latent + 1
                source = length - 1 - target
                guess = 1 if source == 0 else places[source] if start <= source < start + size else 3
                out.append(jnp.eye(config.vocab_size)[guess])
        return jnp.stack(out).reshape(len(tokens), num_latents, -1)


def test_accuracy_speaks_of_every_distance(monkeypatch: pytest.MonkeyPatch, stirred) -> None:
    monkeypatch.setattr(jax, "jit", lambda function: function)
    events = mirrored(np.random.default_rng(0), 3, 16, 7)
    model = stirred(SMOKE.model)
    monkeypatch.setattr(PerceiverAR, "__call__", Oracle.__call__)
    np.testing.assert_array_equal(copy_accuracy(model, events), np.ones(8))
    # With seven inputs the first latent of the last window stands at input 8: originals before it are out of sight.
    events = np.where(events == 3, 4, events)  # so that a guess of 3 is always wrong
    blind = copy_accuracy(model, events, context=7)
    assert blind[0] == 1
    assert (blind[4:7] == 0).all()


def test_a_short_training_learns_something() -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=60, log_every=20))
    model = train(config)
    events = mirrored(np.random.default_rng(5), 256, 16, 7)
    accuracy = copy_accuracy(model, events)
    assert accuracy[-1] > 0.9  # EOS comes last
    assert accuracy.mean() > 0.3  # a guess among four symbols has 1/4 of 7, plus EOS: 0.34 once EOS is known


def test_what_cannot_be_trained_is_told() -> None:
    with pytest.raises(UsageError, match="data is 'images', expected 'copy'"):
        train(PRESETS["laptop-digits"].config)
    with pytest.raises(UsageError, match="num_latents is 9, expected at most 8"):
        train(replace(SMOKE, model=replace(SMOKE.model, num_latents=9)))
