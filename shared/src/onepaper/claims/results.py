"""Recorded results: a JSON file and a few figures a claim, and whether they belong to the present rule and code."""

import functools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from onepaper.claims import Artifact, Claim, Decision, Evidence, Measurement, Verdict, check_ledger
from onepaper.claims.artifacts import RecordedArtifact, copy_artifacts, remove_artifacts, write_artifacts
from onepaper.claims.evidence import Cost, format_value
from onepaper.config import config_hash, from_dict, read_json, to_dict
from onepaper.errors import UsageError
from onepaper.fingerprint import claim_fingerprint, claim_fingerprints
from onepaper.runs import command_line, environment, git_commit, hardware, now, write_atomic

FORMAT = 1
SCHEMA = Path(__file__).with_name("result.schema.json")

Status = Literal["current", "stale", "rule changed"]
State = Literal["measured", "finished", "recorded", "stated", "not run", "failed"]


class PaperLedger(Protocol):
    """What the ledger asks of a paper; `onepaper.paper.Paper` is one."""

    @property
    def name(self) -> str:
        """Folder and command name."""
        ...

    @property
    def title(self) -> str:
        """The paper's title."""
        ...

    @property
    def framework(self) -> str:
        """`torch` or `jax`."""
        ...

    def claims(self) -> Sequence[Claim]:
        """The ledger."""
        ...

    def results_folder(self) -> Path | None:
        """Where recorded results live; None if nowhere."""
        ...

    def package_folder(self) -> Path:
        """The folder of the import package."""
        ...


@dataclass(frozen=True)
class MeasuredValue:
    """A measurement as recorded; `low` and `high` are None where there is no interval, `mean` where it is no number."""

    name: str
    mean: float | None
    low: float | None
    high: float | None
    seeds: tuple[int, ...]
    unit: str
    kind: Literal["seeds", "exact", "examples"]
    count: int

    @classmethod
    def of(cls, measurement: Measurement) -> "MeasuredValue":
        """What is kept of a measurement: not the values themselves."""
        mean, low, high = (
            number if math.isfinite(number) else None
            for number in (measurement.mean, measurement.low, measurement.high)
        )
        count = len(measurement.values)
        return cls(measurement.name, mean, low, high, measurement.seeds, measurement.unit, measurement.kind, count)

    @property
    def text(self) -> str:
        """The value with its interval and unit; a count is written in full."""
        if self.kind == "exact" and self.unit in ("", "%") and self.mean is not None and float(self.mean).is_integer():
            return f"{self.mean:,.0f}{self.unit}"
        return format_value(self.mean, *self._ends, self.unit)

    @property
    def short(self) -> str:
        """The value alone, with the digits its interval supports."""
        return self.text.rpartition(" [")[0] or self.text

    @property
    def basis(self) -> str:
        """What the interval runs over."""
        if self.kind == "exact":
            return "exact"
        return f"{self.count:,} {self.kind if self.count != 1 else self.kind.removesuffix('s')}"

    @property
    def _ends(self) -> tuple[float | None, float | None]:
        return (None, None) if self.kind == "exact" else (self.low, self.high)


