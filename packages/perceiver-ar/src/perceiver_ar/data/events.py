"""Piano performances as events in the vocabulary of the Music Transformer (Huang et al., 2019), and back.

| symbol | event | meaning |
|---|---|---|
| 0 to 127 | NOTE_ON p | MIDI pitch p begins, at the last velocity set |
| 128 to 255 | NOTE_OFF p | pitch p ends |
| 256 to 355 | TIME_SHIFT k | (k + 1) * 10 ms pass |
| 356 to 387 | SET_VELOCITY b | one of 32 bins of four velocities |

An id is the symbol plus the number of reserved ids, 3. Decoding and encoding again gives the same ids.
"""

import bisect
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED

STEPS_PER_SECOND = 100


LONGEST_SHIFT = 100


PITCHES = 128


NOTE_ON, NOTE_OFF, TIME_SHIFT, SET_VELOCITY = 0, 128, 256, 356


SYMBOLS = 388


VOCAB_SIZE = SYMBOLS + RESERVED


# Velocity of notes before the first SET_VELOCITY, which occur only in sampled sequences.
FIRST_VELOCITY = 64


Layout = Literal["music-transformer", "magenta"]


class Note(NamedTuple):
    """One note; times in seconds from the start of the piece."""

    pitch: int
    velocity: int
    start: float
    end: float


class Pedal(NamedTuple):
    """The sustain pedal is down from `start` to `end`, in seconds."""

    start: float
    end: float


def sustain(notes: Sequence[Note], pedals: Sequence[Pedal]) -> list[Note]:
    """Notes with the sustain pedal applied.

    A note that ends while the pedal is down lasts until the pedal is released or its pitch is played again, whichever
    is first. A note that ends or begins exactly when the pedal is released is unchanged.

    Args:
        notes: with the times of the keys, in any order.
        pedals: disjoint intervals, in any order.
    """
    onsets: dict[int, list[float]] = {}
    for note in sorted(notes, key=lambda note: note.start):
        onsets.setdefault(note.pitch, []).append(note.start)
    held = sorted(pedals)
    downs = [pedal.start for pedal in held]
    sounding: list[Note] = []
    for note in notes:
        latest = bisect.bisect_right(downs, note.end) - 1
        end = max(note.end, held[latest].end) if latest >= 0 else note.end
        later = onsets[note.pitch]
        again = bisect.bisect_right(later, note.start)
        struck = later[again] if again < len(later) else end
        sounding.append(note._replace(end=max(note.end, min(end, struck))))
    return sounding


def encode(notes: Sequence[Note], layout: Layout = "music-transformer") -> Int[np.ndarray, " events"]:
    """Ids of a performance.

    Absolute times are rounded to 10 ms (rounding differences would accumulate errors), a note lasts at least one step,
    and a note ends when its pitch is played again. Two notes of one pitch that begin in the same step become one, with
    the larger velocity and the later end. At equal times note-offs come before note-ons, in order of pitch.
    SET_VELOCITY is written only where the bin changes.

    Args:
        notes: in any order.
        layout: which velocities share a bin. music-transformer: 0 to 3, 4 to 7, ...; magenta: 1 to 4, 5 to 8, ...

    Raises:
        UsageError: a pitch outside 0 to 127, a velocity outside 1 to 127, or a note that ends before it begins.
    """
    moments: list[tuple[int, bool, int, int]] = []  # step, whether it begins, pitch, bin
    for pitch, struck in _quantised(notes).items():
        starts = sorted(struck)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            end, velocity = struck[start]
            end = end if following is None else min(end, following)
            moments.append((start, True, pitch, _velocity_bin(velocity, layout)))
            moments.append((end, False, pitch, 0))
    symbols: list[int] = []
    now, velocity_bin = 0, -1
    for step, begins, pitch, wanted in sorted(moments):
        shift = step - now
        symbols += [TIME_SHIFT + LONGEST_SHIFT - 1] * (shift // LONGEST_SHIFT)
        if shift % LONGEST_SHIFT:
            symbols.append(TIME_SHIFT + shift % LONGEST_SHIFT - 1)
        now = step
        if begins and wanted != velocity_bin:
            symbols.append(SET_VELOCITY + wanted)
            velocity_bin = wanted
        symbols.append((NOTE_ON if begins else NOTE_OFF) + pitch)
    return np.array(symbols, np.int64) + RESERVED


def decode(ids: Int[np.ndarray, " events"]) -> list[Note]:
    """Notes of any sequence of ids, sorted by onset; EOS ends it, PAD and SOS are ignored.

    A note-off without a note is ignored, a repeated note-on ends the earlier note, and open notes end with the
    sequence. Notes of zero length are left out. The velocity is the first of its bin plus 2, which encodes to the same
    bin in both layouts.

    Raises:
        UsageError: an id outside the vocabulary.
    """
    if len(ids) and not (ids.min() >= 0 and ids.max() < VOCAB_SIZE):
        raise UsageError(
            f"ids go from {ids.min()} to {ids.max()}, expected 0 to {VOCAB_SIZE - 1} of the event vocabulary"
        )
    sounding: dict[int, tuple[int, int]] = {}  # pitch -> first step, velocity
    found: list[tuple[int, int, int, int]] = []  # first step, pitch, velocity, last step

    def close(pitch: int) -> None:
        if pitch in sounding:
            start, velocity = sounding.pop(pitch)
            if now > start:
                found.append((start, pitch, velocity, now))

    now, velocity = 0, FIRST_VELOCITY
    for symbol in (int(number) - RESERVED for number in ids):
        if symbol == EOS - RESERVED:
            break
        if symbol >= SET_VELOCITY:
            velocity = 4 * (symbol - SET_VELOCITY) + 2
        elif symbol >= TIME_SHIFT:
            now += symbol - TIME_SHIFT + 1
        elif symbol >= NOTE_OFF:
            close(symbol - NOTE_OFF)
        elif symbol >= NOTE_ON:
            close(symbol)
            sounding[symbol] = now, velocity
    for pitch in list(sounding):
        close(pitch)
    return [
        Note(pitch, velocity, start / STEPS_PER_SECOND, end / STEPS_PER_SECOND)
        for start, pitch, velocity, end in sorted(found)
    ]


def _quantised(notes: Sequence[Note]) -> dict[int, dict[int, tuple[int, int]]]:
    """pitch -> first step -> (last step, velocity)."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for note in notes:
        if not 0 <= note.pitch < PITCHES:
            raise UsageError(f"a note has pitch {note.pitch}, expected 0 to {PITCHES - 1}")
        if not 1 <= note.velocity <= 127:
            raise UsageError(f"a note has velocity {note.velocity}, expected 1 to 127")
        if not 0 <= note.start <= note.end:
            raise UsageError(f"a note sounds from {note.start} to {note.end} s, expected 0 <= start <= end")
        start = round(note.start * STEPS_PER_SECOND)
        end = max(start + 1, round(note.end * STEPS_PER_SECOND))
        struck = found.setdefault(note.pitch, {})
        before = struck.get(start, (end, note.velocity))
        struck[start] = max(end, before[0]), max(note.velocity, before[1])
    return found


def _velocity_bin(velocity: int, layout: Layout) -> int:
    return velocity // 4 if layout == "music-transformer" else (velocity - 1) // 4
