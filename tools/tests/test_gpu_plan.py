"""The GPU plan runs what fits, ends what hangs, survives what fails, and leaves a record of all of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gpu_items
import gpu_page
import gpu_plan
import gpu_requirements

PROJECT = (
    '[project]\nname = "onepaper"\nversion = "0.1.0"\ndependencies = []\n[project.optional-dependencies]\njax = []\n'
)
METRICS = '{{"step": 1, "loss": 4.0, "steps_per_second": 1.0}}\\n{{"step": 2, "loss": 1.0, "steps_per_second": 5.0}}\\n'
# Written by a child of a command, which ends only if all of the command's processes are ended.
GRANDCHILD = (
    "import pathlib, subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "pathlib.Path(r'{pids}').write_text(str(child.pid)); time.sleep(600)"
)


def item(name, command, **values):
    fields = {"kind": "check", "what": "a test", "minutes": 0.05, "worth": 5, "needs": [], "devices": 0}
    lines = {**fields, "name": name, "commands": [command], **values}
    tables = "".join(f"{key} = {_toml(value)}\n" for key, value in lines.items())
    return f"[[items]]\n{tables}"


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def program(code):
    return f"python -c {json.dumps(code)}"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a shared package only, whose plan the test writes."""
    root = tmp_path / "checkout"
    (root / "shared").mkdir(parents=True)
    (root / "docs").mkdir()
    (root / "shared" / "pyproject.toml").write_text(PROJECT)
    monkeypatch.setattr(gpu_plan, "ROOT", root)
    monkeypatch.setattr(gpu_plan, "GRACE_SECONDS", 0.3)
    return root


def run(checkout, items, *arguments, minutes="1"):
    (checkout / "shared" / "gpu_plan.toml").write_text("\n".join(items))
    output = checkout / "out"
    code = gpu_plan.main(["--minutes", minutes, "--output", str(output), *arguments])
    return code, {path.parent.name: json.loads(path.read_text()) for path in output.glob("*/result.json")}


def ended(pid):
    """Whether a process is gone, or about to be."""
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


def test_failing_hanging_and_succeeding_items(checkout, capsys):
    write = f"import pathlib; pathlib.Path('{{output}}/metrics.jsonl').write_text('{METRICS}')"
    pids = checkout / "pid"
    code, results = run(
        checkout,
        [
            item("fails", program("raise SystemExit('disk of cheese')"), worth=9),
            item("hangs", program(GRANDCHILD.format(pids=pids)), minutes=0.02, worth=8),
            item(
                "succeeds",
                program(write),
                keep=["*.jsonl"],
                worth=1,
                expect=[{"kind": "falls", "log": "metrics.jsonl", "by": 0.5}],
            ),
        ],
    )
    assert code == 1
    assert {name: values["outcome"] for name, values in results.items()} == {
        "fails": "failed",
        "hangs": "timed out",
        "succeeds": "passed",
    }
    assert results["fails"]["reason"] == "disk of cheese"
    assert results["succeeds"]["findings"] == ["loss 4 to 1"]
    assert results["succeeds"]["numbers"]["metrics.jsonl"]["loss"] == 1.0
    assert (checkout / "out" / "succeeds" / "metrics.jsonl").is_file()
    assert ended(int(pids.read_text()))
    assert results["hangs"]["seconds"] < 20
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines() if line.endswith("left")] == [
        "hangs:",
        "fails:",
        "succeeds:",
    ]
    page = (checkout / "out" / "gpu-checks.md").read_text()
    assert gpu_page.read_outcomes(checkout / "out" / "gpu-checks.md").keys() == results.keys()
    assert "loss 4 to 1 (CPU, commit unknown" in page


def test_an_expectation_that_does_not_hold_is_a_failure(checkout):
    write = f"import pathlib; pathlib.Path('{{output}}/metrics.jsonl').write_text('{METRICS}')"
    bound = {"kind": "bound", "log": "metrics.jsonl", "metric": "loss", "below": 0.5}
    code, results = run(checkout, [item("a", program(write), expect=[bound])])
    assert (code, results["a"]["outcome"]) == (1, "failed")
    assert results["a"]["findings"] == ["loss 1 (expected: loss below 0.5)"]


def test_the_budget_is_kept(checkout, monkeypatch):
    monkeypatch.setattr(gpu_plan, "PATIENCE", 100)
    sleep = program("import time; time.sleep(600)")
    items = [
        item("long", sleep, minutes=5, kind="training"),
        item("stopped", sleep, minutes=0.05, worth=9),
        item("late", sleep, minutes=0.05, worth=8),
    ]
    began = time.monotonic()
    _, results = run(checkout, items, minutes="0.06")
    assert time.monotonic() - began < 20
    assert results["long"]["reason"] == "needs 5 min, 0.1 are left"
    assert results["stopped"]["outcome"] == "timed out"
    assert results["late"]["outcome"] == "skipped"


