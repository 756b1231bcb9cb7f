"""The verbs `reproduce` and `claims`: measure a paper's claims, or print what is recorded."""

import contextlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from onepaper.accelerator import DEVICES
from onepaper.claims import TIERS, Claim, ClaimsOptions, Tier, check_ledger
from onepaper.claims.report import print_outcomes, write_report
from onepaper.claims.results import (
    Outcome,
    PaperLedger,
    by_origin,
    copy_result,
    count_verdicts,
    finished_outcome,
    read_results,
    recorded_outcomes,
    remove_result,
    write_result,
)
from onepaper.claims.workers import Work, measure_all
from onepaper.config import check_choice, check_positive, check_seed, outside_identity, to_dict
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import bar, format_seconds, write_line
from onepaper.runs import Run

INTERRUPTED = 130
RESULTS = "results"


@dataclass(frozen=True)
class ReproduceOptions:
    """Measure the claims of a paper and write a report."""

    full: bool = False
    """Also measure the claims that take up to an hour in all."""
    retrain: bool = False
    """Also measure the claims that train for hours; a run that was cut off goes on where it stopped."""
    claims: tuple[str, ...] = ()
    """Only these claims, whatever their tier."""
    seeds: tuple[int, ...] = ()
    """Only these repetitions of whatever is random, such as `0 1 2`; a verdict across seeds needs three [default: as
    many as each claim asks for, from 0]"""
    merge: tuple[Path, ...] = ()
    """Output folders of other runs, whose arms are taken; an arm that none of them has is an error."""
    jobs: int | None = None
    """Claims that are measured at a time, each in a process with its share of the cores [default: the number of
    cores, at most 8; 1 with a GPU, whose memory they would share]"""
    output: Path | None = None
    """Folder of the run [default: runs/PAPER/reproduce]."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda (or gpu), mps, tpu."""
    record: bool = False
    """Write the results into the package's results folder, from which README and docs are rendered."""
    dry_run: bool = False
    """Only print what would be measured."""

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICES)
        for seed in self.seeds:
            check_seed("seeds", seed)
        if len(set(self.seeds)) < len(self.seeds):
            raise UsageError(f"seeds are {', '.join(map(str, self.seeds))}, expected each of them once")
        if self.jobs is not None:
            check_positive("jobs", self.jobs)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers to measure."""
        wanted = {"quick": True, "full": self.full or self.retrain, "retrain": self.retrain}
        return tuple(tier for tier in TIERS if wanted[tier])


# Each result in the folder says with which options it was measured (`claims.results.finished_outcome`).
outside_identity(ReproduceOptions, *(field.name for field in fields(ReproduceOptions)))


def reproduce(paper: PaperLedger, options: ReproduceOptions) -> int:
    """Measure claims, print each verdict as it comes, then the table and the report's path; the exit code.

    A claim that an earlier command finished in the same folder, with the same code and options, is not measured again.
    A claim that raises is reported at the end (code 1) while the others go on. Ctrl-C, SIGTERM and a closed terminal
    keep what is done and report it (code 130). A negative verdict is a result, not an error.

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
            seeds = len(options.seeds) or claim.seeds
            print(f"{claim.id}  {claim.tier:<8}{seeds} seeds  {claim.measure}  {claim.statement}")
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
        _take_arms(options.merge, folder)
        work = [
            Work(claim, options.seeds or tuple(range(claim.seeds)), options.device, folder, bool(options.merge))
            for claim in chosen
        ]
        known, reused_files, interrupted = _measure_chosen(paper, work, options, record_folder)
        outcomes = [known.get(outcome.claim.id, outcome) for outcome in recorded_outcomes(paper)]
        report = folder / "report.html"
        write_report(report, paper, outcomes, run.record)
    _print_summary(paper, outcomes, folder, reused_files)
    if interrupted:
        print(
            f"interrupted after {len(known)} of {len(chosen)} claims; the same command takes the finished claims and "
            f"arms from {folder} and measures the rest"
        )
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


def _take_arms(sources: Sequence[Path], folder: Path) -> None:
    """Copy the arms of other runs into this one.

    Raises:
        UsageError: a folder has no arms.
    """
    for source in sources:
        arms = sorted((source / "arms").glob("*.npz"))
        if not arms:
            raise UsageError(f"{source} has no arms, expected the output folder of a `reproduce` that measured some")
        (folder / "arms").mkdir(exist_ok=True)
        for arm in arms:
            shutil.copyfile(arm, folder / "arms" / arm.name)


