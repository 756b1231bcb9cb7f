"""Completions keep their prompts, and both kinds of models are evaluated alike."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus
from cdcd.evaluation.completions import complete_causally, evaluate_completions, held_out_prompts, make_evaluators
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import open_network


def test_prompts(letters: Corpus) -> None:
    prompts = held_out_prompts(letters, 16, 5)
    assert prompts.tokens.shape == (5, 16)
    np.testing.assert_array_equal(prompts.mask, [[False] * 8 + [True] * 8] * 5)
    with pytest.raises(UsageError, match="the test part has"):
        held_out_prompts(letters._replace(test=letters.test[:3]), 16, 5)


def test_completions(letters: Corpus, weights: Path, untrained: CategoricalDiffusion) -> None:
    prompts = held_out_prompts(letters, 16, 6)
    causal = open_network(weights / "speeches-evaluator", AutoregressiveLM).model
    evaluators = make_evaluators(causal, letters)
    real = evaluators.measure(prompts.tokens, prompts.mask)
    found = evaluate_completions(untrained, prompts, evaluators, SamplingOptions(steps=2), seed=1)
    assert set(found) == set(real)
    assert found["kn_nll_completion"] > real["kn_nll_completion"]  # the network is not trained, the n-grams are
    tokens = complete_causally(causal, prompts, seed=1)
    np.testing.assert_array_equal(tokens[:, :8], prompts.tokens[:, :8])
