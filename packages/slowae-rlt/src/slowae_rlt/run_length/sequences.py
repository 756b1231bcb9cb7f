"""Sequences of events of recordings, which follow each other without a gap."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from onepaper.data import random_batches
from onepaper.errors import UsageError

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.events.run_lengths import encode_runs, place_runs
from slowae_rlt.pretrained.codecs import Codec

# Grid steps that are encoded for each event of a sequence, several times what speech needs.
STEPS_PER_EVENT = 24


class Sequences(NamedTuple):
    """Events of sequences of one length; those that do not count are at the end and have value 0 and length 1.

    Attributes:
        values: level + k.
        lengths: in grid steps.
        counts: whether an event is complete within its part of the recording.
        steps: grid steps that the events that count describe.
        conditions: the number of the condition at the start of the sequence, -1 for none.
    """

    values: Int[np.ndarray, "B N"]
    lengths: Int[np.ndarray, "B N"]
    counts: Bool[np.ndarray, "B N"]
    steps: Int[np.ndarray, " B"]
    conditions: Int[np.ndarray, " B"]


def join_levels(codec: Codec, recordings: Sequence[Float[np.ndarray, " _samples"]]) -> Int[np.ndarray, "T C"]:
    """Levels of all recordings, one after the other."""
    return codec.encode(np.concatenate(recordings)).raster().astype(np.int8)


def cut_sequences(
    levels: Int[np.ndarray, "T C"],
    starts: Int[np.ndarray, " B"],
    config: RunLengthConfig,
    labels: Int[np.ndarray, " T"] | None = None,
) -> Sequences:
    """The first events from each start on, encoded again from the raster: a slice of events would begin in mid-run.

    Args:
        levels: of recordings.
        starts: grid steps.
        config: of the model.
        labels: the number of the condition at each grid step; None: no conditions.
    """
    shape, count = (len(starts), config.length), len(starts)
    conditions = np.full(count, -1) if labels is None else labels[starts]
    found = Sequences(
        np.zeros(shape, np.int32),
        np.ones(shape, np.int32),
        np.zeros(shape, bool),
        np.zeros(count),
        conditions.astype(np.int32),
    )
    for row, start in enumerate(starts):
        part = levels[start : start + STEPS_PER_EVENT * config.length]
        runs = encode_runs(part, config.max_length)
        lengths = runs.lengths[: config.length]
        placed = place_runs(lengths, config.channels)
        # A run that reaches the end of the part may go on; neither it nor what follows is known.
        open_ = np.flatnonzero(placed.starts + lengths >= len(part))
        count = int(open_[0]) if len(open_) else len(lengths)
        if count <= config.channels:
            continue
        found.values[row, :count] = runs.values[:count] + config.levels
        found.lengths[row, :count] = lengths[:count]
        found.counts[row, :count] = True
        found.steps[row] = place_runs(lengths[:count], config.channels).ends.min()
    return found


def language_labels(languages: Sequence[str], stride: int, part: str, steps: int) -> Int[np.ndarray, " T"]:
    """The number of the language of the prompts of a part at each grid step, in the order of `join_levels`."""
    prompts = split_prompts(tuple(languages))[part]
    of_samples = np.repeat(
        [languages.index(prompt.name.partition("/")[0]) for prompt in prompts],
        [len(prompt.samples) for prompt in prompts],
    )
    return of_samples[::stride][:steps].astype(np.int32)


def check_levels(levels: Int[np.ndarray, "T C"], config: RunLengthConfig, part: str) -> None:
    """Raise `UsageError` unless the recordings are long enough, and have the channels and levels of the model."""
    if levels.shape[1] != config.channels or np.abs(levels).max() > config.levels:
        raise UsageError(
            f"the codec has {levels.shape[1]} channels and levels up to {np.abs(levels).max()}, the model "
            f"{config.channels} and {config.levels}; give --model.channels and --model.levels of the codec"
        )
    if len(levels) <= STEPS_PER_EVENT * config.length:
        raise UsageError(
            f"the {part} part has {len(levels)} grid steps, expected more than {STEPS_PER_EVENT * config.length} for "
            f"sequences of {config.length} events; give more recordings, or a smaller --model.length"
        )


def sequence_batches(
    levels: Int[np.ndarray, "T C"],
    config: RunLengthConfig,
    batch_size: int,
    *,
    seed: int,
    labels: Int[np.ndarray, " T"] | None = None,
    rank: int = 0,
    world: int = 1,
) -> Callable[[int], Sequences]:
    """Sequences that begin anywhere, as a function of the step; labels as for `cut_sequences`."""
    last = len(levels) - STEPS_PER_EVENT * config.length

    def make(generator: np.random.Generator, count: int) -> Sequences:
        return cut_sequences(levels, generator.integers(0, last, count), config, labels)

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)


def successive_sequences(
    levels: Int[np.ndarray, "T C"], config: RunLengthConfig, labels: Int[np.ndarray, " T"] | None = None
) -> Sequences:
    """Complete sequences, each of which begins where the events of the one before it end.

    Args:
        levels: of recordings.
        config: of the model.
        labels: as for `cut_sequences`.

    Raises:
        UsageError: there is none.
    """
    rows, start = [], 0
    while start + config.channels < len(levels):
        row = cut_sequences(levels, np.array([start]), config, labels)
        if not row.counts.all():
            break
        rows.append(row)
        start += int(row.steps[0])
    if not rows:
        raise UsageError(f"the recordings have fewer than {config.length} events; give more of them")
    return Sequences(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))
