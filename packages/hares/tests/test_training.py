"""Training learns, repeats, and resumes to the same bits; views are mixed in the chosen domain."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from onepaper.runs import Run
from onepaper.training import LoopOptions

from hares.config import TrainConfig
from hares.data.pool import open_pool
from hares.models.encoder import Encoder
from hares.presets import PRESETS
from hares.spectrograms.log_mel import log_of_power, mel_power, standardize
from hares.training import make_views, train

SMOKE: TrainConfig = replace(
    PRESETS["smoke"].config, batch_size=4, seconds=0.3, loop=LoopOptions(steps=2, log_every=1, checkpoint_every=1)
)


def _flat(encoder: Encoder) -> np.ndarray:
    return torch.cat([value.flatten() for value in encoder.state_dict().values()]).numpy()


@pytest.mark.parametrize("objective", ["simclr", "cola", "supervised"])
def test_resume_gives_the_same_bits(objective: Literal["simclr", "cola", "supervised"], tmp_path: Path) -> None:
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


@pytest.mark.parametrize("domain", ["power", "log", "none"])
def test_views_are_mixed_where_the_configuration_says(domain: Literal["power", "log", "none"]) -> None:
    config = replace(SMOKE, mix_domain=domain)
    front_end = config.encoder.front_end
    samples = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    views, partners, ratios = make_views(samples, config, torch.Generator().manual_seed(1))
    power = mel_power(samples, front_end)
    weights = ratios[:, None, None]
    if domain == "power":
        expected = log_of_power(weights * power + (1 - weights) * power[partners], front_end)
    else:
        plain = log_of_power(power, front_end)
        expected = weights * plain + (1 - weights) * plain[partners]
    torch.testing.assert_close(views, standardize(expected))
    assert (domain == "none") == bool((ratios == 1).all())
