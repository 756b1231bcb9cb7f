"""The speeches, their parts, and what documents share."""

from pathlib import Path

from cdcd.config import DataConfig
from cdcd.data.documents import Document, overlap, shingles, speeches, split_documents, split_speeches


def test_speeches() -> None:
    found = speeches()
    assert len(found) == 233
    assert found[0].name == "1790_george_washington_n"
    assert found[0].text.startswith("Fellow-Citizens of the Senate")
    assert found[-1].name.startswith("2021")


def test_parts_are_disjoint_and_complete() -> None:
    parts = split_speeches()
    names = [document.name for part in parts for document in part]
    assert sorted(names) == sorted(document.name for document in speeches())
    sizes = [sum(len(document.text) for document in part) for part in parts]
    shares = [size / sum(sizes) for size in sizes]
    assert 0.65 < shares[0] < 0.75
    assert 0.2 < shares[1] < 0.3
    assert 0.03 < shares[2] < 0.08


def test_no_speech_repeats_one_of_another_part() -> None:
    parts = split_speeches()
    shared = [*overlap(parts.test, parts.train).values(), *overlap(parts.test, parts.evaluator).values()]
    assert max(shared) < 0.05
    assert max(overlap(parts.evaluator, parts.train).values()) < 0.1


def test_overlap_by_hand() -> None:
    assert shingles("A b, c. D", 3) == {("a", "b", "c"), ("b", "c", "d")}
    long = Document("long", " ".join("abcdefghijklmnopqrstuvwxyz"))
    part = Document("part", " ".join("abcdefghijx"))
    assert overlap([part], [long]) == {("part", "long"): 3 / 4}
    assert not overlap([part], [Document("other", "x y z")])


def test_user_text(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "one.txt").write_text(f"This is {part}.")
    parts = split_documents(DataConfig("text", tmp_path))
    assert [part[0].text for part in parts] == ["This is train.", "This is validation.", "This is test."]
