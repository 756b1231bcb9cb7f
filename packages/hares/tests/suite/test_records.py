"""Records of clips are validated."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from hares.data.tasks import task_of
from hares.suite.records import SuiteClip, SuiteData, inside, read_lines, read_rows


def test_parts() -> None:
    train, test = SuiteClip(Path("a"), "train", (0,), "x"), SuiteClip(Path("b"), "test", (0,), "y")
    data = SuiteData(task_of("voxforge"), (train, test), (("de",),))
    assert data.parts() == {"test": 1, "train": 1}
    assert not data.several
    for clips, expected in (
        ((train,), "clips of: train"),
        ((train, test._replace(part="validation")), "expected clips for training and test"),
        ((train, test._replace(path=Path("a"))), "a is in two parts"),
        ((train, test._replace(group="x")), "'x' is in training and test"),
    ):
        with pytest.raises(UsageError, match=expected):
            SuiteData(task_of("voxforge"), clips, (("de",),))


def test_tables(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("\ufeffa,b\r\n1,2\r\n\r\n".encode())
    assert list(read_rows(file)) == [{"a": "1", "b": "2"}]
    file.write_bytes(b"a,b\n1\n")
    with pytest.raises(UsageError, match="line 2 has 1 cells, expected 2"):
        list(read_rows(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not a readable"):
        list(read_rows(file))
    with pytest.raises(UsageError, match="is missing"):
        read_lines(tmp_path / "b.txt")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a.wav", "a/../../b", "a\0"])
def test_paths_outside(name: str) -> None:
    with pytest.raises(UsageError, match="expected a path below"):
        inside(Path("root"), name, Path("table"))
