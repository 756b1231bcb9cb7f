"""A recipe of several trainings in order, e.g. tokenizer, autoencoder, cached latents, main model.

Each stage has its folder below that of the run, and there a record, `stage.json`, with its configuration, the digests
of the stages it was made from, and the SHA-256 of what it made. A stage that is done is skipped when the command runs
again; one whose configuration or inputs changed is refused, since what it made belongs to others.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onepaper.accelerator import Processes
from onepaper.config import differences, read_json, to_dict, unknown
from onepaper.data import file_sha256
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import write_line
from onepaper.runs import Run, write_atomic

STAGE_NAME = "stage.json"
# A share of the time is never 0, which would set no limit.
LEAST_MINUTES = 1 / 60

Record = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One part of a recipe.

    Args:
        name: of its folder.
        config: what it depends on, a dataclass or JSON values.
        run: `run(run, minutes) -> finished` trains in the folder of `run`, or resumes there. It stops after `minutes`
            (0: no limit) with usable outputs and returns False.
        inputs: names of earlier stages whose outputs it reads.
        outputs: files that it leaves, relative to its folder.
    """

    name: str
    config: Any
    run: Callable[[Run, float], bool]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def run_stages(
    run: Run, stages: Sequence[Stage], *, max_minutes: float = 0.0, processes: Processes | None = None
) -> list[str]:
    """Run the stages that are not done; the names of those that are not done afterwards.

    The time is shared out over the stages that remain, so that each leaves something to use. A stage may thus run on
    inputs that are not done; when these have been trained further, by the same command, it begins again. A stage is
    left for later if an input has not left its outputs.

    Args:
        run: of the recipe; each stage gets a folder below it.
        stages: in their order.
        max_minutes: of all stages together in this command; 0 sets no limit.
        processes: of a distributed run; every one of them calls `run_stages`.

    Raises:
        UsageError: names or inputs that do not fit, or a stage of another configuration or of other inputs.
        OnePaperError: a stage did not leave its outputs, or they are damaged.
    """
    processes = processes or Processes()
    _check(stages)
    begun = time.monotonic()
    records: dict[str, Record] = {}
    for index, stage in enumerate(stages):
        inputs = {name: records[name] for name in stage.inputs if name in records}
        if len(inputs) < len(stage.inputs):
            continue
        begin, again = processes.run_together(lambda stage=stage, inputs=inputs: _compare(run, stage, inputs))
        if begin["done"]:
            processes.run_together(lambda stage=stage, begin=begin: _write(run.folder / stage.name, begin, processes))
            records[stage.name] = begin
            continue
        if processes.is_main:
            write_line(f"stage {index + 1} of {len(stages)}: {stage.name}")
            if again:
                shutil.rmtree(run.folder / stage.name)
        processes.run_together(lambda stage=stage, begin=begin: _write(run.folder / stage.name, begin, processes))
        minutes = 0.0
        if max_minutes:
            waiting = sum(not _settled(_read(run.folder / later.name)) for later in stages[index:])
            minutes = max((max_minutes - (time.monotonic() - begun) / 60) / waiting, LEAST_MINUTES)
        part = Run(run.folder / stage.name, run.record | {"config": begin["config"]})
        finished = stage.run(part, minutes)
        record = processes.run_together(
            lambda stage=stage, begin=begin, finished=finished: _after(run, stage, begin, finished)
        )
        processes.run_together(lambda stage=stage, record=record: _write(run.folder / stage.name, record, processes))
        if len(record["outputs"]) == len(stage.outputs):
            records[stage.name] = record
    return [stage.name for stage in stages if not _settled(records.get(stage.name))]


def _check(stages: Sequence[Stage]) -> None:
    names: list[str] = []
    for stage in stages:
        if stage.name in names or Path(stage.name).name != stage.name:
            raise UsageError(f"stage '{stage.name}' is there twice or no name of a folder, expected one of each name")
        for name in stage.inputs:
            if name not in names:
                raise UsageError(f"input of stage '{stage.name}': {unknown('earlier stage', name, names)}")
        names.append(stage.name)


def _settled(record: Record | None) -> bool:
    """Whether a stage is done and so were its inputs."""
    return bool(record) and record["done"] and not record["provisional"]


def _compare(run: Run, stage: Stage, inputs: Mapping[str, Record]) -> tuple[Record, bool]:
    """The record of a stage that is done, or with which it goes on; whether its folder is removed first."""
    folder = run.folder / stage.name
    record: Record = {
        "config": json.loads(json.dumps(stage.config if isinstance(stage.config, Mapping) else to_dict(stage.config))),
        "inputs": {name: _digest(used) for name, used in inputs.items()},
        "provisional": not all(_settled(used) for used in inputs.values()),
        "done": False,
        "outputs": {},
    }
    before = _read(folder)
    if not before:
        return record, False
    if mismatches := differences(record["config"], before["config"]):
        raise UsageError(
            f"{folder} is of another configuration ({'; '.join(mismatches[:5])}); choose another --output, or remove "
            f"this folder to make it again"
        )
    if changed := [name for name, digest in record["inputs"].items() if before["inputs"].get(name) != digest]:
        if before["provisional"]:
            return record, True
        raise UsageError(
            f"{folder} was made from another '{changed[0]}'; choose another --output, or remove this folder to make "
            "it again"
        )
    if not before["done"]:
        return record, False
    for name, digest in before["outputs"].items():
        if name not in stage.outputs or not (folder / name).is_file() or file_sha256(folder / name) != digest:
            raise OnePaperError(f"{folder / name!s:.300} is missing or damaged; remove {folder} to make it again")
    return record | {"done": True, "outputs": before["outputs"]}, False


def _after(run: Run, stage: Stage, record: Record, finished: bool) -> Record:
    """The record of a stage that has run."""
    folder = run.folder / stage.name
    made = [name for name in stage.outputs if (folder / name).is_file()]
    if finished and len(made) < len(stage.outputs):
        missing = next(name for name in stage.outputs if name not in made)
        raise OnePaperError(f"stage '{stage.name}' has not left {folder / missing}, one of its outputs")
    return record | {"done": finished, "outputs": {name: file_sha256(folder / name) for name in made}}


def _digest(record: Record) -> str:
    values = {name: record[name] for name in ("config", "inputs", "outputs")}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _write(folder: Path, record: Record, processes: Processes) -> None:
    if processes.is_main:
        write_atomic(folder / STAGE_NAME, json.dumps(record, indent=2) + "\n")


def _read(folder: Path) -> Record:
    path = folder / STAGE_NAME
    if not path.exists():
        return {}
    record = read_json(path, "record of a stage")
    kinds = {"config": dict, "inputs": dict, "provisional": bool, "done": bool, "outputs": dict}
    if not isinstance(record, dict) or not all(isinstance(record.get(name), kind) for name, kind in kinds.items()):
        raise UsageError(f"{path} is no record of a stage; remove {folder} to make it again")
    return record
