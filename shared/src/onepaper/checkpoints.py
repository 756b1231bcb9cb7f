"""Checkpoints and pretrained weights, written atomically and verified on load.

Neither framework's own format detects a flipped bit, so both write into one envelope. To save step N, the framework's
writer fills `step_N.tmp/`, `manifest.json` lists every file with size and SHA-256, everything is synced to disk, and
the folder is renamed to `step_N/`. A checkpoint is renamed before it is deleted. Loading verifies the files against the
manifest and falls back to the next older checkpoint.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from onepaper.accelerator import Processes
from onepaper.config import config_hash, differences, from_dict, read_json, to_dict, unknown
from onepaper.data import file_sha256, forget_sums, sums_problems
from onepaper.errors import OnePaperError, UsageError
from onepaper.foreign.network_size import check_axes, check_levels, check_repeats, weight_shapes
from onepaper.runs import now, sync_folder, write_atomic

StateT = TypeVar("StateT")
ConfigT = TypeVar("ConfigT")

MANIFEST_NAME = "manifest.json"
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
FORMAT = 1
PRETRAINED_FORMAT = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leaf:
    """Shape and dtype of one array of a state."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


Tree = Mapping[str, Leaf]


class BrokenCheckpoint(OnePaperError):
    """The files differ from the manifest: a flipped bit, a missing file, an incomplete copy."""


@dataclass(frozen=True)
class Manifest:
    """The content of a checkpoint."""

    step: int
    tree: dict[str, Leaf]
    identity: dict[str, Any]
    """configuration and seed of the run"""
    files: dict[str, dict[str, Any]]
    """file name -> {"size": bytes, "sha256": hexadecimal}"""
    extra: dict[str, Any] = field(default_factory=dict)
    """further JSON values that the training loop needs to resume"""


def check_tree(expected: Tree, found: Tree, where: object) -> None:
    """Raise `OnePaperError` naming the first differences of names, shapes and dtypes between two trees."""
    tree_problems = [f"'{name}' is missing" for name in expected if name not in found]
    tree_problems += [f"'{name}' is unexpected" for name in found if name not in expected]
    tree_problems += [
        f"'{name}' is {found[name]}, expected {leaf}"
        for name, leaf in expected.items()
        if name in found and found[name] != leaf
    ]
    if tree_problems:
        more = f" and {len(tree_problems) - 4} more" if len(tree_problems) > 4 else ""
        raise OnePaperError(
            f"{where} does not fit the model: {'; '.join(tree_problems[:4])}{more}; use the code that wrote it"
        )


