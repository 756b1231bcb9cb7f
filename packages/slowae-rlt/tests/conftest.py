"""A tiny model for the tests that only read it."""

from pathlib import Path

from onepaper.testing import compile_quickly

compile_quickly()

import numpy as np
import pytest
from flax import nnx

from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.presets import PRESETS
from slowae_rlt.pretrained.language_models import LanguageModel, save_language_model
from slowae_rlt.training import train


@pytest.fixture(scope="session")
def trained() -> SlowAE:
    """The smoke preset, trained with seed 3."""
    return train(PRESETS["smoke"].config, seed=3)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, trained: SlowAE) -> Path:
    """A folder with the weights of the tiny model."""
    return trained.save_pretrained(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """The first 1.7 seconds of a held-out prompt."""
    return split_prompts(("en",))["test"][0].samples[:13_777]


@pytest.fixture(scope="session")
def language_model() -> LanguageModel:
    """An untrained run-length Transformer of the events of band energies."""
    return LanguageModel(
        RunLengthTransformer(PRESETS["smoke-rlt"].config.model, nnx.Rngs(1)), BandEnergies(), "identity"
    )


@pytest.fixture(scope="session")
def language_weights(tmp_path_factory: pytest.TempPathFactory, language_model: LanguageModel) -> Path:
    """A folder with its weights."""
    return save_language_model(tmp_path_factory.mktemp("weights") / "tiny-rlt", language_model)
