r"""An acoustic model for re-ranking: softmax regression from log-mel frames to phones, fitted to the shipped sentences.

The sentences are synthetic, so that the time of each phone is known. It is small on purpose: it fits in seconds, and
needs no other weights. Phones of real voices it recognises badly.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from slowae_rlt.config import MelConfig
from slowae_rlt.data.mel import log_mel, window_context
from slowae_rlt.data.prompts import PROMPT_RATE, Clip, clips

MEL = MelConfig(bands=24, hop=80)

# Frames before and after that are inputs too, weight of the squared weights, and iterations of L-BFGS.
CONTEXT, PENALTY, ITERATIONS = 3, 1e-4, 60

PAUSE = "pau"


def frame_features(samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "frames inputs"]:
    """Log-mel frames of 10 ms without their mean over time, each with its neighbours, and a 1.

    Raises:
        UsageError: a recording shorter than a frame.
    """
    if len(samples) < MEL.hop:
        raise UsageError(f"the recording has {len(samples)} samples, expected at least {MEL.hop}")
    frames = np.asarray(log_mel(np.pad(samples, window_context(MEL)), MEL, PROMPT_RATE), np.float64)
    frames = frames - frames.mean(axis=0)
    padded = np.pad(frames, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    stacked = np.concatenate([padded[shift : shift + len(frames)] for shift in range(2 * CONTEXT + 1)], axis=1)
    return np.concatenate([stacked, np.ones((len(frames), 1))], axis=1)


def frame_phones(clip: Clip, names: tuple[str, ...], frames: int) -> Int[np.ndarray, " frames"]:
    """The number of the phone in the middle of each frame."""
    ends = np.array([end for _, end in clip.phones])
    times = (np.arange(frames) + 0.5) * MEL.hop / PROMPT_RATE
    numbers = np.array([names.index(phone) for phone, _ in clip.phones])
    return numbers[np.searchsorted(ends, times).clip(max=len(ends) - 1)]


@dataclass(frozen=True)
class PhoneClassifier:
    """Probabilities of phones by frame."""

    names: tuple[str, ...]
    weights: Float[np.ndarray, "inputs phones"]

    def posteriors(self, samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "frames phones"]:
        """Of a recording at 8 kHz.

        Raises:
            UsageError: a recording shorter than a frame.
        """
        return softmax(frame_features(samples) @ self.weights, axis=1)

    def speech_share(self, posteriors: Float[np.ndarray, "frames phones"]) -> float:
        """Share of the frames whose likeliest phone is no pause."""
        return float((posteriors.argmax(axis=1) != self.names.index(PAUSE)).mean())


def fit_classifier(sentences: tuple[Clip, ...]) -> PhoneClassifier:
    """Softmax regression with a penalty on squared weights, by L-BFGS from 0."""
    names = tuple(sorted({phone for clip in sentences for phone, _ in clip.phones}))
    inputs = [frame_features(clip.samples) for clip in sentences]
    targets = np.concatenate([frame_phones(clip, names, len(own)) for clip, own in zip(sentences, inputs, strict=True)])
    x, shape = np.concatenate(inputs), (inputs[0].shape[1], len(names))
    chosen = np.eye(len(names))[targets]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        log_probs = log_softmax(x @ weights, axis=1)
        value = -log_probs[np.arange(len(x)), targets].mean() + PENALTY / 2 * np.square(weights).sum()
        gradient = x.T @ (np.exp(log_probs) - chosen) / len(x) + PENALTY * weights
        return float(value), gradient.ravel()

    found = minimize(objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return PhoneClassifier(names, found.x.reshape(shape))


@functools.cache
def trained_classifier() -> PhoneClassifier:
    """Fitted to all shipped sentences."""
    return fit_classifier(clips())
