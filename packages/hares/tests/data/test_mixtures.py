"""Mixtures repeat, have their level and their parts, and take all parts from one fold."""

import numpy as np
import pytest

from hares.data import mixtures
from hares.data.embedded import RATE, Clip, embedded_clips


@pytest.mark.parametrize(("task", "seconds"), [("mini_birds", 2.0), ("mini_scenes", 3.0), ("mini_tags", 1.0)])
def test_levels_and_lengths(task: str, seconds: float) -> None:
    clips = mixtures.mixed_clips(task)
    assert len({clip.name for clip in clips}) == len(clips) > 100
    for clip in clips:
        assert len(clip.samples) == seconds * RATE
        assert np.abs(clip.samples).max() == pytest.approx(0.5)


def test_layers() -> None:
    generator = np.random.default_rng(0)
    (position,) = [int(np.random.default_rng(0).integers(0, RATE - 3 + 1))]
    mixed = mixtures.layer([(np.array([0.1, -0.2, 0.1], np.float32), -20.0)], 1.0, generator)
    assert np.flatnonzero(mixed).tolist() == [position, position + 1, position + 2]
    np.testing.assert_allclose(mixed[position : position + 3], [0.25, -0.5, 0.25], rtol=1e-5)
    two = mixtures.layer([(np.ones(RATE, np.float32), 0.0), (np.ones(RATE, np.float32), -20.0)], 1.0, generator)
    np.testing.assert_allclose(two, 0.5, rtol=1e-6)


def test_parts_are_of_one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[set[int]] = []
    folds = {
        clip.samples.tobytes(): clip.fold
        for name, label in (("sounds", "kind"), ("syllables", "vowel"), ("notes", "family"))
        for clip in embedded_clips(name, label)
    }

    def spy(parts: list[tuple[np.ndarray, float]], seconds: float, generator: np.random.Generator) -> np.ndarray:
        found.append({folds[samples.tobytes()] for samples, _ in parts})
        return np.zeros(1, np.float32)

    monkeypatch.setattr(mixtures, "layer", spy)
    clips: list[Clip] = []
    for task in ("mini_birds", "mini_scenes", "mini_tags"):
        clips += mixtures.mixed_clips.__wrapped__(task)
    assert [{clip.fold} for clip in clips] == found