def test_a_signal_ends_the_plan_with_a_record(checkout):
    items = [
        item("running", program("import time; print('here', flush=True); time.sleep(600)"), worth=9),
        item("next", "true"),
    ]
    (checkout / "shared" / "gpu_plan.toml").write_text("\n".join(items))
    code = (
        "import sys, pathlib, gpu_plan; gpu_plan.ROOT = pathlib.Path(sys.argv[1]); gpu_plan.GRACE_SECONDS = 0.3; "
        "sys.exit(gpu_plan.main(['--output', sys.argv[1] + '/out']))"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    process = subprocess.Popen([sys.executable, "-c", code, str(checkout)], env=variables, stdout=subprocess.DEVNULL)
    record = checkout / "out" / "running" / "result.json"
    log = checkout / "out" / "running" / "log.txt"
    for _ in range(300):
        if log.is_file() and log.read_text().endswith("here\n"):
            break
        time.sleep(0.1)
    assert json.loads(record.read_text())["outcome"] == "running"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert json.loads(record.read_text())["outcome"] == "interrupted"
    assert json.loads((checkout / "out" / "next" / "result.json").read_text())["reason"] == "interrupted before"


def test_order_and_jobs(checkout, capsys):
    items = [
        item("check", "true", worth=10),
        item("small", "true", kind="training", worth=2),
        item("large", "true", kind="training", worth=9, minutes=0.9, alone=True),
        item("best", "true", kind="training", worth=9),
    ]
    (checkout / "shared" / "gpu_plan.toml").write_text("\n".join(items))
    assert [one.name for one in gpu_items.read_items(checkout)] == ["best", "small", "large", "check"]
    code, _ = run(checkout, items, "--jobs", "3")
    started = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if line.endswith("left")]
    assert code == 0
    assert started[-1] == "large"  # measures time: after all others


def test_what_cannot_run_here_is_skipped_and_says_why(checkout, monkeypatch, capsys):
    monkeypatch.delenv("STABLE_DIFFUSION", raising=False)
    (checkout / "shared" / "pyproject.toml").write_text(PROJECT.replace("jax = []", 'jax = ["a-framework>=2"]'))
    items = [
        item("many", "true", devices=1000),
        item("files", "true", paths=["$STABLE_DIFFUSION"]),
        item("framework", "true", needs=["jax"]),
    ]
    code, results = run(checkout, items)
    assert code == 0
    assert results["many"]["reason"].startswith("needs 1000 GPUs, this machine has")
    assert results["files"]["reason"] == "needs $STABLE_DIFFUSION"
    assert results["framework"]["reason"] == "missing: a-framework>=2"
    capsys.readouterr()
    assert run(checkout, items, "--check")[0] == 1
    shown = capsys.readouterr().out
    assert 'pip download --only-binary :all: --dest wheels "a-framework>=2"' in shown
    assert run(checkout, items, "--dry-run")[0] == 0
    assert "0 of 1 minutes" in capsys.readouterr().out


def test_only_and_wrong_names(checkout, capsys):
    items = [item("one", "true"), item("two", "true")]
    _, results = run(checkout, items, "--only", "two")
    assert list(results) == ["two"]
    assert run(checkout, items, "--only", "three")[0] == 2
    assert "no item 'three', expected one of one, two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "expected a TOML file"),
        (item("a", "true", worth=11), "item 'a': expected commands, minutes above 0 and a worth"),
        (item("a", "true {steps}"), "item 'a': placeholder 'steps' has no value"),
        (item("a", "true", color="red"), "item 'a': .*'color'"),
        (item("a", "true", expect=[{"kind": "rises"}]), "expectation 'rises', expected one of falls"),
        (item("a", "true") + item("a", "true"), "'a' exists twice"),
        (item("a", "true", smoke={"steps": 1}), "smoke has"),
    ],
)
def test_wrong_plans_are_one_line(checkout, text, message):
    (checkout / "shared" / "gpu_plan.toml").write_text(text)
    with pytest.raises(gpu_items.PlanError, match=message):
        gpu_items.read_items(checkout)


