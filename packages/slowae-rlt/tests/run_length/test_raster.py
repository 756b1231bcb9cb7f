"""Training on rasters learns what repeats; bits a second of a uniform model."""

from dataclasses import replace

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.config import RunLengthConfig, RunLengthExperiment
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.raster_transformer import RasterTransformer
from slowae_rlt.presets import PRESETS
from slowae_rlt.run_length.raster import raster_batches, raster_bits, train_raster
from slowae_rlt.run_length.training import EventData

SMOKE: RunLengthExperiment = PRESETS["smoke-rlt"].config
CONFIG = RunLengthConfig(channels=2, levels=3, length=16, width=16, depth=1, heads=1)
LEVELS = np.repeat(np.arange(-3, 4), 9)[:, None].repeat(2, axis=1)


def test_batches_are_parts_of_the_raster() -> None:
    batch = raster_batches(LEVELS, CONFIG, 5, seed=0)(3)
    assert batch.shape == (5, 16, 2)
    windows = np.lib.stride_tricks.sliding_window_view(LEVELS[:, 0] + 3, 16)
    for row in batch:
        assert (windows == row[:, 0]).all(axis=1).any()


def test_bits_of_a_uniform_model() -> None:
    model = RasterTransformer(CONFIG, nnx.Rngs(0))
    model.head.kernel[...] = 0.0 * model.head.kernel[...]
    np.testing.assert_allclose(raster_bits(model, LEVELS, 500.0), np.full(3, 1000 * np.log2(7)), rtol=1e-5)
    with pytest.raises(UsageError, match="expected at least 16"):
        raster_bits(model, LEVELS[:9], 500.0)


def test_learns() -> None:
    config = replace(SMOKE, model=CONFIG, loop=replace(SMOKE.loop, steps=30, checkpoint_every=0))
    data = EventData(BandEnergies(), dict.fromkeys(("train", "validation"), LEVELS), {})
    bits = raster_bits(train_raster(config, seed=1, data=data), LEVELS, 500.0)
    assert bits.mean() < 0.7 * 1000 * np.log2(7)
