"""Progress with an estimate of the time left: a bar on a terminal, occasional lines in a log file."""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, TypeVar, cast

T = TypeVar("T")

LOG_INTERVAL_SECONDS = 20.0
QUIET_VARIABLE = "ONEPAPER_QUIET"
"""Environment variable of worker processes, whose parent shows the progress."""
_CURSOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class _Lines:
    """A stream for log files: each redraw of a bar becomes a line; erasing it writes nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        # Nested bars move the cursor, which a log file does not have.
        for line in _CURSOR.sub("", text).replace("\r", "\n").split("\n"):
            if line.strip():
                self._stream.write(line.rstrip() + "\n")

    def flush(self) -> None:
        self._stream.flush()


def bar(total: int | None, description: str, *, initial: int = 0, unit: str = "it", leave: bool = False) -> Any:
    """A tqdm bar on stderr; a line every 20 seconds where stderr is not a terminal (none for shorter work).

    The first of several steps of a training compiles its programs: time left is estimated from the others.
    """
    from tqdm import tqdm

    class StepBar(tqdm):  # type: ignore[type-arg]
        compiled = False

        def update(self, n: float | None = 1) -> bool | None:
            if self.disable or self.compiled:
                return super().update(n)
            self.compiled = True
            self.n = self.initial = self.last_print_n = self.n + (n or 0)
            self.start_t = self.last_print_t = cast(Any, self)._time()
            return None

    is_terminal = sys.stderr.isatty()
    return (StepBar if unit == "step" else tqdm)(
        total=total,
        desc=description,
        initial=initial,
        unit=unit,
        leave=leave,
        dynamic_ncols=is_terminal,
        ncols=None if is_terminal else 100,
        ascii=None if is_terminal else True,
        mininterval=0.2 if is_terminal else LOG_INTERVAL_SECONDS,
        maxinterval=10.0 if is_terminal else LOG_INTERVAL_SECONDS,
        delay=0.0 if is_terminal else LOG_INTERVAL_SECONDS,
        file=sys.stderr if is_terminal else _Lines(sys.stderr),
        disable=bool(os.environ.get(QUIET_VARIABLE)),
    )


def write_line(text: str) -> None:
    """Print a line on stdout, above the bars that are shown, cut to the terminal's width."""
    from tqdm import tqdm

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    tqdm.write(text if len(text) <= width else text[: width - 3] + "...", file=sys.stdout)


def track(items: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate over `items` with a progress bar."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(total, description, unit=unit) as shown:
        for item in items:
            yield item
            shown.update()


def format_seconds(seconds: float) -> str:
    """A duration in a few characters: `0.3 s`, `4 min 5 s`, `2 h 3 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
