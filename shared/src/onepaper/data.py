"""Data: shipped files with checksums, batches as functions of the step, safe archives, data sets and files of the user.

All randomness is a function of (seed, step): the step is the position in the data, and a resumed training needs no
other state.
"""

import functools
import hashlib
import importlib.resources
import lzma
import os
import re
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from onepaper.config import check_choice, check_positive, unknown
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import track
from onepaper.runs import temporary_folder, write_atomic

Batch = TypeVar("Batch")

SUMS_NAME = "SHA256SUMS"
DATA_VARIABLE = "ONEPAPER_DATA"

Source = TypeVar("Source")
_READERS, _LISTED = 8, 3
Unreadable = Literal["error", "skip"]
"""What to do with a user's files that cannot be read: stop with an error, or leave them out and say how many."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> Path:
    """List every file under `folder` in `SHA256SUMS` (the format of `sha256sum`); data builders end with this."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS_NAME)
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    listing = folder / SUMS_NAME
    listing.write_text("".join(lines), encoding="utf-8")
    return listing


def read_sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, listed in the `SHA256SUMS` of `folder`.

    Raises:
        OnePaperError: it is missing or damaged.
    """
    listing = folder / SUMS_NAME
    if not listing.is_file():
        raise OnePaperError(f"{listing} is missing; reinstall the package that ships it")
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise OnePaperError(f"{listing} is damaged ({error}); copy or install it again") from None
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        digest, _, name = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not name or name in sums:
            raise OnePaperError(f"{listing} is damaged in line {number}; copy or install it again")
        sums[name] = digest
    return sums


# Weights of several networks have one listing, as deep below it as the parts of a diffusers pipeline.
_LISTING_DEPTH = 2


def _listings(folder: Path) -> Iterator[tuple[Path, str]]:
    """Folders with a `SHA256SUMS` that may list files of `folder`, and the start of their names there."""
    whole = folder.absolute()
    for depth, above in enumerate((whole, *whole.parents[:_LISTING_DEPTH])):
        if (above / SUMS_NAME).is_file():
            yield above, "".join(f"{part}/" for part in whole.parts[len(whole.parts) - depth :])


def sums_problems(folder: Path, without: Sequence[str] = ()) -> Iterator[str]:
    """What of a folder differs from the `SHA256SUMS` in it, or in one of the two folders above it, in lines.

    A folder without such a listing has no problems; neither have files that are not listed.

    Args:
        folder: of weights or data.
        without: names of files that are verified in another way.

    Raises:
        OnePaperError: the listing is damaged.
    """
    for above, start in _listings(folder):
        for name, digest in read_sums(above).items():
            path = above / name
            if not name.startswith(start) or name.removeprefix(start) in without:
                continue
            if not path.is_file():
                yield f"{path} is missing, which {SUMS_NAME} lists; copy the folder again"
            elif file_sha256(path) != digest:
                yield f"{path} is damaged: its SHA-256 differs from {SUMS_NAME}; copy the folder again"


def forget_sums(folder: Path) -> None:
    """Take the files of a folder that is written again out of the `SHA256SUMS` that list them."""
    for above, start in _listings(folder):
        try:
            kept = [f"{digest}  {name}\n" for name, digest in read_sums(above).items() if not name.startswith(start)]
        except OnePaperError:
            kept = []
        if kept:
            write_atomic(above / SUMS_NAME, "".join(kept))
        else:
            (above / SUMS_NAME).unlink()


@functools.cache
def embedded(package: str, name: str) -> Path:
    """The path of `assets/data/NAME` in an installed package, verified once per process against its `SHA256SUMS`.

    A package without `assets/` has its files in `data/`.

    Raises:
        UsageError: the package lists no such file; the nearest name is suggested.
        OnePaperError: the package or file is missing, or its content differs from what was shipped.
    """
    try:
        root = Path(str(importlib.resources.files(package)))
        folder = root / "assets" / "data" if (root / "assets").is_dir() else root / "data"
    except ModuleNotFoundError:
        raise OnePaperError(f"package '{package}' is not installed; it ships the data '{name}'") from None
    sums = read_sums(folder)
    if name not in sums:
        raise UsageError(unknown(f"data file of {package}", name, sums))
    path = folder / name
    if not path.is_file():
        raise OnePaperError(f"{path} is missing; reinstall {package}")
    if file_sha256(path) != sums[name]:
        raise OnePaperError(f"{path} is damaged: its SHA-256 differs from {SUMS_NAME}; reinstall {package}")
    return path


def data_root(name: str, given: Path | str | None = None, expected: Iterable[str] = ()) -> Path:
    """The folder of the dataset `name`: the given path, otherwise `$ONEPAPER_DATA/NAME`.

    Args:
        name: the dataset's folder name.
        given: a path from the command line; wins over the environment.
        expected: paths inside the folder that the published layout has.

    Raises:
        UsageError: no path is given, or the folder or an expected path is missing; the message names it.
    """
    if given is not None:
        root = Path(given)
    elif os.environ.get(DATA_VARIABLE):
        root = Path(os.environ[DATA_VARIABLE]) / name
    else:
        raise UsageError(f"where is the dataset '{name}'? Give its path, or set {DATA_VARIABLE} to the folder above it")
    if not root.is_dir():
        raise UsageError(f"the dataset '{name}' is not at {root}: no such folder")
    missing = [entry for entry in expected if not (root / entry).exists()]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UsageError(f"the dataset '{name}' at {root} lacks {shown}")
    return root


def readable(
    sources: Sequence[Source],
    read: Callable[[Source], Any],
    unreadable: Unreadable = "error",
    *,
    description: str = "checking files",
) -> list[Source]:
    """The sources that `read` accepts, in their order, so that an unreadable one does not end a run later.

    Every source is read once, in several threads. With "skip" a line on stderr counts those left out and names the
    first.

    Args:
        sources: paths, or other arguments of `read`.
        read: raises `OnePaperError` for a source that it cannot read.
        unreadable: "error" or "skip".
        description: for the progress, which is shown where it takes long.

    Raises:
        UsageError: some cannot be read, or with "skip" none can; the message counts them and names the first.
    """
    check_choice("unreadable", unreadable, ("error", "skip"))

    def problem(source: Source) -> str:
        try:
            read(source)
        except OnePaperError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(_READERS) as pool:
        problems = list(track(pool.map(problem, sources), description, total=len(sources), unit="file"))
    found = [problem for problem in problems if problem]
    if not found:
        return list(sources)
    summary = f"{len(found):,} of {len(sources):,} files cannot be read: {' | '.join(found[:_LISTED])}" + (
        f" | and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
    )
    if unreadable == "error":
        raise UsageError(f"{summary}; repair or remove them" if len(found) > 1 else found[0])
    if len(found) == len(sources):
        raise UsageError(f"{summary}; give files that can be read")
    print(f"skipped: {summary}", file=sys.stderr)
    return [source for source, problem in zip(sources, problems, strict=True) if not problem]


def rank_slice(batch_size: int, rank: int, world: int) -> slice:
    """The part of a global batch that belongs to `rank`; the parts concatenate to the batch.

    Raises:
        UsageError: the batch does not divide evenly.
    """
    if batch_size % world:
        raise UsageError(f"batch size {batch_size} does not divide over {world} processes; choose a multiple")
    part = batch_size // world
    return slice(rank * part, (rank + 1) * part)


class BatchSampler:
    """The indices of batch number `step`, as a function without state.

    Epoch $e$ is a permutation of all examples drawn from (seed, e); batch $t$ holds positions $tB \\ldots (t+1)B - 1$
    of the concatenated epochs. Every example appears exactly once per epoch; a batch may span two epochs.

    Args:
        length: number of examples.
        batch_size: of the global batch, over all processes.
        seed: of the permutations.
        shuffle: False keeps the order of the data.
        rank: index of this process.
        world: number of processes.
    """

    def __init__(
        self, length: int, batch_size: int, *, seed: int = 0, shuffle: bool = True, rank: int = 0, world: int = 1
    ) -> None:
        check_positive("number of examples", length)
        check_positive("batch size", batch_size)
        self.length, self.batch_size, self.seed, self.shuffle = length, batch_size, seed, shuffle
        self._slice = rank_slice(batch_size, rank, world)
        # Most batches span at most two epochs; batches of small data sets may span more, and recompute permutations.
        self._permutation = functools.lru_cache(maxsize=2)(self._permute)

    def _permute(self, epoch: int) -> npt.NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(self.length)
        return np.random.default_rng([self.seed, epoch]).permutation(self.length)

    def __call__(self, step: int) -> npt.NDArray[np.int64]:
        """Indices of this process's part of batch `step`."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)[self._slice]
        epochs, offsets = np.divmod(positions, self.length)
        indices = np.empty_like(positions)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            indices[chosen] = self._permutation(int(epoch))[offsets[chosen]]
        return indices


