"""Features are computed once, whoever asks; a killed writer loses one part; damage is noticed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError

from hares.features.store import Features, FeatureStore

WORKER = Path(__file__).with_name("store_worker.py")
EXPECTED = f"{2.0 * 3 * sum(range(16))} 32"


def _start(folder: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(folder), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _count(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def test_a_killed_writer_loses_one_part(tmp_path: Path) -> None:
    folder, log = tmp_path / "store", tmp_path / "log"
    killed = _start(folder, log, 0.2)
    while _count(log) < 3:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not any(path.suffix == "" for path in folder.iterdir())  # no complete entry
    assert _count(log) < 8
    log.unlink()
    second = _start(folder, log, 0.0)
    assert second.communicate(timeout=60)[0].strip() == EXPECTED
    # A third part may have been computed but not written.
    assert _count(log) <= 6
    assert [path.name for path in folder.iterdir() if path.is_dir()] == [FeatureStore.key({"of": "test"})]


def test_two_processes_compute_once(tmp_path: Path) -> None:
    folder, log = tmp_path / "store", tmp_path / "log"
    both = [_start(folder, log, 0.1) for _ in range(2)]
    assert [each.communicate(timeout=60)[0].strip() for each in both] == [EXPECTED] * 2
    assert sorted(map(int, log.read_text().split())) == list(range(0, 16, 2))


def _rows(start: int, stop: int) -> Features:
    owners = np.arange(start, stop)
    return Features(owners[:, None].astype(np.float32), owners)


def test_rows_are_memory_mapped_and_read_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "made" / "here", items=4)
    first = store.get({"of": "a"}, 10, _rows)
    assert isinstance(first.rows, np.memmap)

    def refuse(start: int, stop: int) -> Features:
        raise AssertionError

    again = FeatureStore(store.folder).get({"of": "a"}, 10, refuse)
    np.testing.assert_array_equal(again.rows, np.arange(10.0)[:, None])
    np.testing.assert_array_equal(again.owners, np.arange(10))
    with pytest.raises(AssertionError):
        store.get({"of": "b"}, 10, refuse)


@pytest.mark.parametrize("name", ["rows.npy", "owners.npy", "entry.json"])
def test_a_damaged_entry_is_computed_again(name: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.get({"of": "a"}, 3, _rows)
    file = tmp_path / store.key({"of": "a"}) / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    np.testing.assert_array_equal(store.get({"of": "a"}, 3, _rows).rows, np.arange(3.0)[:, None])


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, items=2)

    def stop_at_four(start: int, stop: int) -> Features:
        if start == 4:
            raise KeyboardInterrupt
        return _rows(start, stop)

    with pytest.raises(KeyboardInterrupt):
        store.get({"of": "a"}, 6, stop_at_four)
    (tmp_path / f"{store.key({'of': 'a'})}.parts" / "000000000002.npz").write_bytes(b"PK")
    np.testing.assert_array_equal(store.get({"of": "a"}, 6, _rows).rows, np.arange(6.0)[:, None])


def test_rows_of_different_widths_are_refused(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, items=1)
    with pytest.raises(OnePaperError, match="one width"):
        store.get({"of": "a"}, 2, lambda start, _: Features(np.ones((1, 1 + start), np.float32), np.array([start])))


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OnePaperError, match="choose another --features"):
        FeatureStore(tmp_path / "file")
