"""The script for a Ray cluster in docs/scaling.md measures what one process measures."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")

ROOT = Path(__file__).parents[2]
# A few seconds each, by every seed.
PAPER, CLAIM, SEEDS = "compose-diffusion", "X7", ("0", "1", "2")


def recorded(folder: Path) -> dict:
    values = json.loads((folder / "results" / f"{CLAIM}.json").read_text(encoding="utf-8"))
    return {name: values[name] for name in ("verdict", "reason", "measured")}


@pytest.mark.slow
def test_the_script_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise Ray writes a token into the home folder
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (script,) = (code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "import ray" in code)
    (tmp_path / "measure.py").write_text(script, encoding="utf-8")
    subprocess.run([sys.executable, "measure.py", PAPER, CLAIM, *SEEDS], check=True, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / CLAIM).iterdir()) == ["merged", "seed0", "seed1", "seed2"]
    direct = [sys.executable, "-m", "onepaper", PAPER, "reproduce", "--claims", CLAIM, "--jobs", "1"]
    subprocess.run([*direct, "--seeds", *SEEDS, "--output", str(tmp_path / "direct")], check=True)
    assert recorded(tmp_path / CLAIM / "merged") == recorded(tmp_path / "direct")
