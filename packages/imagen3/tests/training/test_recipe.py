"""The recipe: stages are made once, go on after a stop, and refuse another configuration."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.training import LoopOptions

from imagen3.config import SystemConfig, TrainingConfig
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.pretrained.systems import System
from imagen3.sampling import generate
from imagen3.training.recipe import draw_samples, train_system


def test_stages(config: SystemConfig, tmp_path: Path) -> None:
    run = Run(tmp_path, {"config": {}})
    logged: list[int] = []
    first = train_system(config, run, seed=1, hooks=[lambda step, state, row: logged.append(step)])
    assert logged[-1] == config.denoiser_training.loop.steps
    assert config.autoencoder_training.loop.steps in logged
    assert first is not None
    made = (tmp_path / "autoencoder" / "model.safetensors").stat().st_mtime_ns
    again = train_system(config, run, seed=1)
    assert again is not None
    assert (tmp_path / "autoencoder" / "model.safetensors").stat().st_mtime_ns == made
    options = replace(config.sampling, steps=2)
    assert np.array_equal(generate(first, ["a dog"], options), generate(again, ["a dog"], options))
    assert list((tmp_path / "denoiser" / "samples").glob("*"))
    for name, value in first.denoiser.state_dict().items():
        assert torch.isfinite(value).all(), name
    # Another denoiser on the same autoencoder is refused in this folder; another autoencoder too.
    other = replace(config, denoiser=replace(config.denoiser, depth=1))
    with pytest.raises(UsageError, match="denoiser is of another configuration"):
        train_system(other, run, seed=1)
    with pytest.raises(UsageError, match="autoencoder is of another configuration"):
        train_system(replace(config, kl_weight=0.5), run, seed=1)


def test_a_later_stage_with_larger_pictures(config: SystemConfig, system: System, tmp_path: Path) -> None:
    """The autoencoder is kept, and a step that moves nothing leaves the weights of the denoiser."""
    training = TrainingConfig(8, OptimizerOptions(lr=1e-12, ema_decay=0.5), LoopOptions(steps=1, evaluate_every=0))
    larger = replace(config, data=replace(config.data, size=64), denoiser_training=training)
    run = Run(tmp_path, {"config": {}})
    pictures = load_pictures(larger.data)
    few = pictures.subset(np.flatnonzero(pictures.selected)[:40])
    found = train_system(larger, run, pictures=few, start=system)
    assert found is not None
    for ours, theirs in ((found.autoencoder, system.autoencoder), (found.denoiser, system.denoiser)):
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=1e-6, msg=name)
    assert generate(found, ["a dog"], replace(config.sampling, steps=2)).shape == (1, 64, 64, 3)
    with pytest.raises(UsageError, match="autoencoder is of another configuration"):
        train_system(larger, run, pictures=few)  # from nothing
    with pytest.raises(UsageError, match=r"another denoiser.depth: 1 here, 2 there"):
        train_system(replace(larger, denoiser=replace(larger.denoiser, depth=1)), run, start=system)
    with pytest.raises(UsageError, match=r"another prediction: 'v' here, 'rf' there"):
        train_system(replace(larger, objective=replace(larger.objective, prediction="v")), run, start=system)


def test_samples_over_training(system: System, pictures: Pictures) -> None:
    files = draw_samples(system, pictures)
    assert files["samples.png"].startswith(b"\x89PNG")
