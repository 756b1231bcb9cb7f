"""Where and when the shipped model makes events: speech and pauses, phones, speaking rates, durations of sequences."""

import functools
from collections import defaultdict

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Sound, Table
from onepaper.display.plots import lines

from slowae_rlt.data.prompts import PROMPT_RATE, clips, split_prompts
from slowae_rlt.evaluation import event_times, rate_by_activity, score_boundaries
from slowae_rlt.events.event_list import Events
from slowae_rlt.figures import draw_events
from slowae_rlt.pretrained.codecs import Codec, open_codec

WEIGHTS, BASELINE = "laptop", "identity"

# Digital silence behind each recording, in seconds, and the settling time after a recording that does not count.
SILENCE, SETTLING = 2.0, 0.25

# Events of a sequence of the paper's language models, and the codes a second of its baseline.
SEQUENCE, CODE_RATE = 512, 62.5

PAUSE = "pau"


@functools.cache
def _codec(name: str) -> Codec:
    return open_codec(name)


def activity(context: ClaimContext) -> Evidence:
    """Event rates in speech, in recorded pauses and in digital silence, on held-out prompts in five languages."""
    return _activity(context, _codec(WEIGHTS))


def baseline_activity(context: ClaimContext) -> Evidence:
    """The same of band energies, which need no training."""
    return _activity(context, _codec(BASELINE))


