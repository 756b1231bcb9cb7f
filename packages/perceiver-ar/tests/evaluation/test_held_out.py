import numpy as np
import pytest
from flax import nnx

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.evaluation.held_out import held_out_evaluation
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.presets import PRESETS

TEXT: ExperimentConfig = PRESETS["smoke-text"].config


def test_held_out_nats_are_those_of_the_model(stirred) -> None:
    found = held_out_evaluation(TEXT, load(TEXT.data))(PerceiverAR(TEXT.model, nnx.Rngs(0)))
    # a fresh model gives every id the same probability
    assert found["nats"] == pytest.approx(np.log(259), rel=1e-5)
    assert found["bits_per_byte"] == pytest.approx(np.log2(259), abs=1e-3)
