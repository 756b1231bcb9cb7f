"""Extractions by one process, several, and a Ray cluster, interrupted and continued."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.benchmark import run_script
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.evaluation import clip_matrix
from audio_datasets.exports.shards import write_shards
from audio_datasets.extraction.extract import extract_features
from audio_datasets.extraction.job import Extraction
from audio_datasets.extraction.parts import parts_of_clips, parts_of_shards
from audio_datasets.extraction.store import MANIFEST, read_features, read_manifest_lines


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


@pytest.fixture(scope="module")
def expected(sounds: ClipSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features") / "out"
    assert extract_features(parts_of_clips(sounds, 5), folder, Extraction()) == 5
    return folder


def test_features_of_clips(sounds: ClipSet, expected: Path) -> None:
    table = read_features(expected)
    np.testing.assert_array_equal(table.matrix(sounds), clip_matrix(sounds, FeatureConfig()))
    assert table.values.shape == (24, len(table.names))


def test_features_of_shards(sounds: ClipSet, expected: Path, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", sounds, shard_bytes=50_000)
    extract_features(parts_of_shards(tmp_path / "shards"), tmp_path / "out", Extraction())
    np.testing.assert_array_equal(
        read_features(tmp_path / "out").matrix(sounds), read_features(expected).matrix(sounds)
    )


def test_it_continues(sounds: ClipSet, expected: Path, tmp_path: Path) -> None:
    source, folder = parts_of_clips(sounds, 5), tmp_path / "out"
    extract_features(source, folder, Extraction())
    lines = (folder / MANIFEST).read_text().splitlines(keepends=True)
    (folder / MANIFEST).write_text("".join(lines[:3]))  # two of five parts
    assert extract_features(source, folder, Extraction()) == 3
    assert contents(folder) == contents(expected)
    assert extract_features(source, folder, Extraction()) == 0
    with pytest.raises(UsageError, match=r"extraction.max_seconds: 5.0 here, 10.0 there"):
        extract_features(source, folder, Extraction(max_seconds=5.0))


def test_unreadable_clips(sounds: ClipSet, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"words")
    clips = replace(sounds, clips=(sounds.clips[0], Clip("bad", tmp_path / "bad.wav"), sounds.clips[1]))
    with pytest.raises(UsageError, match=r"bad.wav is not readable audio .*--unreadable skip"):
        extract_features(parts_of_clips(clips), tmp_path / "a", Extraction())
    extract_features(parts_of_clips(clips), tmp_path / "b", Extraction(unreadable="skip"))
    table = read_features(tmp_path / "b")
    assert table.ids == ("0", "1")
    assert list(table.skipped) == ["bad"]
    with pytest.raises(UsageError, match="first 'bad': .*is not readable audio"):
        table.matrix(clips)


def test_several_processes(sounds: ClipSet, expected: Path, tmp_path: Path) -> None:
    extract_features(parts_of_clips(sounds, 5), tmp_path / "out", Extraction(), workers=2)
    assert contents(tmp_path / "out") == contents(expected)


@pytest.mark.slow
def test_a_process_is_killed(sounds: ClipSet, tmp_path: Path) -> None:
    many = replace(sounds, clips=tuple(clip._replace(id=f"{n}-{clip.id}") for n in range(40) for clip in sounds))
    source, folder = parts_of_clips(many, 12), tmp_path / "out"

    def kill() -> None:
        while not (folder / MANIFEST).is_file() or not read_manifest_lines(folder)[1]:
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(OnePaperError, match="ended abruptly"):
        extract_features(source, folder, Extraction(), workers=2)
    killer.join()
    assert 0 < extract_features(source, folder, Extraction(), workers=2) < len(source.parts)
    extract_features(source, tmp_path / "whole", Extraction())
    assert contents(folder) == contents(tmp_path / "whole")
    assert read_features(folder).ids == tuple(many.values("id"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clips", "shards"])
def test_a_worker_of_ray_is_killed(sounds: ClipSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Ray repeats the part, which was half done: no clip is lost or there twice."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise Ray writes a token into the home folder
    mark, folder = tmp_path / "killed", tmp_path / "out"

    class Deadly(Extraction):
        def of(self, samples: np.ndarray) -> np.ndarray:
            # The third clip of a worker: its part is half done.
            self.__dict__["seen"] = self.__dict__.get("seen", 0) + 1
            if self.__dict__["seen"] == 3 and not mark.exists():
                mark.write_text(f"{os.getpid()}")
                os.kill(os.getpid(), signal.SIGKILL)
            return super().of(samples)

    if kind == "clips":
        source = parts_of_clips(sounds, 5)
    else:
        write_shards(tmp_path / "shards", sounds, shard_bytes=50_000)
        source = parts_of_shards(tmp_path / "shards")
    if "RAY_ADDRESS" not in os.environ:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    try:
        extract_features(source, folder, Deadly(), engine="ray")
    finally:
        ray.shutdown()
    assert mark.exists()
    assert read_features(folder).ids == tuple(sounds.values("id"))
    extract_features(source, tmp_path / "direct", Extraction())
    assert contents(folder) == contents(tmp_path / "direct")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clips", "shards"])
def test_memory_does_not_grow_with_the_number_of_clips(sounds: ClipSet, tmp_path: Path, kind: str) -> None:
    """Eight times as many clips of 10 s, which would be 70 MB, take no 8 MB more."""
    worker = Path(__file__).with_name("memory_worker.py")
    peaks = [run_script(worker, [kind, str(count), str(tmp_path / f"{count}")]) for count in (16, 128)]
    assert peaks[1] - peaks[0] < 8e6
