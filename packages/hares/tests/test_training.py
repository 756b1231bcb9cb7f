"""Training learns, repeats, and resumes to the same bits, with each objective; the target network of BYOL follows."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from hares.config import CpcConfig, Objective, TrainConfig
from hares.data.pool import crop_batches, open_pool
from hares.models.byol import Byol
from hares.models.encoder import Encoder
from hares.presets import PRESETS
from hares.training import PretrainingTask, train

SMOKE: TrainConfig = replace(
    PRESETS["smoke"].config,
    batch_size=4,
    seconds=0.3,
    cpc=CpcConfig(frames=16, hop=4, context=8),
    loop=LoopOptions(steps=2, log_every=1, checkpoint_every=1),
)


def _flat(encoder: Encoder) -> np.ndarray:
    return torch.cat([value.flatten() for value in encoder.state_dict().values()]).numpy()


@pytest.mark.parametrize("objective", get_args(Objective))
def test_resume_gives_the_same_bits(objective: Objective, tmp_path: Path) -> None:
    config = replace(SMOKE, objective=objective)
    stopped = replace(config, loop=replace(config.loop, max_minutes=1e-9))
    pool, logged = open_pool(config.pool, config.encoder.front_end.rate), list[int]()
    for part in (stopped, config):
        with Run.open(tmp_path, paper="hares", verb="train", config=config) as run:
            resumed = train(part, run, seed=3, pool=pool, hooks=[lambda step, state, row: logged.append(step)])
    assert logged == [1, 2]
    whole = _flat(train(config, seed=3))
    np.testing.assert_array_equal(_flat(resumed), whole)
    untrained = _flat(train(replace(config, loop=replace(config.loop, steps=0)), seed=3))
    assert np.abs(whole - untrained).max() > 1e-5


def test_the_target_network_is_a_moving_average() -> None:
    config = replace(SMOKE, objective="byol")
    pool = open_pool(config.pool, config.encoder.front_end.rate)
    task = PretrainingTask(config, 0, Accelerator())
    state = task.init(0)
    assert isinstance(state.model, Byol)
    pairs = state.model.pairs()
    expected = [target.detach().clone() for target, _ in pairs]
    assert all(torch.equal(target, online) for target, online in pairs)
    batches = crop_batches(pool, config)
    for step in range(2):
        state, _ = task.step(state, batches(step))
        expected = [0.99 * old + 0.01 * online for old, (_, online) in zip(expected, pairs, strict=True)]
    assert all(target.grad is None for target, _ in pairs)
    torch.testing.assert_close([target for target, _ in pairs], expected)
    assert any(not torch.equal(target, online) for target, online in pairs)
