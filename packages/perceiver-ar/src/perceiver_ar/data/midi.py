"""Notes from MIDI files, with the sustain pedal applied, and MIDI files and piano rolls from notes.

Reading follows Huang et al. (2019): all instruments are merged into one piano, drums are left out, and notes held by
the sustain pedal are extended.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
from jaxtyping import Float
from onepaper.errors import UsageError

from perceiver_ar.data.events import PITCHES, STEPS_PER_SECOND, Note, Pedal, sustain

# General MIDI: the channel of percussion (counted from 0), and the controller number of the sustain pedal.
DRUMS, SUSTAIN = 9, 64


# Ticks of a written file: 120 quarters per minute and 500 ticks per quarter, so one tick is one millisecond.
TICKS_PER_QUARTER, QUARTER_MICROSECONDS = 500, 500_000


def read_midi(source: Path | bytes) -> list[Note]:
    """Notes of a MIDI file with the sustain pedal applied, in seconds; silence at the start is kept.

    Drums are left out, each channel has its own pedal, and notes without an end last until the end of the file. The
    result is empty for a file without notes.

    Args:
        source: a path, or the content of the file.

    Raises:
        UsageError: no such file, or not a MIDI file.
    """
    name = str(source) if isinstance(source, Path) else "the MIDI file"
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        file = mido.MidiFile(file=io.BytesIO(content), clip=True)
        if file.ticks_per_beat <= 0:
            raise ValueError("its times are SMPTE frames, not beats")
        messages = list(file)  # in order of time, with seconds between them
    except FileNotFoundError:
        raise UsageError(f"{name} does not exist; give the path of a MIDI file") from None
    except EOFError:
        raise UsageError(f"{name} is not a readable MIDI file (it ends too early); copy it again") from None
    except (OSError, ValueError, KeyError, IndexError, TypeError, mido.KeySignatureError) as error:
        raise UsageError(
            f"{name} is not a readable MIDI file ({str(error) or type(error).__name__}); expected a standard .mid file"
        ) from None
    channels: dict[int, Channel] = {}
    now = 0.0
    for message in messages:
        now += message.time
        if message.is_meta or getattr(message, "channel", DRUMS) == DRUMS:
            continue
        channel = channels.setdefault(message.channel, Channel())
        if message.type == "note_on" and message.velocity:
            channel.strike(message.note, message.velocity, now)
        elif message.type in ("note_on", "note_off"):
            channel.release(message.note, now)
        elif message.type == "control_change" and message.control == SUSTAIN:
            channel.press(message.value >= 64, now)
    return sorted(
        (note for channel in channels.values() for note in channel.finish(now)),
        key=lambda note: (note.start, note.pitch, note.end, note.velocity),
    )


class Channel:
    """Held keys and pedal of one channel while a file is read."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.pedals: list[Pedal] = []
        self._held: dict[int, tuple[int, float]] = {}
        self._down: float | None = None

    def strike(self, pitch: int, velocity: int, now: float) -> None:
        """Note on; a note of the same pitch that is still on ends."""
        self.release(pitch, now)
        self._held[pitch] = velocity, now

    def release(self, pitch: int, now: float) -> None:
        """Note off, if the note is on."""
        if pitch in self._held:
            velocity, start = self._held.pop(pitch)
            self.notes.append(Note(pitch, velocity, start, now))

    def press(self, down: bool, now: float) -> None:
        """Pedal down or up."""
        if down and self._down is None:
            self._down = now
        elif not down and self._down is not None:
            self.pedals.append(Pedal(self._down, now))
            self._down = None

    def finish(self, now: float) -> list[Note]:
        """All notes, with the pedal applied, at the end of the file."""
        for pitch in list(self._held):
            self.release(pitch, now)
        self.press(False, now)
        return sustain(self.notes, self.pedals)


def midi_bytes(notes: Sequence[Note]) -> bytes:
    """A standard MIDI file of one piano track, times rounded to a millisecond."""
    moments: list[tuple[int, int, int, int]] = []  # tick, 0 for the end of a note, pitch, velocity
    for note in notes:
        moments.append((round(1000 * note.start), 1, note.pitch, note.velocity))
        moments.append((round(1000 * note.end), 0, note.pitch, 0))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=QUARTER_MICROSECONDS, time=0)])
    now = 0
    for tick, begins, pitch, velocity in sorted(moments):
        kind = "note_on" if begins else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    content = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_QUARTER, tracks=[track]).save(file=content)
    return content.getvalue()


def piano_roll(notes: Sequence[Note], steps_per_second: int = STEPS_PER_SECOND) -> Float[np.ndarray, "pitches steps"]:
    """Loudness of each pitch at each step, 0 to 1; the highest pitch is the first row."""
    steps = max([1, *(round(note.end * steps_per_second) for note in notes)])
    roll = np.zeros((PITCHES, steps))
    for note in notes:
        first, last = round(note.start * steps_per_second), round(note.end * steps_per_second)
        row = roll[PITCHES - 1 - note.pitch]
        row[first : max(last, first + 1)] = np.maximum(row[first : max(last, first + 1)], note.velocity / 127)
    return roll
