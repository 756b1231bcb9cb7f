"""Upsamplers on disk, and those that do not fit their system."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.models.networks import build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler, check_parts, open_upsampler, save_upsampler

CONFIG = PRESETS["sr-smoke"].config


def test_saved_and_opened(system: System, weights: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, system=str(weights))
    upsampler = Upsampler(config, build_denoiser(config.denoiser), system)
    opened = open_upsampler(save_upsampler(tmp_path, upsampler))
    assert opened.config == config
    for name, value in upsampler.denoiser.state_dict().items():
        assert torch.equal(value, opened.denoiser.state_dict()[name])
    assert torch.equal(opened.system.autoencoder.scale, system.autoencoder.scale)


def test_parts_that_do_not_fit(system: System) -> None:
    other = replace(CONFIG.denoiser, channels=32, output_channels=16)
    with pytest.raises(UsageError, match="output_channels is 16, expected 4 of the system emoji"):
        check_parts(replace(CONFIG, denoiser=other), system)
    for change, expected in (
        ({"channels": 7}, "expected twice denoiser.output_channels"),
        ({"pooled_dim": 128}, "expected text_dim \\+ 256"),
    ):
        with pytest.raises(UsageError, match=expected):
            replace(CONFIG, denoiser=replace(CONFIG.denoiser, **change))
    with pytest.raises(UsageError, match="tile is 20"):
        replace(CONFIG, tile=20)
