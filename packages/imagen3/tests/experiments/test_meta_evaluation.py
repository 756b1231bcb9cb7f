"""Claim C8: metrics that know the truth agree with it, and metrics that know nothing do not."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from imagen3.experiments import meta_evaluation
from imagen3.experiments.meta_evaluation import DUAL, ERRORS, METRICS, QUESTIONS, STATEMENT, TRUTH, verdicts


def _arm(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    right = (generator.random((len(ERRORS), 400)) >= np.array(ERRORS)[:, None]).astype(float)
    noise = generator.random((len(METRICS), *right.shape))
    scores = dict(zip(METRICS, noise, strict=True))
    return {TRUTH: right, **scores, STATEMENT: right + 0.01 * noise[2], QUESTIONS: right}


def test_verdicts_of_known_scores() -> None:
    found = verdicts(_arm(0))
    three, order = found[TRUTH]
    # Each system has fewer errors than the next.
    assert set(order.values()) == {"first"}
    assert three["0%", "60%"] == "first"
    assert found[STATEMENT][1] == found[QUESTIONS][1] == order
    assert list(found[DUAL][0].values()).count("tie") > 10


def test_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta_evaluation, "scored_systems", _arm)
    found = meta_evaluation.metrics_against_truth(ClaimContext(folder=tmp_path, seeds=(0, 1, 2)))
    assert found.measurement(f"agreement, {QUESTIONS}").mean > 0.9
    assert found.measurement(f"agreement, {DUAL}").mean < 0.2
    assert "of 45" in found.artifacts[0].rows[0][1]  # pyright: ignore


@pytest.mark.slow
def test_scores_of_trained_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta_evaluation, "PROMPTS", 7)
    trained = meta_evaluation.train_metrics
    monkeypatch.setattr(meta_evaluation, "train_metrics", lambda seed: trained(scenes=64, steps=2, seed=seed))
    arm = meta_evaluation.scored_systems(0)
    assert {name: scores.shape for name, scores in arm.items()} == dict.fromkeys((TRUTH, *METRICS), (len(ERRORS), 7))
    assert arm[TRUTH][0].all()
    assert (arm[QUESTIONS] <= 1).all()
