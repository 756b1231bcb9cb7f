"""Networks as named arrays and back."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError

from cdcd.config import ModelConfig
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.arrays import arrays_of, model_of, read_weights, write_weights


def test_round_trip(untrained: CategoricalDiffusion) -> None:
    arrays = arrays_of(untrained)
    again = model_of(lambda: CategoricalDiffusion(untrained.config, nnx.Rngs(9)), arrays, "test")
    for first, second in zip(*(jax.tree.leaves(nnx.state(model)) for model in (untrained, again)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_another_architecture(untrained: CategoricalDiffusion) -> None:
    wider = replace(untrained.config, time_width=64)
    with pytest.raises(OnePaperError, match="here does not fit"):
        model_of(lambda: CategoricalDiffusion(wider, nnx.Rngs(0)), arrays_of(untrained), "here")


def test_half_precision_has_half_the_size_and_the_stated_error(untrained: CategoricalDiffusion, tmp_path: Path) -> None:
    config = untrained.config
    sizes = [
        (write_weights(tmp_path / name, untrained, config, half=half) / "model.safetensors").stat().st_size
        for name, half in (("single", False), ("half", True))
    ]
    assert sizes[1] < 0.7 * sizes[0]
    for name, tolerance in (("single", 0.0), ("half", 5e-4)):
        again = arrays_of(read_weights(tmp_path / name, ModelConfig, CategoricalDiffusion))
        for array, expected in arrays_of(untrained).items():
            assert again[array].dtype == np.float32
            np.testing.assert_allclose(again[array], expected, rtol=tolerance, atol=1e-7 if tolerance else 0)
            if array.startswith("warp/"):
                np.testing.assert_array_equal(again[array], expected)
