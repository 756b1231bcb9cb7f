"""A run folder: a lock, a record from which the run can be repeated, and files written atomically."""

import contextlib
import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onepaper.config import config_hash, differences, identity, outside_fields, read_json, shortened, to_dict, without
from onepaper.errors import OnePaperError, UsageError

RECORD_NAME = "run.json"
LOCK_NAME = ".lock"
RECORD_FORMAT = 2


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file atomically: at any moment, also after a crash, it has its old or its complete new content.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written; no partial file is left.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; results get the permissions that the umask gives other files.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            if temporary is not None:
                temporary.unlink()
        raise OnePaperError(f"cannot write {path}: {error.strerror or error}; free space or choose --output") from error


_umask_lock = threading.Lock()


def _umask() -> int:
    # The only portable way to read the umask is to set it.
    with _umask_lock:
        mask = os.umask(0o022)
        os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable (a no-op where folders cannot be synced)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def git_commit(folder: Path) -> str | None:
    """The commit `folder` is at, with `+changes` where tracked files differ from it; None outside a repository."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if not commit:
        return None
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit}+changes" if changed else commit


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def hardware() -> dict[str, Any]:
    """Processor, cores, memory, system; accelerators only if a framework is already imported."""
    machine: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerators": [],
    }
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None and torch.cuda.is_available():
        machine["accelerators"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    elif jax is not None:
        machine["accelerators"] = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return machine


def environment(packages: Sequence[str] = ("onepaper", "numpy", "torch", "jax", "flax", "optax")) -> dict[str, str]:
    """Python's version and those of the packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def default_folder(paper: str, verb: str, name: str) -> Path:
    """`runs/PAPER/VERB-NAME`: the same command gets the same folder, so that it can resume."""
    return Path("runs") / paper / f"{verb}-{name}"


