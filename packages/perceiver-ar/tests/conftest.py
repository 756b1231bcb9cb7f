import sys
from pathlib import Path

import jax
import pytest
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))  # for the helper modules of this folder

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR


@pytest.fixture(scope="session")
def stirred():
    """Makes a model with every parameter drawn, so that heads and biases that start at 0 do something."""

    def make(config: ModelConfig) -> PerceiverAR:
        model = PerceiverAR(config, nnx.Rngs(0))
        leaves, tree = jax.tree.flatten(nnx.state(model, nnx.Param))
        keys = jax.random.split(jax.random.key(1), len(leaves))
        drawn = [leaf + 0.3 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        nnx.update(model, jax.tree.unflatten(tree, drawn))
        return model

    return make
