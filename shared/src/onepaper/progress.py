"""Progress with an ETA: a moving bar on a terminal, a line now and then in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

LOG_INTERVAL_SECONDS = 20.0


def bar(total: int | None, description: str, *, initial: int = 0, unit: str = "it", leave: bool = False) -> Any:
    """A tqdm bar on stderr. Where stderr is no terminal it prints at most one line every 20 seconds."""
    from tqdm import tqdm

    watched = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=description,
        initial=initial,
        unit=unit,
        leave=leave,
        dynamic_ncols=watched,
        mininterval=0.2 if watched else LOG_INTERVAL_SECONDS,
        delay=0.0 if watched else LOG_INTERVAL_SECONDS,
        file=sys.stderr,
    )


def track(items: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate over `items` behind a bar."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(total, description, unit=unit) as shown:
        for item in items:
            yield item
            shown.update()
