"""The loss on held-out text, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cdcd.data.corpus import Corpus, held_out_windows
from cdcd.evaluation.held_out import denoising_nats, evaluate_held_out, loss_by_level, nats_by_mask
from cdcd.models.denoiser import CategoricalDiffusion


def test_second_evaluation_is_self_conditioned(untrained: CategoricalDiffusion, letters: Corpus) -> None:
    tokens = jnp.asarray(held_out_windows(letters.test, 16, 3))
    mask, t, key = jnp.arange(16) >= jnp.array([[4]] * 3), jnp.array([0.5, 2.0, 9.0]), jax.random.key(0)
    embeddings = untrained.embeddings()
    x = embeddings[tokens] + t[:, None, None] * jax.random.normal(key, (3, 16, embeddings.shape[1]))
    condition = embeddings[tokens] * ~mask[..., None]
    first = jax.nn.softmax(untrained.logits(untrained.hidden(x, t, mask, condition, jnp.zeros_like(x)))) @ embeddings
    logits = untrained.logits(untrained.hidden(x, t, mask, condition, first))
    expected = -jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1)[..., 0] * mask
    found = denoising_nats(untrained, tokens, mask, t, key)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    hidden = denoising_nats(untrained, tokens, mask, t, key, jnp.array([True, False, True]))
    assert np.allclose(hidden[0], found[0], rtol=1e-4)
    assert not np.allclose(hidden[1], found[1], rtol=1e-4)


def test_names_and_shares(untrained: CategoricalDiffusion, letters: Corpus) -> None:
    windows = held_out_windows(letters.test, 16, 8)
    found = evaluate_held_out(untrained, windows)
    assert found["t_min_share"] == pytest.approx(found["nats_t_min"] / found["nats_t_max"])
    by_mask = nats_by_mask(untrained, windows)
    assert list(by_mask) == ["prefix", "suffix", "middle", "random", "nothing"]
    assert all(values.shape == (8,) for values in by_mask.values())
    assert found["nats_prefix"] == pytest.approx(by_mask["prefix"].mean())
    low, high = loss_by_level(untrained, windows, np.array([0.1, 50.0]))
    assert (low, high) == pytest.approx((found["nats_t_min"], found["nats_t_max"]))