def write_log(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_comparisons_of_logs(tmp_path):
    write_log(tmp_path / "a", [{"step": 10, "loss": 2.0, "steps_per_second": 1.0}, {"step": 20, "loss": 1.001}])
    write_log(tmp_path / "b", [{"step": 20, "loss": 1.0, "steps_per_second": 3.0}, {"step": 30, "loss": None}])
    assert gpu_items.Close("a", "b", 2e-3).check(tmp_path)[0]
    assert not gpu_items.Close("a", "b", 5e-4).check(tmp_path)[0]
    assert gpu_items.Faster("b", "a", 2.9).check(tmp_path)[0]
    assert not gpu_items.Faster("b", "a", 3.1).check(tmp_path)[0]
    assert gpu_items.Decreasing(["a", "b"], "loss").check(tmp_path)[0]
    assert not gpu_items.Decreasing(["b", "a"], "loss").check(tmp_path)[0]
    plan = gpu_items.Item("shared", "x", "check", "", ["true"], 1, 1, [], expect=[gpu_items.Bound("none", "loss")])
    passed, (found,) = gpu_items.evaluate(plan, tmp_path)
    assert not passed
    assert found.startswith("cannot be evaluated")


def test_output_and_verdicts(tmp_path):
    (tmp_path / "log.txt").write_text("3 of them hold\n12 of them hold\n")
    assert gpu_items.Said(r"(\d+) of them", "all", above=11).check(tmp_path) == (True, "12")
    assert gpu_items.Said(r"(\d+) of these", "all").check(tmp_path)[0] is False
    (tmp_path / "run" / "results").mkdir(parents=True)
    (tmp_path / "run" / "results" / "C1.json").write_text('{"verdict": "not reproduced", "headline": "0.1"}')
    assert gpu_items.Verdict("C1").check(tmp_path) == (True, "C1 not reproduced: 0.1")


def test_requirements_follow_what_is_installed(tmp_path):
    for name, version, requires in [
        ("one", "2.0", "two>=1"),
        ("two", "0.5", "three; extra == 'x'"),
        ("four", "1", "two[x]"),
    ]:
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n"
        )
    path = [str(tmp_path)]
    assert gpu_requirements.missing(["one>=1", "five"], path) == ["five", "two>=1 (installed: 0.5)"]
    assert gpu_requirements.missing(["two"], path) == []
    assert gpu_requirements.missing(["four"], path) == ['three; extra == "x"']


def test_requirements_of_papers_bring_those_of_the_shared_package():
    found = {one.name: gpu_requirements.requirements_of(ROOT, one) for one in gpu_items.read_items(ROOT)}
    assert any(word.startswith("mido") for word in found["text-weights"])
    assert any(word.startswith("orbax-checkpoint") for word in found["text-weights"])
    assert not any(word.startswith("torch") for word in found["text-weights"])
    assert any(word.startswith("torch") for word in found["positions-weights"])
    assert not any(word.startswith("onepaper") for words in found.values() for word in words)


def test_wheels_are_used_without_an_index(checkout, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "parcel-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("parcel.py", "CONTENT = 7\n")
        info = "parcel-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\nRequires-Dist: absent\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    command = program("import parcel; assert parcel.CONTENT == 7")
    code, results = run(checkout, [item("uses", command)], "--wheels", str(wheels))
    assert (code, results["uses"]["outcome"]) == (0, "passed")
    assert run(checkout, [item("uses", command)], "--wheels", str(tmp_path / "none"))[0] == 2


def test_papers_are_found_without_being_installed(tmp_path):
    """On a bare machine: entry points of the checkout, and nothing else, are what `onepaper` sees."""
    machine = gpu_plan.Machine(tmp_path, None)
    code = (
        "import sys; from importlib.metadata import distributions; "
        "points = [point for one in distributions(path=sys.argv[1:]) for point in one.entry_points]; "
        "print(sorted(point.name for point in points if point.group == 'onepaper.papers'))"
    )
    shown = subprocess.run([sys.executable, "-c", code, machine.path[0]], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")))


def test_the_page_is_that_of_the_plan():
    page = ROOT / gpu_page.PAGE
    rendered = gpu_page.render_page(gpu_items.read_items(ROOT), gpu_page.read_outcomes(page))
    assert rendered == page.read_text(encoding="utf-8"), "write it again: python tools/gpu_plan.py --page"


def test_every_item_that_one_gpu_runs_has_a_small_form():
    for one in gpu_items.read_items(ROOT):
        assert one.devices > 1 or one.paths or one.smoke or one.alone or "pytest" in one.commands[0], one.name


def test_outcomes_survive_on_the_page(tmp_path):
    items = gpu_items.read_items(ROOT)
    page = tmp_path / "page.md"
    page.write_text(gpu_page.render_page(items, {items[0].name: "passed; loss 4 | to 1"}))
    assert gpu_page.read_outcomes(page) == {items[0].name: "passed; loss 4 / to 1"}
    shutil.copyfile(page, tmp_path / "again.md")
    assert gpu_page.render_page(items, gpu_page.read_outcomes(page)) == page.read_text()
