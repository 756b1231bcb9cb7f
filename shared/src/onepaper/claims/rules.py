"""Verdict rules: frozen dataclasses, fixed before the run and hashed into the result.

One convention for all rules: the whole 95% interval must lie on the claimed side to be `reproduced`, wholly on the
other side to be `not reproduced`; anything else is `inconclusive`. Intervals across seeds are Student-t and need three
seeds; a number that is not a number never reproduces anything.
"""

import enum
import hashlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onepaper.claims.evidence import CONFIDENCE, Evidence, Measurement
from onepaper.config import to_dict
from onepaper.errors import UsageError

MIN_SEEDS = 3


class Verdict(enum.StrEnum):
    """The result of a claim. `OBSERVATION` is measured without a criterion of the paper and is not counted."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    PAPER_SCALE = "paper scale"
    NOT_TESTABLE = "not testable"
    OBSERVATION = "observation"


@dataclass(frozen=True)
class Decision:
    """A verdict and the numbers it rests on, in a line."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Rule(ABC):
    """A verdict rule as data. A subclass gives `_condition` (the words) and `_decide` (the decision)."""

    needs_measure: ClassVar[bool] = True
    prefix: ClassVar[str] = "reproduced if "

    @abstractmethod
    def _condition(self) -> str: ...

    @abstractmethod
    def _decide(self, evidence: Evidence, confidence: float) -> Decision: ...

    def describe(self) -> str:
        """The rule in plain English."""
        return self.prefix + self._condition()

    def decide(self, evidence: Evidence, confidence: float = CONFIDENCE) -> Decision:
        """The verdict on `evidence`, from intervals of that confidence.

        Raises:
            UsageError: a quantity that the rule names was not measured, or not in a way that the rule can use.
        """
        return self._decide(evidence, confidence)

    def to_dict(self) -> dict[str, Any]:
        """The rule as plain JSON values."""
        return {"rule": type(self).__name__, **to_dict(self)}

    def hash(self) -> str:
        """SHA-256 of the rule's canonical JSON."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _decide_by_interval(
    measurement: Measurement,
    confidence: float,
    holds: Callable[[float, float], bool],
    contradicted: Callable[[float, float], bool],
) -> Decision:
    """Three-way decision on the ends of an interval."""
    if measurement.has_nan:
        return Decision(Verdict.INCONCLUSIVE, f"{measurement.name} is not a number")
    if measurement.kind == "seeds" and len(measurement.seeds) < MIN_SEEDS:
        return Decision(Verdict.INCONCLUSIVE, f"{measurement}; a verdict needs {MIN_SEEDS} seeds")
    _, low, high = measurement.interval(confidence)
    if holds(low, high):
        verdict = Verdict.REPRODUCED
    elif contradicted(low, high):
        verdict = Verdict.NOT_REPRODUCED
    else:
        verdict = Verdict.INCONCLUSIVE
    return Decision(verdict, str(measurement))


@dataclass(frozen=True)
class Below(Rule):
    """The quantity is below a bound."""

    name: str
    bound: float

    def _condition(self) -> str:
        return f"{self.name} is below {self.bound:g}"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _decide_by_interval(
            evidence.measurement(self.name),
            confidence,
            holds=lambda _, high: high < self.bound,
            contradicted=lambda low, _: low >= self.bound,
        )


@dataclass(frozen=True)
class Above(Rule):
    """The quantity is above a bound."""

    name: str
    bound: float

    def _condition(self) -> str:
        return f"{self.name} is above {self.bound:g}"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _decide_by_interval(
            evidence.measurement(self.name),
            confidence,
            holds=lambda low, _: low > self.bound,
            contradicted=lambda _, high: high <= self.bound,
        )


def _within(measurement: Measurement, confidence: float, target: float, tolerance: float) -> Decision:
    bottom, top = target - tolerance, target + tolerance
    return _decide_by_interval(
        measurement,
        confidence,
        holds=lambda low, high: bottom <= low and high <= top,
        contradicted=lambda low, high: high < bottom or low > top,
    )


@dataclass(frozen=True)
class Within(Rule):
    """The quantity lies within a tolerance of a target."""

    name: str
    target: float
    tolerance: float

    def _condition(self) -> str:
        return f"{self.name} is within {self.tolerance:g} of {self.target:g}"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _within(evidence.measurement(self.name), confidence, self.target, self.tolerance)


@dataclass(frozen=True)
class Equal(Rule):
    """Two quantities agree: the paired difference lies within a tolerance of zero (an equivalence test)."""

    name_a: str
    name_b: str
    tolerance: float

    def _condition(self) -> str:
        return f"{self.name_a} and {self.name_b} differ by at most {self.tolerance:g} (paired by seed)"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        difference = evidence.measurement(self.name_a).minus(evidence.measurement(self.name_b))
        return _within(difference, confidence, 0.0, self.tolerance)


@dataclass(frozen=True)
class Greater(Rule):
    """The first quantity exceeds the second by more than a margin, as a paired difference across seeds.

    A margin below 0 asks that the first is not lower by that much: "not worse".
    """

    first: str
    second: str
    margin: float = 0.0

    def _condition(self) -> str:
        if self.margin < 0:
            return f"{self.first} is not lower than {self.second} by {-self.margin:g} or more (paired by seed)"
        more = f" by more than {self.margin:g}" if self.margin else ""
        return f"{self.first} is greater than {self.second}{more} (paired by seed)"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _decide_by_interval(
            evidence.measurement(self.first).minus(evidence.measurement(self.second)),
            confidence,
            holds=lambda low, _: low > self.margin,
            contradicted=lambda _, high: high <= self.margin,
        )


def _check_parts(kind: str, parts: Sequence[Any]) -> None:
    if len(parts) < 2:
        raise UsageError(f"{kind} has {len(parts)} part(s), expected at least 2")


@dataclass(frozen=True, init=False)
class AllOf(Rule):
    """Every part holds.

    All parts passing at 95% needs no correction (an intersection-union test). One contradicted part settles
    `not reproduced`; because any of `k` could be contradicted by chance, that is asked at `1 - 0.05 / k`, which is
    what Holm's correction asks of the smallest p-value.
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        _check_parts(type(self).__name__, rules)
        if not all(rule.needs_measure and not isinstance(rule, Observation) for rule in rules):
            raise UsageError(f"{type(self).__name__} joins rules that decide on numbers, got one that does not")
        object.__setattr__(self, "rules", rules)

    def to_dict(self) -> dict[str, Any]:
        """The rule and its parts as plain JSON values."""
        return {"rule": type(self).__name__, "rules": [rule.to_dict() for rule in self.rules]}

    def _condition(self) -> str:
        return "all of these hold: " + "; ".join(f"({i}) {r._condition()}" for i, r in enumerate(self.rules, 1))

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _join(self.rules, evidence, confidence, all_must=Verdict.REPRODUCED, any_may=Verdict.NOT_REPRODUCED)


