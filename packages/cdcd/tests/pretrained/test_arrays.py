"""Networks as named arrays and back."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError

from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.arrays import arrays_of, model_of


def test_round_trip(untrained: CategoricalDiffusion) -> None:
    arrays = arrays_of(untrained)
    again = model_of(lambda: CategoricalDiffusion(untrained.config, nnx.Rngs(9)), arrays, "test")
    for first, second in zip(*(jax.tree.leaves(nnx.state(model)) for model in (untrained, again)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_another_architecture(untrained: CategoricalDiffusion) -> None:
    wider = replace(untrained.config, time_width=64)
    with pytest.raises(OnePaperError, match="here does not fit"):
        model_of(lambda: CategoricalDiffusion(wider, nnx.Rngs(0)), arrays_of(untrained), "here")
