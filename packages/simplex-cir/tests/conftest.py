"""Compiler settings of the tests, the command line as a function, and one trained network for the tests of verbs."""

import os
from collections.abc import Callable
from pathlib import Path

# These tests compile for far longer than they compute.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import pytest
from onepaper.cli import main

Command = Callable[..., int]


@pytest.fixture(scope="session")
def run() -> Command:
    """`onepaper simplex-cir WORDS...`, called in this process; returns the exit status."""

    def command(*words: object) -> int:
        with pytest.raises(SystemExit) as leaving:
            main(["simplex-cir", *map(str, words)])
        return int(leaving.value.code or 0)

    return command


@pytest.fixture(scope="session")
def trained(run: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training of 60 steps on splice sites, with its weights exported beside it."""
    root = tmp_path_factory.mktemp("trained")
    words = ("--preset", "smoke", "--loop.steps", "60", "--export", root / "exported")
    assert run("train", *words, "--output", root / "run") == 0
    return root / "run"
