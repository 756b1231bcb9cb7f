"""The multitask baseline learns, resumes to the same bits, and refuses blind labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.training import LoopOptions

from audio_datasets.config import DataConfig, MultitaskConfig, MultitaskExperiment
from audio_datasets.models.mlp import Multitask
from audio_datasets.multitask import fit_multitask, multitask_loss, train_multitask


def experiment(root: Path, steps: int) -> MultitaskExperiment:
    return MultitaskExperiment(
        DataConfig("hume-vocalburst-exvo", root), loop=LoopOptions(steps=steps, log_every=2, checkpoint_every=2)
    )


def test_resumes_to_the_same_bits(exvo: Path, tmp_path: Path) -> None:
    config, logged = experiment(exvo, 5), list[int]()
    with Run.open(tmp_path / "whole", paper="audio-datasets", verb="train", config=config) as run:
        whole = train_multitask(config, run, seed=1)
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="audio-datasets", verb="train", config=config) as run:
            resumed = train_multitask(part, run, seed=1, hooks=[lambda step, state, row: logged.append(step)])
    assert logged[-1] == 5
    for first, second in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(first, second)


def test_learns() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((64, 6)).astype(np.float32)
    ratings = 1 / (1 + np.exp(-features @ generator.standard_normal((6, 10))))
    targets = np.column_stack([features[:, 0] > 0, 30 + 5 * features[:, 1], ratings]).astype(np.float32)
    config = MultitaskExperiment(loop=LoopOptions(steps=400))
    found = fit_multitask(config, (features, targets), (features, targets)).predict(features)
    assert (found[:, 0] == targets[:, 0]).mean() > 0.75
    assert np.abs(found[:, 2:] - ratings).mean() < 0.85 * np.abs(ratings - ratings.mean(axis=0)).mean()


def test_loss_by_hand() -> None:
    torch.manual_seed(0)
    model = Multitask(MultitaskConfig(4))
    inputs, targets = torch.randn(3, 4), torch.rand(3, 12)
    targets[:, 0] = torch.tensor([0.0, 2.0, 3.0])
    found, count = multitask_loss(model, {"inputs": inputs, "targets": targets}, torch.Generator())
    emotions, age, country = model(inputs)
    # Single-target losses are means over clips; those of the ten ratings are added.
    parts = [
        sum(F.mse_loss(torch.sigmoid(emotions[:, k]), targets[:, 2 + k]) for k in range(10)),
        F.mse_loss(age, targets[:, 1]),
        F.cross_entropy(country, targets[:, 0].long()),
    ]
    expected = sum(0.5 * torch.exp(torch.tensor(0.33)) * part - 0.33 / 2 for part in parts)
    assert count == 3
    torch.testing.assert_close(found / 3, expected)


def test_blind_labels_are_refused(exvo: Path) -> None:
    with pytest.raises(UsageError, match="expected hume-vocalburst-exvo"):
        MultitaskExperiment(DataConfig("hedgewars-voices"))
    rows = np.full((2, 12), np.nan, np.float32)
    with pytest.raises(UsageError, match="labels of the train split are blank"):
        fit_multitask(experiment(exvo, 1), (np.ones((2, 3), np.float32), rows), (np.ones((2, 3), np.float32), rows))
