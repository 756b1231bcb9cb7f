"""Several processes measure what one measures; a lost process and an interrupt lose nothing else."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onepaper.claims import Below
from onepaper.claims.reproduce import ReproduceOptions, _default_jobs, reproduce
from onepaper.claims.results import read_results

from . import toy_ledger

ROOT = Path(__file__).parents[3]
MORE_CODE = """
import os, time

def slow(context):
    values = {}
    for seed in context.seeds:
        values[seed] = context.arm("slow", seed, work)["process"]
    return Evidence("", [Measurement.over_seeds("process", values)])

def work():
    time.sleep(0.2)
    return {"process": float(os.getpid())}

def killed(context):
    os.kill(os.getpid(), 9)

def alone(context):
    return Evidence("", [Measurement.exact("threads", float(os.environ["OMP_NUM_THREADS"]))])

def large(context):
    return Evidence("", [Measurement.exact("process", float(context.arm("large", 0, allocate)["sum"]))])

def allocate():
    return {"sum": float(len(b"1" * 300_000_000))}

def small(context):
    return Evidence("", [Measurement.exact("process", 0.0)])

def endless(context):
    (context.folder / "started").touch()
    time.sleep(60)

def training(context):
    from onepaper.training import LoopOptions, fit
    from shared.tests.walk import Walk

    def batches(step):
        (context.folder / "started").touch()
        time.sleep(0.05)
        return 0.0

    fit(Walk(), batches, LoopOptions(10_000))
"""


def claim(number, function, **more):
    return toy_ledger.claim(number, Below("process", 1e9), function, **more)


@pytest.fixture
def paper(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Workers import the toy paper's class by its name.
    monkeypatch.syspath_prepend(toy_ledger.__file__.removesuffix(toy_ledger.__name__.replace(".", "/") + ".py"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    paper = toy_ledger.make(tmp_path, monkeypatch)
    with (paper.package_folder() / "claims.py").open("a") as file:
        file.write(MORE_CODE)
    return paper


def run(paper, name, **options):
    return reproduce(paper, ReproduceOptions(output=Path(name).absolute(), record=True, **options))


def numbers(paper):
    return {name: [value.mean for value in result.measured] for name, result in read_results(paper).items()}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not restart a process's peak memory")
def test_a_result_has_the_memory_of_its_own_claim_and_of_its_arms(paper):
    paper.ledger = (claim(1, "large"), claim(2, "small"), claim(3, "large"))
    run(paper, "memory", jobs=1)
    large, small, reused = (read_results(paper)[name].peak_mib for name in ("C1", "C2", "C3"))
    assert large - small > 200
    assert abs(reused - large) < 20


def test_numbers_and_figures_equal_those_of_one_process(paper, tmp_path):
    paper.ledger = (*paper.ledger, dataclasses.replace(paper.ledger[0], id="C6"))
    assert run(paper, "one", jobs=1) == 0
    one = numbers(paper)
    assert run(paper, "two", jobs=2) == 0
    assert numbers(paper) == one
    assert set(one) == {"C1", "C2", "C6"}
    pages = [(tmp_path / name / "report.html").read_text() for name in ("one", "two")]
    assert pages[0].count("<svg") == pages[1].count("<svg") > 0
    assert pages[0].count("data:image/png") == pages[1].count("data:image/png") > 0


def test_an_arm_of_two_claims_is_computed_once(paper):
    paper.ledger = (claim(1, "slow"), claim(2, "slow"))
    assert run(paper, "run", jobs=2) == 0
    found = numbers(paper)
    assert found["C1"] == found["C2"]


def test_threads_are_shared_out_and_a_timing_runs_alone(paper):
    rule = Below("threads", 100)
    beside = dataclasses.replace(claim(1, "alone"), rule=rule)
    paper.ledger = (beside, dataclasses.replace(beside, id="C2"), dataclasses.replace(beside, id="C3", alone=True))
    assert run(paper, "run", jobs=2) == 0
    assert numbers(paper) == {"C1": [2.0], "C2": [2.0], "C3": [4.0]}
    assert "OMP_NUM_THREADS" not in os.environ


def test_claims_share_no_gpu():
    assert _default_jobs("cpu") == min(os.cpu_count(), 8)
    assert _default_jobs("cuda") == 1


def test_a_lost_process_fails_its_claim_only(paper, capsys):
    paper.ledger = (claim(1, "killed"), claim(2, "slow"), toy_ledger.claim(3, Below("x", 1), "broken"))
    assert run(paper, "run", jobs=2) == 1
    printed = capsys.readouterr().out
    assert "C1 failed: its worker process ended abruptly" in printed
    assert "C3 failed: ValueError" in printed
    assert set(numbers(paper)) == {"C2"}


@pytest.mark.parametrize(
    ("number", "function", "jobs"),
    [
        (signal.SIGINT, "endless", 2),
        (signal.SIGTERM, "endless", 2),
        (signal.SIGHUP, "endless", 2),
        # A training takes the signal for itself, and ends at its next step.
        (signal.SIGINT, "training", 1),
        (signal.SIGINT, "training", 2),
        (signal.SIGTERM, "training", 2),
    ],
)
def test_an_interrupt_reports_what_is_done(paper, tmp_path, number, function, jobs):
    program = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]
from pathlib import Path
from shared.tests.claims import toy_ledger
from onepaper.claims import Below
from onepaper.claims.reproduce import ReproduceOptions, reproduce
if __name__ == "__main__":
    import signal
    # A background process of a shell ignores the one, a process below nohup the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN if {number} == signal.SIGTERM else signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    paper = toy_ledger.ToyPaper(Path({str(tmp_path)!r}))
    rule = Below("process", 1e9)
    # Nothing of the last claims may begin after the interrupt.
    functions = ("slow", {function!r}, {function!r}, {function!r})
    paper.ledger = tuple(toy_ledger.claim(number, rule, name) for number, name in enumerate(functions, 1))
    sys.exit(reproduce(paper, ReproduceOptions(output=Path("run"), jobs={jobs})))
"""
    (tmp_path / "program.py").write_text(program)
    process = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 60
    while not ((tmp_path / "run" / "results" / "C1.json").exists() and (tmp_path / "run" / "started").exists()):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted after 1 of 4 claims" in printed
    assert (tmp_path / "run" / "report.html").exists()
