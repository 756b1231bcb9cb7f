"""Commands of the pages work, and starting is light."""

from pathlib import Path

import pytest
from onepaper.cli.completion import candidates
from onepaper.testing import check_commands, check_light_start, check_public_names, documentation_pages

import perceiver_ar

PAGES = documentation_pages("perceiver-ar")


@pytest.mark.parametrize("page", PAGES, ids=[f"{page.parent.name}/{page.name}" for page in PAGES])
def test_commands_on_the_pages_work(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_commands(page, "perceiver-ar")


@pytest.mark.parametrize("words", [("claims",), ("presets",)])
def test_light_start(words: tuple[str, ...]) -> None:
    check_light_start("perceiver-ar", *words)


def test_public_names() -> None:
    check_public_names(perceiver_ar)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sample --weights ", "music"),
        ("evaluate --data.dataset ", "pg19"),
        ("data ", "check"),
    ],
)
def test_completion_of_values(words: str, expected: str) -> None:
    assert expected in candidates(["perceiver-ar", *words.split(" ")])
