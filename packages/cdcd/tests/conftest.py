"""Tiny networks for the tests that only read them."""

import os
from pathlib import Path

from onepaper.testing import compile_quickly

compile_quickly()

import pytest
from flax import nnx

from cdcd.config import DataConfig
from cdcd.data.corpus import Corpus, load
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS
from cdcd.pretrained.networks import Network, save_network

SMOKE, SMOKE_EVALUATOR = PRESETS["smoke"].config, PRESETS["smoke-evaluator"].config


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Vocabularies are learned in a folder of the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def letters() -> Corpus:
    """The letters of the speeches."""
    return load(DataConfig(tokens="letters"), 28)


@pytest.fixture(scope="session")
def untrained() -> CategoricalDiffusion:
    """The network of the smoke preset with random weights."""
    return CategoricalDiffusion(SMOKE.model, nnx.Rngs(3))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, letters: Corpus, untrained: CategoricalDiffusion) -> Path:
    """A folder with two networks, as trainings write them: `speeches` and `speeches-evaluator`."""
    folder = tmp_path_factory.mktemp("weights")
    causal = AutoregressiveLM(SMOKE_EVALUATOR.model, nnx.Rngs(4))
    save_network(folder / "speeches", Network(untrained, SMOKE.data, letters.codec))
    save_network(folder / "speeches-evaluator", Network(causal, SMOKE_EVALUATOR.data, letters.codec))
    return folder
