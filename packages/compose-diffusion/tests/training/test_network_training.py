import dataclasses
from pathlib import Path

import pytest

from compose_diffusion.models.digits import Denoiser
from compose_diffusion.presets import PRESETS
from compose_diffusion.training.network_training import Training


def test_the_networks_here_can_be_saved(tmp_path):
    """`Training.fit` returns what has `save_pretrained`; ours writes weights and configuration."""
    folder = Denoiser(PRESETS["smoke"].config.denoiser).save_pretrained(tmp_path / "denoiser")
    assert {path.name for path in Path(folder).iterdir()} == {"model.safetensors", "config.json"}


def test_a_training_is_a_fixed_description():
    training = Training("denoiser", 3, "a denoiser", lambda run, loop, seed, accelerator: None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        training.steps = 4
