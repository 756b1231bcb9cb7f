"""Predictions are compared with all windows, in both directions; parts of processes are the whole."""

import math
from dataclasses import replace

import torch

from hares.config import CpcConfig
from hares.models.predictive_coding import PredictiveCoder, cut_windows, prediction_losses
from hares.presets import PRESETS


def test_windows() -> None:
    spectrogram = torch.arange(10.0)[None, :, None] * torch.ones(2, 1, 3)
    windows = cut_windows(spectrogram, 4, 3)
    assert windows.shape == (2, 3, 4, 3)
    assert windows[1, 2, :, 0].tolist() == [6.0, 7.0, 8.0, 9.0]


def test_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3, 5, 4, generator=generator)
    predictions = torch.randn(3, 3, 4, generator=generator)
    losses = prediction_losses(predictions, z, 0, 2)
    for clip in range(3):
        for time in range(3):
            scores = [float(predictions[clip, time] @ other) for row in z for other in row]
            expected = math.log(sum(map(math.exp, scores))) - float(predictions[clip, time] @ z[clip, time + 2])
            assert math.isclose(float(losses[clip, time]), expected, rel_tol=1e-5)
    torch.testing.assert_close(prediction_losses(predictions[1:], z, 1, 2), losses[1:])


def test_both_directions_count() -> None:
    torch.manual_seed(0)
    config = replace(PRESETS["smoke"].config, objective="cpc", cpc=CpcConfig(ahead=1, context=6), projection=4)
    model = PredictiveCoder(config)
    z = torch.randn(2, 4, 4)
    whole = model.losses(z, z, 0)
    # Reversed clips exchange the directions; with the networks exchanged too, nothing changes.
    model.contexts, model.predictors = model.contexts[::-1], model.predictors[::-1]
    torch.testing.assert_close(model.losses(z.flip(1), z.flip(1), 0), whole)
    torch.testing.assert_close(model.losses(z[1:].flip(1), z.flip(1), 1), whole[1:])
