"""Run the trainings and checks that want a GPU, most worth per minute first, within a budget of minutes.

    python tools/gpu_plan.py --check                        # what is missing on this machine
    python tools/gpu_plan.py --dry-run --minutes 15         # the plan
    python tools/gpu_plan.py --minutes 15 --output OUT      # run it: trainings first, then checks

It needs Python 3.11, PyTorch and JAX, a checkout, and neither a network nor installed packages of this repository.
Wheels of what else is missing go into a folder that `--wheels` names; they are unpacked into a temporary folder.

Items are data: `packages/NAME/gpu_plan.toml` and `shared/gpu_plan.toml` (fields: `tools/gpu_items.py`). An item that
fails ends alone; one that takes more than twice its minutes, or what is left of the budget, is stopped with all its
processes. OUT gets a folder for each item with its output, its weights and `result.json`, and `gpu-checks.md`, the page
`docs/gpu-checks.md` with the new outcomes.
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gpu_items import LOG, Item, PlanError, evaluate, numbers, read_items
from gpu_page import PAGE, read_outcomes, render_page, table
from gpu_requirements import download_command, install, missing, requirements_of

ROOT = Path(__file__).parent.parent
# A stopped training saves a checkpoint; then its processes are killed.
GRACE_SECONDS = 10.0
# Estimates of minutes may be wrong by this factor before an item counts as hanging.
PATIENCE = 2.0

Outcome = Literal["running", "passed", "failed", "timed out", "interrupted", "skipped"]


@dataclass
class Result:
    """What `result.json` holds."""

    name: str
    package: str
    kind: str
    commands: Sequence[str]
    outcome: Outcome
    reason: str = ""
    commit: str = ""
    device: str = ""
    seconds: float = 0.0
    findings: Sequence[str] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """For the table and the page."""
        return "; ".join(filter(None, (f"{self.outcome}", self.reason, *self.findings)))


class Machine:
    """GPUs, commit and the environment variables of the children."""

    def __init__(self, folder: Path, wheels: Path | None) -> None:
        listed = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
        names = listed.splitlines()
        self.devices = len(names)
        self.device = f"{self.devices} x {names[0]}" if names else "CPU"
        self.commit = _output("git", "-C", str(ROOT), "rev-parse", "HEAD")
        metadata, unpacked = folder / "metadata", folder / "wheels"
        _write_metadata(metadata)
        if wheels is not None:
            install(wheels, unpacked)
        sources = [ROOT / "shared" / "src", *sorted(ROOT.glob("packages/*/src"))]
        before = os.environ.get("PYTHONPATH")
        self.path = [
            str(metadata),
            *map(str, sources),
            *([str(unpacked)] if wheels else []),
            *([before] if before else []),
        ]
        self.variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(self.path),
            "PYTHONUNBUFFERED": "1",
            "MPLBACKEND": "Agg",
            # Several items may share the memory of one GPU.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }

    def obstacle(self, item: Item, *, smoke: bool = False) -> str:
        """Why an item cannot run here; empty if it can."""
        if item.devices > self.devices and not smoke:
            return f"needs {item.devices} GPU{'s' * (item.devices > 1)}, this machine has {self.devices}"
        for path in item.paths:
            if "$" in os.path.expandvars(path) or not Path(os.path.expandvars(path)).exists():
                return f"needs {path}"
        absent = self.missing(item)
        return f"missing: {', '.join(absent)}" if absent else ""

    def missing(self, item: Item) -> list[str]:
        """Requirements of an item that are not installed."""
        return missing(requirements_of(ROOT, item), [*self.path, *sys.path])


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _write_metadata(folder: Path) -> None:
    """Name, version and entry points of every package of the checkout, by which `onepaper` finds the papers."""
    for path in [ROOT / "shared" / "pyproject.toml", *sorted(ROOT.glob("packages/*/pyproject.toml"))]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(about, encoding="utf-8")
        groups = project.get("entry-points", {})
        lines = [line for group, points in groups.items() for line in (f"[{group}]", *map(" = ".join, points.items()))]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


class Plan:
    """Runs items in threads; every item's commands are a process group of their own.

    Args:
        machine: where.
        output: the folder with one folder for each item.
        minutes: the budget, from now.
        smoke: fill placeholders for a run of seconds on a CPU.
    """

    def __init__(self, machine: Machine, output: Path, minutes: float, *, smoke: bool = False) -> None:
        self.machine, self.output, self.smoke = machine, output, smoke
        self.deadline = time.monotonic() + 60 * minutes
        self.results: dict[str, Result] = {}
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    def run(self, items: Sequence[Item], jobs: int) -> None:
        """All items that fit; with several jobs, those that measure time come after all others."""
        if jobs == 1:
            phases = [(items, 1)]
        else:
            phases = [([item for item in items if not item.alone], jobs), ([item for item in items if item.alone], 1)]
        for chosen, workers in phases:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(self._run_item, chosen))

    def _run_item(self, item: Item) -> None:
        left = self.deadline - time.monotonic()
        needed = 0.0 if self.smoke else 60 * item.minutes
        if self.stopping.is_set():
            result = self._result(item, "skipped", "interrupted before")
        elif obstacle := self.machine.obstacle(item, smoke=self.smoke):
            result = self._result(item, "skipped", obstacle)
        elif needed > left or left <= 0:
            result = self._result(item, "skipped", f"needs {item.minutes:g} min, {max(left, 0) / 60:.1f} are left")
        else:
            print(f"{item.name}: started, {left / 60:.1f} min left", flush=True)
            result = self._measure(item, min(PATIENCE * needed, left) if needed else left)
        self._write(result)
        print(f"{item.name}: {result.line} ({result.seconds:.0f} s)", flush=True)

    def _measure(self, item: Item, limit: float) -> Result:
        """Run an item's commands in a temporary folder and keep what comes back."""
        result = self._result(item, "running", "")
        self._write(result)
        began = time.monotonic()
        target = self.output / item.name
        with tempfile.TemporaryDirectory(prefix=f"{item.name}-", ignore_cleanup_errors=True) as place:
            folder = Path(place)
            result.outcome, result.reason = self._run_commands(result.commands, folder, target / LOG, began + limit)
            result.seconds = round(time.monotonic() - began, 1)
            shutil.copyfile(target / LOG, folder / LOG)
            with contextlib.suppress(OSError, ValueError):
                result.numbers = numbers(folder)
            if result.outcome == "passed" and not self.smoke:
                passed, result.findings = evaluate(item, folder)
                result.outcome = "passed" if passed else "failed"
            for pattern in item.keep:
                for path in sorted(folder.glob(pattern)):
                    _copy(path, target / path.relative_to(folder))
        return result

    def _run_commands(self, commands: Sequence[str], folder: Path, log: Path, deadline: float) -> tuple[Outcome, str]:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            for command in commands:
                command = os.path.expandvars(command.replace("OUTPUT", str(folder)))
                stream.write(f"$ {command}\n".encode())
                stream.flush()
                outcome, reason = self._run_command(_argv(command), stream, deadline)
                if outcome != "passed":
                    return outcome, reason or _last_line(log)
        return "passed", ""

    def _run_command(self, argv: Sequence[str], stream: Any, deadline: float) -> tuple[Outcome, str]:
        try:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.machine.variables,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return "failed", f"{argv[0]}: {error.strerror}"
        ended: Outcome | None = None
        while process.poll() is None and ended is None:
            if self.stopping.is_set():
                ended = "interrupted"
            elif time.monotonic() >= deadline:
                ended = "timed out"
            else:
                time.sleep(0.1)
        if ended is not None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        # Also what a command left behind.
        _signal_group(process.pid, signal.SIGKILL)
        code = process.wait()
        if ended is not None:
            return ended, ""
        return ("passed", "") if code == 0 else ("failed", "")

    def _result(self, item: Item, outcome: Outcome, reason: str) -> Result:
        commands = item.filled("OUTPUT", smoke=self.smoke)
        commit, device = self.machine.commit, self.machine.device
        return Result(item.name, item.package, item.kind, commands, outcome, reason, commit, device)

    def _write(self, result: Result) -> None:
        folder = self.output / result.name
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / "result.json.tmp"
        temporary.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
        temporary.replace(folder / "result.json")
        with self._lock:
            self.results[result.name] = result


