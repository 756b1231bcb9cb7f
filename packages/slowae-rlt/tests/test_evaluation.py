"""Scores of boundaries and rates whose values are known."""

import numpy as np
import pytest

from slowae_rlt.config import MelConfig
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.evaluation import (
    bits_per_second,
    evaluate_prompts,
    event_times,
    log_mel_distance,
    rate_by_activity,
    score_boundaries,
)
from slowae_rlt.events.container import to_bytes
from slowae_rlt.events.event_list import Events
from slowae_rlt.models.band_energies import BandEnergies


def make(changes: list[int], steps: int = 1000) -> Events:
    """One channel that moves up and down at these steps."""
    levels = np.zeros((steps, 1), int)
    for number, step in enumerate(changes):
        levels[step:] = number % 2 == 0
    return Events.from_raster(levels, highest=1, max_length=256, stride=16, sample_rate=8000)


def test_boundaries() -> None:
    true = np.array([0.1, 0.2, 0.3, 0.4])
    assert score_boundaries(true + 0.015, true) == pytest.approx((1, 1, 1, 1))
    found = score_boundaries(np.array([0.1, 0.105, 0.31, 0.9]), true)
    assert found[:3] == pytest.approx((0.5, 0.5, 0.5))
    # Hit rate 0.5 without over-segmentation: r_1 = 0.5 and r_2 = -0.5 / sqrt(2).
    assert found.r_value == pytest.approx(1 - (0.5 + 0.5 / np.sqrt(2)) / 2)
    assert score_boundaries(np.array([]), true)[:3] == (0, 0, 0)
    half = score_boundaries(np.arange(0, 0.5, 0.02), true)
    assert half.recall == 1
    assert half.r_value < 0


def test_bursts() -> None:
    events = make([100, 102, 104, 300])
    assert event_times(events).tolist() == pytest.approx([102 / 500, 300 / 500])
    assert len(event_times(make([]))) == 0


def test_speech_and_pauses() -> None:
    speech = np.zeros(16_000, bool)
    speech[8000:] = True
    # Within 0.1 s of the change counts as neither.
    found = rate_by_activity(make([100, 470, 530, 700, 710]), speech)
    assert (found.speech_changes, found.pause_changes) == (2, 1)
    assert found.speech_seconds == pytest.approx(0.9, abs=0.01)
    assert found.pause_seconds == pytest.approx(0.9, abs=0.01)


def test_bits() -> None:
    events = [make([100]), make([200, 300])]
    assert bits_per_second(events) == 8 * sum(len(to_bytes(one)) for one in events) / 4


def test_distance() -> None:
    samples = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10
    assert log_mel_distance(samples, samples, MelConfig(hop=64), 8000) == 0
    assert log_mel_distance(samples / 2, samples, MelConfig(hop=64), 8000) == pytest.approx(6.02, abs=0.05)


def test_prompts() -> None:
    found = evaluate_prompts(BandEnergies(), split_prompts(("en",))["test"][:2])
    assert found["events a second in speech"] > 0
    assert 200 < found["bits a second"] < 2000
