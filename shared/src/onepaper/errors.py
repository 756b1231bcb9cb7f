"""The exception whose message is meant for the user."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class OnePaperError(Exception):
    """Bad input or a broken environment, reported in one line.

    The message names the file or value, says what was expected and what to do about it. The command line prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(OnePaperError):
    """A wrong command line or configuration: unknown name, value out of range. Exit code 2, as shells expect."""

    exit_code = 2


@contextlib.contextmanager
def explain_os_error(path: Path) -> Iterator[None]:
    """Raise an `OSError` of the block (disk full, no permission) as an `OnePaperError` that names `path`."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or error
        raise OnePaperError(f"cannot write {path}: {problem}; free space and run the same command") from error


class PeerLostError(OnePaperError):
    """Another process of this run ended; leaving the run in good order would wait for it in vain."""