@dataclass(frozen=True, init=False)
class AnyOf(AllOf):
    """At least one part holds. The roles of `AllOf` are exchanged, so the level of the passing part is corrected."""

    def _condition(self) -> str:
        return "any of these holds: " + "; ".join(f"({i}) {r._condition()}" for i, r in enumerate(self.rules, 1))

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _join(self.rules, evidence, confidence, all_must=Verdict.NOT_REPRODUCED, any_may=Verdict.REPRODUCED)


def _join(
    rules: Sequence[Rule], evidence: Evidence, confidence: float, *, all_must: Verdict, any_may: Verdict
) -> Decision:
    corrected = 1 - (1 - confidence) / len(rules)
    plain = [rule.decide(evidence, confidence) for rule in rules]
    strict = [rule.decide(evidence, corrected) for rule in rules]
    if any(part.verdict == any_may for part in strict):
        verdict = any_may
    elif all(part.verdict == all_must for part in plain):
        verdict = all_must
    else:
        verdict = Verdict.INCONCLUSIVE
    # A part that meets `any_may` only at the uncorrected level settles nothing: its corrected verdict is reported.
    parts = [tight if loose.verdict == any_may else loose for loose, tight in zip(plain, strict, strict=True)]
    reasons = "; ".join(f"({i}) {part.verdict}: {part.reason}" for i, part in enumerate(parts, 1))
    return Decision(verdict, reasons)


