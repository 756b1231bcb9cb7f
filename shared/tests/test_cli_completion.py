"""Candidates of every word of the command line, and the script of bash."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Command


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("",), {"fake-paper", "list", "repeat", "completion"}),
        (("fake-paper", "t"), {"train"}),
        (("fake-paper", "train", "--preset", ""), {"laptop", "laptop-small", "smoke"}),
        (("fake-paper", "train", "--opt"), {"--optimizer.lr", "--optimizer.name"}),
        (("fake-paper", "train", "--optimizer.name", ""), {"adam", "sgd"}),
        (("fake-paper", "reproduce", "--claims", "C1", ""), {"C1", "C2"}),
        (("fake-paper", "train", "--output", ""), {""}),
        (("fake-paper", "reproduce", "--record", "--cl"), {"--claims"}),
        (("fake-paper", "presets", "l"), {"laptop", "laptop-small"}),
        (("fake-paper", "presets", "--"), {"--cost", "--help"}),
        (("fake-paper", "sample", "--count", "3", "b"), {"bar"}),
        (("fake-paper", "sample", "bar", "r"), {"ring"}),
        (("fake-paper", "sample", "--colour", ""), {"blue", "red"}),
        (("fake-paper", "nonsense", ""), {""}),
        (("completion", "b"), {"bash"}),
    ],
)
def test_completion(command: Command, words: tuple[str, ...], expected: set[str]) -> None:
    status, out, _ = command("__complete", *words)
    assert status == 0
    found = set(out.removesuffix("\n").split("\n"))
    if words == ("",):  # other papers may be installed
        assert found >= expected
    else:
        assert found == expected


def test_shipped_weights(paper: Path, command: Command) -> None:
    (paper / "site" / "fake_paper_package" / "weights" / "digits").mkdir(parents=True)
    assert command("__complete", "fake-paper", "export", "")[1] == "digits\n"
    assert command("__complete", "fake-paper", "export", "digits", "")[1] == "\n"


def test_bash_completes(paper: Path) -> None:
    script = (
        f'export PYTHONPATH="{paper / "site"}:$PYTHONPATH"; onepaper() {{ "{sys.executable}" -m onepaper "$@"; }};'
        'eval "$(onepaper completion bash)"; COMP_WORDS=(onepaper fake-paper tr); COMP_CWORD=2; _onepaper;'
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "train"
