from dataclasses import replace

import numpy as np
from flax import nnx

from perceiver_ar.config import ModelConfig, SamplingOptions
from perceiver_ar.data.text import ByteText
from perceiver_ar.generation.samples import SampleLogger
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(context_length=8, num_latents=4, depth=1, width=8, heads=1, rotary_fraction=0.5)


def test_samples_during_training_follow_the_weights() -> None:
    """The same random numbers every time; other weights give other text."""
    logger = SampleLogger(ByteText(), 2, SamplingOptions(), 6)
    model = PerceiverAR(SMALL, nnx.Rngs(0))
    first = logger(model)
    assert list(first) == ["sample-0.txt", "sample-1.txt"]
    assert logger(model) == first
    other = PerceiverAR(replace(SMALL), nnx.Rngs(0))
    assert other.head is not None
    bias = np.full(259, -30.0, np.float32)
    bias[3 + ord("x")] = 30.0
    other.head.bias[...] = bias
    assert logger(other) == {"sample-0.txt": b"xxxxxx", "sample-1.txt": b"xxxxxx"}