def _measure_chosen(
    paper: PaperLedger, work: Sequence[Work], options: ReproduceOptions, record_folder: Path | None
) -> tuple[dict[str, Outcome], int, bool]:
    """Outcomes by claim, how many arms came from files, and whether the user interrupted."""
    known = {} if options.merge else _finished_before(paper, work, record_folder)
    left = [item for item in work if item.claim.id not in known]
    reused_files = 0
    # What a claim took before is the best guess of what it takes now, for the ETA and to start with the longest.
    guess = {claim_id: max(result.seconds, 1.0) for claim_id, result in read_results(paper).items()}
    seconds = {item.claim.id: guess.get(item.claim.id, 30.0) for item in left}
    jobs = min(options.jobs or _default_jobs(options.device), max(len(left), 1))
    if jobs > 1:
        left.sort(key=lambda item: -seconds[item.claim.id])
    try:
        with _terminate_as_interrupt(), bar(round(sum(seconds.values())), "claims", unit="s") as progress:
            for done in measure_all(paper, left, jobs):
                outcome = done.outcome
                known[outcome.claim.id] = outcome
                reused_files += done.reused_files
                _keep(outcome, work[0].folder, record_folder)
                progress.set_description(f"{len(known)} of {len(work)} claims")
                progress.update(round(seconds[outcome.claim.id]))
                write_line(f"{outcome.claim.id:<5} {outcome.verdict:<15} {outcome.headline}")
    except KeyboardInterrupt:
        return known, reused_files, True
    return known, reused_files, False


def _finished_before(paper: PaperLedger, work: Sequence[Work], record_folder: Path | None) -> dict[str, Outcome]:
    """The claims that an earlier command finished in the same folder."""
    known: dict[str, Outcome] = {}
    for item in work:
        results = item.folder / RESULTS
        outcome = finished_outcome(paper, item.claim, results, item.seeds, item.device)
        if outcome is not None:
            known[item.claim.id] = outcome
            if record_folder is not None:
                copy_result(results, record_folder, item.claim.id)
    if known:
        print(
            f"{len(known)} of {len(work)} claims are finished in {work[0].folder}, with the same code, options and "
            f"versions, and are not measured again ({', '.join(known)}); remove {work[0].folder / RESULTS} to do so"
        )
    return known


def _keep(outcome: Outcome, folder: Path, record_folder: Path | None) -> None:
    """Write a result into the run's folder, from where a later command takes it, and record it."""
    results, claim_id = folder / RESULTS, outcome.claim.id
    if outcome.result is None:
        remove_result(results, claim_id)
        return
    write_result(results, outcome.result, outcome.artifacts)
    if record_folder is not None:
        copy_result(results, record_folder, claim_id)


def _default_jobs(device: str) -> int:
    # Asked of the system, as no framework is loaded in this process.
    has_gpu = Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()
    if device not in ("auto", "cpu") or (device == "auto" and has_gpu):
        return 1
    return min(os.cpu_count() or 1, 8)


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal end the measurement as Ctrl-C does, so that what is finished is reported."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other thread listen
        yield
        return
    numbers = {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # Windows has no SIGHUP
    # Under nohup a closed terminal is ignored, and stays so.
    numbers = {number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}

    def interrupt(*_: object) -> None:
        # Not by SIGINT, which a process in the background of a script ignores.
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_summary(paper: PaperLedger, outcomes: Sequence[Outcome], folder: Path, reused_files: int) -> None:
    """The claims of this command as a table, and the others as counts."""
    here = [outcome for outcome in outcomes if outcome.state in ("measured", "failed", "finished")]
    seconds = sum(o.result.seconds for o in here if o.state == "measured" and o.result is not None)
    if here:
        count = f"{len(here)} of {len(outcomes)} claims, {format_seconds(seconds)} of work now"
        print_outcomes(here, f"{paper.title} ({count})")
    for name, group in by_origin(outcomes).items():
        print(f"{paper.name}, {name}: {_counted(group)}")
    if reused_files:
        print(f"{reused_files} arms came from files; remove {folder / 'arms'} to compute them again")
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"{outcome.claim.id} failed: {outcome.error}")


def _counted(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(outcomes).items()) or "none"


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
