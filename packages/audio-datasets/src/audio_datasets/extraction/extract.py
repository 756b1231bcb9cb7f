"""Features of many clips by the processes of one machine, or by a Ray cluster; an interrupted extraction continues.

Every part is computed by one task and written as one file, then entered in the manifest. A task that is lost is
computed again and writes the same file, so that no clip is lost or there twice.
"""

import functools
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from onepaper.config import check_positive, to_dict
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import track

from audio_datasets.extraction.job import Extraction
from audio_datasets.extraction.parts import Part, Source, select
from audio_datasets.extraction.store import Finished, Manifest, write_part

Engine = Literal["processes", "ray"]
Outcome = Finished | str
"""what a task gives: the part that it wrote, or why it could not"""


def extract_features(
    source: Source,
    folder: Path,
    extraction: Extraction,
    *,
    engine: Engine = "processes",
    workers: int = 1,
) -> int:
    """Compute features of all clips of a source into a folder; `read_features` reads it.

    The same call continues an interrupted extraction, with either engine and any number of workers; the result has the
    same bytes.

    Args:
        source: `parts_of_clips`, or `parts_of_shards`.
        folder: new, or that of the interrupted extraction. A Ray cluster needs it on all machines.
        extraction: what is computed.
        engine: processes of this machine, or tasks of Ray Data on the cluster of RAY_ADDRESS.
        workers: number of processes; Ray takes the cores of its cluster.

    Returns:
        Number of parts that were computed now.

    Raises:
        UsageError: a clip or shard that cannot be read, another extraction in the folder, or a library that is not
            installed.
        OnePaperError: a worker process was lost, or the disk is full.
    """
    check_positive("workers", workers)
    names = list(extraction.names)
    head = {"source": source.name, "digest": source.digest, "parts": len(source.parts), "names": names}
    manifest = Manifest(folder, head | {"extraction": to_dict(extraction)})
    left = select(source.parts, [part.number for part in manifest.finished])
    work = functools.partial(compute_part, folder.absolute(), extraction, len(names))
    if engine == "ray":
        outcomes = _by_ray(left, work)
    else:
        outcomes = _by_processes(left, work, min(workers, len(left))) if workers > 1 else map(work, left)
    for outcome in track(outcomes, "extracting features", total=len(left), unit="part"):
        if isinstance(outcome, str):
            raise UsageError(outcome)
        manifest.add(outcome)
    return len(left)


def compute_part(folder: Path, extraction: Extraction, width: int, part: Part) -> Outcome:
    """Compute and write one part; the one-line error of a clip or shard that cannot be read."""
    ids: list[str] = []
    rows: list[Float32[np.ndarray, " features"]] = []
    skipped: list[tuple[str, str]] = []
    try:
        for name, found in part.waveforms(extraction.features.rate, extraction.max_seconds, extraction.trim):
            if not isinstance(found, OnePaperError):
                ids.append(name)
                rows.append(extraction.of(found))
            elif extraction.unreadable == "skip":
                skipped.append((name, str(found)))
            else:
                return f"{found} (or leave such clips out with --unreadable skip)"
    except UsageError as error:
        return str(error)
    return write_part(folder, part.number, ids, rows, width)._replace(skipped=tuple(skipped))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start inside have one thread each for linear algebra."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _by_processes(parts: Sequence[Part], work: Callable[[Part], Outcome], workers: int) -> Iterator[Outcome]:
    """Outcomes as they come; at most two parts a worker are under way."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    waiting: set[Future[Outcome]] = set()
    left = iter(parts)
    try:
        with _one_thread():
            while True:
                while len(waiting) < 2 * workers and (part := next(left, None)) is not None:
                    waiting.add(pool.submit(work, part))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
    except BrokenProcessPool:
        raise OnePaperError(
            "a worker process ended abruptly (killed, or out of memory); the same command continues with the parts "
            "that are left"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _by_ray(parts: Sequence[Part], work: Callable[[Part], Outcome]) -> Iterator[Outcome]:
    """Outcomes as tasks of Ray Data finish; Ray repeats the task of a lost worker."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("ray is not installed; pip install 'onepaper-audio-datasets[ray]'") from None
    if not parts:
        return
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def compute(row: dict[str, Any]) -> dict[str, str]:
        outcome = work(row["part"])
        return {"outcome": json.dumps(outcome if isinstance(outcome, str) else outcome._asdict())}

    # One task a part: its line is in the manifest as soon as it is done.
    rows = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
    for row in rows.map(compute).iter_rows():
        outcome = json.loads(row["outcome"])
        yield outcome if isinstance(outcome, str) else Finished.of(outcome)