def _argv(command: str) -> list[str]:
    """The words of a command, by this interpreter."""
    program, *words = shlex.split(command)
    modules = {"onepaper": ["-m", "onepaper"], "torchrun": ["-m", "torch.distributed.run"], "python": []}
    return [sys.executable, *modules[program], *words] if program in modules else [program, *words]


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _last_line(log: Path) -> str:
    line = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
    return "" if line.startswith("$ ") else line[:300]


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, target)


@contextlib.contextmanager
def _stopped_by_signals(plan: Plan) -> Iterator[None]:
    """SIGINT and SIGTERM stop the running items, which still write what they have."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: plan.stopping.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_plan(items: Sequence[Item], machine: Machine, minutes: float) -> None:
    """The items in their order, and which of them the budget holds."""
    left, rows = minutes, []
    for item in items:
        obstacle = machine.obstacle(item)
        fits = not obstacle and item.minutes <= left
        left -= item.minutes if fits else 0
        state = obstacle or ("runs" if fits else "no time left")
        rows.append([item.name, item.kind, f"{item.minutes:g}", f"{item.worth:g}", state, item.what])
    print(table(["item", "kind", "minutes", "worth", "", "what"], rows))
    print(f"{minutes - left:g} of {minutes:g} minutes on {machine.device}")


def print_missing(items: Sequence[Item], machine: Machine) -> int:
    """What the machine lacks, by package, and how to bring it; 1 if something does."""
    absent = {item.package: machine.missing(item) for item in items}
    for package, words in absent.items():
        print(f"{package}: {'missing ' + ', '.join(words) if words else 'complete'}")
    print(f"device: {machine.device}")
    for item in items:
        if (obstacle := machine.obstacle(item)) and not obstacle.startswith("missing"):
            print(f"{item.name}: {obstacle}")
    everything = sorted({word for words in absent.values() for word in words})
    if not everything:
        return 0
    print("where there is a network and the same Python, fill a folder, and name it here by --wheels FOLDER:")
    print(f"    {download_command(everything)}")
    return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(description=text.splitlines()[0], epilog="see the head of this file")
    parser.add_argument("--minutes", type=float, default=15.0, help="the budget [default: 15]")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"), help="folder of results [default: runs/gpu]")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="only these items")
    parser.add_argument("--kind", choices=("training", "check"), help="only trainings, or only checks")
    parser.add_argument("--jobs", type=int, default=1, help="items at a time on the GPU; small networks share it well")
    parser.add_argument("--wheels", type=Path, help="folder of wheels to use besides what is installed")
    parser.add_argument("--check", action="store_true", help="only say what is missing on this machine")
    parser.add_argument("--dry-run", action="store_true", help="only print the plan")
    parser.add_argument("--smoke", action="store_true", help="run every command in its smallest form, on a CPU")
    parser.add_argument("--page", action="store_true", help=f"only write {PAGE}, with the outcomes in --output")
    return parser.parse_args(arguments)


def _chosen(items: Sequence[Item], options: argparse.Namespace) -> list[Item]:
    names = [item.name for item in items]
    for name in options.only:
        if name not in names:
            raise PlanError(f"no item '{name}', expected one of {', '.join(names)}")
    kinds = (options.kind,) if options.kind else ("training", "check")
    return [item for item in items if item.kind in kinds and (not options.only or item.name in options.only)]


def _run_plan(items: Sequence[Item], machine: Machine, options: argparse.Namespace) -> Plan:
    plan = Plan(machine, options.output, options.minutes, smoke=options.smoke)
    with _stopped_by_signals(plan):
        plan.run(items, max(options.jobs, 1))
    ordered = [plan.results[item.name] for item in items]
    rows = [[result.name, result.outcome, f"{result.seconds:.0f}", result.line] for result in ordered]
    print(table(["item", "outcome", "seconds", "found"], rows))
    return plan


def new_outcomes(output: Path) -> dict[str, str]:
    """Outcomes for the page, by item, of the results in a folder; what did not run leaves the page as it is."""
    found: dict[str, str] = {}
    for path in sorted(output.glob("*/result.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        result = Result(**values)
        if result.outcome not in ("skipped", "running"):
            where = f"{result.device}, commit {result.commit[:7] or 'unknown'}, {result.seconds:.0f} s"
            found[result.name] = f"{result.line} ({where})"
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 where an item failed or something is missing, 2 for wrong usage, 130 after a signal."""
    options = _parse(arguments)
    page = ROOT / PAGE
    try:
        everything = read_items(ROOT)
        outcomes = read_outcomes(page)
        if options.page:
            page.write_text(render_page(everything, outcomes | new_outcomes(options.output)), encoding="utf-8")
            return 0
        with tempfile.TemporaryDirectory(prefix="gpu-plan-") as folder:
            machine = Machine(Path(folder), options.wheels)
            items = _chosen(everything, options)
            if options.check:
                return print_missing(items, machine)
            if options.dry_run:
                print_plan(items, machine, options.minutes)
                return 0
            plan = _run_plan(items, machine, options)
    except PlanError as error:
        print(f"gpu_plan: {error}", file=sys.stderr)
        return 2
    if not options.smoke:
        text = render_page(everything, outcomes | new_outcomes(options.output))
        (options.output / Path(PAGE).name).write_text(text, encoding="utf-8")
    if plan.stopping.is_set():
        return 130
    return 1 if any(result.outcome in ("failed", "timed out") for result in plan.results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
