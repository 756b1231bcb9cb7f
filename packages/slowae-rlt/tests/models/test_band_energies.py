"""Band energies follow the sound, and silence makes no events."""

import numpy as np

from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.models.band_energies import BandEnergies


def test_events_follow_the_sound() -> None:
    codec = BandEnergies()
    tone = (0.3 * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)).astype(np.float32)
    silence = np.zeros(8000, np.float32)
    levels = codec.encode(np.concatenate([silence, tone, silence])).raster()
    assert (levels[:400] == -7).all()
    assert (levels[1200:] <= -6).all()  # hysteresis holds one level above the lowest
    assert levels[750, 0] > levels[750, 3] + 5
    changes = (levels[1:] != levels[:-1]).any(axis=1)
    assert changes[550:950].sum() == 0


def test_round_trip(speech: np.ndarray) -> None:
    codec = BandEnergies()
    events = codec.encode(speech)
    assert 20 < events.rate() < 200
    sound = codec.decode(events)
    assert sound.shape == speech.shape
    loud, quiet = (np.abs(sound[mask]).mean() for mask in (np.abs(speech) > 0.1, np.abs(speech) < 0.001))
    assert loud > 2 * quiet


def test_rate_of_held_out_prompts() -> None:
    codec = BandEnergies()
    rates = [codec.encode(prompt.samples).rate() for prompt in split_prompts(("en",))["test"][:6]]
    assert 40 < np.mean(rates) < 150
