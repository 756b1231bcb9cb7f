"""Benchmarks: the machine, memory of a process, and programs measured in alternating processes.

A measuring script prints its numbers as JSON on its last line; `run_script` and `alternate` start it and read them:

    times = alternate(__file__, {name: ["--measure", name] for name in ("ours", "peer")}, rounds=5)
    print(median_ratio(times["peer"], times["ours"]))
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onepaper.runs import environment, hardware, write_atomic


def describe_machine(packages: Sequence[str]) -> dict[str, Any]:
    """Hardware, load average (times measured on a busy machine are of little value) and versions of `packages`."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {**hardware(), "load_average": load, "versions": environment(packages)}


def option_parser(
    doc: str | None, *, rounds: int = 3, steps: int = 0, quick: str = "", measure: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """The options that measuring scripts share: --rounds, --threads, --output, and those that are asked for.

    Args:
        doc: of the script; its first line describes it.
        rounds: default of --rounds, the processes or repetitions of each program.
        steps: default of --steps, timed in each process; 0: no such option.
        quick: what --quick leaves out; empty: no such option.
        measure: names of the values of --measure, by which the script starts itself; empty: no such option.
    """
    parser = argparse.ArgumentParser(description=(doc or "").strip().partition("\n")[0])
    if quick:
        parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--rounds", type=int, default=rounds, help="processes or repetitions of each program")
    if steps:
        parser.add_argument("--steps", type=int, default=steps, help="timed steps of each process")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file")
    if measure:
        parser.add_argument("--measure", nargs=len(measure), metavar=tuple(measure), help=argparse.SUPPRESS)
    return parser


def pin(cores: int = 1) -> None:
    """Restrict this process to `cores` cores, where the system can; call it before a framework is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def single_threaded(cache: Path | None = None) -> dict[str, str]:
    """Environment variables for one thread in OpenMP and XLA, and a compilation cache of JAX's programs in `cache`."""
    variables = {
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "JAX_PLATFORMS": "cpu",
    }
    if cache is not None:
        variables |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}
    return variables


def resident_bytes() -> int:
    """Memory of this process now (Linux); elsewhere its peak."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return peak_bytes()


def reset_peak() -> None:
    """Restart `peak_bytes` from the present memory (Linux only), e.g. after compilation."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """Peak memory of this process, since `reset_peak` where that works."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    import resource

    # Kilobytes on most systems, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run_script(script: str | Path, words: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> Any:
    """The JSON on the last line that a Python script prints, in a process of its own.

    Args:
        script: its path; a benchmark passes its own `__file__`.
        words: arguments of the script.
        variables: environment variables, added to this process's; a compilation cache of JAX is not inherited.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env=inherited | dict(variables or {}), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def alternate(
    script: str | Path, cases: Mapping[str, Sequence[str]], rounds: int, variables: Mapping[str, str] | None = None
) -> dict[str, list[Any]]:
    """`run_script` for every case in each round (A B A B), so that drifts of the machine affect all cases alike.

    Args:
        script: the measuring script.
        cases: the arguments of each case, by name.
        rounds: processes for each case.
        variables: environment variables of all processes.

    Returns:
        The answers of each case, in the order of the rounds.
    """
    answers: dict[str, list[Any]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, words in cases.items():
            answers[name].append(run_script(script, words, variables))
    return answers


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Median over rounds of numerator / denominator, which a temporary slowdown of the machine hardly affects."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def log_slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares slope of log value over log size: the exponent of a power law."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values])[0]


def write_result(path: Path | None, result: Mapping[str, Any], packages: Sequence[str]) -> None:
    """Write `result` with the machine as JSON; nothing without a path.

    Raises:
        OnePaperError: the file cannot be written.
    """
    if path is not None:
        write_atomic(path, json.dumps({"machine": describe_machine(packages), **result}, indent=2) + "\n")
