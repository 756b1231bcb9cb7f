"""Files of events are lossless, small, and never read wrongly."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from slowae_rlt.events.container import from_bytes, load_events, save_events, to_bytes
from slowae_rlt.events.event_list import Events

START = 8  # magic, version and checksum


def random_events(seed: int, steps: int = 300, channels: int = 4, highest: int = 7, busy: float = 0.05) -> Events:
    generator = np.random.default_rng(seed)
    moves = generator.integers(-1, 2, (steps, channels)) * (generator.random((steps, channels)) < busy)
    levels = moves.cumsum(axis=0).clip(-highest, highest)
    return Events.from_raster(
        levels,
        highest=highest,
        max_length=64,
        stride=16,
        sample_rate=8000,
        samples=16 * steps - 3,
        model=bytes(range(8)),
    )


@given(
    st.integers(0, 10_000),
    st.integers(1, 200),
    st.integers(1, 6),
    st.integers(1, 20),
    st.sampled_from([0.02, 0.3, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_lossless(seed: int, steps: int, channels: int, highest: int, busy: float) -> None:
    events = random_events(seed, steps, channels, highest, busy)
    assert from_bytes(to_bytes(events)) == events


def test_smaller_than_plain_numbers(tmp_path: Path) -> None:
    events = random_events(0, 20_000)
    path = save_events(events, tmp_path / "a.sae")
    assert load_events(path) == events
    assert path.stat().st_size < 1.3 * len(events)  # plain: one byte for each value and each length


def test_parts_of_recordings() -> None:
    part = random_events(0).prefix(20)
    assert from_bytes(to_bytes(part)) == part


def test_every_flipped_byte_is_noticed() -> None:
    content = to_bytes(random_events(1))
    for index in range(len(content)):
        damaged = bytearray(content)
        damaged[index] ^= 1 << (index % 8)
        with pytest.raises(UsageError):
            from_bytes(bytes(damaged))
    for size in range(len(content)):
        with pytest.raises(UsageError):
            from_bytes(content[:size])


def _signed(body: bytes) -> bytes:
    return b"SAE\x01" + struct.pack("<I", zlib.crc32(body)) + body


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutations_with_a_right_checksum(count: int) -> None:
    """Whatever the header and the payload say: events that encode to themselves, or an error of one line."""
    generator = np.random.default_rng(2)
    body = to_bytes(random_events(3, 60))[START:]
    accepted, messages = 0, []
    for _ in range(count):
        damaged = bytearray(body)
        for index in generator.integers(0, len(body), generator.integers(1, 4)):
            damaged[index] = int(generator.integers(256))
        try:
            events = from_bytes(_signed(bytes(damaged)))
        except UsageError as error:
            messages.append(str(error))
        else:
            accepted += 1
            assert from_bytes(to_bytes(events)) == events
    assert accepted < count
    assert not any("\n" in message for message in messages)


def test_declared_sizes_are_compared_with_the_file() -> None:
    body = bytearray(to_bytes(random_events(4))[START:])
    struct.pack_into("<I", body, 18, 4_000_000_000)
    with pytest.raises(UsageError, match="declares 4000000000 events"):
        from_bytes(_signed(bytes(body)))


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_events(tmp_path / "missing.sae")
    (tmp_path / "a.sae").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="no file of events"):
        load_events(tmp_path / "a.sae")
    content = bytearray(to_bytes(random_events(5)))
    content[3] = 9
    with pytest.raises(UsageError, match="version 9, expected 1"):
        from_bytes(bytes(content))
    levels = np.zeros((40_000, 1), int)
    long = Events.from_raster(levels, highest=1, max_length=40_000, stride=16, sample_rate=8000)
    with pytest.raises(UsageError, match="max_length 40000"):
        to_bytes(long)
