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

# General MIDI: the channel of percussion (counted from 0).
DRUMS = 9
# Controllers: the sustain pedal, and channel mode messages. Changes of mode (124 to 127) also turn all notes off.
SUSTAIN, ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 64, 120, 121, (123, 124, 125, 126, 127)

# A few bytes can declare years of silence, which take a symbol for each second.
LONGEST_HOURS = 24

# Ticks of a written file: 120 quarters per minute and 500 ticks per quarter, so one tick is one millisecond.
TICKS_PER_QUARTER, QUARTER_MICROSECONDS = 500, 500_000


def read_midi(source: Path | bytes) -> list[Note]:
    """Notes of a MIDI file with the sustain pedal applied, in seconds; silence at the start is kept.

    Drums are left out, each channel has its own pedal, and notes without an end last until the end of the file. "All
    notes off" releases the keys, "all sound off" also what the pedal holds, and "reset all controllers" the pedal. The
    result is empty for a file without notes.

    Args:
        source: a path, or the content of the file.

    Raises:
        UsageError: no such file, not a MIDI file, or one that lasts more than `LONGEST_HOURS`.
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
    hours = sum(message.time for message in messages) / 3600
    if hours > LONGEST_HOURS:
        raise UsageError(f"{name} lasts {hours:,.0f} hours, expected at most {LONGEST_HOURS}; cut it")
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
        elif message.type == "control_change":
            channel.control(message.control, message.value, now)
    return sorted(
        (note for channel in channels.values() for note in channel.finish(now)),
        key=lambda note: (note.start, note.pitch, note.end, note.velocity),
    )


class Channel:
    """Held keys and pedal of one channel while a file is read."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.pedals: list[Pedal] = []
        self._silenced: list[Note] = []
        self._held: dict[int, tuple[int, float]] = {}
        self._down: float | None = None
        self._struck_again: dict[int, float] = {}

    def strike(self, pitch: int, velocity: int, now: float) -> None:
        """Note on; a note of the same pitch that is still on ends."""
        if pitch in self._held:
            self.release(pitch, now)
            self._struck_again[pitch] = now
        self._held[pitch] = velocity, now

    def release(self, pitch: int, now: float) -> None:
        """Note off, if the note is on.

        After a key is struck again, a note-off at the same time is that of the earlier note, which has ended already.
        """
        if self._struck_again.pop(pitch, None) == now:
            return
        if pitch in self._held:
            velocity, start = self._held.pop(pitch)
            self.notes.append(Note(pitch, velocity, start, now))

    def control(self, number: int, value: int, now: float) -> None:
        """Control change: the pedal, or a channel mode message."""
        if number == SUSTAIN:
            self.press(value >= 64, now)
        elif number == RESET_CONTROLLERS:
            self.press(False, now)
        elif number == ALL_SOUND_OFF or number in ALL_NOTES_OFF:
            self._struck_again.clear()
            for pitch in list(self._held):
                self.release(pitch, now)
            if number == ALL_SOUND_OFF and self._down is not None:
                # What follows does not change the notes up to here, and the pedal holds none of them.
                self._silenced += sustain(self.notes, [*self.pedals, Pedal(self._down, now)])
                self.notes, self.pedals, self._down = [], [], now

    def press(self, down: bool, now: float) -> None:
        """Pedal down or up."""
        if down and self._down is None:
            self._down = now
        elif not down and self._down is not None:
            self.pedals.append(Pedal(self._down, now))
            self._down = None

    def finish(self, now: float) -> list[Note]:
        """All notes, with the pedal applied, at the end of the file."""
        self.control(ALL_NOTES_OFF[0], 0, now)
        self.press(False, now)
        return self._silenced + sustain(self.notes, self.pedals)


def midi_bytes(notes: Sequence[Note]) -> bytes:
    """A standard MIDI file of a piano, times rounded to a millisecond; a note lasts at least one.

    Notes of one pitch that overlap are in different channels, of which there are 15, so that each keeps its end; one
    more ends the note that would end next.
    """
    channels = [channel for channel in range(16) if channel != DRUMS]
    written: list[tuple[int, int, int, int, int]] = []  # first and last tick, pitch, velocity, channel
    latest: dict[tuple[int, int], int] = {}  # (pitch, channel) -> index in `written`
    for note in sorted(notes, key=lambda note: note.start):
        start = round(1000 * note.start)
        before = {number: latest[note.pitch, number] for number in channels if (note.pitch, number) in latest}
        ends = {number: written[before[number]][1] if number in before else 0 for number in channels}
        channel = next((number for number in channels if ends[number] <= start), min(channels, key=ends.__getitem__))
        if ends[channel] > start:
            index = before[channel]
            written[index] = (written[index][0], start, *written[index][2:])
        latest[note.pitch, channel] = len(written)
        written.append((start, max(start + 1, round(1000 * note.end)), note.pitch, note.velocity, channel))
    moments: list[tuple[int, int, int, int, int]] = []  # tick, 0 for the end of a note, pitch, velocity, channel
    for start, end, pitch, velocity, channel in written:
        if end > start:
            moments += [(start, 1, pitch, velocity, channel), (end, 0, pitch, 0, channel)]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=QUARTER_MICROSECONDS, time=0)])
    now = 0
    for tick, begins, pitch, velocity, channel in sorted(moments):
        kind = "note_on" if begins else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=tick - now))
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
