"""The verbs that compute nothing load no framework, in every package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gpu_plan

PAPERS = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
CODE = """
import collections, contextlib, io, sys
from onepaper.cli import main
from onepaper.fingerprint import sources
parsed, Module = collections.Counter(), sources.Module
def counted(name, path):
    parsed[path] += 1
    return Module(name, path)
sources.Module = counted
for words in (["list"], ["--help"], [sys.argv[1], "--help"], [sys.argv[1], "presets"], [sys.argv[1], "claims"]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(words)
heavy = {"torch", "jax", "flax", "scipy", "matplotlib", "sklearn", "pandas", "diffusers"} & set(sys.modules)
assert not heavy, heavy
assert set(parsed.values()) == {1}, parsed
"""


@pytest.mark.parametrize("paper", PAPERS)
def test_no_framework_and_one_look_at_each_file(tmp_path, paper):
    machine = gpu_plan.Machine(tmp_path, None)
    variables = {**os.environ, **machine.variables, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", CODE, paper], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "cache" / "onepaper" / "fingerprints").glob("*.json"))
