"""Training learns, repeats, and resumes to the same bits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.runs import Run

from dct_transformer.config import ExperimentConfig
from dct_transformer.data.examples import centre_examples
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.presets import PRESETS
from dct_transformer.training import load_images, train

SMOKE: ExperimentConfig = PRESETS["smoke"].config


def test_learns(trained: DCTransformer) -> None:
    examples = centre_examples(load_images(SMOKE).part(held_out=True), SMOKE.model)[:8]
    untrained = DCTransformer(SMOKE.model).eval()
    assert likelihood(trained, examples).bits_per_triple < 0.9 * likelihood(untrained, examples).bits_per_triple


def test_resume_gives_the_same_bits(trained: DCTransformer, tmp_path: Path) -> None:
    stopped = replace(SMOKE, loop=replace(SMOKE.loop, max_minutes=1e-9))
    images, logged = load_images(SMOKE), list[int]()
    for config in (stopped, SMOKE):
        with Run.open(tmp_path, paper="dct-transformer", verb="train", config=SMOKE) as run:
            resumed = train(config, run, seed=3, images=images, hooks=[lambda step, state, row: logged.append(step)])
        assert list((tmp_path / "checkpoints").glob("step_*"))
    assert logged[-1] == SMOKE.loop.steps
    for before, after in zip(trained.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(before, after)


def test_wrong_number_of_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="15 classes, expected 3"):
        load_images(replace(SMOKE, model=replace(SMOKE.model, classes=3)))
