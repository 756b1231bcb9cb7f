"""Runs a command line of the package in this process."""

import pytest
from onepaper.cli import main


def run(*words: str) -> int:
    """The exit status of `onepaper perceiver-ar WORDS`."""
    with pytest.raises(SystemExit) as leaving:
        main(["perceiver-ar", *words])
    return int(leaving.value.code or 0)
