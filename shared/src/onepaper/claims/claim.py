"""One claim of a paper, how it is measured here, and the context that a measurement runs in."""

import hashlib
import importlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from onepaper.claims.evidence import ArmResult, Cost, Evidence
from onepaper.claims.rules import Decision, Rule
from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import measurement

T = TypeVar("T")
Tier = Literal["quick", "full", "retrain"]
TIERS: tuple[Tier, ...] = get_args(Tier)
_ID = re.compile(r"[A-Z]+[0-9]+[a-z]?")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One line of the ledger.

    `id` is "C7" for the paper's claims, in its order, or "X1" for a claim of our own. `place` is where the paper says
    it, `paper` its numbers in a line. `measure` names the function, `package.module:function`, that takes a
    `ClaimContext` and returns `Evidence`. `seeds` is how often whatever is random is repeated: 3 at least, 5 where it
    is cheap. A claim that measures time or memory is `alone`: nothing else is measured beside it. `assets` are files
    it reads (weights, tables), relative to the package folder; they are part of the code's hash.
    """

    id: str
    place: str
    statement: str
    paper: str
    rule: Rule
    tier: Tier = "quick"
    measure: str = ""
    seeds: int = 3
    alone: bool = False
    assets: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise UsageError(f"claim id is '{self.id}', expected capitals and a number such as C7 or X1")
        check_choice(f"tier of {self.id}", self.tier, TIERS)
        check_positive(f"seeds of {self.id}", self.seeds)
        if self.rule.needs_measure and not re.fullmatch(r"[\w.]+:\w+", self.measure):
            raise UsageError(f"measure of {self.id} is '{self.measure}', expected package.module:function")
        if self.measure and not self.rule.needs_measure:
            raise UsageError(f"{self.id} has a measure, but {type(self.rule).__name__} measures nothing")

    def run(self, context: "ClaimContext") -> tuple[Evidence, Decision]:
        """Measure and decide."""
        module, _, function = self.measure.partition(":")
        try:
            measure = getattr(importlib.import_module(module), function)
        except AttributeError:
            raise UsageError(f"measure of {self.id} is '{self.measure}', but {module} has no {function}") from None
        with measurement(self.id):
            evidence = measure(context)
        if not isinstance(evidence, Evidence):
            raise UsageError(f"{self.measure} returned {type(evidence).__name__}, expected Evidence")
        return evidence, self.rule.decide(evidence)


@dataclass(frozen=True)
class ClaimsOptions:
    """Options of the verb `claims`."""

    json: bool = False
    """Print JSON instead of text."""


def check_ledger(claims: Iterable[Claim]) -> dict[str, Claim]:
    """The claims by id.

    Raises:
        UsageError: an id is there twice.
    """
    ledger: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in ledger:
            raise UsageError(f"claim id {claim.id} is there twice, expected each id once")
        ledger[claim.id] = claim
    return ledger


@dataclass
class ClaimContext:
    """What a measurement runs in.

    `seeds` are the repetitions to make; `device` is the user's choice, resolved by the framework's accelerator. An
    arm is one unit of expensive work (a training run): see `arm`. `session` is a folder that the processes of one run
    share. With `only_stored` an arm that has no file is an error instead of work.
    """

    tier: Tier = "quick"
    seeds: tuple[int, ...] = (0, 1, 2)
    device: str = "auto"
    folder: Path | None = None
    fingerprint: str = ""
    session: Path | None = None
    only_stored: bool = False
    shared_arms: dict[tuple[Tier, str, int], tuple[ArmResult, Cost]] = field(default_factory=dict)
    reused: Cost = field(default_factory=Cost)
    reused_files: int = 0

    def track(self, items: Iterable[T], description: str) -> Iterator[T]:
        """Iterate behind a progress bar with ETA."""
        from onepaper.progress import track

        return track(items, description)

    def arm(self, name: str, seed: int, function: Callable[[], Mapping[str, Any]]) -> ArmResult:
        """The result of `function()`, computed once and kept.

        Claims of one run share arms of equal name and seed, so within a paper a name stands for one computation. In a
        run folder the result is also a file, keyed by name, seed, tier, device and the claim's code: a run that
        was interrupted continues after the last finished arm, and changed code computes it again.

        Args:
            function: returns values by name: numbers, text, bytes, numeric arrays, or lists and dictionaries of them.

        Raises:
            UsageError: another kind of value.
        """
        from onepaper.claims import arms

        key = (self.tier, name, seed)
        path = self._arm_path(name, seed)
        if key in self.shared_arms:
            result, cost = self.shared_arms[key]
            self.reused = self.reused.and_then(cost)
            if path is not None and not path.exists():
                arms.write_arm(path, result, cost)
            return dict(result)
        stored = arms.read_arm(path) if path is not None else None
        if stored is not None:
            self.reused = self.reused.and_then(stored[1])
            self.reused_files += 1
            self.shared_arms[key] = stored
            return dict(stored[0])
        if self.only_stored:
            raise UsageError(f"arm '{name}' of seed {seed} is in none of the merged runs; run reproduce with that seed")
        if self.session is None:
            stored = _timed_arm(name, function)
        else:
            # Another process of this run may be computing the same arm for another claim.
            common = self.session / f"{_file_stem(name, seed, self.tier, self.device)}.npz"
            with arms.arm_lock(common):
                stored = arms.read_arm(common)
                if stored is not None:
                    self.reused = self.reused.and_then(stored[1])
                else:
                    stored = _timed_arm(name, function)
                    arms.write_arm(common, *stored)
        if path is not None:
            arms.write_arm(path, *stored)
        self.shared_arms[key] = stored
        return dict(stored[0])

    def _arm_path(self, name: str, seed: int) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / "arms" / f"{_file_stem(name, seed, self.tier, self.device, self.fingerprint)}.npz"


def _file_stem(name: str, seed: int, *more: str) -> str:
    readable = re.sub(r"[^\w.-]+", "-", name)[:60]
    key = hashlib.sha256(json.dumps([name, seed, *more]).encode()).hexdigest()
    return f"{readable}-seed{seed}-{key[:16]}"


def _timed_arm(name: str, function: Callable[[], Mapping[str, Any]]) -> tuple[ArmResult, Cost]:
    from onepaper.benchmark import peak_bytes
    from onepaper.claims.arms import plain_arm

    started = time.perf_counter()
    result = plain_arm(name, function())
    return result, Cost(time.perf_counter() - started, peak_bytes())
