"""Tasks on held-out text."""

from pathlib import Path

import numpy as np

from sed.config import SamplingOptions
from sed.data.corpus import Corpus
from sed.evaluation.tasks import complete, complete_causally, held_out_task, make_evaluators
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import open_network


def test_given_tokens_come_back(weights: Path, corpus: Corpus) -> None:
    network = open_network(weights / "kjv", EmbeddingDiffusion)
    causal = open_network(weights / "kjv-evaluator", AutoregressiveLM).model
    task = held_out_task(network, corpus, "middle", 6)
    assert task.tokens.shape == (6, 16)
    assert (task.tokens == 0).sum() == 6 * 2  # padding as in training
    for tokens in (complete(network, task, SamplingOptions(steps=2)), complete_causally(causal, task)):
        np.testing.assert_array_equal(tokens[task.cond_mask], task.tokens[task.cond_mask])
        assert (tokens != task.tokens).any()
    assert make_evaluators(causal, corpus).measure(task.tokens, task.cond_mask)["copied"] <= 1
