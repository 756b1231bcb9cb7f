from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from scipy import stats

from simplex_cir.config import PRESETS, LearnedConfig, ModelConfig
from simplex_cir.data import splice_sites
from simplex_cir.likelihood import bound
from simplex_cir.model import SimplexDenoiser
from simplex_cir.training import check_fits, load, make_loss, revealed, stratified, train

SMOKE: LearnedConfig = PRESETS["smoke"].config


def test_stratified_has_one_number_in_each_part() -> None:
    drawn = np.sort(np.asarray(stratified(jax.random.key(0), 50)))
    np.testing.assert_array_equal(np.floor(drawn * 50), np.arange(50))
    assert not np.array_equal(stratified(jax.random.key(0), 50), jnp.sort(stratified(jax.random.key(0), 50)))


def test_the_two_losses_agree_with_independent_estimates() -> None:
    # The bound's loss times the width of the range is the bound's integral, which `bound` estimates on its own.
    config = replace(SMOKE, loss="bound", lowest_snr=1e-3, reveal=0.0)
    model = SimplexDenoiser(config.model, nnx.Rngs(0))
    tokens = jnp.asarray(splice_sites().train[:1000])
    loss = jax.jit(lambda model, key: make_loss(config)(model, {"tokens": tokens}, key)[0] / tokens.size)
    values = np.array([float(loss(model, jax.random.key(seed))) for seed in range(12)])
    nats = values.mean() * np.log(config.highest_snr / config.lowest_snr) * 9
    estimate = jax.jit(lambda model, key: bound(key, model, tokens, 4, points=32, highest_snr=config.highest_snr))
    parts = estimate(model, jax.random.key(0))
    assert nats == pytest.approx(float(parts.diffusion.mean()), rel=0.05)


def test_training_learns_and_repeats() -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=60))
    first, second = train(config, seed=0), train(config, seed=0)
    tokens = jnp.asarray(splice_sites().validation[:200])
    estimate = jax.jit(lambda model: bound(jax.random.key(0), model, tokens, 4, points=16).total.mean())
    before, after = estimate(SimplexDenoiser(config.model, nnx.Rngs(0))), estimate(first)
    assert float(after) < float(before) - 0.5
    for a, b in zip(*(jax.tree.leaves(nnx.state(model, nnx.Param)) for model in (first, second)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_conditions_train() -> None:
    config: LearnedConfig = PRESETS["laptop-digits"].config
    small = replace(config.model, width=16, depth=1, heads=2, self_conditioning=True)
    model = SimplexDenoiser(small, nnx.Rngs(0))
    data = load(config.data)
    assert data.labels is not None
    batch = {"tokens": jnp.asarray(data.train[:8]), "labels": jnp.asarray(data.labels[0][:8])}
    value, weight = jax.jit(make_loss(replace(config, model=small)))(model, batch, jax.random.key(0))
    assert 0 < weight <= 8 * 64
    assert np.isfinite(float(value))


def test_a_random_part_is_revealed_in_a_share_of_the_sequences() -> None:
    known = np.asarray(revealed(jax.random.key(0), (4000, 50), 0.3))
    some = known.any(axis=1)
    assert some.mean() == pytest.approx(0.3 * 50 / 51, abs=4 * 0.5 / 4000**0.5)  # a part of 0 positions shows nothing
    # A binomial count with a uniform probability is uniform on 0..50; spread over the gaps it is uniform on [0, 1].
    counts = known[some].sum(axis=1) - np.random.default_rng(0).uniform(size=some.sum())
    assert stats.kstest(counts / 50, "uniform").pvalue > 1e-3
    assert not revealed(jax.random.key(0), (10, 5), 0.0).any()


def test_a_model_of_another_shape_is_refused() -> None:
    config = replace(SMOKE, model=ModelConfig("ACGT", positions=9))
    with pytest.raises(UsageError, match="'ACGT' and 9 positions, the data 'ACGU'"):
        check_fits(config, load(config.data))
    with pytest.raises(UsageError, match="no labels"):
        check_fits(replace(SMOKE, model=replace(SMOKE.model, num_classes=3)), load(SMOKE.data))
