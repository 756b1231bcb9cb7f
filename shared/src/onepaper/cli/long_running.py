"""Verbs that run until they are stopped, such as a server or the driver of a cluster job."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

NOTE = "It runs until it is stopped by Ctrl-C or SIGTERM, and keeps no run folder."


class StopRequest(KeyboardInterrupt):
    """SIGTERM or SIGINT as an exception, so that `with` and `finally` end what was begun."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `StopRequest` in the block at SIGTERM or SIGINT; a second signal acts as without this."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, _frame: FrameType | None) -> None:
        restore()
        raise StopRequest(number)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
