"""The checker finds what was planted, and finds nothing in this repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "repository_rules.py", "--root", root],
        capture_output=True,
        text=True,
        check=False,
    )


def test_this_repository_keeps_the_rules() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    return folder


PAPER = "packages/compose-diffusion"


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        (f"{PAPER}/DATA.md", None, "DATA.md: missing"),
        (f"{PAPER}/README.md", ("```bibtex", "```text"), "lacks ````bibtex`"),
        (f"{PAPER}/pyproject.toml", ('"torch>=2.6"', '"torch==2.6"'), "pins torch==2.6"),
        (f"{PAPER}/pyproject.toml", ('name = "onepaper-compose-diffusion"', 'name = "compose"'), "expected 'onepaper-"),
        (f"{PAPER}/src/compose_diffusion/config.py", ("from onepaper", "import torch\nfrom onepaper"), "stay light"),
        (f"{PAPER}/tests/test_kernels.py", None, "test_kernels.py: missing"),
        ("docs/papers/compose-diffusion.md", None, "every paper has a page"),
    ],
)
def test_planted_breaches_are_told(copy: Path, file: str, change: tuple[str, str] | None, told: str) -> None:
    path = copy / file
    if change is None:
        path.unlink()
    else:
        text = path.read_text(encoding="utf-8")
        assert change[0] in text
        path.write_text(text.replace(*change, 1), encoding="utf-8")
    done = check(copy)
    assert done.returncode == 1
    assert told in done.stdout


def test_names_and_marks(copy: Path) -> None:
    (copy / "tools" / "utils.py").write_text("# TO" + "DO: all of it\n")
    shutil.copy(copy / "tools" / "utils.py", copy / "tools" / "fine_name.py")
    subprocess.run(["git", "-C", copy, "add", "-A"], check=True)
    told = check(copy).stdout
    assert "tools/utils.py: a name that says nothing" in told
    assert "tools/fine_name.py:1: unfinished" in told
