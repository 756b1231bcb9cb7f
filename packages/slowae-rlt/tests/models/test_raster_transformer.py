"""Probabilities of rasters: they sum to 1, and depend on the past alone."""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.models.raster_transformer import RasterTransformer

CONFIG = RunLengthConfig(channels=2, levels=1, length=8, width=8, depth=1, heads=2)


@pytest.fixture(scope="module")
def model() -> RasterTransformer:
    return RasterTransformer(CONFIG, nnx.Rngs(0))


def test_all_rasters_have_a_probability_of_1(model: RasterTransformer) -> None:
    """Every raster of two steps and two channels."""
    everything = jnp.array(list(product(range(3), repeat=4))).reshape(-1, 2, 2)
    assert float(jnp.exp(-model.nats(everything).sum(axis=(1, 2))).sum()) == pytest.approx(1.0, abs=1e-5)


def test_causality(model: RasterTransformer) -> None:
    levels = np.random.default_rng(0).integers(0, 3, (1, 6, 2))
    before = np.asarray(model.logits(jnp.asarray(levels)))
    levels[0, 3, 0] = (levels[0, 3, 0] + 1) % 3
    differs = np.abs(np.asarray(model.logits(jnp.asarray(levels))) - before).max(axis=(0, 3)) > 0
    assert not differs[:3].any()
    assert not differs[3, 0]
    assert differs[3, 1]
    assert differs[4:].all()
