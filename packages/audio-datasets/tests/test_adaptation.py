"""Few-shot adaptation against a step computed by hand, and what stays as it was."""

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from audio_datasets.adaptation import adapt_network, predict_episodes, shift_episodes
from audio_datasets.config import AdaptationConfig, EndToEndConfig
from audio_datasets.data.clips import pad_waveforms
from audio_datasets.models.emo18 import EndToEnd
from audio_datasets.tasks.few_shot import Episode, episodes
from audio_datasets.training import predict, sigmoid

GENERATOR = np.random.default_rng(0)
WAVEFORMS = [GENERATOR.standard_normal(length).astype(np.float32) for length in (3200, 1600, 4000, 2000)]
RATINGS = GENERATOR.random((4, 3))


@pytest.fixture
def model() -> EndToEnd:
    torch.manual_seed(0)
    return EndToEnd(EndToEndConfig(3, "regression", hidden=8, layers=1)).eval()


def test_one_step_of_adamw(model: EndToEnd) -> None:
    """The first step of AdamW is the sign of the gradient times the rate, after the decay of the weights."""
    config = AdaptationConfig(lr=0.01)
    adapted = adapt_network(model, WAVEFORMS[:2], RATINGS[:2], config)
    frames, counts = map(torch.as_tensor, pad_waveforms(WAVEFORMS[:2], 1600))
    loss = (torch.sigmoid(model(frames, counts)) - torch.as_tensor(RATINGS[:2])).square().mean()
    (gradient,) = torch.autograd.grad(loss, [model.head.bias])
    expected = model.head.bias * (1 - 0.01 * 0.01) - 0.01 * gradient.sign()
    torch.testing.assert_close(adapted.head.bias, expected.detach(), atol=1e-4, rtol=0)
    for value, other in zip(adapted.encoder.state_dict().values(), model.encoder.state_dict().values(), strict=True):
        assert torch.equal(value, other)


def test_steps_lower_the_error(model: EndToEnd) -> None:
    def error(network: EndToEnd) -> float:
        return float(np.square(sigmoid(predict(network, WAVEFORMS[:2])) - RATINGS[:2]).mean())

    adapted = adapt_network(model, WAVEFORMS[:2], RATINGS[:2], AdaptationConfig(steps=20))
    assert error(adapted) < error(model)


def test_only_queries_are_predicted(model: EndToEnd) -> None:
    found = predict_episodes(model, WAVEFORMS, RATINGS, episodes(tuple("aaaa")), AdaptationConfig())
    assert np.isnan(found[:2]).all()
    adapted = adapt_network(model, WAVEFORMS[:2], RATINGS[:2], AdaptationConfig())
    np.testing.assert_allclose(found[2:], sigmoid(predict(adapted, WAVEFORMS[2:])))


def test_shift() -> None:
    ratings = np.array([[0.5], [0.7], [0.0], [0.0]])
    predicted = np.array([[0.2], [0.4], [0.1], [0.95]])
    found = shift_episodes(predicted, ratings, [Episode("a", np.array([0, 1]), np.array([2, 3]))])
    np.testing.assert_allclose(found[2:], [[0.1 + 0.3 * 2 / 3], [1.0]])


def test_refused(model: EndToEnd) -> None:
    with pytest.raises(UsageError, match="have no ratings"):
        adapt_network(model, WAVEFORMS[:2], np.full((2, 3), np.nan), AdaptationConfig())
    with pytest.raises(UsageError, match="networks that rate"):
        adapt_network(EndToEnd(EndToEndConfig(3, hidden=8, layers=1)), WAVEFORMS[:2], RATINGS[:2], AdaptationConfig())
    with pytest.raises(UsageError, match="the clips of 'a' that are adapted to"):
        shift_episodes(np.zeros((3, 1)), np.full((3, 1), np.nan), episodes(tuple("aaa")))
