"""SIGTERM, SIGINT and SIGHUP as a flag that the training loop reads between steps."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class StopSignals:
    """Records the first SIGTERM, SIGINT or SIGHUP (a closed terminal) in `received`; a second one has its usual effect.

    Under nohup, SIGHUP stays ignored.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # other threads may not set handlers
            hangup = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
            numbers = {signal.SIGTERM, signal.SIGINT, *([hangup] if signal.getsignal(hangup) != signal.SIG_IGN else [])}
            for number in numbers:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()


# The name that `onepaper.fingerprint` leaves out.
_Signals = StopSignals
