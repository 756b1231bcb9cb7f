"""Features see every token; MAUVE of equal, of different and of partly equal sets against the closed form."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from scipy.integrate import trapezoid

from cdcd.evaluation.mauve import evaluator_features, mauve_score
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.presets import PRESETS


def test_features_depend_on_the_last_token() -> None:
    model = AutoregressiveLM(PRESETS["smoke-evaluator"].config.model, nnx.Rngs(4))
    tokens = np.random.default_rng(0).integers(0, 28, (5, 16)).astype(np.int32)
    found = evaluator_features(model, tokens, batch_size=2)
    assert found.shape == (5, 32)
    # The state that predicts the token after the first eight.
    np.testing.assert_allclose(
        evaluator_features(model, tokens[:, :8]), model.states(jnp.asarray(tokens))[:, 8], atol=1e-5
    )
    tokens[:, -1] = (tokens[:, -1] + 1) % 28
    assert (np.abs(evaluator_features(model, tokens) - found).max(axis=1) > 1e-4).all()


def test_mauve_of_known_histograms() -> None:
    """Two clusters far apart: KL divergences to mixtures of two histograms of two bins."""
    pytest.importorskip("mauve")
    generator = np.random.default_rng(0)
    centres = np.array([[10.0, 0, 0], [0, 10.0, 0]])

    def draw(counts: tuple[int, int]) -> np.ndarray:
        rows = np.repeat(centres, counts, axis=0)
        return (rows + 0.01 * generator.standard_normal(rows.shape)).astype(np.float32)

    assert mauve_score(draw((10, 10)), draw((10, 10))) == pytest.approx(1.0, abs=1e-6)
    p, q = np.array([0.5, 0.5]), np.array([0.1, 0.9])
    found = mauve_score(draw((10, 10)), draw((2, 18)))
    weights = np.linspace(1e-6, 1 - 1e-6, 25)
    mixtures = weights[:, None] * p + (1 - weights[:, None]) * q
    to_q, to_p = (np.exp(-5 * (r * np.log(r / mixtures)).sum(axis=1)) for r in (q, p))
    x, y = np.concatenate([[1.0], to_q, [0.0]]), np.concatenate([[0.0], to_p, [1.0]])
    assert found == pytest.approx(abs(trapezoid(y, x)), abs=1e-4)


def test_missing_library_and_few_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.zeros((4, 3), np.float32)
    with pytest.raises(UsageError, match="at least 4"):
        mauve_score(features[:3], features)
    monkeypatch.setitem(sys.modules, "mauve", None)
    with pytest.raises(UsageError, match=r"pip install 'onepaper-cdcd\[mauve\]'"):
        mauve_score(features, features)
