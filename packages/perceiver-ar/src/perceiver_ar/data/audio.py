"""A plain rendering of notes as sound, with a few decaying partials for each note."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from perceiver_ar.data.events import Note

SAMPLE_RATE = 22_050


# Amplitude of each partial, from the fundamental on, and its decay time to 1/e at A4 in seconds.
PARTIALS = ((1.0, 0.9), (0.5, 0.6), (0.25, 0.4), (0.12, 0.25))


ATTACK, RELEASE = 0.005, 0.08


A4, A4_HERTZ, PEAK = 69, 440.0, 0.9


def hertz(pitch: int) -> float:
    """The frequency of a MIDI pitch in equal temperament: 440 * 2^((p - 69) / 12)."""
    return A4_HERTZ * 2 ** ((pitch - A4) / 12)


def struck(note: Note) -> Float[np.ndarray, " samples"]:
    """One note: decaying partials, slower for lower pitches, with a release at the end of the note."""
    length = note.end - note.start
    time = np.arange(round((length + RELEASE) * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = hertz(note.pitch)
    sound = np.zeros(len(time))
    for number, (loudness, seconds) in enumerate(PARTIALS, start=1):
        if number * frequency < SAMPLE_RATE / 2:
            fall = np.exp(-time / (seconds * (A4_HERTZ / frequency) ** 0.5))
            sound += loudness * fall * np.sin(2 * np.pi * number * frequency * time)
    edges = np.minimum(time / ATTACK, 1.0) * np.clip((length + RELEASE - time) / RELEASE, 0.0, 1.0)
    return (note.velocity / 127) ** 1.5 * edges * sound


def render(notes: Sequence[Note]) -> Float[np.ndarray, " samples"]:
    """Notes as mono sound at `SAMPLE_RATE`, normalized to `PEAK`; short silence where there are none."""
    end = max((note.end for note in notes), default=0.0) + 2 * RELEASE
    sound = np.zeros(round(end * SAMPLE_RATE))
    for note in notes:
        begin, wave_of_note = round(note.start * SAMPLE_RATE), struck(note)
        sound[begin : begin + len(wave_of_note)] += wave_of_note
    loudest = np.abs(sound).max()
    return PEAK * sound / loudest if loudest > 0 else sound
