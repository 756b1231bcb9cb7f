"""The shipped text and its parts."""

from pathlib import Path

from sed.config import DataConfig
from sed.data.documents import chapters, split_documents


def test_chapters() -> None:
    assert len(chapters()) == 1189
    assert chapters()[0].name == "01-001"
    assert chapters()[0].text.startswith("In the beginning God created the heaven and the earth. And the earth was")
    assert chapters()[-1].text.endswith("The grace of our Lord Jesus Christ be with you all. Amen.")
    assert sum(len(chapter.text) for chapter in chapters()) > 4_000_000
    assert not any("[" in chapter.text or "  " in chapter.text for chapter in chapters())


def test_parts_share_no_chapter() -> None:
    parts = split_documents(DataConfig())
    names = [{document.name for document in part} for part in parts]
    assert [len(part) for part in names] == [952, 119, 118]
    assert len(set.union(*names)) == 1189


def test_your_text(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(f"text  {number}\nof mine")
    parts = split_documents(DataConfig("text", tmp_path))
    assert [len(part) for part in parts] == [4, 1, 1]
    assert parts.train[0].text == "text 0 of mine"
