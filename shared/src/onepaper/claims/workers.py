"""Measure claims: in this process one after the other, or in worker processes several at a time.

Workers are started by `spawn`, since neither framework survives a fork. Each worker has its share of the processor
cores. Claims that measure time or memory (`Claim.alone`) run last, with nothing beside them.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onepaper.benchmark import peak_bytes, reset_peak
from onepaper.claims import ArmResult, Claim, ClaimContext, Note, Tier
from onepaper.claims.evidence import Cost
from onepaper.claims.results import Outcome, PaperLedger, Result
from onepaper.fingerprint import claim_fingerprint
from onepaper.progress import QUIET_VARIABLE
from onepaper.runs import temporary_folder, write_atomic

Arms = dict[tuple[Tier, str, int], tuple[ArmResult, Cost]]


@dataclass(frozen=True)
class Work:
    """One claim to measure, and in what."""

    claim: Claim
    seeds: tuple[int, ...]
    device: str
    folder: Path
    only_stored: bool = False


@dataclass(frozen=True)
class Done:
    """A measured or failed claim, and how many of its arms came from files."""

    outcome: Outcome
    reused_files: int = 0


def measure_all(paper: PaperLedger, work: Sequence[Work], jobs: int) -> Iterator[Done]:
    """Measure claims and yield each when it is finished; with one job in this process and in the order given.

    A claim that raises becomes a failed outcome, and so does one whose worker process ends abruptly (for example for
    lack of memory); the others go on.
    """
    if jobs == 1 or not work:
        arms: Arms = {}
        for item in work:
            yield _measure(paper, item, arms, None)
        return
    beside = [item for item in work if not item.claim.alone]
    alone = [item for item in work if item.claim.alone]
    with temporary_folder(work[0].folder) as session:
        if beside:
            with _worker_environment(max(1, (os.cpu_count() or 1) // jobs)):
                yield from _in_workers(paper, beside, jobs, session)
        with _worker_environment(os.cpu_count() or 1):
            for item in alone:
                yield from _in_workers(paper, [item], 1, session)


def _in_workers(paper: PaperLedger, work: Sequence[Work], jobs: int, session: Path) -> Iterator[Done]:
    unfinished = list(work)
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_ignore_interrupts)
    try:
        started = {pool.submit(_measure_in_worker, paper, item, session): item for item in work}
        for future in as_completed(started):
            done = future.result()
            unfinished.remove(started[future])
            yield done
        pool.shutdown()
    except BrokenProcessPool:
        pool.shutdown()
        if len(work) == 1:
            message = "its worker process ended abruptly, perhaps for lack of memory; try --jobs 1"
            yield Done(Outcome(work[0].claim, "failed", error=message))
        else:
            # It is not known which claim ended the process: each of the rest has a process of its own.
            for item in unfinished:
                yield from _in_workers(paper, [item], 1, session)
    except BaseException:  # an interrupt: workers ignore it, so they are ended here
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def _ignore_interrupts() -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_worker_arms: Arms = {}


def _measure_in_worker(paper: PaperLedger, work: Work, session: Path) -> Done:
    try:
        done = _measure(paper, work, _worker_arms, session)
    except KeyboardInterrupt:
        # The parent ended this process within a training: it must not begin another claim.
        os._exit(128 + signal.SIGTERM)
    try:
        pickle.dumps(done)
    except Exception as error:  # whatever a figure holds: the numbers must arrive
        note = Note(f"The figures of this claim cannot be shown: {error}. Measure it with --jobs 1.")
        done = replace(done, outcome=replace(done.outcome, artifacts=(note,)))
    return done


def _measure(paper: PaperLedger, work: Work, arms: Arms, session: Path | None) -> Done:
    """One claim; whatever it raises becomes a failed outcome, with the traceback in a file."""
    from onepaper.training import Stopped  # with NumPy, which this module does without

    claim, folder = work.claim, work.folder
    trace = folder / "errors" / f"{claim.id}.txt"
    trace.unlink(missing_ok=True)
    context = ClaimContext(
        claim.tier,
        work.seeds,
        work.device,
        folder,
        session=session,
        only_stored=work.only_stored,
        shared_arms=arms,
    )
    try:
        context.fingerprint = claim_fingerprint(claim, paper.package_folder())
        reset_peak()
        started = time.perf_counter()
        evidence, decision = claim.run(context)
        cost = Cost(time.perf_counter() - started, peak_bytes()).and_then(context.reused)
        result = Result.of(
            claim,
            evidence,
            decision,
            cost=cost,
            code_hash=context.fingerprint,
            package_folder=paper.package_folder(),
            seeds=work.seeds,
            device=work.device,
        )
    except Stopped as stop:  # a training took the interrupt for itself
        raise KeyboardInterrupt from stop
    except Exception as error:  # one broken claim must not hide the others
        write_atomic(trace, traceback.format_exc())
        outcome = Outcome(claim, "failed", error=f"{_one_line(error)}; traceback in {trace}")
        return Done(outcome, context.reused_files)
    return Done(Outcome(claim, "measured", result, artifacts=evidence.artifacts), context.reused_files)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 300 else text[:297] + '...'}"


@contextlib.contextmanager
def _worker_environment(threads: int) -> Iterator[None]:
    """Environment variables for the processes that are started meanwhile; what the user has set stays."""
    eigen = f"--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads={threads}"
    wanted: Mapping[str, Any] = {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        **({} if "XLA_FLAGS" in os.environ or threads > 1 else {"XLA_FLAGS": eigen}),
        QUIET_VARIABLE: "1",
        # A training step allocates hundreds of megabytes anew, which huge pages make faster.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
