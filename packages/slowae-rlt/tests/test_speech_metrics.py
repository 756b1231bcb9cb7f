"""Measures of decoded speech: edit distances, a missing library, and what noise does to scores."""

import sys

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt.data.prompts import clips
from slowae_rlt.speech_metrics import (
    as_integers,
    edit_distance,
    intelligibility,
    load_metric,
    perceived_quality,
    recognize_phones,
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


@pytest.mark.parametrize(("module", "measure"), [("pystoi", intelligibility), ("pesq", perceived_quality)])
def test_noise_lowers_scores(module: str, measure: object) -> None:
    pytest.importorskip(module)
    speech = clips()[3].samples
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    scores = [measure(found, speech, 8000) for found in (speech, speech + noise / 5, speech + noise)]  # type: ignore[operator]
    assert scores[0] > scores[1] > scores[2]


def test_phones_of_a_sentence() -> None:
    pytest.importorskip("pocketsphinx")
    clip = clips()[1]
    found = recognize_phones(clip.samples, 8000)
    assert found == recognize_phones(clip.samples, 8000)
    spoken = [name.upper() for name, _ in clip.phones if name != "pau"]
    assert edit_distance(found, spoken) < 0.75 * len(spoken)
