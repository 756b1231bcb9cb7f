"""The verbs work from the command line, and starting is light."""

import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.testing.doc_commands import commands

ROOT = Path(__file__).parents[3]


def test_mistakes_take_a_line(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (("sample", "--model", "splices"), "splice"),
        (("sample", "--guidance", "2"), "say which by --label"),
        (("evaluate", "--weights", str(tmp_path)), "--preset laptop-splice"),
        (("sample", "--sampler", "heun"), "flow-heun"),
        (("evaluate", "--model", "splice", "--preset", "laptop-letters"), "leave out --preset"),
        (("evaluate", "--count", "5"), "--count and --points are for networks"),
        (("simulate", "--alpha", "1", "-2"), "alpha"),
        (("verify", "--device", "tpu"), "tpu"),
    ):
        assert run(*words) == 2, words
        message = capsys.readouterr().err.strip()
        assert expected in message.splitlines()[-1], message


@pytest.mark.parametrize(
    "page", ["packages/simplex-cir/README.md", "docs/papers/simplex-cir.md", "docs/tutorials/simplex-cir.md"]
)
def test_commands_on_the_pages_work(page: str, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / page, "simplex-cir"):
        slow = words[1] in ("verify", "rank-law") and "--dry-run" not in words
        assert run(*words[1:], *(["--dry-run"] if slow else [])) == 0, words


def test_light_start() -> None:
    code = (
        "import sys\nfrom onepaper.cli import main\n"
        "try:\n    main(['simplex-cir', 'claims'])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "assert not {'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
