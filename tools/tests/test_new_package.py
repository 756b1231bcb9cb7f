"""A package that stands alone works as its README says, from an empty folder and wheels of the shared package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tools" / "new_package.py"


def make(folder: Path, framework: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, PROGRAM, "my-paper", "--framework", framework, "--authors", "A. One", "--into", folder]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = make(tmp_path, "none")
    assert done.returncode == 2
    assert "is not an empty folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("framework", ["none", "torch"])
def test_the_lines_of_its_readme_install_test_and_record(framework: str, tmp_path: Path) -> None:
    wheels, folder = tmp_path / "wheels", tmp_path / "work" / "code-of-a-paper"
    subprocess.run(["uv", "build", "-q", "--wheel", "--out-dir", wheels, ROOT / "shared"], check=True)
    done = make(folder, framework)
    assert done.returncode == 0, done.stderr
    block = re.search(r"```bash\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert block is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "VIRTUAL"))}
    environment["PIP_FIND_LINKS"] = f"{os.environ.get('PIP_FIND_LINKS', '')} {wheels}".strip()
    # The tests once more, now with a recorded result and a README that shows it.
    lines = block[1] + "ruff check .\nruff format --check .\npytest -q tests/test_claims.py\n"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    assert json.loads((folder / "results" / "X1.json").read_text())["verdict"] == "reproduced"
    assert "| **X1** |" in (folder / "README.md").read_text()
