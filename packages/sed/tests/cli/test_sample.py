"""The verb `sample`: what is refused. Its result is in `test_train`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("no blank",), "template has no blank"),
        (("[[40]]",), "expected at most 16"),
        (("--sampling.steps", "0"), "steps is 0"),
        (("And [[3]]", "--sampling.steps", "101"), "expected 1 to 100"),
        (("--sampling.guidance", "-2"), "guidance is -2"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--weights", str(weights / "kjv"), "--output", str(tmp_path / "run"))
    assert run_verb("sed", "sample", *where, *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