def _activity(context: ClaimContext, codec: Codec) -> Evidence:
    del context
    prompts = split_prompts()["test"]
    counted, silent = [], 0
    for prompt in prompts:
        padded = np.concatenate([prompt.samples, np.zeros(int(SILENCE * PROMPT_RATE), np.float32)])
        events = codec.encode(padded)
        own = events.crop(0, -(-len(prompt.samples) // events.stride))
        counted.append(rate_by_activity(own, prompt.speech))
        quiet = events.raster()[own.steps + int(SETTLING * events.grid_rate) :]
        silent += int((quiet[1:] != quiet[:-1]).sum())
    rows = np.array(counted, np.float64)
    seconds = rows.sum(axis=0) / len(rows)
    speech, pauses = rows[:, 0] / seconds[1], rows[:, 2] / seconds[3]
    ratio = speech.mean() / max(pauses.mean(), 1e-9)
    example = prompts[0]
    return Evidence(
        f"{ratio:.1f} times as many events a second in speech as in pauses",
        [
            # The mean over recordings of the weighted counts is the rate over all of them.
            Measurement.over_examples("rate in speech minus twice that in pauses", speech - 2 * pauses, "Hz"),
            Measurement.exact("rate in speech over rate in pauses", ratio),
            Measurement.exact("rate in speech", speech.mean(), "Hz"),
            Measurement.exact("rate in pauses", pauses.mean(), "Hz"),
            Measurement.exact("rate in digital silence", silent / len(prompts) / (SILENCE - SETTLING), "Hz"),
        ],
        [
            Plot(f"Events of {example.name}", draw_events(codec.encode(example.samples), example.samples), clouds=True),
            Sound("Recording", example.samples, PROMPT_RATE),
            Sound("From its events", codec.decode(codec.encode(example.samples)), PROMPT_RATE),
        ],
    )


def phone_boundaries(context: ClaimContext) -> Evidence:
    """Agreement of bursts of events with phone boundaries, against as many boundaries spread evenly or at random."""
    return _phone_boundaries(context, _codec(WEIGHTS))


def baseline_phone_boundaries(context: ClaimContext) -> Evidence:
    """The same of band energies, which need no training."""
    return _phone_boundaries(context, _codec(BASELINE))


def _phone_boundaries(context: ClaimContext, codec: Codec) -> Evidence:
    spoken = [clip for clip in clips() if clip.stretch == 1.0]
    f1, even, r_values = [], [], []
    by_chance: dict[int, list[float]] = {seed: [] for seed in context.seeds}
    for number, clip in enumerate(spoken):
        times = event_times(codec.encode(clip.samples))
        true = np.array([end for _, end in clip.phones[:-1]])
        score = score_boundaries(times, true)
        f1.append(score.f1)
        r_values.append(score.r_value)
        length = len(clip.samples) / PROMPT_RATE
        even.append(score_boundaries((np.arange(len(times)) + 0.5) * length / max(len(times), 1), true).f1)
        for seed in context.seeds:
            drawn = np.sort(np.random.default_rng([seed, number]).uniform(0, length, len(times)))
            by_chance[seed].append(score_boundaries(drawn, true).f1)
    mean = float(np.mean(f1))
    return Evidence(
        "",
        [
            Measurement.over_examples("F1 minus that of even boundaries", np.array(f1) - np.array(even)),
            Measurement.over_seeds(
                "F1 minus that of random boundaries",
                {s: mean - np.mean(v) for s, v in by_chance.items()},  # type: ignore[arg-type]
            ),
            Measurement.over_examples("F1", f1),
            Measurement.over_examples("R-value", r_values),
        ],
    )


def speaking_rates(context: ClaimContext) -> Evidence:
    """Event rate and events per phone of the same sentences at four speaking rates."""
    return _speaking_rates(context, _codec(WEIGHTS))


def baseline_speaking_rates(context: ClaimContext) -> Evidence:
    """The same of band energies, which need no training."""
    return _speaking_rates(context, _codec(BASELINE))


def _speaking_rates(context: ClaimContext, codec: Codec) -> Evidence:
    del context
    rates, per_phone, seconds_per_phone = defaultdict(list), defaultdict(list), defaultdict(list)
    for clip in clips():
        # Pauses at both ends are not speech.
        begin = round(clip.phones[0][1] * codec.config.grid_rate)
        end = round(clip.phones[-2][1] * codec.config.grid_rate)
        events = codec.encode(clip.samples).crop(begin, end)
        phones = sum(phone != PAUSE for phone, _ in clip.phones)
        rates[clip.stretch].append(events.rate())
        per_phone[clip.stretch].append(events.rate() * events.seconds / phones)
        seconds_per_phone[clip.stretch].append(events.seconds / phones)
    slow_to_fast = sorted(rates, reverse=True)
    means = [
        [float(np.mean(table[stretch])) for stretch in slow_to_fast] for table in (rates, per_phone, seconds_per_phone)
    ]
    ranks = np.argsort(np.argsort(means[0]))
    spread = [np.std(values) / np.mean(values) for values in means[1:]]
    speed = 1.0 / np.array(means[2])
    curve = lines({"events a second": (speed, np.array(means[0]))}, "phones a second", "events a second")
    return Evidence(
        "",
        [
            Measurement.exact(
                "rank correlation of speaking rate and event rate", np.corrcoef(ranks, range(len(ranks)))[0, 1]
            ),
            Measurement.exact(
                "spread of events per phone over that of seconds per phone",
                spread[0] / spread[1],  # type: ignore[arg-type]
            ),
        ],
        [
            Plot("Event rate by speaking rate", curve),
            Table(
                "Mean over ten sentences",
                ("stretch", "events a second", "events per phone", "seconds per phone"),
                [
                    (str(stretch), *(f"{column[row]:.3g}" for column in means))
                    for row, stretch in enumerate(slow_to_fast)
                ],
            ),
        ],
    )


def sequence_durations(context: ClaimContext) -> Evidence:
    """Durations of successive sequences of 512 events of held-out prompts, one after the other."""
    return _sequence_durations(context, _codec(WEIGHTS))


def baseline_sequence_durations(context: ClaimContext) -> Evidence:
    """The same of band energies, which need no training."""
    return _sequence_durations(context, _codec(BASELINE))


def _sequence_durations(context: ClaimContext, codec: Codec) -> Evidence:
    del context
    parts = split_prompts()
    whole = codec.encode(np.concatenate([prompt.samples for prompt in (*parts["validation"], *parts["test"])]))
    durations = _durations(whole)
    rate = whole.rate()
    return Evidence(
        f"{min(durations):.2f} to {max(durations):.2f} s, mean {np.mean(durations):.2f} s",
        [
            Measurement.over_examples("duration times event rate over 512", np.array(durations) * rate / SEQUENCE),
            Measurement.exact("longest over shortest", max(durations) / min(durations)),
            Measurement.exact("seconds of 512 codes at 62.5 Hz", SEQUENCE / CODE_RATE, "s"),
            Measurement.exact("event rate", rate, "Hz"),
        ],
    )


def _durations(whole: Events) -> list[float]:
    """Each sequence is encoded again from the grid step at which the one before it ended."""
    found, start, raster = [], 0, whole.raster()
    while start < len(raster):
        # More steps than a sequence has ever taken, unless nothing changes.
        stop = min(len(raster), start + SEQUENCE * whole.max_length // whole.channels)
        rest = Events.from_raster(
            raster[start:stop],
            highest=whole.highest,
            max_length=whole.max_length,
            stride=whole.stride,
            sample_rate=whole.sample_rate,
        )
        if len(rest) <= SEQUENCE:
            break
        part = rest.prefix(SEQUENCE)
        found.append(part.seconds)
        start += part.steps
    return found