def random_batches(
    make: Callable[[np.random.Generator, int], Batch], batch_size: int, *, seed: int = 0, rank: int = 0, world: int = 1
) -> Callable[[int], Batch]:
    """Synthetic batches: `make(generator, batch_size)` with a generator drawn from (seed, step).

    Every process makes the global batch and keeps its part, so that the data do not depend on the number of processes.
    `make` returns an array, or dictionaries, lists and tuples of arrays whose first axis is the batch.
    """
    part = rank_slice(batch_size, rank, world)

    def batch(step: int) -> Batch:
        made = make(np.random.default_rng([seed, step]), batch_size)
        return made if world == 1 else map_arrays(lambda array: array[part], made)

    return batch


def map_arrays(function: Callable[[Any], Any], batch: Any) -> Any:
    """Apply `function` to every array of a batch: an array, or dictionaries, lists and (named) tuples of them."""
    if isinstance(batch, Mapping):
        return {key: map_arrays(function, value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(map_arrays(function, value) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(map_arrays(function, value) for value in batch)
    return None if batch is None else function(batch)


class Prefetch(Generic[Batch]):
    """Prepare the next batches in threads during the present step (useful where decoding is slow).

    Args:
        batches: a function of the step; it must be safe to call from several threads.
        ahead: number of batches to keep ready.
        workers: number of threads.
    """

    def __init__(self, batches: Callable[[int], Batch], *, ahead: int = 2, workers: int = 1) -> None:
        self._batches, self._ahead = batches, ahead
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
        self._ready: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """Batch number `step`; the following ones are started."""
        wanted = range(step, step + self._ahead + 1)
        for old in [key for key in self._ready if key not in wanted]:
            self._ready.pop(old).cancel()
        for key in wanted:
            if key not in self._ready:
                self._ready[key] = self._pool.submit(self._batches, key)
        return self._ready.pop(step).result()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Prefetch[Batch]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_BROKEN_ARCHIVE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)


def extract_archive(path: Path, folder: Path, *, max_bytes: int = 64 * 2**30) -> Path:
    """Unpack a zip or tar archive (plain, gz, bz2, xz) into the new folder `folder`, atomically.

    No links are created: a link inside a tar becomes a copy of its target.

    Args:
        path: the archive.
        folder: must not exist yet, or be empty.
        max_bytes: refuse an archive that unpacks to more than this.

    Raises:
        OnePaperError: the archive is missing, damaged, too large, names a path outside the folder, links to something
            that it does not contain, or the disk is full.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OnePaperError(f"{folder} exists already; remove it to unpack {path.name} again")
    left = max_bytes
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder.parent) as scratch:
            content = scratch / "content"
            content.mkdir()
            for name, source in _members(path):
                target = content / name
                if source is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("xb") as file:
                    while block := source.read(min(2**20, left + 1)):
                        left -= len(block)
                        if left < 0:
                            raise OnePaperError(f"{path} unpacks to more than {max_bytes} bytes; refused")
                        file.write(block)
            if folder.exists():
                folder.rmdir()
            content.rename(folder)
    except _BROKEN_ARCHIVE as error:
        raise OnePaperError(f"{path} is damaged ({' '.join(str(error).split()):.200}); fetch it again") from error
    except FileExistsError as error:
        raise OnePaperError(f"{path} names one path twice ({error.filename}); refused") from error
    except OSError as error:
        raise OnePaperError(f"cannot unpack {path} into {folder}: {error.strerror or error}") from error
    return folder


def _members(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Each checked member name with its opened content (None for a folder)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            for entry in zipped.infolist():
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise OnePaperError(f"{path} holds the link {entry.filename!r}; refused")
                if entry.flag_bits & 1:
                    raise OnePaperError(f"{path} is encrypted; unpack it yourself")
                yield _inside(path, entry.filename), None if entry.is_dir() else zipped.open(entry)
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            name = _inside(path, member.name)
            if member.isdir():
                yield name, None
                continue
            try:
                source = tar.extractfile(member)
            except (KeyError, RecursionError):
                source = None
            if source is None:
                raise OnePaperError(f"{path} holds {member.name!r}, a device or a link to something outside; refused")
            yield name, source


def _inside(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not name or "\0" in name or "\\" in name or ":" in (parts or ("",))[0] or ".." in parts or name.startswith("/"):
        raise OnePaperError(f"{path} names {name!r}, a path outside the folder; refused")
    return name
