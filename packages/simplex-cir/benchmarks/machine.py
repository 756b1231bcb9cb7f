"""Description of the machine of a benchmark, and processes in which methods alternate."""

import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onepaper.runs import environment, hardware

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "diffrax", "torch", "torchsde", "QuantLib")
# One thread each, and one core where the system supports pinning.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
}


def describe_machine() -> dict[str, Any]:
    """Hardware and versions; and the load, for a busy machine's times say little."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {**hardware(), "load_average": load, "versions": environment(PACKAGES)}


def available(module: str) -> bool:
    """Whether a peer is installed; says so where it is not."""
    found = importlib.util.find_spec(module) is not None
    if not found:
        print(f"{module} is not installed and is left out (pip install 'onepaper-simplex-cir[bench]')", file=sys.stderr)
    return found


def in_turns(script: str, contestants: Sequence[str], rounds: int, arguments: Sequence[str]) -> dict[str, list[Any]]:
    """What `script --contestant NAME` prints as JSON, each time in a process of its own, A B A B."""
    answers: dict[str, list[Any]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as cache:  # what the first round compiles, the others find
        environment = os.environ | ENVIRONMENT | {"JAX_COMPILATION_CACHE_DIR": cache}
        for _ in range(rounds):
            for name in contestants:
                command = [sys.executable, script, "--contestant", name, *arguments]
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                answers[name].append(json.loads(done.stdout.splitlines()[-1]))
    return answers


def pin() -> None:
    """Pin this process to one core, where the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def median_ratio(first: Sequence[float], second: Sequence[float]) -> float:
    """Median over rounds of second / first, which a machine that slows down for a while leaves alone."""
    return statistics.median(b / a for a, b in zip(first, second, strict=True))


def write(path: Path | None, result: dict[str, Any]) -> None:
    """The result as JSON, with the machine, where a path is given."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": describe_machine(), **result}, indent=2) + "\n", encoding="utf-8")
