"""Files of events, `.sae`: a header, and values and lengths by an adaptive range coder; lossless.

All numbers are little-endian. After the magic `SAE` and the version (1) come: CRC-32 of everything after it (4 bytes),
the fields of the header, and the payload. A value is coded in the context of its channel and of the previous value of
that channel. A length is coded as its number of bits, in the context of its channel and of that number before, and then
its bits below the highest, of which the first two have contexts. The number of bytes of the payload bounds that of
events, so that a header cannot ask for more memory or time than the size of the file justifies.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from onepaper.errors import UsageError
from onepaper.runs import write_atomic

from slowae_rlt.events.event_list import Events
from slowae_rlt.events.range_coder import BitCoder, RangeDecoder, RangeEncoder, code_number, new_model

MAGIC, VERSION = b"SAE", 1

# CRC; channels, levels, longest event, samples of a step, sample rate, samples, events, weights.
_CHECKSUM = struct.Struct("<I")
_HEADER = struct.Struct("<BBHHIQI8s")

# Longest event of the format; its number of bits fits in four bits.
LONGEST = (1 << 15) - 1
_LENGTH_BITS = 4

# An event is at least six decisions of at least 0.02 bits.
_EVENTS_PER_BYTE = 64

LARGEST_FILE = 1 << 28


def to_bytes(events: Events) -> bytes:
    """The content of a `.sae` file.

    Raises:
        UsageError: a header that the format cannot hold.
    """
    channels, highest, max_length, stride, sample_rate, samples, model = events.header
    if max_length > LONGEST or stride >= 1 << 16 or sample_rate >= 1 << 32:
        raise UsageError(
            f"max_length {max_length}, stride {stride}, sample rate {sample_rate}: a .sae file holds at most "
            f"{LONGEST}, 65535 and 4294967295"
        )
    encoder = RangeEncoder()

    def coder(model: list[int], context: int, bit: int) -> int:
        encoder.encode(model, context, bit)
        return bit

    _code(coder, channels, highest, len(events), events.values.tolist(), events.lengths.tolist())
    header = _HEADER.pack(channels, highest, max_length, stride, sample_rate, samples, len(events), model)
    body = header + encoder.finish()
    return MAGIC + bytes([VERSION]) + _CHECKSUM.pack(zlib.crc32(body)) + body


def from_bytes(content: bytes, name: str = "the file of events") -> Events:
    """The events of a `.sae` file.

    Args:
        content: of the file.
        name: for messages.

    Raises:
        UsageError: not such a file, of another version, truncated or damaged.
    """
    start = len(MAGIC) + 1 + _CHECKSUM.size
    if content[: len(MAGIC)] != MAGIC:
        raise UsageError(f"{name} is no file of events; expected one that `encode` wrote")
    if len(content) < start + _HEADER.size:
        raise UsageError(f"{name} has {len(content)} bytes, expected at least {start + _HEADER.size}; copy it again")
    if content[len(MAGIC)] != VERSION:
        raise UsageError(f"{name} has version {content[len(MAGIC)]}, expected {VERSION}; use a newer onepaper")
    body = content[start:]
    if zlib.crc32(body) != _CHECKSUM.unpack_from(content, len(MAGIC) + 1)[0]:
        raise UsageError(f"{name} is damaged: its checksum differs; copy it again")
    channels, highest, max_length, stride, sample_rate, samples, count, model = _HEADER.unpack_from(body)
    payload = body[_HEADER.size :]
    if not (channels and highest and 0 < max_length <= LONGEST and stride and sample_rate and samples):
        raise UsageError(f"{name} has a header with zeros; encode the recording again")
    if not channels <= count <= _EVENTS_PER_BYTE * len(payload):
        raise UsageError(f"{name} declares {count} events in {len(payload)} bytes; encode the recording again")
    decoder = RangeDecoder(payload)

    def coder(model: list[int], context: int, bit: int) -> int:
        del bit
        return decoder.decode(model, context)

    values, lengths = _code(coder, channels, highest, count, [0] * count, [0] * count)
    try:
        events = Events(
            np.array(values, np.int32), np.array(lengths, np.int32), channels, highest, max_length, stride, sample_rate,
            samples, model,
        )  # fmt: skip
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    # As many as `prefix` or `from_raster` leave.
    if not (events.steps - 1) * stride < samples <= events.steps * stride:
        raise UsageError(f"{name} declares {samples} samples, but its events have {events.steps} steps of {stride}")
    return events


def save_events(events: Events, path: Path) -> Path:
    """Write a `.sae` file, completely or not at all.

    Raises:
        UsageError: a header that the format cannot hold.
        OnePaperError: the file cannot be written.
    """
    write_atomic(path, to_bytes(events))
    return path


def load_events(path: Path) -> Events:
    """The events of a `.sae` file.

    Raises:
        UsageError: missing, not such a file, truncated or damaged.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path} has {path.stat().st_size} bytes, expected at most {LARGEST_FILE}")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give a file that `encode` wrote") from None
    return from_bytes(content, str(path))


def _code(
    coder: BitCoder, channels: int, highest: int, count: int, values: list[int], lengths: list[int]
) -> tuple[list[int], list[int]]:
    """Encode or decode all events with the same contexts; those that were coded."""
    bits = (2 * highest).bit_length()
    size = 1 << bits
    value_model = new_model(channels * (size + 1) * size)
    length_model = new_model(channels * 16 * 16)
    detail_model = new_model(channels * 16 * 4)
    even = new_model(1)
    previous_value, previous_bits = [size] * channels, [0] * channels
    ends = list(range(channels))
    found_values, found_lengths = [], []
    for index in range(count):
        # The next event is of the channel whose run ends first; ties are in the order of channels.
        key = min(ends)
        channel = key % channels
        offset = (channel * (size + 1) + previous_value[channel]) * size
        value = code_number(coder, value_model, offset, bits, values[index] + highest)
        offset = (channel * 16 + previous_bits[channel]) * 16
        width = code_number(coder, length_model, offset, _LENGTH_BITS, lengths[index].bit_length())
        length = 1 if width else 0
        for position in reversed(range(width - 1)):
            first = width - 2 - position
            context = (channel * 16 + width) * 4
            bit = (lengths[index] >> position) & 1
            if first < 2:
                length = 2 * length + coder(detail_model, context + (0 if first == 0 else 1 + (length & 1)), bit)
            else:
                even[0] = new_model(1)[0]
                length = 2 * length + coder(even, 0, bit)
        previous_value[channel], previous_bits[channel] = value, width
        ends[channel] = key + length * channels
        found_values.append(value - highest)
        found_lengths.append(length)
    return found_values, found_lengths
