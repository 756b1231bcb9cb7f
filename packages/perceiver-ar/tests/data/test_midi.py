"""Round trips, and files written message by message with mido."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

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


def control(number: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=0, time=time, channel=channel)


@pytest.mark.parametrize("number", [123, 124, 125, 126, 127])
def test_all_notes_off_releases_the_keys_and_not_the_pedal(number: int) -> None:
    assert read_midi(written(on(60), control(number, 100), off(60, 400))) == [Note(60, 80, 0.0, 0.1)]
    assert read_midi(written(pedal(127), on(60), control(number, 100), pedal(0, 200))) == [
        pytest.approx(Note(60, 80, 0.0, 0.3))
    ]
    assert read_midi(written(on(60), control(number, 100, channel=1), off(60, 400))) == [Note(60, 80, 0.0, 0.5)]


def test_all_sound_off_ends_what_the_pedal_holds() -> None:
    messages = [pedal(127), on(60), on(64), off(60, 100), control(120, 200), on(67), off(67, 100), pedal(0, 400)]
    assert read_midi(written(*messages)) == [
        pytest.approx(Note(60, 80, 0.0, 0.3)),
        pytest.approx(Note(64, 80, 0.0, 0.3)),
        pytest.approx(Note(67, 80, 0.3, 0.8)),
    ]


def test_reset_controllers_lifts_the_pedal() -> None:
    assert read_midi(written(pedal(127), on(60), off(60, 100), control(121, 200), off(61, 400))) == [
        pytest.approx(Note(60, 80, 0.0, 0.3))
    ]


def test_a_key_struck_again_in_the_tick_of_its_note_off_sounds_on() -> None:
    expected = [Note(60, 80, 0.0, 0.1), Note(60, 50, 0.1, 0.4)]
    for again in ([on(60, 100, velocity=50), off(60)], [off(60, 100), on(60, velocity=50)]):
        assert read_midi(written(on(60), *again, off(60, 300))) == [expected[0], pytest.approx(expected[1])]
    # The next note-off, at another time, is that of the new note; a note may also last no time at all.
    assert read_midi(written(on(60), on(60, 100), off(60, 50), on(62), off(62), off(61, 100)))[1:] == [
        pytest.approx(Note(60, 80, 0.1, 0.15)),
        pytest.approx(Note(62, 80, 0.15, 0.15)),
    ]


def test_a_few_bytes_cannot_declare_years() -> None:
    with pytest.raises(UsageError, match="lasts 37,283 hours, expected at most 24"):
        read_midi(written(on(60), off(60, 2**28 - 1), ticks_per_beat=1))
    assert len(read_midi(written(on(60), off(60, 23 * 3_600_000)))) == 1


def heard(content: bytes) -> list[tuple[int, int, int, int]]:
    """Pitch, velocity, first and last millisecond of each note, read message by message without `read_midi`."""
    (track,) = mido.MidiFile(file=io.BytesIO(content)).tracks
    found, open_notes, now = [], {}, 0
    for message in track:
        now += message.time
        if message.type == "note_on":
            assert (message.channel, message.note) not in open_notes
            assert message.channel != 9
            open_notes[message.channel, message.note] = message.velocity, now
        elif message.type == "note_off":
            velocity, start = open_notes.pop((message.channel, message.note))
            found.append((message.note, velocity, start, now))
    assert not open_notes
    return sorted(found)


@given(
    st.lists(st.tuples(st.integers(59, 61), st.integers(1, 127), st.integers(0, 60), st.integers(0, 30)), max_size=14)
)
@settings(max_examples=50, deadline=None)
def test_short_and_overlapping_notes_are_written(rows: list[tuple[int, int, int, int]]) -> None:
    notes = [Note(pitch, velocity, start / 1000, (start + length) / 1000) for pitch, velocity, start, length in rows]
    expected = sorted((pitch, velocity, start, start + max(1, length)) for pitch, velocity, start, length in rows)
    assert heard(midi_bytes(notes)) == expected
    again = [(n.pitch, n.velocity, round(1000 * n.start), round(1000 * n.end)) for n in read_midi(midi_bytes(notes))]
    assert sorted(again) == expected


def test_more_notes_of_one_pitch_than_channels_are_cut() -> None:
    notes = [Note(60, 80, start / 10, 3.0 + start) for start in range(20)]
    found = heard(midi_bytes(notes))
    # The first five end when the sixteenth to twentieth begin.
    ends = [1500 + 100 * number for number in range(5)] + [3000 + 1000 * number for number in range(5, 20)]
    assert found == [(60, 80, 100 * number, end) for number, end in enumerate(ends)]


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    valid = written(pedal(127), on(60), off(60, 100), control(123, 5), on(64, 3), pedal(0, 400), off(64, 9))
    found = fuzz(lambda path: encode(read_midi(path)), tmp_path / "a.mid", [valid], count)
    assert any(isinstance(ids, np.ndarray) for ids in found)


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
