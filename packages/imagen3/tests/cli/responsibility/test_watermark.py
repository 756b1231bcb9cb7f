"""The verb `watermark`, and the mark of `sample`."""

import csv
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "secret.key").write_text("a secret")
    return tmp_path / "secret.key"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "detections.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_sample_then_detect(weights: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn, found = tmp_path / "drawn", tmp_path / "found"
    words = ("--weights", str(weights), "--count", "2", "--scale", "8", "--output", str(drawn))
    assert run_verb("imagen3", "sample", *words, "--watermark", str(key), "--payload", "77") == 0
    assert "a secret" not in (drawn / "run.json").read_text()
    words = ("--pictures", str(drawn), "--key", str(key), "--output", str(found))
    assert run_verb("imagen3", "watermark", *words) == 0
    assert "2 of 2 marked" in capsys.readouterr().out
    assert [(row["marked"], row["payload"]) for row in rows(found)] == [("1", "77"), ("1", "77")]
    key.write_text("another secret")
    assert run_verb("imagen3", "watermark", *words[:-1], str(tmp_path / "other")) == 0
    assert "0 of 2 marked" in capsys.readouterr().out


def test_embed_keeps_the_folders(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "scenes", "--count", "2", "--size", "128", "--output", str(tmp_path / "scenes")) == 0
    words = ("--pictures", str(tmp_path / "scenes"), "--key", str(key), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "watermark", "--action", "embed", "--psnr", "42", *words) == 0
    assert "2 pictures marked, at least 42." in capsys.readouterr().out
    assert (tmp_path / "run" / "pictures" / "scene_00001_0.png").is_file()


def test_the_learned_mark(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "scenes", "--count", "2", "--size", "64", "--output", str(tmp_path / "scenes")) == 0
    learned = ("--kind", "learned", "--key", str(key), "--rate", "1e-3")
    words = ("--pictures", str(tmp_path / "scenes"), "--output", str(tmp_path / "marked"))
    assert run_verb("imagen3", "watermark", "--action", "embed", *learned, *words) == 0
    words = ("--pictures", str(tmp_path / "marked" / "pictures"), "--output", str(tmp_path / "found"))
    assert run_verb("imagen3", "watermark", *learned, *words) == 0
    assert "2 of 2 marked" in capsys.readouterr().out
    assert {(row["marked"], row["of"], row["payload"]) for row in rows(tmp_path / "found")} == {("1", "64", "")}


def test_wrong_values(weights: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.key").write_bytes(b"")
    assert run_verb("imagen3", "scenes", "--count", "1", "--size", "32", "--output", str(tmp_path / "scenes")) == 0
    pictures, run = ("--pictures", str(tmp_path / "scenes")), ("--output", str(tmp_path / "run"))
    for verb, words, expected in (
        ("watermark", (*pictures, "--key", str(tmp_path / "none")), "none is not a file"),
        ("watermark", (*pictures, "--key", str(tmp_path / "empty.key")), "has 0 bytes"),
        ("watermark", (*pictures, "--key", str(key), "--action", "embed"), "32 x 32 pixels, expected at least 64"),
        ("watermark", (*pictures, "--key", str(key), "--rate", "0"), "rate is 0"),
        ("watermark", (*pictures, "--key", str(key), "--payload", "-1"), "payload is -1"),
        ("watermark", (*pictures, "--key", str(key), "--payload", "1", "--kind", "learned"), "carries none"),
        ("sample", ("--weights", str(weights), "--watermark", str(key), "--scale", "1"), "scale is 1"),
        ("sample", ("--weights", str(weights), "--watermark", str(tmp_path / "none")), "none is not a file"),
    ):
        assert run_verb("imagen3", verb, *words, *run) == 2
        check_one_line_error(capsys.readouterr().err, expected)
        assert not (tmp_path / "run").exists()
