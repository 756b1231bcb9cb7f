"""Files of a user, crops as functions of the step, and bad recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.errors import UsageError

from slowae_rlt.config import DataConfig
from slowae_rlt.data.recordings import check_samples, crop_batches, load_recordings, read_recording


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT"])
def test_files_of_any_depth_rate_and_channels(subtype: str, tmp_path: Path) -> None:
    time = np.arange(16_000) / 16_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, tone], axis=1), 16_000, subtype=subtype)
    found = read_recording(tmp_path / "a.wav", 8000)
    assert found.shape == (8000,)
    np.testing.assert_allclose(found[1000:-1000], tone[::2][1000:-1000], atol=0.01)


def test_bad_recordings(tmp_path: Path) -> None:
    for samples, message in (
        (np.zeros((0,)), "at least one sample"),
        (np.zeros((5, 2)), "mix channels"),
        (np.array([0.0, np.nan]), "sample 1 is not finite"),
        (np.array([0.0, 1000.0]), "largest sample is 1000"),
    ):
        with pytest.raises(UsageError, match=message):
            check_samples(samples)
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), 8000, subtype="FLOAT")
    with pytest.raises(UsageError, match=r"nan.wav"):
        read_recording(tmp_path / "nan.wav", 8000)
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(UsageError, match=r"text.wav"):
        read_recording(tmp_path / "text.wav", 8000)


def test_folders(tmp_path: Path) -> None:
    for number in range(60):
        soundfile.write(tmp_path / f"{number}.flac", np.full(80, number / 100), 8000)
    parts = load_recordings(DataConfig("audio", tmp_path), 8000)
    values = [{round(float(recording[0]), 2) for recording in part} for part in parts.values()]
    assert sum(map(len, values)) == len(set.union(*values)) == 60
    for part in ("train", "validation", "test"):
        (tmp_path / part).mkdir()
        soundfile.write(tmp_path / part / "a.wav", np.zeros(80), 8000)
    assert [len(part) for part in load_recordings(DataConfig("audio", tmp_path), 8000).values()] == [1, 1, 1]
    with pytest.raises(UsageError, match="is no folder"):
        load_recordings(DataConfig("audio", tmp_path / "nowhere"), 8000)
    with pytest.raises(UsageError, match="have 8000"):
        load_recordings(DataConfig(), 16_000)


def test_crops() -> None:
    recordings = [np.arange(1, 101, dtype=np.float32), np.arange(1001, 1021, dtype=np.float32)]
    batches = crop_batches(recordings, 30, (8, 5), 200, seed=3)
    crops = batches(4)
    assert crops.shape == (200, 43)
    np.testing.assert_array_equal(crops, batches(4))
    assert (crops != batches(5)).any()
    for crop in crops:
        kept = np.flatnonzero(crop)
        assert (np.diff(kept) == 1).all()  # silence is at the ends only
        assert (np.diff(crop[kept]) == 1).all()
    short = [crop for crop in crops if crop.max() > 1000]
    assert all((crop[8:28] > 1000).all() and (crop[28:] == 0).all() for crop in short)
    assert len(short) / len(crops) == pytest.approx(30 / 130, abs=0.1)
    halves = [crop_batches(recordings, 30, (8, 5), 200, seed=3, rank=rank, world=2)(4) for rank in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), crops)
