"""Benchmark helpers: processes alternate, memory is the process's own, ratios and slopes by their definitions."""

import json
import sys
from pathlib import Path

import pytest

from onepaper.benchmark import (
    alternate,
    describe_machine,
    log_slope,
    median_ratio,
    option_parser,
    peak_bytes,
    resident_bytes,
    run_script,
    single_threaded,
    write_result,
)

SCRIPT = """
import json, os, sys
log, name = sys.argv[1:3]
with open(log, "a") as file:
    file.write(name)
print("chatter before the answer")
print(json.dumps({"name": name, "threads": os.environ.get("OMP_NUM_THREADS")}))
"""
MEMORY = """
import json
from onepaper.benchmark import peak_bytes, pin, reset_peak, resident_bytes
pin()
before = resident_bytes()
block = bytearray(64 * 2**20)
block[::4096] = bytes(len(block[::4096]))
with_block = resident_bytes()
del block
peak = peak_bytes()
reset_peak()
import os
print(json.dumps({"grown": with_block - before, "peak": peak - before, "after reset": peak_bytes() - before,
                  "cores": len(os.sched_getaffinity(0))}))
"""


def test_cases_alternate_round_by_round(tmp_path: Path) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(SCRIPT)
    answers = alternate(script, {name: [str(log), name] for name in "AB"}, 2, single_threaded(tmp_path))
    assert log.read_text() == "ABAB"
    assert answers == {name: [{"name": name, "threads": "1"}] * 2 for name in "AB"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_process(tmp_path: Path) -> None:
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    found = run_script(script)
    assert found["grown"] == pytest.approx(64 * 2**20, rel=0.1)
    assert found["peak"] == pytest.approx(found["grown"], rel=0.02)  # the kernel counts in batches
    assert found["after reset"] < 32 * 2**20
    assert found["cores"] == 1
    assert 0 < resident_bytes() <= peak_bytes()


def test_ratio_and_slope() -> None:
    assert median_ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == 2.0
    sizes = [1, 2, 4, 8]
    assert log_slope(sizes, [3.0 * size**1.5 for size in sizes]) == pytest.approx(1.5)


def test_results_name_the_machine(tmp_path: Path) -> None:
    write_result(None, {"rows": []}, ("numpy",))
    write_result(tmp_path / "results" / "x.json", {"rows": [1]}, ("numpy", "not-installed"))
    result = json.loads((tmp_path / "results" / "x.json").read_text())
    assert result["rows"] == [1]
    assert set(result["machine"]["versions"]) == {"python", "numpy"}
    assert describe_machine(("numpy",))["cores"] == result["machine"]["cores"]


def test_scripts_have_the_options_that_they_ask_for() -> None:
    given = option_parser("Title.\n\nMore.", rounds=5).parse_args([])
    assert vars(given) == {"rounds": 5, "threads": 1, "output": None}
    parser = option_parser("Title.", steps=4, quick="less", measure=("WAY", "SIZE"))
    given = parser.parse_args(["--quick", "--measure", "a", "2", "--output", "x.json"])
    assert (given.quick, given.steps, given.measure, given.output) == (True, 4, ["a", "2"], Path("x.json"))
    assert parser.description == "Title."
    assert "--measure" not in parser.format_help()
