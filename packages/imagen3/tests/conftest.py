"""A tiny system with random weights for the tests that only read it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

from imagen3.config import SystemConfig, TrainingConfig
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.models.autoencoder import Autoencoder
from imagen3.models.mmdit import MMDiT
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System, save_system
from imagen3.text.encoder import open_encoder

torch.set_num_threads(1)

_TRAINING = TrainingConfig(
    8, OptimizerOptions(lr=3e-3, ema_decay=0.9), LoopOptions(steps=6, log_every=3, evaluate_every=0, checkpoint_every=3)
)


@pytest.fixture(scope="session")
def config() -> SystemConfig:
    """The smoke preset with six steps of each training."""
    return replace(PRESETS["smoke"].config, autoencoder_training=_TRAINING, denoiser_training=_TRAINING)


@pytest.fixture(scope="session")
def pictures(config: SystemConfig) -> Pictures:
    """Emoji of 32 pixels."""
    return load_pictures(config.data)


@pytest.fixture(scope="session")
def system(config: SystemConfig) -> System:
    """Random weights, the zero-initialised ones too."""
    torch.manual_seed(0)
    autoencoder, denoiser = Autoencoder(config.autoencoder), MMDiT(config.denoiser)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for model in (autoencoder, denoiser):
        model.requires_grad_(False).eval()
    return System(config, autoencoder, denoiser, open_encoder(config.text))


@pytest.fixture(scope="session")
def weights(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that system."""
    return save_system(tmp_path_factory.mktemp("weights") / "tiny", system)
