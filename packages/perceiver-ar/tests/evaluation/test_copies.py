import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.data.copy_task import mirrored
from perceiver_ar.evaluation.copies import copy_accuracy, evaluate_copies
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.presets import PRESETS
from perceiver_ar.pretrained.checkpoints import open_network


def test_accuracy_by_copy_distance() -> None:
    found = evaluate_copies(open_network("copy").model)
    assert found["accuracy"] > 0.99
    assert found["at_distance_1_to_15"] > 0.99
    groups = [name for name in found if name.startswith("at_distance_") and not name.endswith("_without_prefix")]
    assert len(groups) == 4
    assert groups[-1].endswith("_to_61")
    assert found[f"{groups[-1]}_without_prefix"] < 0.1


SMOKE: ExperimentConfig = PRESETS["smoke"].config


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
