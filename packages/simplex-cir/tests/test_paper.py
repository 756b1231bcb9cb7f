"""The verbs work from the command line, and starting is light."""

from pathlib import Path

import pytest
from onepaper.cli.completion import candidates
from onepaper.testing import (
    check_commands,
    check_light_start,
    check_one_line_error,
    check_public_names,
    documentation_pages,
)

import simplex_cir
from simplex_cir.models.denoiser import WEIGHTS


def test_mistakes_take_a_line(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (("sample", "--weights", "splices"), "splice"),
        (("sample", "--guidance", "2"), "say which by --label"),
        (("evaluate", "--weights", str(tmp_path)), "--preset laptop-splice"),
        (("sample", "--sampler", "heun"), "flow-heun"),
        (("evaluate", "--weights", "splice", "--preset", "laptop-letters"), "leave out --preset"),
        (("evaluate", "--count", "5"), "--count and --points are for networks"),
        (("simulate", "--alpha", "1", "-2"), "alpha"),
        (("verify", "--device", "tpu"), "tpu"),
    ):
        assert run(*words) == 2, words
        check_one_line_error(capsys.readouterr().err, expected)


@pytest.mark.parametrize("page", documentation_pages("simplex-cir"), ids=lambda page: page.name)
def test_commands_of_the_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the files that the guides name."""
    monkeypatch.chdir(tmp_path)
    Path("my.txt").write_text("once upon a time " * 500)
    Path("my.fasta").write_text(">one\n" + "ACGTTGCA" * 200)
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/pretrained").symlink_to(WEIGHTS / "letters")
    check_commands(page, "simplex-cir")


def test_light_start() -> None:
    check_light_start("simplex-cir", "claims")


def test_public_names() -> None:
    check_public_names(simplex_cir)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sample --weights ", "sudoku4"),
        ("export l", "letters"),
    ],
)
def test_completion_of_values(words: str, expected: str) -> None:
    assert expected in candidates(["simplex-cir", *words.split(" ")])
