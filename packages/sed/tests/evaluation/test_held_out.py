"""The denoising curve, with a network that returns what is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sed.data.corpus import Corpus
from sed.evaluation.held_out import denoising_curve, evaluate_denoising, masked_nats
from sed.models.denoiser import EmbeddingDiffusion
from sed.models.masked import MaskedLM
from sed.presets import PRESETS


def test_zero_estimates_have_the_mean_square_of_embeddings(untrained: EmbeddingDiffusion, corpus: Corpus) -> None:
    model = nnx.clone(untrained)
    model.predict.kernel[...] = jnp.zeros_like(model.predict.kernel[...])
    windows = corpus.test[:320].reshape(20, 16)
    curve = denoising_curve(model, windows, np.array([5, 95]))
    for name in ("mse", "mse_self"):
        np.testing.assert_allclose(curve[name], 1.0, atol=0.01)
    assert (curve["accuracy"] < 0.05).all()


def test_given_tokens_do_not_count(untrained: EmbeddingDiffusion, corpus: Corpus) -> None:
    windows = corpus.test[:320].reshape(20, 16)
    given = np.zeros(windows.shape, bool)
    given[:, 1:] = True
    before = denoising_curve(untrained, windows, np.array([50]), given=given)
    assert before["accuracy"][0] * 20 == pytest.approx(round(before["accuracy"][0] * 20), abs=1e-4)
    all_of_them = denoising_curve(untrained, windows, np.array([50]), given=np.ones_like(given))
    assert all_of_them["mse"] == 0


def test_logged_names(untrained: EmbeddingDiffusion, corpus: Corpus) -> None:
    found = evaluate_denoising(untrained, corpus.test[:320].reshape(20, 16))
    assert {"mse_50", "mse_self_90", "accuracy_10", "accuracy_self_30"} < set(found)
    assert all(np.isfinite(value) for value in found.values())


def test_masked_model_without_training_knows_nothing(corpus: Corpus) -> None:
    model = MaskedLM(PRESETS["smoke-embeddings"].config.model, nnx.Rngs(0))
    assert masked_nats(model, corpus.test[:320].reshape(20, 16)) == pytest.approx(np.log(2048), abs=1.0)
