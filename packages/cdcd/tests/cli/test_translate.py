"""The verb `translate`: a sentence, a file, and what is refused."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

QUICK = ("--sampling.steps", "2", "--hypotheses", "2")


def test_file(translators: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("And he said.\nIn the beginning.\n")
    where = ("--weights", str(translators / "verses"), "--output", str(tmp_path / "run"))
    assert run_verb("cdcd", "translate", *where, *QUICK, "--file", str(tmp_path / "in.txt")) == 0
    assert len((tmp_path / "run" / "translations.txt").read_text().splitlines()) == 2
    assert "2 sentences" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--text", " "), "empty sentence"),
        (("--text", "word " * 60), "expected at most 39 tokens"),
        (("--file", "missing.txt"), "missing.txt cannot be read"),
        (("--hypotheses", "0"), "hypotheses is 0"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, translators: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--weights", str(translators / "verses"), "--output", str(tmp_path / "run"))
    assert run_verb("cdcd", "translate", *where, *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
