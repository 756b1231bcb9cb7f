"""Claim X5 with few pictures, and a network that has learned nothing and is the interpolation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from imagen3.data.pictures import Pictures
from imagen3.experiments import upsampling
from imagen3.models.networks import build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler


def test_claim(system: System, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(PRESETS["sr-smoke"].config, steps=1)
    untrained = Upsampler(config, build_denoiser(config.denoiser).requires_grad_(False).eval(), system)
    few = pictures.subset(pictures.indices("test")[:10])
    monkeypatch.setattr(upsampling, "open_upsampler", lambda: untrained)
    monkeypatch.setattr(upsampling, "load_pictures", lambda config: few)
    found = upsampling.upsampled_pictures(ClaimContext(folder=tmp_path, seeds=(0, 1)))
    for name in ("PSNR", "distance"):
        assert found.measurement(f"{name}, upsampler").mean == found.measurement(f"{name}, lanczos").mean
    assert found.measurement("PSNR, lanczos").mean > found.measurement("PSNR, bicubic").mean
    grid = found.artifacts[1].images  # pyright: ignore
    assert np.array_equal(grid[16:], few.pixels[:8] / 255)
