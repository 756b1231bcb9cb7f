"""Files of a Debian package, read from the .deb without installing it: an ar archive with a compressed tar inside."""

import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import new_folder

_MAGIC, _HEADER = b"!<arch>\n", 60
_MODES = {"data.tar": "r|", "data.tar.gz": "r|gz", "data.tar.bz2": "r|bz2", "data.tar.xz": "r|xz"}
_MAX_BYTES = 2 * 2**30
_BROKEN = (tarfile.TarError, EOFError, OSError, ValueError)


class _Window:
    """A part of a file, for `tarfile`, which only reads forward."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block


@contextmanager
def _data(path: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package as an open tar archive."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UsageError(f"{path} is no Debian package; give a .deb file, as `apt-get download` writes it")
        while header := file.read(_HEADER):
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            size = header[48:58].decode("ascii", "replace").strip()
            if len(header) < _HEADER or not size.isdigit() or file.tell() + int(size) > path.stat().st_size:
                raise UsageError(f"{path} is damaged or incomplete; download it again")
            if name in _MODES:
                with tarfile.open(fileobj=_Window(file, int(size)), mode=_MODES[name]) as tar:  # type: ignore[call-overload]
                    yield tar
                return
            if name.startswith("data.tar"):
                raise UsageError(
                    f"{path} is compressed as {name}, which is not read here; unpack it with `dpkg-deb -x` and give "
                    "the folder"
                )
            file.seek(int(size) + int(size) % 2, 1)
    raise UsageError(f"{path} has no data.tar; give a .deb file, as `apt-get download` writes it")


def extract_files(path: Path, folder: Path, wanted: Callable[[PurePosixPath], PurePosixPath | None]) -> int:
    """Write chosen files of a package into the new folder `folder`, which appears complete or not at all.

    Args:
        path: the .deb file.
        folder: must not exist yet.
        wanted: path in the package -> path below `folder`, or None for a file that is not wanted.

    Returns:
        The number of files.

    Raises:
        UsageError: not a Debian package, a damaged one, a path that leads outside, or none of the wanted files.
        OnePaperError: the folder exists, or the disk is full.
    """
    count, left = 0, _MAX_BYTES
    with new_folder(folder) as content:
        try:
            with _data(path) as tar:
                for member in tar:
                    source = PurePosixPath(member.name)
                    target = wanted(source) if member.isfile() else None
                    if target is None:
                        continue
                    if ".." in target.parts or target.is_absolute():
                        raise UsageError(f"{path} names {member.name!r}, a path outside the folder; refused")
                    left -= member.size
                    opened = tar.extractfile(member)
                    if left < 0 or opened is None:
                        raise UsageError(f"{path} holds more than {_MAX_BYTES:,} bytes of such files; refused")
                    (content / target).parent.mkdir(parents=True, exist_ok=True)
                    with opened, (content / target).open("wb") as file:
                        shutil.copyfileobj(opened, file)
                    count += 1
        except OnePaperError:
            raise
        except _BROKEN as error:
            raise UsageError(f"{path} cannot be unpacked ({error}); download it again") from None
        if not count:
            raise UsageError(f"{path} holds none of the expected files; give the package that DATA.md names")
    return count


def copy_files(
    root: Path,
    folder: Path,
    wanted: Callable[[PurePosixPath], PurePosixPath | None],
    within: Sequence[str] = (".",),
) -> int:
    """The same from a folder: an unpacked package, or the root of a system on which it is installed.

    Args:
        root: what paths of the package are relative to.
        folder: must not exist yet.
        wanted: as of `extract_files`.
        within: files or folders below `root` that are looked at.

    Raises:
        UsageError: none of the wanted files are there.
        OnePaperError: the folder exists, or the disk is full.
    """
    count = 0
    with new_folder(folder) as content:
        for source in sorted(path for part in within for path in ((root / part), *(root / part).rglob("*"))):
            target = wanted(PurePosixPath(source.relative_to(root).as_posix()))
            if target is not None and source.is_file():
                (content / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, content / target)
                count += 1
        if not count:
            raise UsageError(f"{root} holds none of the expected files; give the package that DATA.md names")
    return count
