"""Evaluators count sampled tokens without padding."""

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.text import KneserNey

from sed.config import AutoregressiveConfig
from sed.evaluation.evaluators import Evaluators, causal_nats
from sed.evaluation.statistics import CopyRate
from sed.models.autoregressive import AutoregressiveLM

TEXT = np.random.default_rng(0).integers(2, 20, 600)
MODEL = AutoregressiveLM(
    AutoregressiveConfig(vocab_size=20, length=8, width=16, depth=1, heads=2, head_size=8), nnx.Rngs(0)
)
EVALUATORS = Evaluators(MODEL, KneserNey(TEXT, 20, order=2), CopyRate(TEXT, 2))


def test_padding_and_given_tokens_do_not_count() -> None:
    tokens = np.array([[5, 0, 7, 8, 0, 9, 3, 4]])
    given = np.array([[True, True, True, False, False, False, False, False]])
    found = EVALUATORS.measure(tokens, given)
    stripped = np.array([[5, 7, 8, 9, 3, 4]])
    assert found["ar_nll"] == pytest.approx(float(np.asarray(MODEL.nats(stripped))[0, 2:].mean()), rel=1e-5)
    assert found["kn_nll"] == pytest.approx(KneserNey(TEXT, 20, order=2).nats(stripped)[0, 2:].mean())
    assert found["entropy"] == pytest.approx(np.log(4))
    assert (found["tokens"], found["padding"]) == (4, pytest.approx(0.2))
    assert found["distinct_1"] == 1


def test_text_is_its_own_copy_and_cheaper_than_noise() -> None:
    windows = TEXT[:400].reshape(50, 8)
    own = EVALUATORS.measure(windows)
    noise = EVALUATORS.measure(np.random.default_rng(1).integers(2, 20, (50, 8)))
    assert own["copied"] == 1 > noise["copied"]
    assert own["kn_nll"] < noise["kn_nll"]


def test_batches_do_not_matter() -> None:
    windows = TEXT[:80].reshape(10, 8)
    np.testing.assert_allclose(causal_nats(MODEL, windows, 4), causal_nats(MODEL, windows, 10), rtol=1e-5)


def test_vocabularies_must_agree() -> None:
    with pytest.raises(UsageError, match="vocabularies of 20 and 21"):
        Evaluators(MODEL, KneserNey(TEXT, 21, order=2), CopyRate(TEXT, 2))
