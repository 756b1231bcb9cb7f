"""The network on raw audio: numbers of parameters, padding, loss."""

import pytest
import torch
from onepaper.errors import UsageError

from audio_datasets.config import EndToEndConfig
from audio_datasets.models.emo18 import EndToEnd, FrameEncoder, feature_length, output_loss

SMALL = EndToEndConfig(3, hidden=8, layers=1)


@pytest.mark.parametrize(("outputs", "expected"), [(10, 1_565_002), (2, 1_562_946), (8, 1_564_488), (40, 1_572_712)])
def test_parameters_of_the_baselines(outputs: int, expected: int) -> None:
    assert sum(parameter.numel() for parameter in EndToEnd(EndToEndConfig(outputs)).parameters()) == expected


def test_features_of_a_frame() -> None:
    assert FrameEncoder().eval()(torch.zeros(2, 1600)).shape == (2, 512)
    assert feature_length(1600) == 512


@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing(training: bool) -> None:
    """Also under batch normalisation in training, which sees frames of sound only."""
    torch.manual_seed(0)
    model = EndToEnd(SMALL).train(training)
    frames, counts = torch.randn(2, 3, 1600), torch.tensor([2, 3])
    frames[0, 2] = 0
    padded = torch.cat([frames, torch.randn(2, 2, 1600)], dim=1)
    torch.testing.assert_close(model(padded, counts), model(frames, counts))
    model.eval()
    torch.testing.assert_close(model(frames[:1, :2], counts[:1]), model(frames, counts)[:1], atol=1e-5, rtol=1e-4)


def test_loudness_is_normalised() -> None:
    torch.manual_seed(0)
    model = EndToEnd(EndToEndConfig(3, hidden=8, layers=1, normalize=True)).eval()
    frames, counts = torch.randn(1, 2, 1600), torch.tensor([2])
    torch.testing.assert_close(model(frames, counts), model(frames / 10, counts), atol=1e-3, rtol=1e-3)


def test_loss() -> None:
    outputs = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    found = output_loss(outputs, torch.tensor([0, 1]), "classes")
    assert float(found) == pytest.approx(0.6931 + 2.1269, abs=1e-3)
    ratings = torch.tensor([[0.5, float("nan")], [1.0, 0.0]])
    expected = (torch.sigmoid(torch.tensor(2.0)) - 1).square() + 0.25
    assert float(output_loss(outputs, ratings, "regression")) == pytest.approx(float(expected))


def test_wrong_frames() -> None:
    with pytest.raises(UsageError, match="frames have 800 samples, expected 1600"):
        EndToEnd(SMALL)(torch.zeros(1, 1, 800), torch.tensor([1]))
