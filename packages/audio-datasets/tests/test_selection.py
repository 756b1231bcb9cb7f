"""Early stopping, the best weights, and the best of several seeds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.training import LoopOptions, read_metrics

from audio_datasets.config import FeaturesExperiment, SelectionConfig
from audio_datasets.selection import Choice, is_exhausted
from audio_datasets.training import FeatureModel, fit_features, score

GENERATOR = np.random.default_rng(0)
# Labels of the training are noise, so that the loss of the validation split rises after a few steps.
TRAIN = GENERATOR.standard_normal((24, 30)).astype(np.float32), GENERATOR.integers(0, 3, 24)
HELD_OUT = GENERATOR.standard_normal((30, 30)).astype(np.float32), GENERATOR.integers(0, 3, 30)
LOOP = LoopOptions(steps=60, log_every=5, evaluate_every=5, checkpoint_every=10)


def train(selection: SelectionConfig, run: Run | None = None, seed: int = 0, **loop: float) -> FeatureModel:
    config = FeaturesExperiment(selection=selection, loop=replace(LOOP, **loop))
    return fit_features(config, TRAIN, HELD_OUT, "classes", 3, run, seed=seed)


def open_run(folder: Path) -> Run:
    return Run.open(folder, paper="audio-datasets", verb="train", config=FeaturesExperiment())


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 2, 1], False), ([1, 2, 3], True), ([3, 2.995, 2.991], True), ([3, 2.98, 2.99, 2.96], False), ([1, 2], False)],
)
def test_patience_by_hand(values: list[float], expected: bool) -> None:
    assert is_exhausted(values, 2, 0.01) is expected
    assert not is_exhausted(values, 0, 0.01)


def test_stops_early_and_takes_the_best(tmp_path: Path) -> None:
    with open_run(tmp_path / "run") as run:
        best = train(SelectionConfig(keep="best", patience=3), run)
    losses = {row["step"]: row["evaluate/validation_loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")}
    assert best.choice.step == min(losses, key=losses.__getitem__) == max(losses) - 15 < 45
    # The weights are those of that step: a training that ends there has the same.
    alone = train(SelectionConfig(), steps=best.choice.step)
    for first, second in zip(best.network.parameters(), alone.network.parameters(), strict=True):
        assert torch.equal(first, second)
    assert best.choice.scores == alone.choice.scores


def test_the_best_score(tmp_path: Path) -> None:
    with open_run(tmp_path / "run") as run:
        best = train(SelectionConfig(keep="best", monitor="score"), run)
    scores = [row["evaluate/validation_uar"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert best.choice.scores[0] == max(scores)
    assert score(best.predict(HELD_OUT[0]), HELD_OUT[1], "classes") == pytest.approx(max(scores))


def test_resumes_to_the_same_choice(tmp_path: Path) -> None:
    selection = SelectionConfig(keep="best", patience=3, seeds=2)
    whole = train(selection)
    for minutes in (1e-9, 1e-9, 0.0):
        with open_run(tmp_path / "parts") as run:
            resumed = train(selection, run, max_minutes=minutes)
    assert resumed.choice == whole.choice
    for first, second in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_best_of_several_seeds() -> None:
    several = train(SelectionConfig(seeds=3), seed=4)
    alone = {seed: train(SelectionConfig(), seed=seed) for seed in (4, 5, 6)}
    scores = {seed: model.choice.scores[seed] for seed, model in alone.items()}
    assert several.choice.scores == scores
    assert several.choice.seed == max(scores, key=scores.__getitem__)
    for first, second in zip(
        several.network.parameters(), alone[several.choice.seed].network.parameters(), strict=True
    ):
        assert torch.equal(first, second)


def test_a_choice_in_words() -> None:
    words = str(Choice("uar", 5, 1200, {4: 0.25, 5: 0.75}))
    assert "uar 0.750 on the validation split by seed 5 after step 1,200" in words
    assert "seeds 4 to 5: 0.250, 0.750 (mean 0.500, standard deviation 0.250)" in words
    assert "deviation" not in str(Choice("uar", 5, 1200, {5: 0.75}))


def test_refused() -> None:
    with pytest.raises(UsageError, match=r"set --loop.evaluate-every"):
        FeaturesExperiment(selection=SelectionConfig(patience=1))
    for wrong in ({"seeds": 0}, {"patience": -1}, {"min_delta": -0.1}, {"keep": "first"}, {"monitor": "uar"}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            SelectionConfig(**wrong)  # type: ignore[arg-type]
