"""Damaged files for fuzz tests: a reader gives a value or a one-line error, and takes no memory for false sizes."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onepaper.errors import OnePaperError

LARGEST_MEMORY = 8_000_000


def read_or_refuse(read: Callable[[Path], object], path: Path, content: bytes) -> object:
    """What `read` makes of `content`; its one-line error as text."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        found, message = read(path), ""
    except OnePaperError as error:
        found = message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "\n" not in message
    assert len(message) < 1000
    assert peak < LARGEST_MEMORY, f"{peak:,} bytes for a file of {len(content)}"
    return found


def fuzz(read: Callable[[Path], object], path: Path, valid: list[bytes], examples: int) -> None:
    """Read `examples` mutations of valid files: bytes changed, inserted, removed, cut and copied."""

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        content = bytearray(data.draw(st.sampled_from(valid)))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, max(len(content) - 1, 0)))
            match data.draw(st.integers(0, 4)):
                case 0:
                    content[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
                case 1:
                    content[at:at] = data.draw(st.binary(max_size=9))
                case 2:
                    del content[at : at + data.draw(st.integers(1, 9))]
                case 3:
                    del content[at:]
                case _:
                    other = data.draw(st.integers(0, max(len(content) - 1, 0)))
                    content[at:at] = content[other : other + 40]
        read_or_refuse(read, path, bytes(content))

    check()
