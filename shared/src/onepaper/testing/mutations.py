"""Damaged files for tests of readers: a reader gives a value or a one-line error, and takes no memory for false sizes.

def read(path: Path) -> object: ...

@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path, count):
    fuzz(read, tmp_path / "a.json", [b'{"valid": 1}'], count)
"""

import contextlib
import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onepaper.errors import OnePaperError

LARGEST_MEMORY = 8_000_000
LONGEST_MESSAGE = 1000
# What parsers tend to get wrong: ends of ranges, structure without content, text that is none.
_ODD = (
    *(b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"-1", b"1e999", b"NaN", b"null"),
    *(b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b'"\\ud800"', b'"\\u0000"', b"\n", b"\r\n"),
    *(b"\xef\xbb\xbf", b"{}", b"[]"),
)


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
    assert len(message) < LONGEST_MESSAGE
    assert peak < LARGEST_MEMORY, f"{peak:,} bytes for a file of {len(content)}"
    return found


def mutated(content: bytes, source: random.Random) -> bytes:
    """One to four changes: a bit or a byte, bytes inserted, removed, cut off or copied, an odd value.

    Of every second JSON document, a value is replaced instead, so that readers see JSON of another form too.
    """
    if content[:1] in (b"{", b"[") and source.random() < 0.5:
        with contextlib.suppress(ValueError):  # several documents
            return _with_another_value(content, source)
    changed = bytearray(content)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        size = len(changed)
        at = source.randrange(size) if size else 0
        match source.randrange(7):
            case 0 if size:
                changed[at] ^= 1 << source.randrange(8)
            case 1 if size:
                changed[at] = source.randrange(256)
            case 2:
                changed[at:at] = source.randbytes(source.randint(1, 9))
            case 3:
                del changed[at : at + source.randint(1, 9)]
            case 4:
                del changed[at:]
            case 5:
                begin = source.randrange(size) if size else 0
                changed[at:at] = changed[begin : begin + 40]
            case _:
                changed[at : at + source.randint(0, 4)] = source.choice(_ODD)
    return bytes(changed)


_OTHER_VALUES = (
    *(None, True, False, 0, -1, 3, 2**31, 2**63, 10**30, 0.5, -1e308, "", "x", "x" * 3000, "\0", "\ud800", "/", ".."),
    *([], [None], ["x"], [[]], [0] * 100, {}, {"": None}, {"a": {"b": []}}),
)


def _with_another_value(content: bytes, source: random.Random) -> bytes:
    """A JSON document with one of its values replaced, or an entry added or removed."""
    document = json.loads(content)
    whole: Any = [document]
    holder, at = whole, 0
    while isinstance(holder[at], dict | list) and holder[at] and source.random() < 0.9:
        holder = holder[at]
        at = source.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match source.randrange(5):
        case 0 if isinstance(holder, dict):
            del holder[at]
        case 1 if isinstance(holder, dict):
            holder[source.choice(("", "x", "sha256"))] = source.choice(_OTHER_VALUES)
        case _:
            holder[at] = source.choice(_OTHER_VALUES)
    return json.dumps(whole[0]).encode()


def fuzz(
    read: Callable[[Path], object], path: Path, valid: Sequence[bytes], examples: int, *, seed: int = 0
) -> list[object]:
    """Read `examples` mutations of valid files, the same ones for a seed; what was read, or the message, of each.

    Args:
        read: the reader; raises `OnePaperError` for a file that it cannot read.
        path: where the files are written, with the ending that the reader expects.
        valid: contents that it accepts.
        examples: number of mutations.
        seed: of the mutations.

    Raises:
        AssertionError: another exception, a message of several lines, or memory beyond `LARGEST_MEMORY`; the file is
            left at `path`.
    """
    for content in (*valid, b"another format"):  # what the reader imports takes memory, too
        path.write_bytes(content)
        with contextlib.suppress(OnePaperError):
            read(path)
    source = random.Random(seed)
    results: list[object] = []
    for number in range(examples):
        content = mutated(source.choice(list(valid)), source)
        try:
            results.append(read_or_refuse(read, path, content))
        except Exception as error:
            raise AssertionError(f"mutation {number} of seed {seed}, left in {path}: {error!r}") from error
    return results
