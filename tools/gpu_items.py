"""Items of the GPU plan: trainings and checks that each package lists as data, and what is expected of their files.

`packages/NAME/gpu_plan.toml` and `shared/gpu_plan.toml` have one table `[[items]]` for each, with the fields of `Item`;
`[[items.expect]]` has a `kind` (a class below, in lower case) and its fields.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

FRAMEWORKS = ("torch", "jax")
LOG = "log.txt"


class PlanError(Exception):
    """A plan that cannot be read, or an item that does not exist: one line for the user."""


@dataclass(frozen=True)
class Falls:
    """A logged metric falls at least by a fraction from its first to its last row."""

    log: str
    by: float
    metric: str = "loss"

    def describe(self) -> str:
        """For the page."""
        return f"{self.metric} falls by {self.by:.0%}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        values = _column(folder / self.log, self.metric)
        return values[-1] <= (1 - self.by) * values[0], f"{self.metric} {values[0]:.4g} to {values[-1]:.4g}"


@dataclass(frozen=True)
class Bound:
    """The last logged value of a metric lies between bounds."""

    log: str
    metric: str
    above: float = -math.inf
    below: float = math.inf

    def describe(self) -> str:
        """For the page."""
        words = [f"above {self.above:g}"] if self.above > -math.inf else []
        words += [f"below {self.below:g}"] if self.below < math.inf else []
        return f"{self.metric} {' and '.join(words)}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        value = _column(folder / self.log, self.metric)[-1]
        return self.above < value < self.below, f"{self.metric} {value:.4g}"


@dataclass(frozen=True)
class Close:
    """A metric of the last step that two logs share differs at most by a fraction."""

    log: str
    reference: str
    within: float
    metric: str = "loss"

    def describe(self) -> str:
        """For the page."""
        return f"{self.metric} of {self.log} within {self.within:g} of {self.reference}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        one, other = (_by_step(folder / name, self.metric) for name in (self.log, self.reference))
        common = sorted(set(one) & set(other))
        if not common:
            raise PlanError(f"{self.log} and {self.reference} have no step in common")
        step = common[-1]
        difference = abs(one[step] - other[step]) / max(abs(other[step]), 1e-12)
        found = f"{self.metric} {one[step]:.6g} and {other[step]:.6g} at step {step}"
        return difference <= self.within, f"{found}, difference {difference:.1e}"


@dataclass(frozen=True)
class Faster:
    """The later steps of a log are faster than those of another one by a factor."""

    log: str
    reference: str
    by: float = 1.0

    def describe(self) -> str:
        """For the page."""
        factor = f"{self.by:g} times " if self.by != 1 else ""
        return f"steps of {self.log} {factor}faster than those of {self.reference}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        # The first rows hold compilation.
        one, other = (max(_column(folder / name, "steps_per_second")) for name in (self.log, self.reference))
        return one > self.by * other, f"{one:.4g} and {other:.4g} steps per second"


@dataclass(frozen=True)
class Decreasing:
    """The last values of a metric decrease in the order of the logs."""

    logs: Sequence[str]
    metric: str

    def describe(self) -> str:
        """For the page."""
        return f"{self.metric} decreases in the order {', '.join(self.logs)}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        values = [_column(folder / name, self.metric)[-1] for name in self.logs]
        falling = all(later < earlier for earlier, later in pairwise(values))
        return falling, f"{self.metric} " + ", ".join(f"{value:.4g}" for value in values)


@dataclass(frozen=True)
class Arrays:
    """An array of two .npz files is equal up to a tolerance."""

    file: str
    reference: str
    array: str
    within: float

    def describe(self) -> str:
        """For the page."""
        return f"{self.array} of {self.file} within {self.within:g} of {self.reference}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        import numpy as np

        one, other = (np.load(folder / name, allow_pickle=False)[self.array] for name in (self.file, self.reference))
        if one.shape != other.shape:
            return False, f"shapes {one.shape} and {other.shape}"
        largest = float(np.abs(one.astype(np.float64) - other).max(initial=0.0))
        return largest <= self.within, f"largest difference {largest:.1e}"


@dataclass(frozen=True)
class Verdict:
    """A claim was measured; its verdict is reported, whichever it is."""

    claim: str
    folder: str = "run"

    def describe(self) -> str:
        """For the page."""
        return f"a verdict of {self.claim}"

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        result = json.loads((folder / self.folder / "results" / f"{self.claim}.json").read_text(encoding="utf-8"))
        return True, f"{self.claim} {result['verdict']}: {result['headline']}"


@dataclass(frozen=True)
class Said:
    """A number in the output, the first group of a pattern's last match, lies between bounds."""

    pattern: str
    what: str
    above: float = -math.inf
    below: float = math.inf

    def describe(self) -> str:
        """For the page."""
        return self.what

    def check(self, folder: Path) -> tuple[bool, str]:
        """Whether it holds, and what was found."""
        found = re.findall(self.pattern, (folder / LOG).read_text(encoding="utf-8", errors="replace"))
        if not found:
            return False, f"no '{self.pattern}' in the output"
        return self.above < float(found[-1]) < self.below, f"{found[-1]}"


Expectation = Falls | Bound | Close | Faster | Decreasing | Arrays | Verdict | Said
EXPECTATIONS = {
    kind.__name__.lower(): kind for kind in (Falls, Bound, Close, Faster, Decreasing, Arrays, Verdict, Said)
}


