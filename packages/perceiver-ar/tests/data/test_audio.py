import numpy as np
import pytest

from perceiver_ar.data.audio import ATTACK, PEAK, RELEASE, SAMPLE_RATE, hertz, render
from perceiver_ar.data.events import Note


def loudest_frequency(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize(("pitch", "frequency"), [(69, 440.0), (60, 261.63), (33, 55.0), (127, 12_543.85)])
def test_a_note_sounds_at_its_pitch(pitch: int, frequency: float) -> None:
    assert hertz(pitch) == pytest.approx(frequency, rel=1e-4)
    if frequency < SAMPLE_RATE / 2:
        assert loudest_frequency(render([Note(pitch, 80, 0.0, 1.0)])) == pytest.approx(frequency, abs=1.5)


def test_notes_begin_and_end_when_they_should_and_louder_ones_are_louder() -> None:
    sound = render([Note(60, 40, 0.5, 0.8), Note(72, 120, 1.5, 1.8)])
    at = [int(second * SAMPLE_RATE) for second in (0.5, 0.8 + RELEASE, 1.5, 1.8 + RELEASE)]
    assert not sound[: at[0]].any()
    assert not sound[at[1] + 1 : at[2]].any()
    assert not sound[at[3] + 1 :].any()
    first, second = np.abs(sound[at[0] : at[1]]).max(), np.abs(sound[at[2] : at[3]]).max()
    assert second == pytest.approx(PEAK)
    assert first == pytest.approx(PEAK * (40 / 120) ** 1.5, rel=0.2)
    assert abs(sound[at[0]]) < 0.01 * first  # no click: it takes `ATTACK` seconds to be there
    assert np.abs(sound[at[0] : at[0] + int(2 * ATTACK * SAMPLE_RATE)]).max() > 0.5 * first


def test_silence() -> None:
    assert not render([]).any()
