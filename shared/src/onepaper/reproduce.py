"""The verbs `reproduce` and `claims`: run a paper's claims and tell, or tell what is recorded."""

import json
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onepaper.claims import TIERS, Claim, ClaimContext, ClaimsOptions, Tier, check_ledger
from onepaper.config import check_choice, check_positive, to_dict
from onepaper.errors import OnePaperError
from onepaper.fingerprint import claim_fingerprint
from onepaper.progress import bar
from onepaper.report import format_seconds, print_outcomes, write_report
from onepaper.results import (
    Outcome,
    PaperLedger,
    Result,
    count_verdicts,
    read_results,
    recorded_outcome,
    recorded_outcomes,
    write_result,
)
from onepaper.runs import Run, write_atomic

INTERRUPTED = 130


@dataclass(frozen=True)
class ReproduceOptions:
    """Measure the claims of a paper and write a report."""

    full: bool = False
    """Also measure the claims that take up to an hour in all."""
    retrain: bool = False
    """Also measure the claims that train for hours; a run that was cut off goes on where it stopped."""
    claims: tuple[str, ...] = ()
    """Only these claims, whatever their tier."""
    seeds: int | None = None
    """Repetitions of whatever is random, instead of each claim's own number; a verdict across seeds needs 3."""
    output: Path | None = None
    """Folder of the run [default: runs/PAPER/reproduce]."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, mps."""
    record: bool = False
    """Write the results into the package's results folder, from which README and docs are rendered."""
    dry_run: bool = False
    """Say what would be measured, and stop."""

    def __post_init__(self) -> None:
        if self.seeds is not None:
            check_positive("seeds", self.seeds)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers to measure."""
        wanted = {"quick": True, "full": self.full or self.retrain, "retrain": self.retrain}
        return tuple(tier for tier in TIERS if wanted[tier])


def reproduce(paper: PaperLedger, options: ReproduceOptions) -> int:
    """Measure claims one after the other, print the table and the report's path; the exit code.

    A claim that raises is told at the end (code 1) while the others go on. Ctrl-C keeps what is done and reports it
    (code 130). A negative verdict is a result, not an error.

    Raises:
        UsageError: an unknown claim, or a folder that holds another run.
        OnePaperError: nowhere to record, or the folder cannot be written.
    """
    ledger = check_ledger(paper.claims())
    chosen = _choose(ledger, options)
    record_folder = _record_folder(paper) if options.record else None
    folder = options.output or Path("runs") / paper.name / "reproduce"
    if options.dry_run:
        for claim in chosen:
            print(
                f"{claim.id}  {claim.tier:<8}{options.seeds or claim.seeds} seeds  {claim.measure}  {claim.statement}"
            )
        print(f"would measure {len(chosen)} of {len(ledger)} claims in {folder}")
        return 0

    with Run.open(
        folder,
        paper=paper.name,
        verb="reproduce",
        config=None,
        options=options,
        package_folder=paper.package_folder(),
    ) as run:
        measured, reused_files, interrupted = _measure_all(paper, chosen, options, folder, record_folder)
        recorded = read_results(paper)
        outcomes = [measured.get(claim.id) or recorded_outcome(paper, claim, recorded) for claim in ledger.values()]
        report = folder / "report.html"
        write_report(report, paper, outcomes, run.record)
    _tell(paper, outcomes, folder, reused_files)
    if interrupted:
        print(f"interrupted after {len(measured)} of {len(chosen)} claims; the same command goes on")
    print(f"report: {report.resolve()}")
    if interrupted:
        return INTERRUPTED
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


def print_claims(paper: PaperLedger, options: ClaimsOptions) -> int:
    """Print the ledger with rules and recorded verdicts; the exit code."""
    outcomes = recorded_outcomes(paper)
    if options.json:
        print(json.dumps([_outcome_json(outcome) for outcome in outcomes], indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for outcome in outcomes:
        claim, mark = outcome.claim, f" ({outcome.mark})" if outcome.mark else ""
        console.print(f"[bold]{claim.id}[/bold]  {escape(claim.statement)}  [dim]{escape(claim.place)}[/dim]")
        lines = [("paper", claim.paper), ("rule", claim.rule.describe())]
        lines += [("tier", claim.tier)] if claim.rule.needs_measure else []
        lines += [("note", claim.note)] if claim.note else []
        lines += [("measured", outcome.headline)] if outcome.result is not None else []
        for name, text in [*lines, ("verdict", outcome.verdict + mark)]:
            console.print(f"    [dim]{name:<9}[/dim] {escape(text)}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(outcomes).items())
    console.print(f"{paper.name}: {counts or 'no claims'}")
    return 0


def _choose(ledger: dict[str, Claim], options: ReproduceOptions) -> list[Claim]:
    for claim_id in options.claims:
        check_choice("claim", claim_id, ledger)
    return [
        claim
        for claim in ledger.values()
        if claim.rule.needs_measure and (claim.id in options.claims if options.claims else claim.tier in options.tiers)
    ]


def _record_folder(paper: PaperLedger) -> Path:
    """The results folder of the checkout; the copy inside an installed package is not to be written."""
    folder = paper.results_folder()
    if folder is None or folder.is_relative_to(paper.package_folder()):
        raise OnePaperError(f"{paper.name} has no results folder here; record from a checkout of the repository")
    return folder


def _measure_all(
    paper: PaperLedger, chosen: Sequence[Claim], options: ReproduceOptions, folder: Path, record_folder: Path | None
) -> tuple[dict[str, Outcome], int, bool]:
    """Outcomes by claim, how many arms came from an earlier run, and whether the person interrupted."""
    measured: dict[str, Outcome] = {}
    shared_arms: dict[tuple[Tier, str, int], tuple[dict[str, object], float]] = {}
    reused_files = 0
    try:
        with bar(len(chosen), "claims", unit="claim") as progress:
            for claim in chosen:
                progress.set_description(f"claim {claim.id}")
                context = ClaimContext(
                    claim.tier,
                    tuple(range(options.seeds or claim.seeds)),
                    options.device,
                    folder,
                    shared_arms=shared_arms,
                )
                measured[claim.id] = outcome = _measure(paper, claim, context, folder)
                reused_files += context.reused_files
                if outcome.result is not None:
                    for target in filter(None, (folder / "results", record_folder)):
                        write_result(target, outcome.result)
                progress.update()
    except KeyboardInterrupt:
        return measured, reused_files, True
    return measured, reused_files, False


def _measure(paper: PaperLedger, claim: Claim, context: ClaimContext, folder: Path) -> Outcome:
    """One claim; whatever it raises becomes a failed outcome, with the traceback in a file."""
    trace = folder / "errors" / f"{claim.id}.txt"
    trace.unlink(missing_ok=True)
    try:
        context.fingerprint = claim_fingerprint(claim, paper.package_folder())
        started = time.perf_counter()
        evidence, judgement = claim.run(context)
        seconds = time.perf_counter() - started + context.reused_seconds
        result = Result.of(
            claim,
            evidence,
            judgement,
            seconds=seconds,
            code_hash=context.fingerprint,
            package_folder=paper.package_folder(),
        )
    except Exception as error:  # one broken claim must not hide the others
        write_atomic(trace, traceback.format_exc())
        return Outcome(claim, "failed", error=f"{_one_line(error)}; traceback in {trace}")
    return Outcome(claim, "measured", result, artifacts=evidence.artifacts)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 300 else text[:297] + '...'}"


def _tell(paper: PaperLedger, outcomes: Sequence[Outcome], folder: Path, reused_files: int) -> None:
    seconds = sum(o.result.seconds for o in outcomes if o.state == "measured" and o.result is not None)
    print_outcomes(outcomes, f"{paper.title} ({format_seconds(seconds)})")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(outcomes).items())
    print(f"{paper.name}: {counts or 'no claims'}")
    if reused_files:
        print(f"{reused_files} arms came from an earlier run; remove {folder / 'arms'} to compute them again")
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"{outcome.claim.id} failed: {outcome.error}")


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    claim = outcome.claim
    return {
        "id": claim.id,
        "place": claim.place,
        "statement": claim.statement,
        "paper": claim.paper,
        "tier": claim.tier,
        "rule": claim.rule.describe(),
        "note": claim.note,
        "verdict": outcome.verdict,
        "status": outcome.status if outcome.result is not None else outcome.state,
        "result": None if outcome.result is None else to_dict(outcome.result),
    }
