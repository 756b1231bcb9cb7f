import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, PAD, SOS
from perceiver_ar.data.events import VOCAB_SIZE, Note, Pedal, decode, encode, sustain

LAYOUTS = ["music-transformer", "magenta"]


def on(pitch: int) -> int:
    return 3 + pitch


def off(pitch: int) -> int:
    return 3 + 128 + pitch


def shift(steps: int) -> int:
    return 3 + 256 + steps - 1


def velocity(number: int) -> int:
    return 3 + 356 + number


def performance(seed: int, count: int = 200) -> list[Note]:
    """Overlapping notes, many of the same pitch."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 20, count)
    lengths = rng.exponential(0.4, count)
    return [
        Note(int(rng.integers(50, 62)), int(rng.integers(1, 128)), float(start), float(start + length))
        for start, length in zip(starts, lengths, strict=True)
    ]


def test_a_phrase_written_by_hand() -> None:
    notes = [Note(60, 80, 0.0, 0.5), Note(64, 82, 0.5, 3.0), Note(60, 20, 0.5, 0.504)]
    assert VOCAB_SIZE == 391
    assert encode(notes).tolist() == [
        velocity(20), on(60), shift(50), off(60), velocity(5), on(60), velocity(20), on(64),
        shift(1), off(60), shift(100), shift(100), shift(49), off(64),
    ]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(5))
def test_encoding_what_was_decoded_gives_the_same_ids(layout: str, seed: int) -> None:
    ids = encode(performance(seed), layout)
    np.testing.assert_array_equal(encode(decode(ids), layout), ids)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(5))
def test_any_ids_decode_and_settle(layout: str, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(3, VOCAB_SIZE, 3000)
    ids = encode(decode(drawn), layout)
    np.testing.assert_array_equal(encode(decode(ids), layout), ids)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_little_is_lost_of_notes_that_do_not_overlap(layout: str) -> None:
    rng = np.random.default_rng(0)
    notes, now = [], 0.0
    for _ in range(500):
        start = now + rng.uniform(0.02, 1.5)
        now = start + rng.uniform(0.02, 2.5)
        notes.append(Note(int(rng.integers(128)), int(rng.integers(1, 128)), start, now))
    got = decode(encode(notes, layout))
    assert [note.pitch for note in got] == [note.pitch for note in notes]
    for mine, theirs in zip(got, notes, strict=True):
        assert abs(mine.start - theirs.start) <= 0.005 + 1e-9  # hundreds of seconds in, no drift
        assert abs(mine.end - theirs.end) <= 0.005 + 1e-9
        assert abs(mine.velocity - theirs.velocity) <= 2
        assert 1 <= mine.velocity <= 127


def test_bins_of_velocities() -> None:
    def bins(layout: str) -> list[int]:
        return [encode([Note(60, v, 0.0, 1.0)], layout)[0] - velocity(0) for v in (1, 3, 4, 5, 127)]

    assert bins("music-transformer") == [0, 0, 1, 1, 31]
    assert bins("magenta") == [0, 0, 0, 1, 31]


def test_a_velocity_is_written_once() -> None:
    notes = [Note(60 + i, 64, 0.1 * i, 0.1 * i + 0.05) for i in range(10)]
    assert (encode(notes) >= velocity(0)).sum() == 1


def test_a_pitch_struck_again_ends_the_note_before() -> None:
    ids = encode([Note(60, 64, 0.0, 2.0), Note(60, 64, 1.0, 1.5)])
    assert ids.tolist() == [velocity(16), on(60), shift(100), off(60), on(60), shift(50), off(60)]
    both = encode([Note(60, 64, 0.0, 0.2), Note(60, 90, 0.001, 0.1)])
    assert decode(both) == [Note(60, 90, 0.0, 0.2)]


def test_odd_sequences_are_understood() -> None:
    ids = np.array(
        [SOS, off(5), on(60), shift(10), on(60), shift(5), on(61), on(62), off(62), shift(5), PAD, EOS, on(1)]
    )
    assert decode(ids) == [Note(60, 64, 0.0, 0.1), Note(60, 64, 0.1, 0.2), Note(61, 64, 0.15, 0.2)]
    assert decode(np.array([], int)) == []
    assert encode([]).tolist() == []


def test_the_pedal_holds_notes() -> None:
    notes = [
        Note(60, 64, 0.0, 1.0),  # ends under the pedal: until it comes up
        Note(62, 64, 0.0, 0.4),  # ends before the pedal
        Note(64, 64, 0.0, 1.0),  # struck again at 1.5
        Note(64, 64, 1.5, 3.5),  # outlasts the pedal
        Note(65, 64, 2.0, 2.5),  # begins as the pedal comes up
        Note(67, 64, 1.0, 2.0),  # ends as the pedal comes up
    ]
    ends = [note.end for note in sustain(notes, [Pedal(0.5, 2.0), Pedal(5.0, 6.0)])]
    assert ends == [2.0, 0.4, 1.5, 3.5, 2.5, 2.0]


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (Note(128, 64, 0.0, 1.0), "a note has pitch 128, expected 0 to 127"),
        (Note(60, 0, 0.0, 1.0), "a note has velocity 0, expected 1 to 127"),
        (Note(60, 64, 2.0, 1.0), "a note sounds from 2.0 to 1.0 s"),
        (Note(60, 64, -1.0, 1.0), "a note sounds from -1.0 to 1.0 s"),
    ],
)
def test_impossible_notes_raise_errors(note: Note, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode([note])


def test_foreign_ids_raise_errors() -> None:
    with pytest.raises(UsageError, match="ids go from 3 to 391, expected 0 to 390"):
        decode(np.array([3, 391]))