@dataclass(frozen=True)
class RuleRecord:
    """The rule that gave the verdict."""

    description: str
    data: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Result:
    """One file under `results/`; the fields are those of `result.schema.json`."""

    id: str
    verdict: str
    reason: str
    tier: str
    place: str
    statement: str
    paper: str
    headline: str
    measured: tuple[MeasuredValue, ...]
    seconds: float
    command: str
    commit: str | None
    hardware: dict[str, Any]
    rule: RuleRecord
    code_hash: str
    versions: dict[str, str]
    recorded: str
    format: int = FORMAT
    seeds: tuple[int, ...] = ()
    """repetitions that were asked for; empty in older files"""
    device: str = ""
    """as the option said; empty in older files"""
    artifacts: tuple[RecordedArtifact, ...] | None = None
    """what the claim shows; None in older files, which have none"""
    peak_mib: int | None = None
    """peak memory of the process that measured it (on Linux since the claim began); None in older files"""
    sha256: str = ""
    """of all other fields, see `digest_of`; empty in older files"""

    @classmethod
    def of(
        cls,
        claim: Claim,
        evidence: Evidence,
        decision: Decision,
        *,
        cost: Cost,
        code_hash: str,
        package_folder: Path,
        seeds: Sequence[int] = (),
        device: str = "",
    ) -> "Result":
        """What has just been measured, with where and how."""
        return cls(
            id=claim.id,
            verdict=str(decision.verdict),
            reason=decision.reason,
            tier=claim.tier,
            place=claim.place,
            statement=claim.statement,
            paper=claim.paper,
            headline=evidence.headline or "; ".join(map(str, evidence.measured)) or decision.reason,
            measured=tuple(MeasuredValue.of(measurement) for measurement in evidence.measured),
            seconds=round(cost.seconds, 2),
            peak_mib=round(cost.peak / 2**20),
            command=command_line(),
            commit=git_commit(package_folder),
            hardware=hardware(),
            rule=RuleRecord(claim.rule.describe(), claim.rule.to_dict(), claim.rule.hash()),
            code_hash=code_hash,
            versions=environment(),
            recorded=now(),
            seeds=tuple(seeds),
            device=device,
        )

    @property
    def summary(self) -> str:
        """The headline; of one that lists more than four quantities, those that the rule compares."""
        known = set(_texts(self.rule.data))
        compared = [value for value in self.measured if value.name in known]
        lists_all = all(value.name in self.headline for value in self.measured)
        if len(self.measured) <= 4 or not compared or len(compared) == len(self.measured) or not lists_all:
            return self.headline
        basis = ", ".join(dict.fromkeys(value.basis for value in compared))
        return f"{'; '.join(f'{value.name} {value.text}' for value in compared)} ({basis})"

    def value(self, name: str) -> MeasuredValue:
        """The measured value of that name.

        Raises:
            UsageError: there is none.
        """
        for measured in self.measured:
            if measured.name == name:
                return measured
        known = ", ".join(repr(measured.name) for measured in self.measured)
        raise UsageError(f"the result of {self.id} has no value '{name}', expected one of: {known or 'none exist'}")


