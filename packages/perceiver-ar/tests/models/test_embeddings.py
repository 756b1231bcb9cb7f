import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from perceiver_ar.models.embeddings import AdaptiveEmbedding

BANDS = ((0, 4, 8), (4, 9, 4), (9, 30, 2))


def stirred_embedding() -> AdaptiveEmbedding:
    module = AdaptiveEmbedding(BANDS, 8, nnx.Rngs(0))
    module.bias[...] = jax.random.normal(jax.random.key(1), (30,))
    module.clusters.kernel[...] = jax.random.normal(jax.random.key(2), (8, 2))
    return module


def test_each_word_has_the_embedding_of_its_band() -> None:
    module = stirred_embedding()
    got = module(jnp.arange(30).reshape(5, 6)).reshape(30, 8)
    for band, (low, high, _) in enumerate(BANDS):
        for word in range(low, high):
            row = np.asarray(module.tables[band].embedding)[word - low]
            np.testing.assert_allclose(
                got[word], row @ np.asarray(module.projections[band].kernel), rtol=1e-5, atol=1e-6
            )


def test_a_rare_word_has_the_chance_of_its_band_times_its_own() -> None:
    module = stirred_embedding()
    z = jax.random.normal(jax.random.key(3), (8,))
    logits = np.asarray(module.logits(z), np.float64)
    scores = np.asarray(module(jnp.arange(30)) @ z) / math.sqrt(8) + np.asarray(module.bias)
    clusters = np.asarray(z @ module.clusters.kernel + module.clusters.bias)
    first = np.exp([*scores[:4], *clusters])
    chances = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(np.exp(logits).sum(), first.sum(), rtol=1e-5)  # the partition function is band 0's
    np.testing.assert_allclose(chances[:4], first[:4] / first.sum(), rtol=1e-5)
    np.testing.assert_allclose(chances[4:9].sum(), first[4] / first.sum(), rtol=1e-5)
    inside = np.exp(scores[9:])
    np.testing.assert_allclose(chances[9:], first[5] / first.sum() * inside / inside.sum(), rtol=1e-4)


def test_starts_near_a_uniform_guess() -> None:
    bands = ((0, 500, 64), (500, 1500, 16), (1500, 5000, 4))
    module = AdaptiveEmbedding(bands, 64, nnx.Rngs(0))
    z = jax.random.normal(jax.random.key(0), (200, 64))
    log_p = jax.nn.log_softmax(module.logits(z), axis=-1)
    for low, high, _ in bands:
        assert abs(float(-log_p[:, low:high].mean()) - math.log(5000)) < 0.8


def test_inputs_and_outputs_share_tables() -> None:
    module = stirred_embedding()
    kinds = [path[-1] for path, _ in jax.tree_util.tree_flatten_with_path(nnx.state(module, nnx.Param))[0]]
    assert len(kinds) == 3 + 3 + 1 + 2  # tables, projections, a bias for words, weights and bias of the bands
    gradient = nnx.grad(lambda module: module.logits(jnp.ones(8))[20])(module)
    assert np.asarray(gradient["tables"][2]["embedding"][...])[20 - 9].any()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_logits_are_single_precision(dtype: jnp.dtype) -> None:
    module = stirred_embedding()
    for project in module.projections:
        project.dtype = dtype
    z = jax.random.normal(jax.random.key(3), (3, 8))
    got = module.logits(z)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, stirred_embedding().logits(z), atol=0.15 if dtype == jnp.bfloat16 else 1e-6)
