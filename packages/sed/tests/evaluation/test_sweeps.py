"""Sweeps: rows at each point of the grid, and their figures."""

from pathlib import Path

from onepaper.text import KneserNey

from sed.config import SamplingOptions
from sed.data.corpus import tokenize
from sed.evaluation.evaluators import Evaluators
from sed.evaluation.statistics import CopyRate
from sed.evaluation.sweeps import Setting, sweep, sweep_figures
from sed.evaluation.tasks import complete, held_out_task
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import open_network


def test_rows_are_those_of_single_settings(weights: Path) -> None:
    network = open_network(weights / "kjv", EmbeddingDiffusion)
    corpus = tokenize(network.data, network.codec)
    scorer = open_network(weights / "kjv-evaluator", AutoregressiveLM).model
    evaluators = Evaluators(scorer, KneserNey(corpus.train[:2000], 2048), CopyRate(corpus.train[:2000]))
    task = held_out_task(network, corpus, "suffix", 4)
    settings = [Setting(2, 1.0), Setting(3, 1.0), Setting(3, 2.5)]
    rows = sweep(network, evaluators, task, settings, SamplingOptions(self_conditioning=False), seed=5)
    assert list(rows) == settings
    for steps, guidance in settings:
        options = SamplingOptions(steps=steps, guidance=guidance, self_conditioning=False)
        expected = evaluators.measure(complete(network, task, options, seed=5), task.cond_mask)
        row = dict(rows[Setting(steps, guidance)])
        assert row.pop("seconds") > 0
        assert row == expected
    figures = sweep_figures(rows, evaluators.measure(task.tokens, task.cond_mask))
    assert all(content.startswith(b"\x89PNG") for content in figures.values())
