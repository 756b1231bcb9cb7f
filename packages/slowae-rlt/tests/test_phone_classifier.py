"""Softmax regression: labels of frames, held-out sentences, and noise, about whose phones it is unsure."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt import phone_classifier
from slowae_rlt.data.prompts import Clip, clips
from slowae_rlt.phone_classifier import fit_classifier, frame_features, frame_phones
from slowae_rlt.run_length.ranking import mean_entropy


def test_labels_of_frames() -> None:
    clip = Clip("", 1.0, np.zeros(800), (("pau", 0.03), ("aa", 0.05), ("t", 0.1)))
    np.testing.assert_array_equal(frame_phones(clip, ("aa", "pau", "t"), 10), [1] * 3 + [0] * 2 + [2] * 5)
    assert frame_features(np.zeros(800)).shape == (10, 7 * 24 + 1)
    with pytest.raises(UsageError, match="has 79 samples"):
        frame_features(np.zeros(79))


def test_other_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_classifier, "ITERATIONS", 15)
    spoken = [clip for clip in clips() if clip.stretch == 1.0]
    classifier = fit_classifier(tuple(spoken[:7]))
    right, entropies = [], []
    for clip in spoken[7:]:
        posteriors = classifier.posteriors(clip.samples)
        np.testing.assert_allclose(posteriors.sum(axis=1), 1.0)
        # Phones of the other sentences only.
        known = [phone if phone in classifier.names else "pau" for phone, _ in clip.phones]
        renamed = clip._replace(phones=tuple((name, end) for name, (_, end) in zip(known, clip.phones, strict=True)))
        right.append((posteriors.argmax(axis=1) == frame_phones(renamed, classifier.names, len(posteriors))).mean())
        entropies.append(mean_entropy(posteriors))
        assert classifier.speech_share(posteriors) > 0.5
    assert np.mean(right) > 0.35  # of about 38 phones
    noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    assert mean_entropy(classifier.posteriors(noise)) > max(entropies)
