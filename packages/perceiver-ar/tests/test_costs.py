from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from perceiver_ar.config import PRESETS, ModelConfig, TransformerXLConfig
from perceiver_ar.costs import cost_of, step_flops, xl_step_flops
from perceiver_ar.transformer_xl import TransformerXL


def test_costs_grow_as_they_should() -> None:
    base = ModelConfig(context_length=1024, num_latents=256, depth=4, width=64, vocab_size=10)
    assert step_flops(base, 2) == 2 * step_flops(base, 1)
    longer = step_flops(replace(base, context_length=2048), 1) - step_flops(base, 1)
    assert longer == 3 * 1024 * (4 * 64**2 + 4 * 256 * 64)
    for name in ("paper-imagenet64", "laptop-text"):
        told = cost_of(PRESETS[name].config)
        assert told["parameters"].replace(",", "").isdigit()


@pytest.mark.parametrize("batch", [1, 3])
def test_flops_of_a_transformer_xl_are_those_that_the_compiler_counts(batch: int) -> None:
    config = TransformerXLConfig(vocab_size=50, segment=96, memory=64, depth=1, width=128, heads=4)
    model = TransformerXL(config, nnx.Rngs(0))
    compiled = jax.jit(lambda tokens: model(tokens)[0]).lower(jnp.zeros((batch, 96), jnp.int32)).compile()
    # the compiler counts norms, softmax and residuals too
    counted = compiled.cost_analysis()
    assert counted is not None
    assert 3 * counted["flops"] == pytest.approx(xl_step_flops(config, batch), rel=0.06)
