from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.training import read_metrics
from scipy import stats

from simplex_cir.config import LearnedConfig
from simplex_cir.data.loading import load
from simplex_cir.data.sequences import splice_sites
from simplex_cir.diffusion.likelihood import bound
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.presets import PRESETS
from simplex_cir.training import make_loss, random_part, stratified, train

SMOKE: LearnedConfig = PRESETS["smoke"].config


def test_stratified_has_one_number_in_each_part() -> None:
    drawn = np.sort(np.asarray(stratified(jax.random.key(0), 50)))
    np.testing.assert_array_equal(np.floor(drawn * 50), np.arange(50))
    assert not np.array_equal(stratified(jax.random.key(0), 50), jnp.sort(stratified(jax.random.key(0), 50)))


def test_the_two_losses_agree_with_independent_estimates() -> None:
    # The bound's loss times the width of the range is the bound's integral, which `bound` estimates on its own.
    config = replace(SMOKE, loss="bound", lowest_snr=1e-3, clamp_prob=0.0, mask_prob=0.0)
    model = SimplexDenoiser(config.model, nnx.Rngs(0))
    tokens = jnp.asarray(splice_sites().train[:1000])
    loss = jax.jit(lambda model, key: make_loss(config)(model, {"tokens": tokens}, key)[0] / len(tokens))
    values = np.array([float(loss(model, jax.random.key(seed))) for seed in range(12)])
    nats = values.mean() * np.log(config.highest_snr / config.lowest_snr) * 9
    estimate = jax.jit(lambda model, key: bound(key, model, tokens, 4, points=32, highest_snr=config.highest_snr))
    parts = estimate(model, jax.random.key(0))
    assert nats == pytest.approx(float(parts.diffusion.mean()), rel=0.05)


def test_training_learns_and_repeats(trained: Path) -> None:
    """An untrained model is the posterior of a uniform prior, with the bound log 4 a position."""
    (bound_at_the_end,) = (
        row["evaluate/held_out_bound"]
        for row in read_metrics(trained / "metrics.jsonl")
        if "evaluate/held_out_bound" in row
    )
    assert bound_at_the_end < 9 * np.log(4) - 0.5
    logged: list[int] = []
    again = train(
        replace(SMOKE, loop=replace(SMOKE.loop, steps=60)),
        data=load(SMOKE.data, SMOKE.model.symbols),
        hooks=[lambda step, state, row: logged.append(step)],
    )
    assert logged[-1] == 60
    models = (again, SimplexDenoiser.from_pretrained(trained / "pretrained"))
    for a, b in zip(*(jax.tree.leaves(nnx.state(model, nnx.Param)) for model in models), strict=True):
        np.testing.assert_array_equal(a, b)


def test_conditions_train() -> None:
    config: LearnedConfig = PRESETS["laptop-digits"].config
    small = replace(config.model, width=16, depth=1, heads=2, self_conditioning=True)
    model = SimplexDenoiser(small, nnx.Rngs(0))
    data = load(config.data)
    assert data.labels is not None
    batch = {"tokens": jnp.asarray(data.train[:8]), "labels": jnp.asarray(data.labels[0][:8])}
    value, weight = jax.jit(make_loss(replace(config, model=small)))(model, batch, jax.random.key(0))
    assert weight == 8
    assert np.isfinite(float(value))


def test_a_random_part_of_some_sequences_is_chosen() -> None:
    known = np.asarray(random_part(jax.random.key(0), (4000, 50), 0.3))
    some = known.any(axis=1)
    assert some.mean() == pytest.approx(0.3 * 49 / 50, abs=4 * 0.5 / 4000**0.5)  # a part of 0 positions cannot be seen
    counts = np.bincount(known[some].sum(axis=1), minlength=51)
    assert counts[50] == 0  # at least one position is left
    assert stats.chisquare(counts[1:50]).pvalue > 1e-3
    assert stats.chisquare(known[some].sum(axis=0)).pvalue > 1e-3
    assert not random_part(jax.random.key(0), (10, 5), 0.0).any()


def test_masked_positions_depend_on_their_context_alone() -> None:
    """At SNR 0 the output does not depend on the noisy vectors."""
    config = replace(SMOKE, model=replace(SMOKE.model, width=16, depth=1))
    model = SimplexDenoiser(config.model, nnx.Rngs(0))
    model.head.kernel[...] = jax.random.normal(jax.random.key(1), model.head.kernel.shape)
    tokens = jnp.asarray(splice_sites().train[:4])
    hidden = jnp.zeros(tokens.shape)
    one, other = (model(jax.random.gamma(jax.random.key(seed), 1.0, (4, 9, 4)), hidden) for seed in (2, 3))
    np.testing.assert_allclose(one, other, atol=1e-6)
