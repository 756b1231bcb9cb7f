import sys
from pathlib import Path

from onepaper.testing import compile_quickly

compile_quickly()

import jax
import numpy as np
import pytest
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))  # for the helper modules of this folder

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR


@pytest.fixture(scope="session")
def stirred():
    """Makes a model with random values in every parameter, also in heads and biases that are initialized to 0.

    Parameters come from numpy: initializing the model would compile a program for each shape.
    """

    def make(config: ModelConfig) -> PerceiverAR:
        graph, state = nnx.split(nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0))))
        generator = np.random.default_rng(1)
        leaves, tree = jax.tree_util.tree_flatten_with_path(state)
        drawn = []
        for path, leaf in leaves:
            name = jax.tree_util.keystr(path)
            values = 0.3 * generator.standard_normal(leaf.shape)
            if "kernel" in name and "head" not in name:
                values += generator.standard_normal(leaf.shape) / np.sqrt(leaf.shape[-2])
            values += 1.0 if "scale" in name else 0.0
            values += generator.standard_normal(leaf.shape) if "embedding" in name else 0.0
            drawn.append(jax.numpy.asarray(values, leaf.dtype))
        return nnx.merge(graph, jax.tree.unflatten(tree, drawn))

    return make
