"""Compiler settings of the tests, the command line as a function, and one trained network for the tests of verbs."""

import os
from collections.abc import Callable
from pathlib import Path

from onepaper.testing import compile_quickly, run_verb

compile_quickly()

import pytest
from filelock import FileLock

Command = Callable[..., int]


@pytest.fixture(scope="session")
def run() -> Command:
    """`onepaper simplex-cir WORDS...`, called in this process; returns the exit status."""
    return lambda *words: run_verb("simplex-cir", *map(str, words))


@pytest.fixture(scope="session")
def trained(run: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training of 60 steps on splice sites, with its weights exported beside it."""
    base = tmp_path_factory.getbasetemp()
    # Workers of pytest-xdist share one training.
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    words = ("--preset", "smoke", "--loop.steps", "60", "--export", root / "exported")
    with FileLock(f"{root}.lock"):
        if not root.is_dir():
            assert run("train", *words, "--output", root / "run") == 0
    return root / "run"
