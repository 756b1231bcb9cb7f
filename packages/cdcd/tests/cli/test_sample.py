"""The verb `sample`: what is refused. Its result is in `test_train`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--template", "no blank"), "template has no blank"),
        (("--template", "{40}"), "expected at most 16"),
        (("--sampling.steps", "0"), "steps is 0"),
        (("--sampling.nucleus", "2"), "nucleus is 2"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--weights", str(weights / "speeches"), "--output", str(tmp_path / "run"))
    assert run_verb("cdcd", "sample", *where, *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
