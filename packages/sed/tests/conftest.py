"""Tiny networks for the tests that only read them."""

import os
from pathlib import Path

from onepaper.testing import compile_quickly

compile_quickly()

import jax
import pytest
from flax import nnx

from sed.config import DataConfig
from sed.data.corpus import Corpus, load
from sed.diffusion.embeddings import random_table
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.models.masked import MaskedLM
from sed.presets import PRESETS
from sed.pretrained.networks import Network, save_network

SMOKE, SMOKE_EVALUATOR = PRESETS["smoke"].config, PRESETS["smoke-evaluator"].config


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Vocabularies are learned in a folder of the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The tokens of the Bible."""
    return load(DataConfig(), 2048)


@pytest.fixture(scope="session")
def untrained() -> EmbeddingDiffusion:
    """The network of the smoke preset with random weights, also in its last layer."""
    model = EmbeddingDiffusion(SMOKE.model, nnx.Rngs(3), random_table(jax.random.key(0), 2048, 16))
    model.predict.kernel[...] = 0.3 * jax.random.normal(jax.random.key(1), model.predict.kernel.shape)
    return model


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, untrained: EmbeddingDiffusion) -> Path:
    """A folder with networks, as trainings write them: `kjv`, `kjv-embeddings` and `kjv-evaluator`."""
    folder = tmp_path_factory.mktemp("weights")
    masked = MaskedLM(PRESETS["smoke-embeddings"].config.model, nnx.Rngs(4))
    causal = AutoregressiveLM(SMOKE_EVALUATOR.model, nnx.Rngs(5))
    save_network(folder / "kjv", Network(untrained, SMOKE.data, corpus.codec))
    save_network(folder / "kjv-embeddings", Network(masked, SMOKE.data, corpus.codec))
    save_network(folder / "kjv-evaluator", Network(causal, SMOKE_EVALUATOR.data, corpus.codec))
    return folder
