"""A folder against the layouts of published data sets."""

import pytest

from onepaper.errors import UsageError
from onepaper.foreign.layouts import Finding, Layout, Part, check_layout, recognise

TEXT = Layout("books", "Books 1", (Part("train", "train/*.txt", 2, 10), Part("test", "test.txt")))
ARRAYS = Layout("books", "Books 2", (Part("train", "*.npz"),), lambda root: [Finding(f"looked into {root.name}")])


def test_parts_are_counted(tmp_path):
    (tmp_path / "train").mkdir()
    for name, content in (("a.txt", "12345"), ("b.txt", "123456"), ("c.csv", "")):
        (tmp_path / "train" / name).write_text(content)
    (tmp_path / "test.txt").write_text("1")
    assert recognise([ARRAYS, TEXT], tmp_path) is TEXT
    assert [finding.text for finding in check_layout(TEXT, tmp_path)] == [
        "train: 2 files train/*.txt", "test: 1 file test.txt",
    ]  # fmt: skip
    (tmp_path / "train" / "b.txt").write_text("")
    (tmp_path / "test.txt").unlink()
    found = list(check_layout(TEXT, tmp_path))
    assert [(finding.text, finding.fatal) for finding in found[1:]] == [
        ("train: 1 empty, first train/b.txt", True),
        ("train: 5 bytes, published are more than 10", False),
        ("test: no file test.txt, expected at least one", True),
    ]
    (tmp_path / "train" / "b.txt").unlink()
    assert next(check_layout(TEXT, tmp_path)) == Finding("train: 1 file train/*.txt, published are 2", differs=True)


def test_the_form_is_recognised_and_inspected(tmp_path):
    (tmp_path / "x.npz").touch()
    assert recognise([TEXT, ARRAYS], tmp_path) is ARRAYS
    assert list(check_layout(ARRAYS, tmp_path))[-1].text == f"looked into {tmp_path.name}"


def test_other_folders(tmp_path):
    with pytest.raises(UsageError, match=r"none of the data sets: books with train/\*.txt; books with \*.npz"):
        recognise([TEXT, ARRAYS], tmp_path)
    with pytest.raises(UsageError, match="none is not a folder"):
        recognise([TEXT], tmp_path / "none")
