"""The verb `sample`: what is refused and what is said. Its result is in `test_train`."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.images.reading import read_image
from onepaper.testing import check_one_line_error, run_verb

from imagen3.cli import sample
from imagen3.config import SamplingOptions
from imagen3.pretrained.systems import open_system
from imagen3.sampling import generate


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


def test_a_file_of_prompts(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sample, "DRAWN_AT_ONCE", 3)  # parts are drawn as the whole
    table, run = tmp_path / "prompts.csv", tmp_path / "run"
    texts = ["a dog", "two cats", "a red apple"]
    rows = [f"{text},numeric_simple,p{number}" for number, text in enumerate(texts)]
    table.write_text("\n".join(["prompt,prompt_type,dataset_id", *rows]))
    words = ("sample", "--weights", str(weights), "--prompts", str(table), "--output", str(run), "--scale", "1")
    assert run_verb("imagen3", *words, "--count", "2", "--steps", "2", "--seed", "4") == 0
    assert "6 pictures" in capsys.readouterr().out
    options = SamplingOptions(steps=2)
    expected = generate(open_system(weights), [text for text in texts for _ in range(2)], options, seed=4)
    for number, picture in enumerate(expected):
        drawn = read_image(run / f"p{number // 2}_{number % 2}.png")
        assert np.abs(drawn.astype(int) - picture).max() <= 1
    table.write_text("prompt,prompt_type,dataset_id\na dog,numeric_simple,../p\n")
    assert run_verb("imagen3", *words[:-4], "--output", str(tmp_path / "other")) == 2
    check_one_line_error(capsys.readouterr().err, "'../p' cannot be the name of a file")
    assert not (tmp_path / "other").exists()
