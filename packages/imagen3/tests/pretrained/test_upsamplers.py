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
    opened = open_upsampler(save_upsampler(tmp_path / "whole", upsampler))
    half = open_upsampler(save_upsampler(tmp_path / "half", upsampler, half=True))
    assert opened.config == half.config == config
    for name, value in upsampler.denoiser.state_dict().items():
        assert torch.equal(value, opened.denoiser.state_dict()[name])
        assert torch.equal(value.half().float(), half.denoiser.state_dict()[name])
    assert torch.equal(opened.system.autoencoder.scale, system.autoencoder.scale)


def test_parts_that_do_not_fit(system: System) -> None:
    other = replace(CONFIG.denoiser, text_dim=64, pooled_dim=64 + 256)
    with pytest.raises(UsageError, match="text_dim is 64, expected 128 of the system emoji"):
        check_parts(replace(CONFIG, denoiser=other), system)
    for change, expected in (
        ({"channels": 7}, "are 7 and 12, expected 24 and 12: squares of 2 by 2 pixels"),
        ({"pooled_dim": 128}, "expected text_dim \\+ 256"),
    ):
        with pytest.raises(UsageError, match=expected):
            replace(CONFIG, denoiser=replace(CONFIG.denoiser, **change))
    with pytest.raises(UsageError, match="tile is 20"):
        replace(CONFIG, tile=20)
