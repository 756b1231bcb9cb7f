"""Order of samples by entropy, and what is too silent comes last."""

import numpy as np
import pytest
from scipy.stats import entropy

from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.phone_classifier import PhoneClassifier
from slowae_rlt.run_length import ranking
from slowae_rlt.run_length.ranking import mean_entropy, rank_key, rank_samples


def test_mean_entropy() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(5), 7)
    assert mean_entropy(probs) == pytest.approx(entropy(probs, axis=1).mean())
    assert mean_entropy(np.eye(3)) == 0.0


def test_order(monkeypatch: pytest.MonkeyPatch, speech: np.ndarray) -> None:
    codec = BandEnergies()
    samples = [codec.encode(part) for part in np.split(speech[:12_000], 3)]
    keys = iter([(True, 0.1), (False, 0.9), (False, 0.5)])
    monkeypatch.setattr(ranking, "trained_classifier", lambda: None)
    monkeypatch.setattr(ranking, "rank_key", lambda classifier, sound: next(keys))
    assert rank_samples(codec, samples, 2) == [samples[2], samples[1]]


def test_too_little_speech() -> None:
    """A classifier that always hears a pause is sure, but its sample comes last."""
    weights = np.zeros((7 * 24 + 1, 2))
    weights[-1] = [0.0, 50.0]
    silent, entropy_of_it = rank_key(PhoneClassifier(("aa", "pau"), weights), np.zeros(800))
    assert silent
    assert entropy_of_it == pytest.approx(0.0, abs=1e-9)