class Checkpoints:
    """The checkpoints of one run, newest last.

    Opening removes what a crash left behind. In a distributed run every process makes the same calls; the main process
    verifies, commits and deletes.

    Args:
        folder: holds one folder per step.
        identity: configuration and seed; a checkpoint with another identity is refused.
        keep: number of checkpoints to keep.
        processes: of the run.
    """

    def __init__(
        self, folder: Path, identity: Mapping[str, Any], *, keep: int = 3, processes: Processes | None = None
    ) -> None:
        self.folder, self.identity, self.keep = folder, dict(identity), keep
        self.processes = processes or Processes()
        self.processes.run_together(self._clean)

    def path(self, step: int) -> Path:
        """The folder of one step."""
        return self.folder / f"step_{step}"

    def steps(self) -> list[int]:
        """Steps with a committed checkpoint, oldest first."""
        found = (re.fullmatch(r"step_(\d+)", path.name) for path in self.folder.glob("step_*") if path.is_dir())
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, write: Callable[[Path], Tree], extra: Mapping[str, Any] | None = None) -> Path:
        """Save one checkpoint and delete the oldest ones beyond `keep`.

        Args:
            step: number of updates done.
            write: writes the state into the given folder and returns its tree; called on every process.
            extra: JSON values kept in the manifest.

        Raises:
            OnePaperError: the disk is full or fails; older checkpoints stay intact and no partial one is left.
        """
        temporary = self.folder / f"step_{step}.tmp"
        try:
            self.processes.run_together(lambda: self._begin(temporary))
            tree = self.processes.run_together(lambda: write(temporary))
            self.processes.run_together(lambda: self._commit(temporary, step, tree, extra or {}))
        except OSError as error:
            older = f"step {self.steps()[-1]} is intact" if self.steps() else "there is no older one"
            raise OnePaperError(
                f"cannot save the checkpoint {self.path(step)}: {error.strerror or error}; {older}. "
                "Free space and run the same command again"
            ) from error
        finally:
            if self.processes.is_main:
                shutil.rmtree(temporary, ignore_errors=True)
        return self.path(step)

    def restore(self, read: Callable[[Path, Tree], StateT]) -> tuple[StateT, Manifest] | None:
        """Load the newest checkpoint that passes verification; None if there is none.

        Broken newer ones are renamed to `step_N.broken` with a warning.

        Args:
            read: makes the state from the folder and its tree; called on every process.

        Raises:
            UsageError: the checkpoint is of another configuration or seed; the message names the differing fields.
            OnePaperError: every checkpoint is broken, or the state does not fit the model.
        """
        step = self.processes.broadcast(self.processes.run_together(self._newest_valid_step))
        if step < 0:
            return None
        manifest = self.manifest(step)
        return self.processes.run_together(lambda: read(self.path(step), manifest.tree)), manifest

    def manifest(self, step: int) -> Manifest:
        """The manifest of one step; the files that it lists are not read.

        Raises:
            BrokenCheckpoint: it is missing, unreadable or altered.
        """
        path = self.path(step) / MANIFEST_NAME
        try:
            values = json.loads(path.read_bytes())
            digest = values.pop("sha256")
            if digest != _digest(values) or values.pop("format") != FORMAT or values["step"] != step:
                raise ValueError("it was altered")
            tree = {name: Leaf(tuple(shape), dtype) for name, (shape, dtype) in values["tree"].items()}
            return Manifest(step, tree, values["identity"], values["files"], values["extra"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BrokenCheckpoint(f"{path} is missing or damaged ({error})") from error

    def verify(self, step: int) -> Manifest:
        """Compare every file with the manifest.

        Raises:
            BrokenCheckpoint: a file is missing, added, or differs in size or SHA-256.
        """
        manifest, folder = self.manifest(step), self.path(step)
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        found.pop(MANIFEST_NAME)
        if odd := sorted(found.keys() ^ manifest.files.keys()):
            raise BrokenCheckpoint(f"{folder} lacks, or has beyond its manifest, the file {odd[0]}")
        for name, listed in manifest.files.items():
            if found[name].stat().st_size != listed["size"] or file_sha256(found[name]) != listed["sha256"]:
                raise BrokenCheckpoint(f"{found[name]} differs from what was saved")
        return manifest

    def clear(self) -> None:
        """Delete every checkpoint."""
        self.processes.run_together(
            lambda: [_remove(self.path(step)) for step in self.steps()] if self.processes.is_main else []
        )

    def _clean(self) -> None:
        if not self.processes.is_main:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for pattern in ("step_*.tmp", "step_*.doomed"):
            for stale in self.folder.glob(pattern):
                shutil.rmtree(stale)

    def _begin(self, temporary: Path) -> None:
        if self.processes.is_main:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)

    def _commit(self, temporary: Path, step: int, tree: Tree, extra: Mapping[str, Any]) -> None:
        if not self.processes.is_main:
            return
        files = sorted(path for path in temporary.rglob("*") if path.is_file())
        values: dict[str, Any] = {
            "format": FORMAT,
            "step": step,
            "saved": now(),
            "identity": self.identity,
            "tree": {name: [list(leaf.shape), leaf.dtype] for name, leaf in tree.items()},
            "files": {
                path.relative_to(temporary).as_posix(): {"size": path.stat().st_size, "sha256": file_sha256(path)}
                for path in files
            },
            "extra": dict(extra),
        }
        manifest = temporary / MANIFEST_NAME
        manifest.write_text(json.dumps(values | {"sha256": _digest(values)}, indent=1), encoding="utf-8")
        for path in [*files, manifest]:
            _sync_file(path)
        for path in [*(path for path in temporary.rglob("*") if path.is_dir()), temporary]:
            sync_folder(path)
        if self.path(step).exists():  # left by a run that was restarted or shortened
            _remove(self.path(step))
        temporary.rename(self.path(step))
        sync_folder(self.folder)
        for old in [old for old in self.steps() if old <= step][: -self.keep]:
            _remove(self.path(old))

    def _newest_valid_step(self) -> int:
        """On the main process: the step of the newest checkpoint that passes verification, -1 without checkpoints."""
        if not self.processes.is_main:
            return -1
        problem: BrokenCheckpoint | None = None
        for step in reversed(self.steps()):
            try:
                manifest = self.verify(step)
            except BrokenCheckpoint as error:
                problem = error
                aside = self.path(step).with_suffix(".broken")
                shutil.rmtree(aside, ignore_errors=True)
                self.path(step).rename(aside)
                log.warning("%s; set aside as %s, trying the next older checkpoint", error, aside.name)
                continue
            if mismatches := differences(_plain(self.identity), manifest.identity):
                raise UsageError(
                    f"{self.path(step)} is of another run ({'; '.join(mismatches[:5])}); choose another --output, "
                    "or repeat that configuration to resume"
                )
            return step
        if problem:
            raise OnePaperError(f"every checkpoint in {self.folder} is damaged: {problem}; restart to begin again")
        return -1


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values after a round trip through JSON (tuples become lists)."""
    return json.loads(json.dumps(values))


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    """Delete a folder; after a crash no partial folder has its name."""
    doomed = folder.with_name(folder.name + ".doomed")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def write_pretrained(folder: str | Path, config: Any, write: Callable[[Path], None]) -> Path:
    """Write `model.safetensors` and, last, `config.json` with the SHA-256 of both; `save_pretrained` calls it.

    Args:
        folder: made if needed; an older model in it is replaced.
        config: the dataclass that the model is made from.
        write: writes the weights to the path it is given.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    folder = Path(folder)
    weights = folder / WEIGHTS_NAME
    temporary = folder / f".{WEIGHTS_NAME}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        forget_sums(folder)
        write(temporary)
        _sync_file(temporary)
        digest = file_sha256(temporary)
        temporary.replace(weights)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        problem = error.strerror or error
        raise OnePaperError(f"cannot write {weights}: {problem}; free space or choose another folder") from error
    content = {"format": PRETRAINED_FORMAT, "type": type(config).__name__, "config": to_dict(config), "sha256": digest}
    content |= {"config_sha256": config_hash(content)}
    write_atomic(folder / CONFIG_NAME, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return folder


def read_pretrained(folder: str | Path, config_type: type[ConfigT]) -> tuple[ConfigT, Path]:
    """The configuration of a pretrained folder and the verified path of its weights.

    Every file that a `SHA256SUMS` in the folder or above it lists is verified too. (A `config.json` of format 1 has no
    SHA-256 of its own.)

    Raises:
        UsageError: no such folder, a model of another type, or a configuration that does not validate.
        OnePaperError: a file is missing or damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder, expected one with {CONFIG_NAME} and {WEIGHTS_NAME}; models of a hub are not "
            "downloaded: fetch the files first (`hf download ID --local-dir FOLDER`) and give the folder"
        )
    for problem in sums_problems(folder, without=[WEIGHTS_NAME]):
        raise OnePaperError(problem)
    path = folder / CONFIG_NAME
    content = read_json(path, "model configuration")
    lacking = {"format", "type", "config", "sha256"} - (content.keys() if isinstance(content, dict) else set[str]())
    if lacking or content["format"] not in (FORMAT, PRETRAINED_FORMAT):
        raise UsageError(f"{path} is no model configuration of onepaper (format {PRETRAINED_FORMAT})")
    digest = content.pop("config_sha256", None)
    if (digest is not None or content["format"] == PRETRAINED_FORMAT) and digest != config_hash(content):
        raise OnePaperError(
            f"{path} is damaged or was altered: its SHA-256 differs from the one in it; fetch the model again"
        )
    if content["type"] != config_type.__name__:
        raise UsageError(f"{folder}: {unknown('model type', str(content['type']), [config_type.__name__])}")
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise OnePaperError(f"{weights} is missing; fetch the model again")
    if file_sha256(weights) != content["sha256"]:
        raise OnePaperError(f"{weights} is damaged: its SHA-256 differs from {CONFIG_NAME}; fetch the model again")
    config = from_dict(config_type, content["config"], str(path))
    shapes = weight_shapes(weights)
    # Layers may be stacked on the first axis of a tensor.
    most = max([len(shapes), *(shape[0] for shape in shapes.values() if shape)])
    check_repeats(path, content["config"], most, f"{weights.name} cannot hold the weights of so many")
    # Of levels of noise and of vocabularies a network makes tables.
    check_levels(path, content["config"])
    check_axes(path, content["config"], shapes)
    return config, weights


def check_finite(weights: Path, finite: Mapping[str, bool]) -> None:
    """Raise `UsageError` for a network with a parameter that holds NaN or infinity, naming it.

    Args:
        weights: the file or folder.
        finite: by name of a parameter, whether all of it is finite.
    """
    for name, good in finite.items():
        if not good:
            raise UsageError(f"{weights}: {name} is not finite; use weights of another training run")
