"""Weights in single and half precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError
from onepaper.jax.state_files import model_arrays

from sed.config import ModelConfig
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.arrays import read_weights, write_weights


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.0), (True, 5e-4)])
def test_error_and_size(half: bool, tolerance: float, untrained: EmbeddingDiffusion, tmp_path: Path) -> None:
    write_weights(tmp_path, untrained, untrained.config, half=half)
    expected = model_arrays(untrained)
    size = sum(array.size for array in expected.values())
    assert (2 if half else 4) * size < (tmp_path / "model.safetensors").stat().st_size < (2.2 if half else 4.2) * size
    found = model_arrays(read_weights(tmp_path, ModelConfig, EmbeddingDiffusion))
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], array, rtol=tolerance, atol=1e-7 if tolerance else 0)


def test_weights_of_another_architecture(untrained: EmbeddingDiffusion, tmp_path: Path) -> None:
    write_weights(tmp_path, untrained, replace(untrained.config, width=64))
    with pytest.raises(OnePaperError, match=r"model.safetensors does not fit"):
        read_weights(tmp_path, ModelConfig, EmbeddingDiffusion)
