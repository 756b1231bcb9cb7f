"""Silence before and after speech is left out; a clip without speech stays whole.

Speech is one of the shipped clips, between stretches of zeros whose lengths are known.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.errors import UsageError
from onepaper.testing import check_one_line_error, run_verb

pytest.importorskip("silero_vad")

from audio_datasets import Extraction, extract_features, load, read_features  # noqa: E402
from audio_datasets.data.clips import Clip, ClipSet  # noqa: E402
from audio_datasets.embeddings import _described  # noqa: E402
from audio_datasets.exports.encoding import audio_bytes, check_times  # noqa: E402
from audio_datasets.extraction.parts import parts_of_clips  # noqa: E402
from audio_datasets.features.speech import speech_segments, trim_silence  # noqa: E402

RATE, BEFORE, AFTER = 22_050, 1.0, 1.5


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    (clip,) = load("hedgewars-voices").where(lambda clip: clip.speaker == "British" and clip.path.stem == "Gonnagetyou")
    return clip.read(RATE)


@pytest.fixture(scope="module")
def path(speech: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    padded = np.pad(speech, (round(BEFORE * RATE), round(AFTER * RATE)))
    return write_wav(tmp_path_factory.mktemp("speech") / "padded.wav", padded, RATE)


def test_segments_lie_between_the_silences(speech: np.ndarray, path: Path) -> None:
    padded = Clip("a", path).read()
    segments = speech_segments(padded, RATE)
    end = BEFORE + len(speech) / RATE
    assert segments == sorted(segments)
    assert BEFORE - 0.1 <= segments[0][0] < BEFORE + 0.3
    assert end - 0.5 < segments[-1][1] <= end + 0.2
    kept = trim_silence(padded, RATE)
    assert len(kept) == round(segments[-1][1] * RATE) - round(segments[0][0] * RATE)
    # The detector sees 16 kHz, what is kept has the rate of the clip.
    np.testing.assert_array_equal(kept, padded[round(segments[0][0] * RATE) :][: len(kept)])


def test_clips_without_speech_stay_whole() -> None:
    noise = 1e-4 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    np.testing.assert_array_equal(trim_silence(noise, RATE), noise)


def test_silence_is_left_out_before_a_clip_is_cut(path: Path) -> None:
    clip = Clip("a", path, trim=True)
    assert len(clip.read()) < len(Clip("a", path).read()) - (BEFORE + AFTER - 0.5) * RATE
    np.testing.assert_array_equal(clip.read(max_seconds=0.3), clip.read()[: round(0.3 * RATE)])
    assert clip.read(max_seconds=0.3).any()
    assert not Clip("a", path).read(max_seconds=0.3).any()


def test_features_of_trimmed_clips(path: Path, tmp_path: Path) -> None:
    """`trim` of the extraction and of the loader are the same, and neither is taken for the other's features."""
    plain, trimmed = (ClipSet("one", (Clip("a", path, trim=trim),)) for trim in (False, True))
    found = {}
    for name, clips, trim in (("plain", plain, False), ("option", plain, True), ("loader", trimmed, False)):
        extract_features(parts_of_clips(clips), tmp_path / name, Extraction(trim=trim), workers=1)
        found[name] = read_features(tmp_path / name).matrix(clips)
    np.testing.assert_array_equal(found["option"], found["loader"])
    assert not np.allclose(found["plain"], found["loader"])
    with pytest.raises(UsageError, match="holds features of something else"):
        extract_features(parts_of_clips(trimmed), tmp_path / "plain", Extraction(), workers=1)
    assert _described(plain.clips[0]) != _described(trimmed.clips[0])


def test_exports_hold_the_samples_or_refuse(path: Path) -> None:
    clips = replace(load("manifest", _manifest(path), trim=True), name="own")
    ending, content = audio_bytes(clips.clips[0])
    copy = path.with_name(f"copy.{ending}")
    copy.write_bytes(content)
    np.testing.assert_array_equal(Clip("b", copy).read(), clips.clips[0].read())
    with pytest.raises(UsageError, match="write webdataset or datasets"):
        check_times(clips)


def test_the_option_of_the_verbs(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--dataset", "manifest", "--root", str(_manifest(path)), "--workers", "1", "--output", str(tmp_path))
    assert run_verb("audio-datasets", "features", "--trim", *words) == 0
    capsys.readouterr()
    assert run_verb("audio-datasets", "features", *words) == 2
    check_one_line_error(capsys.readouterr().err, "trim")


def _manifest(path: Path) -> Path:
    manifest = path.with_name("manifest.csv")
    manifest.write_text("path\npadded.wav\n")
    return manifest
