"""The verb `sweep` writes rows and figures for each point of its grid."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_sweep(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--weights", str(weights / "kjv"), "--evaluator", str(weights / "kjv-evaluator"), "--samples", "4")
    grid = ("--steps", "2", "3", "--guidance", "1", "2", "--output", str(tmp_path))
    assert run_verb("sed", "sweep", *words, *grid) == 0
    assert "3 steps, guidance 2" in capsys.readouterr().out
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert [(row["steps"], row["guidance"]) for row in content["samples"]] == [(2, 1), (2, 2), (3, 1), (3, 2)]
    assert content["samples"][0]["ar_nll"] > 0
    assert "quality-and-time.png" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--steps", "101"), "expected 1 to 100"),
        (("--steps", "0"), "steps is 0"),
        (("--guidance", "-1"), "guidance is -1"),
        (("--samples", "0"), "samples is 0"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--weights", str(weights / "kjv"), "--evaluator", str(weights / "kjv-evaluator"))
    assert run_verb("sed", "sweep", *where, *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
