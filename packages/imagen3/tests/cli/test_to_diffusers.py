"""The verb `export`: what diffusers opens, and networks that it has no class for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.testing import check_one_line_error, run_verb

from imagen3.config import SystemConfig
from imagen3.models.autoencoder import Autoencoder
from imagen3.models.networks import build_denoiser
from imagen3.pretrained.systems import System, save_system
from imagen3.text.encoder import open_encoder

diffusers = pytest.importorskip("diffusers")


def test_a_denoiser(config: SystemConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(config, denoiser=replace(config.denoiser, positions="stored", table_size=4, mask_padding=False))
    torch.manual_seed(0)
    denoiser = build_denoiser(config.denoiser)
    system = System(config, Autoencoder(config.autoencoder), denoiser, open_encoder(config.text))
    weights = save_system(tmp_path / "system", system)
    words = ("--weights", str(weights), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "to-diffusers", *words) == 0
    opened = diffusers.SD3Transformer2DModel.from_pretrained(tmp_path / "run" / "transformer")
    assert torch.equal(opened.pos_embed.proj.weight.flatten(1), denoiser.patches.weight)
    assert "SD3Transformer2DModel" in capsys.readouterr().out


def test_networks_without_a_class(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ("--output", str(tmp_path / "run"))
    for words, expected in (
        ((), "mask_padding is True"),
        (("--part", "autoencoder"), "no class like our unknown kind 'folded'"),
    ):
        assert run_verb("imagen3", "to-diffusers", "--weights", str(weights), *words, *output) == 2
        check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
