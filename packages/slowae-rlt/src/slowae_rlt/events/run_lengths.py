"""Run-length coding: levels on a grid to events (value, length) and back.

Events of all channels are ordered by the time at which they start, then by channel. Channel and start of the next event
follow from the past: it starts at the earliest end among the current runs. So only values and lengths are kept.

Axes: T grid steps, C channels, n events.
"""

from heapq import heapreplace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from onepaper.config import check_positive
from onepaper.errors import UsageError


class Runs(NamedTuple):
    """Events in their order."""

    values: Int[np.ndarray, " n"]
    lengths: Int[np.ndarray, " n"]


class Placement(NamedTuple):
    """Where the events are, which follows from the lengths."""

    starts: Int[np.ndarray, " n"]
    channels: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " C"]
    """of the last run of each channel"""


def encode_runs(levels: Int[np.ndarray, "T C"], max_length: int) -> Runs:
    """The runs of constant level of each channel, those longer than `max_length` in pieces.

    Raises:
        UsageError: no steps, no channels, or no allowed length.
    """
    check_positive("max_length", max_length)
    if levels.ndim != 2 or not levels.size:
        raise UsageError(f"levels have shape {levels.shape}, expected (steps, channels) with at least one of each")
    steps, channels = levels.shape
    begins = np.ones(levels.shape, bool)
    np.not_equal(levels[1:], levels[:-1], out=begins[1:])
    # Where runs begin, as start * C + channel: the order of events, without a sort.
    flat = np.flatnonzero(begins)
    channel = flat % channels
    lengths = np.empty_like(flat)
    for number in range(channels):
        own = np.flatnonzero(channel == number)
        lengths[own] = np.diff(flat[own], append=steps * channels + number)
    lengths //= channels
    long = np.flatnonzero(lengths > max_length)
    if long.size:
        further = (lengths[long] - 1) // max_length  # pieces of a run after its first one
        last = np.cumsum(further) - 1
        piece = 1 + np.arange(further.sum()) - np.repeat(last + 1 - further, further)
        begin = np.repeat(flat[long], further) + piece * max_length * channels
        length = np.full_like(begin, max_length)
        length[last] = lengths[long] - further * max_length
        lengths[long] = max_length
        order = np.argsort(begin)
        place = np.searchsorted(flat, begin[order])
        flat, lengths = np.insert(flat, place, begin[order]), np.insert(lengths, place, length[order])
    return Runs(levels.ravel()[flat], lengths)


def place_runs(lengths: Int[np.ndarray, " n"], channels: int) -> Placement:
    """Start and channel of each event."""
    # An integer end * C + c for each channel orders runs by end, then channel.
    keys = list(range(channels))
    found = []
    for grown in (np.asarray(lengths, np.int64) * channels).tolist():
        found.append(keys[0])
        heapreplace(keys, keys[0] + grown)
    starts, channel = np.divmod(np.asarray(found, np.int64), channels)
    ends, owners = np.divmod(np.asarray(keys, np.int64), channels)
    return Placement(starts, channel, ends[np.argsort(owners)])


def decode_runs(runs: Runs, channels: int) -> Int[np.ndarray, "T C"]:
    """The levels that events describe completely: up to the earliest end of a channel's last run.

    Raises:
        UsageError: fewer events than channels, or a length below 1.
    """
    if len(runs.values) != len(runs.lengths) or len(runs.lengths) < channels:
        raise UsageError(
            f"{len(runs.values)} values and {len(runs.lengths)} lengths, expected the same number and at least "
            f"{channels}, one for each channel"
        )
    if runs.lengths.min() < 1:
        raise UsageError(f"event {int(runs.lengths.argmin())} has length {runs.lengths.min()}, expected at least 1")
    placed = place_runs(runs.lengths, channels)
    steps = int(placed.ends.min())
    levels = np.empty((steps, channels), runs.values.dtype)
    for channel in range(channels):
        own = placed.channels == channel
        levels[:, channel] = np.repeat(runs.values[own], runs.lengths[own])[:steps]
    return levels
