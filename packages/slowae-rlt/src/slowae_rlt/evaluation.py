"""Measures of events: rates in speech and pauses, agreement with phone boundaries, bits, errors of reconstructions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, binary_erosion

from slowae_rlt.config import MelConfig
from slowae_rlt.data.mel import SCALE, log_mel, window_context
from slowae_rlt.data.prompts import Prompt
from slowae_rlt.events.container import to_bytes
from slowae_rlt.events.event_list import Events
from slowae_rlt.pretrained.codecs import Codec

# A detector of speech is late by up to this; time this near to its changes counts as neither speech nor pause.
COLLAR_SECONDS = 0.1

# Boundaries within this are the same (Räsänen et al., 2009).
TOLERANCE_SECONDS = 0.02

DECIBEL = 20.0 / np.log(10.0)


class RateByActivity(NamedTuple):
    """Changes and seconds in speech and in pauses of one recording."""

    speech_changes: int
    speech_seconds: float
    pause_changes: int
    pause_seconds: float


def rate_by_activity(events: Events, speech: Bool[np.ndarray, " samples"]) -> RateByActivity:
    """Events in speech and in pauses, both without the time near to a change between them.

    Args:
        events: of a recording.
        speech: whether there is speech, by sample.
    """
    levels = events.raster()
    changes = np.zeros(len(levels), np.int64)
    changes[1:] = (levels[1:] != levels[:-1]).sum(axis=1)
    active = speech[:: events.stride][: len(levels)]
    reach = np.ones(2 * int(COLLAR_SECONDS * events.grid_rate) + 1, bool)
    inside = binary_erosion(active, reach, border_value=1)
    outside = ~binary_dilation(active, reach)  # type: ignore[operator]
    rate = events.grid_rate
    return RateByActivity(
        int(changes[inside].sum()),  # type: ignore[index]
        inside.sum() / rate,
        int(changes[outside].sum()),
        outside.sum() / rate,
    )


def event_times(events: Events, gap: float = TOLERANCE_SECONDS) -> Float[np.ndarray, " bursts"]:
    """Times of bursts of events, in seconds: changes less than `gap` after the previous one are one burst, its mean."""
    levels = events.raster()
    times = (np.flatnonzero((levels[1:] != levels[:-1]).any(axis=1)) + 1) / events.grid_rate
    if not len(times):
        return times
    bursts = np.split(times, np.flatnonzero(np.diff(times) >= gap) + 1)
    return np.array([burst.mean() for burst in bursts])


class BoundaryScore(NamedTuple):
    """Agreement of found and true boundaries (Räsänen et al., 2009, eq. 1 to 8)."""

    precision: float
    recall: float
    f1: float
    r_value: float


def score_boundaries(found: Float[np.ndarray, " n"], true: Float[np.ndarray, " m"]) -> BoundaryScore:
    r"""Scores with a tolerance of 20 ms; each boundary is used once, in the order of time.

    With hit rate H (recall) and over-segmentation $O = H / P - 1$: $R = 1 - (|r_1| + |r_2|) / 2$,
    $r_1 = \sqrt{(1 - H)^2 + O^2}$, $r_2 = (H - 1 - O) / \sqrt 2$.
    """
    hits, at = 0, 0
    for boundary in np.sort(true):
        while at < len(found) and found[at] < boundary - TOLERANCE_SECONDS:
            at += 1
        if at < len(found) and found[at] <= boundary + TOLERANCE_SECONDS:
            hits, at = hits + 1, at + 1
    precision, recall = hits / max(len(found), 1), hits / max(len(true), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    over = recall / precision - 1 if precision else -1.0
    r_1, r_2 = np.hypot(1 - recall, over), (recall - 1 - over) / np.sqrt(2)
    return BoundaryScore(precision, recall, f1, float(1 - (abs(r_1) + abs(r_2)) / 2))


def bits_per_second(events: Sequence[Events]) -> float:
    """Bits of the `.sae` files of recordings, headers included, divided by their duration."""
    return 8 * sum(len(to_bytes(one)) for one in events) / sum(one.seconds for one in events)


def log_mel_distance(
    found: Float[np.ndarray, " samples"], true: Float[np.ndarray, " samples"], mel: MelConfig, sample_rate: int
) -> float:
    """Mean absolute difference of two recordings' log-mel spectrograms, in dB."""
    around = window_context(mel)
    spectra = [np.asarray(log_mel(np.pad(side, around), mel, sample_rate)) for side in (found, true)]
    frames = min(map(len, spectra))
    return float(np.abs(spectra[0][:frames] - spectra[1][:frames]).mean() * SCALE * DECIBEL)


def evaluate_prompts(codec: Codec, prompts: Sequence[Prompt]) -> dict[str, float]:
    """Event rates, bits and the distance of reconstructions, over all prompts together."""
    events = [codec.encode(prompt.samples) for prompt in prompts]
    activity = [rate_by_activity(one, prompt.speech) for one, prompt in zip(events, prompts, strict=True)]
    totals = np.array(activity, np.float64).sum(axis=0)
    mel, rate = codec.config.decoder.mel, codec.config.sample_rate
    distances = [
        log_mel_distance(codec.decode(one), prompt.samples, mel, rate)
        for one, prompt in zip(events, prompts, strict=True)
    ]
    return {
        "seconds": sum(one.seconds for one in events),
        "events a second": sum(one.rate() * one.seconds for one in events) / sum(one.seconds for one in events),
        "events a second in speech": totals[0] / max(totals[1], 1e-9),
        "events a second in pauses": totals[2] / max(totals[3], 1e-9),
        "bits a second": bits_per_second(events),
        "log-mel distance (dB)": float(np.mean(distances)),
    }
