"""Files of Debian packages, complete, damaged and hostile."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError

from audio_datasets.data.examples.debian import copy_files, extract_files


def wanted(path: PurePosixPath) -> PurePosixPath | None:
    return PurePosixPath(path.name) if path.suffix == ".ogg" else None


@pytest.mark.parametrize("mode", ["xz", "gz", "bz2"])
def test_extract(write_deb: Callable[..., Path], tmp_path: Path, mode: str) -> None:
    package = write_deb(
        tmp_path / "a.deb", {"./usr/a.ogg": b"one", "./usr/b.txt": b"two", "./c.ogg": b"3" * 5000}, mode
    )
    assert extract_files(package, tmp_path / "out", wanted) == 2
    assert (tmp_path / "out" / "c.ogg").read_bytes() == b"3" * 5000
    assert not (tmp_path / "out" / "b.txt").exists()
    with pytest.raises(OnePaperError, match="exists already"):
        extract_files(package, tmp_path / "out", wanted)


def test_refused(write_deb: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "text").write_text("no package")
    with pytest.raises(UsageError, match="is no Debian package"):
        extract_files(tmp_path / "text", out, wanted)
    with pytest.raises(UsageError, match="none of the expected files"):
        extract_files(write_deb(tmp_path / "b.deb", {"a.txt": b""}), out, wanted)
    with pytest.raises(UsageError, match="data.tar.zst, which is not read here; unpack it with `dpkg-deb -x`"):
        extract_files(write_deb(tmp_path / "c.deb", {"a.ogg": b""}, name="data.tar.zst"), out, wanted)
    with pytest.raises(UsageError, match="outside the folder"):
        extract_files(write_deb(tmp_path / "d.deb", {"a.ogg": b""}), out, lambda path: PurePosixPath("..") / path)
    assert not out.exists()


def test_damaged_packages_are_one_line_errors(write_deb: Callable[..., Path], tmp_path: Path) -> None:
    content = write_deb(tmp_path / "a.deb", {"./usr/a.ogg": bytes(range(256)) * 20}).read_bytes()
    generator = np.random.default_rng(0)
    failed = 0
    for number in range(200):
        damaged = bytearray(content)
        if number % 2:
            damaged[int(generator.integers(len(damaged)))] ^= 1 << int(generator.integers(8))
        else:
            damaged = damaged[: int(generator.integers(len(damaged)))]
        (tmp_path / "b.deb").write_bytes(damaged)
        try:
            extract_files(tmp_path / "b.deb", tmp_path / f"out-{number}", wanted)
        except OnePaperError as error:
            failed += 1
            message = str(error)
        else:
            message = ""
        assert "\n" not in message
        assert (tmp_path / f"out-{number}").exists() == (not message)
    assert failed > 150


def test_copy(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "a.ogg").write_bytes(b"one")
    assert copy_files(tmp_path, tmp_path / "out", wanted) == 1
    assert copy_files(tmp_path, tmp_path / "only", wanted, ("usr/a.ogg",)) == 1
    with pytest.raises(UsageError, match="none of the expected files"):
        copy_files(tmp_path, tmp_path / "none", wanted, ("var",))
