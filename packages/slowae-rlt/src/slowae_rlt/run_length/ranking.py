"""Re-ranking of samples: of many, those about whose phones an acoustic model is surest (authors' page of samples)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from slowae_rlt.events.event_list import Events
from slowae_rlt.phone_classifier import PhoneClassifier, trained_classifier
from slowae_rlt.pretrained.codecs import Codec

# A sample with less speech than this share comes after all others: silence has a low entropy too.
SPEECH_SHARE = 0.5


def mean_entropy(posteriors: Float[np.ndarray, "frames phones"]) -> float:
    r"""$-\frac1F \sum_f \sum_p P(p \mid f) \ln P(p \mid f)$, in nats."""
    return float(-(posteriors * np.log(np.maximum(posteriors, 1e-30))).sum(axis=1).mean())


def rank_key(classifier: PhoneClassifier, sound: Float[np.ndarray, " samples"]) -> tuple[bool, float]:
    """Whether there is too little speech, and the entropy: the smaller, the better."""
    posteriors = classifier.posteriors(sound)
    return classifier.speech_share(posteriors) < SPEECH_SHARE, mean_entropy(posteriors)


def rank_samples(codec: Codec, samples: Sequence[Events], keep: int, *, seed: int = 0) -> list[Events]:
    """The `keep` samples with the lowest entropy of phone predictions, the best first.

    Args:
        codec: decodes them, at 8 kHz.
        samples: of a language model.
        keep: their number.
        seed: of decoding.
    """
    classifier = trained_classifier()
    keys = [rank_key(classifier, codec.decode(events, seed=seed)) for events in samples]
    return [samples[index] for index in sorted(range(len(samples)), key=keys.__getitem__)[:keep]]
