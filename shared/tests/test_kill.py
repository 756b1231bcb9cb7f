"""Three kills by SIGKILL at random moments; `nox -s endurance` does fifty and more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ENDURANCE = Path(__file__).parents[2] / "tools" / "endurance.py"


@pytest.mark.slow
@pytest.mark.skipif(not ENDURANCE.exists(), reason="not in a checkout")
@pytest.mark.parametrize(("framework", "module"), [("torch", "torch"), ("jax", "flax")])
def test_three_kills_lose_nothing(framework, module):
    pytest.importorskip(module)
    command = [sys.executable, str(ENDURANCE), "--framework", framework, "--kills", "3", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["kills"] == 3
    assert report["checkpoints verified"] >= 3
