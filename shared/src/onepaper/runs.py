"""A run folder: a lock, a record from which the run can be repeated, and files written atomically."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onepaper.config import config_hash, differences, read_json, to_dict
from onepaper.errors import OnePaperError, UsageError

RECORD_NAME = "run.json"
RECORD_FORMAT = 1


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

    Open it with `Run.open`; leaving the `with` block releases the lock.
    """

    folder: Path
    record: dict[str, Any]
    _lock: Any = None

    @classmethod
    def open(
        cls,
        folder: Path,
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

        In a distributed run only the main process locks and writes.

        Raises:
            UsageError: the folder holds a run of another configuration; the message names the differing fields.
            OnePaperError: another process runs there, or the folder cannot be written.
        """
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
        run = cls(folder, record)
        if not main_process:
            return run
        _make_folder(folder)
        run._lock = _lock(folder)
        try:
            existing = folder / RECORD_NAME
            if existing.exists():
                before = read_json(existing, "run record")
                if before.get("config_hash") != record["config_hash"]:
                    mismatches = differences(record["config"] or {}, before.get("config") or {})
                    raise UsageError(
                        f"{folder} holds a run of another configuration ({'; '.join(mismatches[:5]) or 'other kind'}); "
                        "choose another --output, or repeat that configuration to resume"
                    )
                record["resumed_from"] = before.get("started")
            run.write_json(RECORD_NAME, record)
        except BaseException:
            run.close()
            raise
        return run

    def write_json(self, name: str, value: Any) -> Path:
        """Write one JSON file of the run atomically."""
        path = self.folder / name
        write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
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
        self.close()


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

    lock = filelock.FileLock(folder / ".lock", blocking=False)
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
