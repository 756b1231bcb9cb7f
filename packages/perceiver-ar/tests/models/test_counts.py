from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from perceiver_ar.config import ModelConfig, TransformerXLConfig
from perceiver_ar.models.counts import official_parameter_count, parameter_count, step_flops, xl_step_flops
from perceiver_ar.models.transformer_xl import TransformerXL
from perceiver_ar.presets import PRESETS, REPORTED_PARAMETERS


def test_costs_grow_as_they_should() -> None:
    base = ModelConfig(context_length=1024, num_latents=256, depth=4, width=64, vocab_size=10)
    assert step_flops(base, 2) == 2 * step_flops(base, 1)
    longer = step_flops(replace(base, context_length=2048), 1) - step_flops(base, 1)
    assert longer == 3 * 1024 * (4 * 64**2 + 4 * 256 * 64)


@pytest.mark.parametrize("batch", [1, 3])
def test_flops_of_a_transformer_xl_are_those_that_the_compiler_counts(batch: int) -> None:
    config = TransformerXLConfig(vocab_size=50, segment=96, memory=64, depth=1, width=128, heads=4)
    model = TransformerXL(config, nnx.Rngs(0))
    compiled = jax.jit(lambda tokens: model(tokens)[0]).lower(jnp.zeros((batch, 96), jnp.int32)).compile()
    # the compiler counts norms, softmax and residuals too
    counted = compiled.cost_analysis()
    assert counted is not None
    assert 3 * counted["flops"] == pytest.approx(xl_step_flops(config, batch), rel=0.06)


@pytest.mark.parametrize("name", REPORTED_PARAMETERS)
def test_parameters_of_the_papers_rows(name: str) -> None:
    config, reported = PRESETS[name].config.model, REPORTED_PARAMETERS[name]
    count = official_parameter_count(config)
    if reported.source == "measured":
        assert count == reported.parameters
    if reported.source == "computed":
        assert round(count, -5) == reported.parameters


def test_parameters_computed_for_rotary_rows() -> None:
    assert round(official_parameter_count(PRESETS["paper-pg19-2k"].config.model), -4) == 974_220_000
    assert round(official_parameter_count(PRESETS["paper-books-deep"].config.model), -5) == 835_000_000


def test_parameters_of_an_adaptive_vocabulary() -> None:
    config = PRESETS["paper-wikitext103-1k"].config.model
    tables = 20_000 * 1024 + 40_000 * 256 + 207_738 * 64
    projections = (1024 + 256 + 64) * 1024
    plain = 2 * 267_738 * 1024 + 267_738
    wanted = tables + projections + 2 * 1025 + 267_738
    without = replace(config, adaptive_cutoffs=())
    assert parameter_count(config) - parameter_count(without) == wanted - plain


@pytest.mark.parametrize("name", PRESETS)
def test_ours_is_the_official_count_less_fixed_tables(name: str) -> None:
    config = PRESETS[name].config.model
    fixed = config.uses_absolute_positions and config.position_tables == "sinusoidal"
    table = (config.context_length + 1) * config.input_dim if fixed else 0
    assert parameter_count(config) == official_parameter_count(config) - table
