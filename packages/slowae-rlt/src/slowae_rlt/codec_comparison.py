"""Speech codecs side by side: bits a second and measures of the decoded speech on the same recordings."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.audio import resample
from onepaper.errors import UsageError
from scipy.signal import correlate, correlation_lags

from slowae_rlt.config import METRICS, PEERS, MelConfig
from slowae_rlt.data.prompts import PROMPT_RATE, Prompt
from slowae_rlt.evaluation import log_mel_distance
from slowae_rlt.events.container import to_bytes
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.pretrained.codecs import Codec
from slowae_rlt.speech_metrics import (
    LARGEST_INTEGER,
    as_integers,
    intelligibility,
    load_metric,
    overall_quality,
    perceived_quality,
    speaker_similarity,
)

MEL = MelConfig(hop=64)

# Codecs delay speech by up to this; the energies of this many samples are compared to find by how much.
LONGEST_DELAY, ENVELOPE = 640, 160

_SCORES: Mapping[str, Callable[[np.ndarray, np.ndarray, int], float]] = dict(
    zip(
        METRICS,
        (intelligibility, perceived_quality, overall_quality, speaker_similarity),
        strict=True,
    )
)

# PESQ and STOI need about this much speech, in seconds.
SHORTEST_SECONDS = 1.0


class Coded(NamedTuple):
    """What a codec makes of a recording."""

    sound: Float[np.ndarray, " samples"]
    bits: float


SpeechCodec = Callable[[Float[np.ndarray, " samples"]], Coded]


def events_codec(codec: Codec) -> SpeechCodec:
    """Files of events, with their headers."""

    def code(samples: Float[np.ndarray, " samples"]) -> Coded:
        events = codec.encode(samples)
        return Coded(codec.decode(events), 8 * len(to_bytes(events)))

    return code


def vq_codec(model: VQAutoencoder) -> SpeechCodec:
    """Codes of the same number of bits each."""
    bits = float(np.log2(model.config.codebook.codes))

    def code(samples: Float[np.ndarray, " samples"]) -> Coded:
        codes = model.encode(samples)
        return Coded(model.decode(codes)[: len(samples)], bits * len(codes))

    return code


def codec2(rate: int) -> SpeechCodec:
    """Codec2 of so many bits a second.

    Raises:
        UsageError: pycodec2 is not installed.
    """
    library = load_metric("pycodec2")

    def code(samples: Float[np.ndarray, " samples"]) -> Coded:
        state = library.Codec2(rate)
        size = state.samples_per_frame()
        # One more frame than there are samples for, because of the delay.
        count = -(-len(samples) // size) + 1
        frames = np.pad(as_integers(samples), (0, count * size - len(samples))).reshape(count, size)
        decoded = [state.decode(state.encode(frame)) for frame in frames]
        sound = np.concatenate(decoded).astype(np.float32) / LARGEST_INTEGER
        return Coded(sound, (count - 1) * state.bits_per_frame())

    return code


def opus(rate: int) -> SpeechCodec:
    """Opus for speech, frames of 60 ms, without the container; by PyAV.

    Raises:
        UsageError: PyAV is not installed.
    """
    av = load_metric("av")

    def code(samples: Float[np.ndarray, " samples"]) -> Coded:
        encoder = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = PROMPT_RATE, "mono", "s16", rate
        encoder.options = {"application": "voip", "frame_duration": "60"}
        encoder.open()
        size, whole = encoder.frame_size, as_integers(samples)
        packets = []
        for start in range(0, len(whole), size):
            part = np.zeros(size, np.int16)
            part[: len(whole) - start] = whole[start : start + size]
            frame = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = PROMPT_RATE, start
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        decoder = av.CodecContext.create("libopus", "r")
        decoder.layout, decoder.format, decoder.extradata = "mono", "s16", encoder.extradata
        decoded = [part.to_ndarray()[0] for packet in packets for part in decoder.decode(packet)]
        sound = np.concatenate(decoded).astype(np.float32) / LARGEST_INTEGER
        return Coded(resample(sound, decoder.sample_rate, PROMPT_RATE), 8 * sum(packet.size for packet in packets))

    return code


def open_peer(name: str) -> SpeechCodec:
    """One of `PEERS`.

    Raises:
        UsageError: another name, or its library is not installed.
    """
    if name not in PEERS:
        raise UsageError(f"unknown codec '{name}', expected one of {', '.join(PEERS)}")
    family, _, rate = name.partition("-")
    return (codec2 if family == "codec2" else opus)(int(rate))


def align(found: Float[np.ndarray, " n"], true: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """Decoded speech without the delay at which its energies agree best, cut or filled up to the true length."""
    window = np.hanning(ENVELOPE)
    energy, expected = (np.sqrt(np.convolve(np.square(side), window, "same")) for side in (found, true))
    lags = correlation_lags(len(found), len(true))
    agreement = np.where((lags >= 0) & (lags <= LONGEST_DELAY), correlate(energy, expected), -np.inf)
    shifted = found[lags[agreement.argmax()] :][: len(true)]
    return np.pad(shifted, (0, len(true) - len(shifted)))


def compare_codecs(
    codecs: Mapping[str, SpeechCodec], prompts: Sequence[Prompt], metrics: Sequence[str] = ()
) -> dict[str, dict[str, float]]:
    """By codec, bits a second, the mean log-mel distance in dB, and the means of metrics.

    Args:
        codecs: by name.
        prompts: recordings at 8 kHz; metrics are of those of at least a second.
        metrics: of `METRICS`.

    Raises:
        UsageError: no recordings, an unknown metric, or one whose library is not installed.
    """
    if not prompts:
        raise UsageError("there are no recordings to compare codecs on; give at least one")
    for name in metrics:
        if name not in METRICS:
            raise UsageError(f"unknown metric '{name}', expected one of {', '.join(METRICS)}")
    seconds = sum(len(prompt.samples) for prompt in prompts) / PROMPT_RATE
    table = {}
    for name, code in codecs.items():
        bits, distances, scores = 0.0, [], {metric: [] for metric in metrics}
        for prompt in prompts:
            coded = code(prompt.samples)
            sound, bits = align(coded.sound, prompt.samples), bits + coded.bits
            distances.append(log_mel_distance(sound, prompt.samples, MEL, PROMPT_RATE))
            for metric in metrics if len(sound) >= SHORTEST_SECONDS * PROMPT_RATE else ():
                scores[metric].append(_SCORES[metric](sound, prompt.samples, PROMPT_RATE))
        table[name] = {"bits a second": bits / seconds, "log-mel distance (dB)": float(np.mean(distances))}
        # Some measures have no value where there is no speech.
        table[name] |= {metric: float(np.nanmean(own)) if own else float("nan") for metric, own in scores.items()}
    return table
