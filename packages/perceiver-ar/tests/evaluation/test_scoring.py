import itertools
import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx
from onepaper.errors import UsageError

from perceiver_ar.config import PAD, SOS, ModelConfig
from perceiver_ar.evaluation.scoring import by_inputs, score, windows
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(
    vocab_size=11, context_length=12, num_latents=4, depth=1, width=16, heads=2, rotary_fraction=0.5, chunk=8
)


def documents(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.concatenate([[SOS], rng.integers(3, 11, length)]) for length in lengths]


@pytest.mark.parametrize("context", [1, 3, 8])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_every_target_is_scored_once(context: int, stride: int) -> None:
    lengths = [*range(1, 14)]
    plan = windows(lengths, context, stride)
    scored = [(window.document, place) for window in plan for place in range(window.first, window.end)]
    assert scored == [(document, place) for document, length in enumerate(lengths) for place in range(length)]
    assert all(window.end - window.start == min(window.end, context) for window in plan)


def by_hand(model: PerceiverAR, events: np.ndarray, stride: int, latents: int, context: int, coordinates=None):
    """Blocks of `stride` targets, each from the window that ends with its last input."""
    nats = []
    for first in range(0, len(events) - 1, stride):
        end = min(first + stride, len(events) - 1)
        start = max(0, end - context)
        at = None if coordinates is None else coordinates[start:end]
        logits = reference.forward(model, events[start:end], latents, at)[-(end - first) :]
        for row, target in zip(logits, events[first + 1 : end + 1], strict=True):
            nats.append(np.log(np.exp(row).sum()) - row[target])
    return np.array(nats)


@pytest.mark.parametrize(
    ("stride", "latents", "context"), [(1, 4, 12), (3, 4, 12), (4, 4, 12), (2, 8, 12), (1, 2, 3), (3, 3, 7)]
)
def test_scores_equal_the_reference(stride: int, latents: int, context: int, stirred) -> None:
    model, texts = stirred(SMALL), documents(1, 17, 6, 12)
    got = score(model, texts, stride=stride, num_latents=latents, context=context, batch_size=5)
    assert [len(nats) for nats in got] == [1, 17, 6, 12]
    for nats, text in zip(got, texts, strict=True):
        np.testing.assert_allclose(nats, by_hand(model, text, stride, latents, context), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("context", [12, 5])
def test_images_by_their_coordinates(context: int, stirred) -> None:
    """With a context shorter than the picture as well: a value keeps its column and row in every window."""
    config = replace(SMALL, context_length=context, positions="absolute", position_tables="learned", axes=(4, 4))
    model, images = stirred(config), documents(11, 11)
    coordinates = np.stack(np.divmod(np.arange(12), 4), axis=1)
    got = score(model, images, stride=3, coordinates=coordinates)
    for nats, image in zip(got, images, strict=True):
        np.testing.assert_allclose(nats, by_hand(model, image, 3, 4, context, coordinates), rtol=2e-3, atol=2e-3)


def test_probabilities_of_all_sequences_sum_to_one(stirred) -> None:
    model = stirred(replace(SMALL, vocab_size=4, context_length=6, num_latents=2))
    model.head.bias[...] = model.head.bias[...].at[PAD].set(-100.0)
    every = [np.array([SOS, *rest]) for rest in itertools.product(range(1, 4), repeat=3)]
    for stride in (1, 2):
        total = sum(math.exp(-nats.sum()) for nats in score(model, every, stride=stride, batch_size=64))
        assert abs(total - 1) < 1e-4


def test_a_new_model_guesses() -> None:
    nats = score(PerceiverAR(SMALL, nnx.Rngs(0)), documents(9), stride=4)[0]
    np.testing.assert_allclose(nats, math.log(11), rtol=1e-6)
    assert jnp.isfinite(nats).all()


def test_means_by_the_number_of_inputs() -> None:
    got = by_inputs([np.ones(600), np.full(1500, 3.0)])
    assert got[0, 512] == (2.0, 1024)
    assert got[512, 1024] == ((88 + 3 * 512) / 600, 600)
    assert got[1024, 2048] == (3.0, 476)
    assert len(got) == 3


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {"stride": 1}, "there are no documents"),
        ([np.array([SOS])], {"stride": 1}, "document 0 has 1 tokens"),
        ([np.array([SOS, 11])], {"stride": 1}, "document 0 has ids from 2 to 11, expected 1 to 10"),
        ([np.array([SOS, 5, PAD])], {"stride": 1}, "expected 1 to 10; 0 is padding, leave it out"),
        ([np.array([2.0, 5.5])], {"stride": 1}, "document 0 is float64 of shape \\(2,\\), expected integers"),
        (documents(5), {"stride": 5}, "stride is 5, expected 1 to num_latents, which is 4"),
        (documents(5), {"stride": 0}, "stride is 0"),
        (documents(5), {"stride": 1, "num_latents": 13}, "num_latents is 13, expected 1 to the context"),
        (documents(5), {"stride": 1, "context": 13}, "context is 13, expected 1 to 12"),
    ],
)
def test_what_cannot_be_scored_raise_errors(texts: list[np.ndarray], options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        score(PerceiverAR(SMALL, nnx.Rngs(0)), texts, **options)