def _texts(data: Any) -> Iterator[str]:
    """Every text in a rule's data, the names of quantities among them."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list | tuple):
        for part in data.values() if isinstance(data, dict) else data:
            yield from _texts(part)


def write_result(folder: Path, result: Result, artifacts: Sequence[Artifact] = ()) -> Path:
    """Write `folder/ID.json`, validated, and what the claim shows as files in `folder/figures/`.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    path = folder / f"{result.id}.json"
    _validate(to_dict(result), path)
    # Between the two writes the files are those of no result, which their digests show.
    values = to_dict(replace(result, artifacts=write_artifacts(folder, result.id, artifacts)))
    values["sha256"] = digest_of(values)
    write_atomic(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def digest_of(values: dict[str, Any]) -> str:
    """SHA-256 of the fields of a result, without this digest itself."""
    return config_hash({name: value for name, value in values.items() if name != "sha256"})


def copy_result(source: Path, target: Path, claim_id: str) -> None:
    """Copy a result with its files from one folder of results to another.

    Raises:
        OnePaperError: the folder cannot be written.
    """
    copy_artifacts(source, target, claim_id)
    write_atomic(target / f"{claim_id}.json", (source / f"{claim_id}.json").read_bytes())


def remove_result(folder: Path, claim_id: str) -> None:
    """Remove a result with its files, if there is one."""
    (folder / f"{claim_id}.json").unlink(missing_ok=True)
    remove_artifacts(folder, claim_id)


def read_result(path: Path) -> Result:
    """Read and validate one result.

    Raises:
        UsageError: the file is missing, no JSON, not as the schema says (the field is named), or altered.
    """
    values = read_json(path, "result")
    _validate(values, path)
    if values["id"] != path.stem:
        raise UsageError(f"result {path} holds claim {values['id']}, expected {path.stem}; rename the file")
    if "sha256" in values and values["sha256"] != digest_of(values):
        raise UsageError(f"result {path} was altered: its SHA-256 differs from the one in it; measure with --record")
    return from_dict(Result, values, str(path))


def read_results(paper: PaperLedger) -> dict[str, Result]:
    """The recorded results of a paper by claim id; empty where none are."""
    folder = paper.results_folder()
    if folder is None or not folder.is_dir():
        return {}
    return {result.id: result for result in map(read_result, sorted(folder.glob("*.json")))}


@functools.cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _validate(values: Any, path: Path) -> None:
    from jsonschema.exceptions import best_match

    error: Any = best_match(_validator().iter_errors(values))
    if error is not None:
        raise UsageError(
            f"result {path}: {error.json_path:.80} {error.message:.200}; expected what result.schema.json says"
        )


def result_status(claim: Claim, result: Result, package_folder: Path) -> Status:
    """Whether a recorded result belongs to the claim as it is now."""
    return _status(claim, result, claim_fingerprint(claim, package_folder))


def _status(claim: Claim, result: Result, fingerprint: str) -> Status:
    if result.rule.hash != claim.rule.hash():
        return "rule changed"
    return "current" if result.code_hash == fingerprint else "stale"


def assert_rules_match(paper: PaperLedger) -> None:
    """For a paper's tests: no rule was changed after its result, and every result has its claim.

    Raises:
        AssertionError: naming the claims; measure them again, or restore the rule.
    """
    ledger = check_ledger(paper.claims())
    for claim_id, result in read_results(paper).items():
        assert claim_id in ledger, f"results/{claim_id}.json has no claim {claim_id} in {paper.name}: remove it"
        now_rule = ledger[claim_id].rule
        assert result.rule.hash == now_rule.hash(), (
            f"the rule of {claim_id} changed after its result was recorded: it was '{result.rule.description}', "
            f"it is '{now_rule.describe()}'; measure again with --record"
        )


# ----------------------------------------------------------------------------------------------------- outcomes


@dataclass(frozen=True)
class Outcome:
    """A claim with its state.

    It is measured by this command, finished before in the same run folder, recorded in the package, stated by its
    rule, not run, or failed.
    """

    claim: Claim
    state: State
    result: Result | None = None
    status: Status = "current"
    artifacts: Sequence[Artifact] = ()
    error: str = ""
    folder: Path | None = None
    """of the result's files, where `artifacts` is empty"""

    @property
    def verdict(self) -> str:
        """The verdict, or the state where there is none."""
        if self.state == "stated":
            return str(self.claim.rule.decide(Evidence("", ())).verdict)
        return self.result.verdict if self.result is not None else self.state

    @property
    def mark(self) -> str:
        """What a reader must know about a recorded verdict: `stale` or `rule changed`; empty for a current one."""
        return "" if self.status == "current" else self.status

    @property
    def headline(self) -> str:
        """What was found, in a line."""
        if self.state == "stated":
            return self.claim.rule.decide(Evidence("", ())).reason
        return self.error or (self.result.summary if self.result is not None else "")


def finished_outcome(
    paper: PaperLedger, claim: Claim, folder: Path, seeds: tuple[int, ...], device: str
) -> Outcome | None:
    """The result that an earlier command left in a run's folder of results.

    None unless code, assets, rule, seeds, device and versions are those of now, so that measuring would do the same.
    """
    path = folder / f"{claim.id}.json"
    try:
        result = read_result(path) if path.exists() else None
        if result is None or result_status(claim, result, paper.package_folder()) != "current":
            return None
    except UsageError:  # damaged, of another format, or the claim's code is not there
        return None
    made_with = (result.tier, result.seeds, result.device, result.versions)
    if made_with != (claim.tier, seeds, device, environment()):
        return None
    words = replace(result, place=claim.place, statement=claim.statement, paper=claim.paper)
    return Outcome(claim, "finished", words, folder=folder)


def recorded_outcomes(paper: PaperLedger) -> list[Outcome]:
    """Every claim of a paper as recorded: with its result, if there is one."""
    ledger, results = check_ledger(paper.claims()), read_results(paper)
    measured = [claim for claim in ledger.values() if claim.rule.needs_measure and claim.id in results]
    fingerprints = claim_fingerprints(measured, paper.package_folder())

    def outcome(claim: Claim) -> Outcome:
        if not claim.rule.needs_measure:
            return Outcome(claim, "stated")
        if claim.id not in results:
            return Outcome(claim, "not run")
        result = results[claim.id]
        status = _status(claim, result, fingerprints[claim.id])
        return Outcome(claim, "recorded", result, status, folder=paper.results_folder())

    return [outcome(claim) for claim in ledger.values()]


def count_verdicts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many claims came to each verdict (or state), verdicts first; without zeros."""
    names = [*map(str, Verdict), "failed", "not run"]
    counts = {name: sum(outcome.verdict == name for outcome in outcomes) for name in names}
    return {name: count for name, count in counts.items() if count}


def by_origin(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by where they come from, so that what is measured now is never added to what was recorded before."""
    states: dict[str, tuple[State, ...]] = {
        "measured now": ("measured", "failed"),
        "finished before in this folder": ("finished",),
        "recorded before, not measured now": ("recorded",),
        "without a measurement": ("stated", "not run"),
    }
    groups = {name: [outcome for outcome in outcomes if outcome.state in of] for name, of in states.items()}
    return {name: group for name, group in groups.items() if group}
