"""The verb `rate`: from samples to a page, and from answers to a result."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb
from onepaper.testing.mutations import fuzz

from sed.cli.rate import print_result


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """A page of two pairs, with the answers of two raters, who both prefer the first system."""
    samples = tmp_path / "samples"
    samples.mkdir()
    for number, text in enumerate(("one <b>", "two")):
        (samples / f"sample-{number}.txt").write_text(text)
    (tmp_path / "other.txt").write_text("three\n\nfour\n")
    words = ("--first", str(samples), "--second", str(tmp_path / "other.txt"), "--output", str(tmp_path / "run"))
    assert run_verb("sed", "rate", *words) == 0
    key = json.loads((tmp_path / "run" / "key.json").read_text())
    choices = ["left" if is_left else "right" for is_left in key["first_is_left"]]
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps({"page": key["page"], "choices": choices}))
    return tmp_path


def test_from_samples_to_a_result(rated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (rated / "run" / "index.html").read_text()
    assert "one &lt;b&gt;" in page
    assert page.count("<fieldset>") == 2
    assert "first_is_left" not in page
    capsys.readouterr()
    words = ("--key", str(rated / "run" / "key.json"), "--answers", str(rated / "a.json"), str(rated / "b.json"))
    assert run_verb("sed", "rate", *words) == 0
    out = capsys.readouterr().out
    assert "first preferred: 100.0% +- 0.0 of 4 choices" in out
    assert "raters agree on 100.0%" in out


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "cannot be read"),
        ("[]", "no list 'choices'"),
        ('{"page": "other", "choices": ["left", "left"]}', "answers to another page"),
        ("ANSWERS up", "has the choice 'up'"),
    ],
)
def test_wrong_answers(rated: Path, content: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    if content.startswith("ANSWERS"):
        answers = json.loads((rated / "a.json").read_text())
        content = json.dumps({**answers, "choices": ["left", "up"]})
    (rated / "a.json").write_text(content)
    capsys.readouterr()
    words = ("--key", str(rated / "run" / "key.json"), "--answers", str(rated / "a.json"))
    assert run_verb("sed", "rate", *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(count: int, rated: Path) -> None:
    key, answers = rated / "run" / "key.json", rated / "a.json"
    fuzz(lambda path: print_result(key, (path,)), rated / "c.json", [answers.read_bytes()], count)
    fuzz(lambda path: print_result(path, (answers,)), rated / "c.json", [key.read_bytes()], count)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "needs samples of two systems"),
        (("--first", "none.txt", "--second", "none.txt"), "none.txt cannot be read"),
    ],
)
def test_wrong_samples(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("sed", "rate", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
