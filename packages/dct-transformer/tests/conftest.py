"""Networks for the tests that only read them."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from networks import TINY, random_network

from dct_transformer.data.images import photographs, resize
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.presets import PRESETS
from dct_transformer.training import train


@pytest.fixture(scope="session")
def untrained() -> DCTransformer:
    """A tiny network with random weights."""
    return random_network(TINY)


@pytest.fixture(scope="session")
def trained() -> DCTransformer:
    """The smoke preset, trained with seed 3."""
    return train(PRESETS["smoke"].config, seed=3)


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A photograph of 16 x 16 pixels."""
    return resize(photographs()["coffee"], (16, 16))