@dataclass(frozen=True)
class Increasing(Rule):
    """Each quantity is greater than the one before it, paired across seeds: an increasing sweep."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_parts(type(self).__name__, self.names)

    def _condition(self) -> str:
        return f"these increase in this order (paired by seed): {', '.join(self.names)}"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _decide_increasing(self.names, evidence, confidence)


@dataclass(frozen=True)
class Ordered(Rule):
    """Each quantity is greater than the one after it, paired across seeds: a ranking, best first."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_parts(type(self).__name__, self.names)

    def _condition(self) -> str:
        return f"{' > '.join(self.names)} (paired by seed)"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return _decide_increasing(self.names[::-1], evidence, confidence)


def _decide_increasing(names: Sequence[str], evidence: Evidence, confidence: float) -> Decision:
    steps = [Greater(later, earlier) for earlier, later in itertools.pairwise(names)]
    joined = AllOf(*steps) if len(steps) > 1 else steps[0]
    return joined.decide(evidence, confidence)


@dataclass(frozen=True)
class HolmNotRejected(Rule):
    """None of a family of p-values rejects its hypothesis, after Holm's correction.

    For tests of exactness ("the sampler draws from the target distribution"). The p-values are exact measurements;
    failing to reject is only as strong as the sample is large, so the claim's headline states the sample size.
    """

    names: tuple[str, ...]
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not self.names or not 0 < self.alpha < 1:
            raise UsageError(f"HolmNotRejected needs names and 0 < alpha < 1, got {self.names} and {self.alpha}")

    def _condition(self) -> str:
        return f"no test rejects at {self.alpha:g} after Holm's correction: {', '.join(self.names)}"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        from onepaper.claims.statistics import holm

        measured = [evidence.measurement(name) for name in self.names]
        for measurement in measured:
            if measurement.kind != "exact":
                raise UsageError(f"p-value '{measurement.name}' is measured over {measurement.kind}, expected exact")
            if measurement.has_nan:
                return Decision(Verdict.INCONCLUSIVE, f"{measurement.name} is not a number")
        adjusted = holm([measurement.values[0] for measurement in measured])
        smallest = min(range(len(adjusted)), key=adjusted.__getitem__)
        reason = f"smallest adjusted p-value {adjusted[smallest]:.3g} ({self.names[smallest]}, {len(adjusted)} tests)"
        rejected = adjusted[smallest] <= self.alpha
        return Decision(Verdict.NOT_REPRODUCED if rejected else Verdict.REPRODUCED, reason)


@dataclass(frozen=True)
class Observation(Rule):
    """Measured and shown; the paper gives no criterion, so there is no verdict to count."""

    prefix: ClassVar[str] = "measured only: "

    def _condition(self) -> str:
        return "the paper gives no criterion"

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return Decision(Verdict.OBSERVATION, "; ".join(map(str, evidence.measured)))


@dataclass(frozen=True)
class PaperScale(Rule):
    """Testable with this code, but only at the paper's size; `command` would run it."""

    needs_measure: ClassVar[bool] = False
    prefix: ClassVar[str] = "needs the paper's scale: "
    command: str

    def _condition(self) -> str:
        return self.command

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return Decision(Verdict.PAPER_SCALE, self.command)


@dataclass(frozen=True)
class NotTestable(Rule):
    """Cannot be tested outside the authors' institution, for the reason given (private data, unreleased model)."""

    needs_measure: ClassVar[bool] = False
    prefix: ClassVar[str] = "not testable: "
    reason: str

    def _condition(self) -> str:
        return self.reason

    def _decide(self, evidence: Evidence, confidence: float) -> Decision:
        return Decision(Verdict.NOT_TESTABLE, self.reason)
