import re
from pathlib import Path

import pytest

from onepaper.errors import UsageError
from onepaper.text import Document, hold_out_tenth, open_text, part_folders, read_text


def test_line_ends_stay_and_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "text"
    content = "\ufeffone\r\ntwo\rthree\n\ufeff\0".encode()
    path.write_bytes(content)
    assert read_text(path) == "one\r\ntwo\rthree\n\ufeff\0"
    assert Document(path).read_bytes() == content
    assert Document(path, 4, 8).read() == "ne\r\n"
    assert (Document(path, 4, 8).size, Document(path).size) == (4, len(content))


@pytest.mark.parametrize(
    ("content", "at"),
    [(b"\xff\xfe\x00", 0), (b"abc\xe7", 3), (b"\xef\xbb\xbfab\x80", 5), ("\ud800".encode("utf-8", "surrogatepass"), 0)],
)
def test_what_is_not_utf8_is_named_with_its_byte(content: bytes, at: int, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'text'} is not UTF-8 text (byte {at}); convert it")):
        read_text(tmp_path / "text")
    assert Document(tmp_path / "text").read_bytes() == content


def test_spans_are_named_by_the_byte_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"0123456\xff9")
    with pytest.raises(UsageError, match=re.escape("(byte 7)")):
        Document(tmp_path / "text", 5).read()


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none does not exist; give the path of a text file"):
        open_text(tmp_path / "none")
    with pytest.raises(UsageError, match="/dev/zero is not a file"):
        open_text(Path("/dev/zero"))
    with pytest.raises(UsageError, match="is not a file"):
        read_text(tmp_path)
    with pytest.raises(UsageError, match=r"holds no .txt files"):
        open_text(tmp_path)


def test_a_file_is_cut_between_characters(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    for text in ("a" * 5000, "猫" * 1003, "é\U0001f3b9b" * 700):
        path.write_text(text)
        parts = open_text(path)
        (train,), (validation,), (test,) = ([document.read() for document in part] for part in parts)
        assert train + validation + test == text
        assert abs(len(train.encode()) - 0.9 * len(text.encode())) < 4
        assert abs(len(test.encode()) - 0.05 * len(text.encode())) < 4
    path.write_bytes(bytes([0x80]) * 3000)  # no UTF-8 at all
    assert sum(document.size for part in open_text(path) for document in part) == 3000
    path.write_bytes(b"x" * 1999)
    with pytest.raises(UsageError, match="mine has 1999 bytes, expected at least 2000: two parts of 5% are held out"):
        open_text(path)


def test_folders_keep_their_parts(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        (tmp_path / part / "deep").mkdir(parents=True)
        (tmp_path / part / "deep" / "1.txt").write_text(part)
        (tmp_path / part / "._1.txt").write_text("of another system")
    assert [[document.read() for document in part] for part in open_text(tmp_path)] == [
        ["train"],
        ["validation"],
        ["test"],
    ]
    assert part_folders(tmp_path) == open_text(tmp_path)
    (tmp_path / "test" / "deep" / "1.txt").unlink()
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'test'} holds no .txt files")):
        part_folders(tmp_path)


def test_documents_are_held_out(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    assert [[document.read() for document in part] for part in open_text(tmp_path)] == [
        ["text 0"],
        ["text 1"],
        ["text 2"],
    ]
    _, validation, test = hold_out_tenth(range(25))
    assert (validation, test) == ([4, 14, 24], [9, 19])
    for count in range(3, 30):
        parts = hold_out_tenth(range(count))
        assert all(parts)
        assert sorted(item for part in parts for item in part) == list(range(count))
