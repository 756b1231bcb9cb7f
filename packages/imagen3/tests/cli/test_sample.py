"""The verb `sample`: what is refused and what is said. Its result is in `test_train`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--prompt", " "), "a prompt is empty"),
        (("--seed", "-1"), "seed is -1"),
        (("--count", "0"), "count is 0"),
        (("--scale", "3"), "scale"),
        (("--guidance", "-2"), "guidance is -2"),
        (("--steps", "0"), "steps is 0"),
        (("--size", "30", "32"), "size is 30 x 32 pixels"),
        (("--upscale", "2", "--upsampler", "missing"), "missing"),
        (("--weak", "emoji", "--negative", "a dog"), "give --weak or --negative"),
        (("--average", "0.1"), "has no snapshots"),
        (("--weights", "nothing"), "unknown weights 'nothing'"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "sample", "--weights", str(weights), *where, *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def test_cut_prompts_are_said(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "--weights",
        str(weights),
        "--prompt",
        "many words " * 20,
        "--output",
        str(tmp_path / "run"),
        "--count",
        "1",
    )
    assert run_verb("imagen3", "sample", *words) == 0
    assert "longer than 24 tokens" in capsys.readouterr().err
