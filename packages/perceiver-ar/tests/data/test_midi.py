"""Round trips, and files written message by message with mido."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from perceiver_ar.data.events import Note, decode, encode
from perceiver_ar.data.midi import midi_bytes, piano_roll, read_midi


def written(*messages: mido.Message | mido.MetaMessage, ticks_per_beat: int = 500) -> bytes:
    """A file of these messages; at 500 ticks a beat and the standard tempo a tick is a millisecond."""
    content = io.BytesIO()
    mido.MidiFile(tracks=[mido.MidiTrack(messages)], ticks_per_beat=ticks_per_beat).save(file=content)
    return content.getvalue()


def on(note: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=note, time=time, channel=channel)


def pedal(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


def test_notes_have_their_times() -> None:
    first, second = read_midi(written(on(60, 100), on(64, 50, velocity=1), off(60, 350), off(64, 500)))
    assert first == pytest.approx((60, 80, 0.1, 0.5))
    assert second == pytest.approx((64, 1, 0.15, 1.0))


def test_the_tempo_may_change() -> None:
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000, time=500)
    assert read_midi(written(on(60), slow, off(60, 500))) == [Note(60, 80, 0.0, 1.5)]


def test_a_note_on_without_velocity_ends_a_note_and_the_file_ends_the_rest() -> None:
    assert read_midi(written(on(60), on(60, 200, velocity=0), on(62), off(99, 300))) == [
        Note(60, 80, 0.0, 0.2),
        Note(62, 80, 0.2, 0.5),
    ]


def test_drums_are_left_out_and_instruments_are_one() -> None:
    notes = read_midi(written(on(36, channel=9), on(60, channel=3), off(60, 100, channel=3), off(36, channel=9)))
    assert notes == [Note(60, 80, 0.0, 0.1)]


def test_the_pedal_holds_its_own_channel() -> None:
    messages = [pedal(127), on(60), on(70, channel=1), off(60, 100), off(70, channel=1), pedal(0, 400)]
    assert read_midi(written(*messages)) == [Note(60, 80, 0.0, 0.5), Note(70, 80, 0.0, 0.1)]


def test_half_a_pedal_is_up() -> None:
    assert read_midi(written(pedal(63), on(60), off(60, 100), pedal(0, 400))) == [Note(60, 80, 0.0, 0.1)]


notes_lists = st.lists(
    st.tuples(st.integers(0, 127), st.integers(1, 127), st.integers(0, 3000), st.integers(1, 500)), max_size=30
)


@given(notes_lists)
@settings(max_examples=60, deadline=None)
def test_events_survive_the_file(rows: list[tuple[int, int, int, int]]) -> None:
    notes = [Note(pitch, velocity, start / 100, (start + steps) / 100) for pitch, velocity, start, steps in rows]
    ids = encode(notes)
    again = encode(read_midi(midi_bytes(decode(ids))))
    np.testing.assert_array_equal(again, ids)


def test_no_notes_make_an_empty_file_and_roll() -> None:
    assert read_midi(midi_bytes([])) == []
    assert piano_roll([]).shape == (128, 1)


def test_a_roll_has_the_highest_pitch_on_top() -> None:
    roll = piano_roll([Note(127, 127, 0.0, 0.02), Note(0, 64, 0.01, 0.03)])
    assert roll.shape == (128, 3)
    np.testing.assert_allclose(roll[0], [1, 1, 0])
    np.testing.assert_allclose(roll[127], [0, 64 / 127, 64 / 127])


def test_bad_files_raise_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; give the path of a MIDI file"):
        read_midi(tmp_path / "no.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd\0\0\0\x06\0\x01")
    with pytest.raises(UsageError, match="bad.mid is not a readable MIDI file"):
        read_midi(tmp_path / "bad.mid")
    for content, message in (
        (b"text", "it ends too early"),
        (written(on(60), off(60, 100))[:-3], "it ends too early"),
        (b"RIFF and more", "MThd not found"),
        (written(ticks_per_beat=-6104), "its times are SMPTE frames"),
        (written(mido.UnknownMetaMessage(0x59, data=(12, 0))), "Could not decode key with 12 sharps"),
    ):
        with pytest.raises(UsageError, match=f"is not a readable MIDI file .{message}"):
            read_midi(content)
