"""Tiny networks for the tests that only read them."""

import os
import sys
from pathlib import Path

from onepaper.testing import compile_quickly

compile_quickly()

import pytest
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))  # for the helper modules of this folder

from cdcd.config import DataConfig
from cdcd.data.corpus import Corpus, load
from cdcd.data.sentences import ParallelCorpus
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.models.translation import TranslationDiffusion
from cdcd.presets import PRESETS
from cdcd.pretrained.networks import Network, save_network
from cdcd.pretrained.translators import TranslationNetwork, save_translator
from cdcd.translation.training import load_checked_pairs

SMOKE, SMOKE_EVALUATOR = PRESETS["smoke"].config, PRESETS["smoke-evaluator"].config
SMOKE_MT, SMOKE_MT_CAUSAL = PRESETS["smoke-mt"].config, PRESETS["smoke-mt-autoregressive"].config


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


@pytest.fixture(scope="session")
def pairs() -> ParallelCorpus:
    """Verses as tokens of the smoke presets."""
    return load_checked_pairs(SMOKE_MT)


@pytest.fixture(scope="session")
def translators(tmp_path_factory: pytest.TempPathFactory, pairs: ParallelCorpus) -> Path:
    """A folder with two untrained translation networks: `verses` and `verses-autoregressive`."""
    folder = tmp_path_factory.mktemp("translators")
    diffusion = TranslationDiffusion(SMOKE_MT.model, nnx.Rngs(5))
    causal = CausalTranslator(SMOKE_MT_CAUSAL.model, nnx.Rngs(6))
    save_translator(folder / "verses", TranslationNetwork(diffusion, SMOKE_MT.data, pairs.codec))
    save_translator(folder / "verses-autoregressive", TranslationNetwork(causal, SMOKE_MT_CAUSAL.data, pairs.codec))
    return folder
