"""Data sets by their id."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from audio_datasets.catalogue.records import read_catalogue
from audio_datasets.data.loaders import LOADERS, load


def test_default_set() -> None:
    assert load("hedgewars-voices").name == "hedgewars-voices"


def test_unknown_and_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'hedgewars-voices'"):
        load("hedgewars-voice")
    with pytest.raises(UsageError, match="does not ship with the package"):
        load("hume-prosody")
    with pytest.raises(UsageError, match="does not exist"):
        load("hume-prosody", tmp_path / "nowhere")


def test_records_that_can_be_opened() -> None:
    assert {name for name, record in read_catalogue().items() if record.loader} <= set(LOADERS)


def test_official_quirks_are_of_official_files() -> None:
    with pytest.raises(UsageError, match="not of 'hedgewars-voices'"):
        load("hedgewars-voices", strict_official=True)
