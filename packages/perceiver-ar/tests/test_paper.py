"""The verbs work from the command line, and starting is light."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import run
from onepaper.testing.doc_commands import commands

ROOT = Path(__file__).parents[3]


PAGES = [
    "docs/papers/perceiver-ar.md",
    "docs/tutorials/perceiver-ar.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/guides/perceiver-ar").glob("*.md"))),
    "packages/perceiver-ar/README.md",
    "packages/perceiver-ar/DATA.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_the_pages_work(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / page, "perceiver-ar"):
        assert run(*words[1:]) == 0, words


def test_light_start() -> None:
    code = (
        "import sys\nfrom onepaper.cli import main\n"
        "try:\n    main(['perceiver-ar', 'claims'])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "assert not {'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
