import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from simplex_cir.config import LearnedConfig, ModelConfig
from simplex_cir.data.sequences import splice_sites
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.models.masked_diffusion import masked_bound, masked_loss, predict, random_mask
from simplex_cir.presets import PRESETS
from simplex_cir.training import train_masked

CONFIG = ModelConfig("AB", positions=3, width=16, depth=1, heads=2, evidence=False)
SMOKE: LearnedConfig = PRESETS["smoke"].config


def randomised(seed: int = 0) -> SimplexDenoiser:
    model = SimplexDenoiser(CONFIG, nnx.Rngs(seed))
    model.head.kernel[...] = jax.random.normal(jax.random.key(seed), model.head.kernel.shape)
    model.blocks[0].modulation.bias[...] = 0.5 * jnp.ones(96)
    return model


def test_masks_have_the_given_size_and_are_uniform() -> None:
    counts = jnp.tile(jnp.arange(1, 6), 1000)
    masked = np.asarray(random_mask(jax.random.key(0), counts, 5))
    np.testing.assert_array_equal(masked.sum(axis=1), counts)
    np.testing.assert_allclose(masked.mean(axis=0), 3 / 5, atol=4 * 0.5 / 5000**0.5)


def test_masked_tokens_have_no_influence() -> None:
    model, masked = randomised(), jnp.array([[True, False, True]])
    run = jax.jit(predict)
    one, other = (run(model, jnp.array([tokens]), masked) for tokens in ([0, 1, 0], [1, 1, 1]))
    np.testing.assert_array_equal(one, other)
    assert not np.allclose(one, run(model, jnp.array([[0, 0, 0]]), masked))


def test_bound_is_the_mean_over_orders() -> None:
    """Every order of three positions, one token after the other: the bound is the mean of the six log probabilities."""
    model, tokens = randomised(), jnp.array([[0, 1, 1]])
    nats, log_probs = [], jax.jit(predict)
    for order in itertools.permutations(range(3)):
        masked, total = np.ones((1, 3), bool), 0.0
        for position in order:
            total -= float(log_probs(model, tokens, jnp.asarray(masked))[0, position, tokens[0, position]])
            masked[0, position] = False
        nats.append(total)
    run = jax.jit(lambda model, key: masked_bound(key, model, jnp.tile(tokens, (400, 1)), repeats=4))
    values = np.asarray(run(model, jax.random.key(1)))
    assert values.mean() == pytest.approx(np.mean(nats), abs=4 * float(values.std()) / 20 + 1e-4)
    # and the loss is the same a position
    loss = jax.jit(lambda model, key: masked_loss(model, {"tokens": jnp.tile(tokens, (4800, 1))}, key))
    total, weight = loss(model, jax.random.key(2))
    assert float(total / weight) * 3 == pytest.approx(np.mean(nats), rel=0.02)


@pytest.mark.slow
def test_training_lowers_the_bound() -> None:
    """All splice sites have G in the fourth position, which a few steps are enough to learn."""
    config = replace(SMOKE, model=replace(SMOKE.model, width=16, depth=1), loop=replace(SMOKE.loop, steps=60))
    model = train_masked(config)
    assert not model.config.evidence
    tokens = jnp.asarray(splice_sites().test[:200])
    nats = jax.jit(lambda model: masked_bound(jax.random.key(0), model, tokens))(model)
    assert float(nats.mean()) < 9 * np.log(4) - 1
