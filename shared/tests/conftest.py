"""Single-threaded frameworks that compile quickly, and a paper package with its command line."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onepaper.cli import main
from onepaper.testing import compile_quickly

from . import fake_paper

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
compile_quickly()

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Packages of tests leave nothing in the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, now the current one, with the installed `fake-paper` below `site/`."""
    monkeypatch.syspath_prepend(str(fake_paper.make(tmp_path / "site")))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("fake_paper_package")]:
        del sys.modules[name]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `onepaper WORDS` in this process; its exit status, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main(words)
        out, err = capsys.readouterr()
        return int(leaving.value.code or 0), out, err

    return run
