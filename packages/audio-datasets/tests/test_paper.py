"""Commands of the pages work, and starting is light."""

from pathlib import Path

import pytest
from onepaper.cli.completion import candidates
from onepaper.testing import check_commands, check_light_start, check_public_names, documentation_pages

import audio_datasets

PAGES = documentation_pages("audio-datasets")


@pytest.mark.parametrize("page", PAGES, ids=[f"{page.parent.name}/{page.name}" for page in PAGES])
def test_commands_of_the_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_commands(page, "audio-datasets")


@pytest.mark.parametrize("words", [("claims",), ("data", "list"), ("train", "--help")])
def test_light_start(words: tuple[str, ...]) -> None:
    """The catalogue needs neither torch nor scikit-learn."""
    check_light_start("audio-datasets", *words, heavy=("torch", "sklearn", "scipy", "matplotlib"))


def test_data_need_no_torch() -> None:
    check_light_start("audio-datasets", "data", "check", "hedgewars-voices", "--no-decode", heavy=("torch", "sklearn"))


def test_public_names() -> None:
    check_public_names(audio_datasets)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("data info h", "hedgewars-voices"),
        ("submission ", "avb-high"),
        ("evaluate --dataset ", "hedgewars-voices"),
        ("evaluate --weights ", "hedgewars"),
    ],
)
def test_completion_of_values(words: str, expected: str) -> None:
    assert expected in candidates(["audio-datasets", *words.split(" ")])