@dataclass
class Run:
    """An output folder, locked by this run, and the record of the run.

    Open it with `Run.open`; leaving the `with` block releases the lock. The record's `config` has the fields that
    decide what is computed (`onepaper.config.identity`); the file has all.
    """

    folder: Path
    record: dict[str, Any]
    before: dict[str, Any] | None = None
    """the record of the command that ran here before this one"""
    _lock: Any = None
    _made: Sequence[Path] = ()
    """the folders that this run has made, the innermost first"""

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        paper: str,
        verb: str,
        config: Any,
        options: Any = None,
        preset: str | None = None,
        seed: int | None = None,
        package_folder: Path | None = None,
        main_process: bool = True,
    ) -> Self:
        """Create or reopen a run folder and write `run.json`.

        A folder belongs to a verb, a configuration and its options, except for fields that are declared by
        `onepaper.config.outside_identity`, such as the number of steps. In a distributed run only the main process
        locks and writes.

        Raises:
            UsageError: the folder holds another run; the message names the differing fields.
            OnePaperError: another process runs there, or the folder cannot be written.
        """
        folder = Path(folder)
        record: dict[str, Any] = {
            "format": RECORD_FORMAT,
            "paper": paper,
            "verb": verb,
            "preset": preset,
            "config_type": None if config is None else type(config).__name__,
            "config": None if config is None else to_dict(config),
            "config_hash": None if config is None else config_hash(config),
            "options": None if options is None else to_dict(options),
            "seed": seed,
            "command": command_line(),
            "commit": git_commit(package_folder) if package_folder else None,
            "environment": environment(),
            "hardware": hardware(),
            "started": now(),
        }
        run = cls(folder, record if config is None else record | {"config": identity(config)})
        if not main_process:
            return run
        existed = [path for path in (folder, *folder.parents) if path.exists()]
        _make_folder(folder)
        run._made = [path for path in (folder, *folder.parents) if path not in existed]
        run._lock = _lock(folder)
        try:
            if (folder / RECORD_NAME).exists():
                run.before = read_record(folder / RECORD_NAME)
                outside = {"config": config, "options": options}
                _check_same_run(folder, *(_belongs_to(values, outside) for values in (record, run.before)))
                record["resumed_from"] = run.record["resumed_from"] = run.before.get("started")
            run.write_json(RECORD_NAME, record | {"sha256": config_hash(record)})
        except BaseException:
            run.close()
            raise
        return run

    def write_json(self, name: str, value: Any) -> Path:
        """Write one JSON file of the run atomically; numbers that are NaN or infinite, which JSON lacks, become null.

        Raises:
            OnePaperError: the folder cannot be written.
        """
        path = self.folder / name
        write_atomic(path, json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return path

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owned = self._lock is not None
        self.close()
        if owned and self.before is None and kind is not None and issubclass(kind, UsageError):
            self._remove_if_unused()

    def _remove_if_unused(self) -> None:
        """After wrong input: remove the record, and empty folders, of a run that has written nothing else."""
        own = [self.folder / name for name in (RECORD_NAME, LOCK_NAME)]
        inside = list(self.folder.rglob("*"))
        if any(path not in own and not path.is_dir() for path in inside):
            return
        for path in own:
            path.unlink(missing_ok=True)
        for path in [*sorted((path for path in inside if path.is_dir()), reverse=True), *self._made]:
            with contextlib.suppress(OSError):  # not empty: another run has begun in it
                path.rmdir()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_record(path: Path) -> dict[str, Any]:
    """The record of a run, verified against its own SHA-256.

    Raises:
        UsageError: missing, no JSON, or no record of a run; a field of another type is named.
        OnePaperError: it was altered.
    """
    record = read_json(path, "run record")
    kinds: dict[str, tuple[type, ...]] = {
        "paper": (str,),
        "verb": (str,),
        "options": (dict, type(None)),
        "config": (dict, type(None)),
        "config_type": (str, type(None)),
        "preset": (str, type(None)),
    }
    missing = [key for key in ("paper", "verb", "options") if not isinstance(record, dict) or key not in record]
    if missing:
        raise UsageError(
            f"{path} is no run record: {', '.join(missing)} missing; expected the run.json of a run folder"
        )
    for key, allowed in kinds.items():
        if not isinstance(record.get(key), allowed):
            raise UsageError(f"{path}: {key} is {shortened(record[key])}, expected {allowed[0].__name__}")
    values = {key: value for key, value in record.items() if key != "sha256"}
    # A record of format 1 has the hash of its configuration alone, one written by hand has none.
    digests = (
        [(values, record.get("sha256"))] if {"sha256"} & record.keys() or record.get("format") == RECORD_FORMAT else []
    )
    digests += [(record["config"], record["config_hash"])] if record.get("config") and "config_hash" in record else []
    if any(config_hash(part) != digest for part, digest in digests):
        raise OnePaperError(
            f"{path} was altered: its SHA-256 differs from the one in it; to change a configuration, copy its `config` "
            "to a file of its own and give that to --config"
        )
    return values


def _belongs_to(record: Mapping[str, Any], outside: Mapping[str, Any]) -> dict[str, Any]:
    """What a run folder is of, from a record: without the fields that may differ between commands in one folder."""
    values = {name: record.get(name) for name in ("paper", "verb", "config_type", "seed")}
    for part, config in outside.items():
        fields = record.get(part) or {}
        values |= without(fields, outside_fields(config)) if config is not None else fields
    return values


def _check_same_run(folder: Path, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    if mismatches := differences(ours, theirs):
        raise UsageError(
            f"{folder} holds a run of another configuration ({'; '.join(mismatches[:5])}); choose another --output, or "
            "repeat that configuration to resume"
        )


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def command_line() -> str:
    """The command as typed, e.g. `onepaper ...`, without the path of the program."""
    import shlex

    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        name = f"python -m {program.parent.name}"
    else:
        name = program.name
    return " ".join([name, *(shlex.quote(argument) for argument in sys.argv[1:])])


def check_writable(folder: Path, option: str) -> None:
    """Raise `OnePaperError` unless files can be written to `folder`, which may not exist yet; `option` named it.

    For what a long run writes at its end.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OnePaperError(f"cannot write to {folder}: {error.strerror or error}; choose another {option}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OnePaperError(
            f"cannot write to the output folder {folder}: {error.strerror or error}; choose another --output"
        ) from error


def _lock(folder: Path) -> Any:
    import filelock

    lock = filelock.FileLock(folder / LOCK_NAME, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise OnePaperError(f"another process is running in {folder}; wait for it or choose another --output") from None
    return lock


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A scratch folder inside `parent`, removed at the end of the block."""
    with tempfile.TemporaryDirectory(dir=parent, prefix=".tmp-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into that becomes `folder` when the block ends, and vanishes after an error.

    Raises:
        OnePaperError: `folder` exists, or cannot be written.
    """
    if folder.exists():
        raise OnePaperError(f"{folder} exists already; remove it, or give another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder.parent) as scratch:
            content = scratch / "content"
            content.mkdir()
            yield content
            content.rename(folder)
    except OSError as error:
        # The name is of a file that the block reads or writes.
        raise OnePaperError(f"cannot write {folder}: {' '.join(str(error).split())}") from None
