"""Evaluation: parts cover clips, folds share no group, and an embedding of the label is classified without error."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from torch import Tensor

from hares.data.mini import mini_task
from hares.evaluation import (
    TaskResult,
    compare_domains,
    cut_parts,
    domain_gaps,
    embed_parts,
    evaluate_task,
    mean_by_domain,
)
from hares.models.encoder import Encoder
from hares.probing.scores import Score


class Levels:
    """Peak and loudness: an embedding without parameters."""

    rate = 16_000

    def __call__(self, samples: Tensor) -> Tensor:
        return torch.stack([samples.abs().amax(1), samples.square().mean(1)], 1)


class Names:
    """A random vector for each waveform: a probe that has seen a clip knows its label, and no other one's."""

    rate = 16_000

    def __call__(self, samples: Tensor) -> Tensor:
        seeds = [int(value) for value in samples.double().abs().sum(1) * 1e6]
        return torch.stack([torch.randn(80, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


class Broken(Levels):
    """NaN."""

    def __call__(self, samples: Tensor) -> Tensor:
        return super().__call__(samples) * float("nan")


@pytest.mark.parametrize(("length", "starts"), [(3, [0]), (10, [0]), (20, [0, 10]), (23, [0, 10, 13])])
def test_parts_cover_a_clip(length: int, starts: list[int]) -> None:
    samples = np.arange(length, dtype=np.float32)
    parts = cut_parts(samples, 10)
    padded = np.pad(samples, (0, max(0, 10 - length)))
    np.testing.assert_array_equal(parts, [padded[start : start + 10] for start in starts])


def test_parts_know_their_clip() -> None:
    clips = [np.full(8000, 0.5, np.float32), np.full(40_000, 0.25, np.float32)]
    features, owners = embed_parts(Levels(), clips, 1.0)
    assert owners.tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(features[:, 0], [0.5, 0.25, 0.25, 0.25])


def test_task_scores_an_embedding() -> None:
    task = mini_task("mini_sounds")
    result = evaluate_task(Levels(), task)
    assert result.correct.shape == (94,)
    assert set(result.correct) <= {0.0, 1.0}
    score = result.score()
    assert score.low < score.mean < score.high
    assert 0.2 < score.mean < 0.9
    assert mean_by_domain([result]) == {"environment": score.mean}
    np.testing.assert_array_equal(evaluate_task(Levels(), task).correct, result.correct)


def test_clips_of_the_tested_fold_are_not_seen() -> None:
    result = evaluate_task(Names(), mini_task("mini_sounds"))
    assert result.score().mean < result.chance + 0.15


def test_a_wrong_rate_and_nan_are_refused(tiny: Encoder) -> None:
    task = mini_task("mini_sounds")
    broken = Levels()
    broken.rate = 8000
    with pytest.raises(UsageError, match="8000 Hz"):
        evaluate_task(broken, task)
    with pytest.raises(UsageError, match="NaN"):
        evaluate_task(Broken(), replace(task))
    assert tiny.rate == 16_000


def _result(domain: str, correct: list[float], task: str = "") -> TaskResult:
    groups = tuple(str(index // 2) for index in range(len(correct)))
    return TaskResult(task or domain, domain, np.array(correct), groups, 0.5)


def test_domains_are_compared_clip_by_clip() -> None:
    generator = np.random.default_rng(0)
    correct = generator.integers(0, 2, 40).astype(float).tolist()
    first, second = (
        [_result("speech", correct), _result("music", [1.0] * 40)],
        [_result("speech", correct), _result("music", [0.0] * 40)],
    )
    # What both get right or wrong does not widen the interval.
    assert compare_domains(first, second) == {"speech": Score(0.0, 0.0, 0.0), "music": Score(1.0, 1.0, 1.0)}
    with pytest.raises(UsageError, match="different tasks"):
        compare_domains(first, second[:1])


def test_a_domain_is_a_mean_over_tasks() -> None:
    first = [_result("music", [1.0] * 4, "a"), _result("music", [1.0, 0.0] * 10, "b")]
    second = [_result("music", [0.0] * 4, "a"), _result("music", [0.0] * 20, "b")]
    assert compare_domains(first, second)["music"].mean == 0.75


def test_gaps() -> None:
    results = {
        "speaker": [_result("speech", [1.0] * 4), _result("music", [0.0] * 4)],
        "pitch": [_result("speech", [0.0] * 4), _result("music", [1.0] * 4)],
        "other": [_result("speech", [0.5] * 4), _result("music", [0.5] * 4)],
    }
    gaps = domain_gaps(results)
    assert [(best, score.mean) for best, score in gaps["speaker"].values()] == [("other", 0.5), ("pitch", -1.0)]
    assert [(best, score.mean) for best, score in gaps["other"].values()] == [("speaker", -0.5), ("pitch", -0.5)]
    with pytest.raises(UsageError, match="at least 2"):
        domain_gaps({"speaker": results["speaker"]})