@dataclass(frozen=True)
class Item:
    """A training or a check.

    Args:
        package: `shared` or a folder of `packages/`.
        name: unique among all packages.
        kind: trainings run before checks.
        what: for the page, in a line.
        commands: run in turn; each may have placeholders of `values`, and `{output}`, a folder of the item's own.
            `onepaper PAPER`, `python` and `torchrun` are those of the interpreter that runs the plan.
        minutes: on one H100, all commands together with start and compilation; an estimate until it was run.
        worth: from 1 to 10; the plan runs most worth per minute first.
        needs: frameworks, `torch` and `jax`.
        extras: optional dependencies of the package that the commands need, such as `test`.
        devices: how many GPUs.
        alone: whether it measures time, so that nothing may run beside it.
        paths: files that must exist; environment variables are expanded.
        values: of the placeholders.
        smoke: other values of them, for a run of seconds on a CPU.
        keep: patterns of the files that come back, below `{output}`.
        expect: what must hold besides an exit code of 0.
    """

    package: str
    name: str
    kind: Literal["training", "check"]
    what: str
    commands: Sequence[str]
    minutes: float
    worth: float
    needs: Sequence[str]
    extras: Sequence[str] = ()
    devices: int = 1
    alone: bool = False
    paths: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    smoke: Mapping[str, Any] = field(default_factory=dict)
    keep: Sequence[str] = ()
    expect: Sequence[Expectation] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("training", "check"):
            raise PlanError(f"kind is '{self.kind}', expected training or check")
        if not self.commands or not self.minutes > 0 or not 0 < self.worth <= 10:
            raise PlanError("expected commands, minutes above 0 and a worth from 1 to 10")
        for need in self.needs:
            if need not in FRAMEWORKS:
                raise PlanError(f"needs '{need}', expected torch or jax")
        if set(self.smoke) - set(self.values):
            raise PlanError(f"smoke has {sorted(set(self.smoke) - set(self.values))}, expected names of values")
        try:
            self.filled("")
        except (KeyError, IndexError, ValueError) as error:
            raise PlanError(f"placeholder {error} has no value") from None

    @property
    def worth_per_minute(self) -> float:
        """What the plan is ordered by, within trainings and within checks."""
        return self.worth / self.minutes

    def filled(self, output: str, *, smoke: bool = False) -> list[str]:
        """The commands with their values."""
        values = {**self.values, **self.smoke} if smoke else self.values
        return [command.format(**values, output=output) for command in self.commands]


def read_items(root: Path) -> list[Item]:
    """All items of a checkout, in the order in which they are to run.

    Raises:
        PlanError: naming the file and item.
    """
    items: list[Item] = []
    for path in [root / "shared" / "gpu_plan.toml", *sorted(root.glob("packages/*/gpu_plan.toml"))]:
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))["items"] if path.is_file() else []
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
            raise PlanError(f"{path}: expected a TOML file with [[items]]: {error}") from None
        items += [_item(path, entry) for entry in entries]
    names = [item.name for item in items]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"item '{name}' exists twice, expected different names in all packages")
    return sorted(items, key=lambda item: (item.kind != "training", -item.worth_per_minute))


def _item(path: Path, entry: Mapping[str, Any]) -> Item:
    where = f"{path}, item '{entry.get('name', '?')}'"
    try:
        values: dict[str, Any] = {**entry, "expect": [_expectation(one) for one in entry.get("expect", [])]}
        return Item(package=path.parent.name, **values)
    except TypeError as error:
        known = ", ".join(one.name for one in fields(Item))
        raise PlanError(f"{where}: {str(error).split('() ')[-1]}; fields are {known}") from None
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from None


def _expectation(values: Mapping[str, Any]) -> Expectation:
    kind = values.get("kind", "")
    if kind not in EXPECTATIONS:
        raise PlanError(f"expectation '{kind}', expected one of {', '.join(EXPECTATIONS)}")
    return EXPECTATIONS[kind](**{name: value for name, value in values.items() if name != "kind"})


def evaluate(item: Item, folder: Path) -> tuple[bool, list[str]]:
    """Whether the item's files are as expected, and what was found for each expectation."""
    results: list[tuple[bool, str]] = []
    for expectation in item.expect:
        try:
            passed, found = expectation.check(folder)
        except (PlanError, OSError, ValueError, KeyError) as error:
            passed, found = False, f"cannot be evaluated: {error}"
        results.append((passed, found if passed else f"{found} (expected: {expectation.describe()})"))
    return all(passed for passed, _ in results), [found for _, found in results]


def numbers(folder: Path) -> dict[str, Any]:
    """The last row of every log below a folder."""
    logs = sorted(folder.rglob("metrics.jsonl"))
    return {log.relative_to(folder).as_posix(): rows[-1] for log in logs if (rows := _rows(log))}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _by_step(path: Path, metric: str) -> dict[int, float]:
    found = {row["step"]: float(row[metric]) for row in _rows(path) if row.get(metric) is not None}
    if not found:
        raise PlanError(f"{path.name} has no {metric}")
    return found


def _column(path: Path, metric: str) -> list[float]:
    return list(_by_step(path, metric).values())
