"""What a benchmark says about where it ran, and how it measures a process."""

import ctypes
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onepaper.runs import environment, hardware

PACKAGES = ("jax", "flax", "torch", "perceiver-ar-pytorch", "numpy")


def describe_machine() -> dict[str, Any]:
    """Hardware and versions; and the load, for a busy machine's times say little."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {**hardware(), "load_average": load, "versions": environment(PACKAGES)}


def pin(threads: int) -> None:
    """Keep this process on so many cores; call it before a framework is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def resident_bytes() -> int:
    """Memory that this process holds now (Linux), or at most so far (elsewhere)."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return peak_bytes()


def forget_peak() -> None:
    """Let the peak begin anew (Linux): what a compiler needed before is handed back and no longer counts."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """The most memory that this process held, since `forget_peak` where that works."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    # Kilobytes on most systems, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_own_process(script: str, words: Sequence[str]) -> Any:
    """What a script prints as JSON on its last line, in a fresh process without a cache of compiled programs."""
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, script, *words], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def write_result(path: Path | None, result: dict[str, Any]) -> None:
    """Write a result as JSON, where asked to."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
