"""Pools of folders, crops, and batches of several processes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from hares.config import PoolConfig
from hares.data.pool import crop, crop_batches, open_pool
from hares.presets import PRESETS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, seconds, rate in (("birds/ä b.wav", 0.5, 8000), ("cars/long.wav", 21.0, 16_000)):
        path = tmp_path / name
        path.parent.mkdir()
        write_wav(path, 0.5 * np.ones(round(seconds * rate), np.float32), rate)
    return tmp_path


def test_folders_are_labels_and_long_files_are_cut(folder: Path) -> None:
    pool = open_pool(PoolConfig(path=folder), 16_000)
    assert pool.classes == ("birds", "cars")
    assert pool.labels.tolist() == [0, 1, 1, 1]
    assert [len(clip) for clip in pool.clips] == [8000, 160_000, 160_000, 16_000]


def test_problems_are_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="--pool.path"):
        open_pool(PoolConfig(), 16_000)
    with pytest.raises(UsageError, match="8000"):
        open_pool(PoolConfig("embedded"), 8000)
    (folder / "birds" / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="broken.wav"):
        open_pool(PoolConfig(path=folder), 16_000)


def test_crops() -> None:
    clip = np.arange(100, dtype=np.int16)
    generator = np.random.default_rng(0)
    starts = {round(float(crop(clip, 98, generator)[0]) * 32768) for _ in range(60)}
    assert starts == {0, 1, 2}
    short = crop(clip, 104, generator) * 32768
    first = int(np.argmax(short > 0)) - 1
    np.testing.assert_allclose(short[first : first + 100], clip)
    assert short.sum() == clip.sum()


def test_processes_share_a_batch(folder: Path) -> None:
    config = replace(PRESETS["smoke"].config, batch_size=4, seconds=0.1)
    pool = open_pool(PoolConfig(path=folder), 16_000)
    whole = crop_batches(pool, config, seed=1)(5)
    parts = [crop_batches(pool, config, seed=1, rank=rank, world=2)(5) for rank in range(2)]
    for index in range(3):
        np.testing.assert_array_equal(np.concatenate([part[index] for part in parts]), whole[index])
