"""Commands of the pages work, and starting is light."""

from pathlib import Path

import pytest
from onepaper.cli.completion import candidates
from onepaper.testing import check_commands, check_light_start, check_public_names, documentation_pages

import cdcd

PAGES = documentation_pages("cdcd")


@pytest.mark.parametrize("page", PAGES, ids=[f"{page.parent.name}/{page.name}" for page in PAGES])
def test_commands_of_the_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_commands(page, "cdcd")


@pytest.mark.parametrize("words", [("claims",), ("train", "--help")])
def test_light_start(words: tuple[str, ...]) -> None:
    check_light_start("cdcd", *words)


def test_public_names() -> None:
    check_public_names(cdcd)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sample --weights ", "speeches"),
        ("evaluate --evaluator ", "speeches-evaluator"),
        ("export ", "speeches"),
    ],
)
def test_completion_of_values(words: str, expected: str) -> None:
    assert expected in candidates(["cdcd", *words.split(" ")])
