"""Run-length coding beside python-rle, encoding and decoding against real time, and sampled events with a cache.

    python bench_speech.py [--quick] [--rounds N] [--threads N] [--output results/speech.json]

Every way runs in a process of its own, in turns; what is compiled or warmed up before is not timed. python-rle is
measured where it is installed.
"""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from onepaper.benchmark import alternate, option_parser, pin, write_result

PACKAGES = ("jax", "flax", "numpy", "python-rle")

# Grid steps and channels of the raster, and the share of steps at which a channel changes: 19 of 500 a second.
STEPS, CHANNELS, CHANGES = 2_500_000, 4, 19 / 500
PEER_STEPS = 250_000

# Events of a sequence with and without the cache.
EVENTS, RECOMPUTED_EVENTS = 1000, 12


def _raster(steps: int) -> Any:
    import numpy as np

    generator = np.random.default_rng(0)
    moves = generator.choice([-1, 0, 1], (steps, CHANNELS), p=[CHANGES / 2, 1 - CHANGES, CHANGES / 2])
    return np.abs(moves.cumsum(axis=0) % 28 - 14).astype(np.int8) - 7


def _prompt(seconds: float) -> Any:
    import numpy as np

    from slowae_rlt.data.prompts import split_prompts

    samples = np.concatenate([prompt.samples for prompt in split_prompts(("en",))["test"]])
    return samples[: round(seconds * 8000)]


def run_lengths() -> Callable[[], float]:
    """Cells of a raster that become runs in a call."""
    from slowae_rlt.events.run_lengths import encode_runs

    levels = _raster(STEPS)

    def run() -> float:
        encode_runs(levels, 256)
        return levels.size

    return run


def python_rle() -> Callable[[], float]:
    """The same by the peer, channel by channel, without joining the channels."""
    import rle

    channels = [channel.tolist() for channel in _raster(PEER_STEPS).T]

    def run() -> float:
        for channel in channels:
            rle.encode(channel)
        return PEER_STEPS * CHANNELS

    return run


def encode() -> Callable[[], float]:
    """Seconds of speech that the shipped model encodes in a call."""
    from slowae_rlt.pretrained.codecs import open_codec

    codec, samples = open_codec("laptop"), _prompt(60)

    def run() -> float:
        codec.encode(samples)
        return len(samples) / 8000

    return run


def _waveform_model() -> Any:
    from flax import nnx

    from slowae_rlt.models.slow_autoencoder import SlowAE
    from slowae_rlt.presets import PRESETS

    return SlowAE(PRESETS["laptop-waveform"].config.model, nnx.Rngs(0))


def decode_samples() -> Callable[[], float]:
    """Seconds of sound that the autoregressive decoder of the preset laptop-waveform draws in a call."""
    import numpy as np

    from slowae_rlt.models.waveform_decoder import sample_waveform

    decoder, levels = _waveform_model().decoder, np.zeros((2048, CHANNELS), np.float32)

    def run() -> float:
        sample_waveform(decoder, levels)
        return len(levels) / 500

    return run


def decode_recomputed() -> Callable[[], float]:
    """Seconds of sound with the whole history computed again for each sample."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    decoder = _waveform_model().decoder
    graph, state = nnx.split(decoder)
    conditions = decoder.conditions(jnp.zeros((1, decoder.warm_up + 1 + 2 * decoder.stack.context, CHANNELS)))

    @jax.jit
    def following(state: Any, symbols: Any, key: Any) -> Any:
        drawn = jax.random.categorical(key, nnx.merge(graph, state).logits(symbols, conditions)[:, -1])
        return jnp.concatenate([symbols[:, 1:], drawn[:, None]], axis=1)

    def run() -> float:
        symbols = jnp.full((1, decoder.history), 128)
        for number in range(50):
            symbols = following(state, symbols, jax.random.key(number))
        symbols.block_until_ready()
        return 50 / 8000

    return run


def _language_model(length: int) -> Any:
    from dataclasses import replace

    from flax import nnx

    from slowae_rlt.models.band_energies import BandEnergies
    from slowae_rlt.models.run_length_transformer import RunLengthTransformer
    from slowae_rlt.presets import PRESETS
    from slowae_rlt.pretrained.language_models import LanguageModel

    config = replace(PRESETS["laptop-rlt"].config.model, length=length)
    return LanguageModel(RunLengthTransformer(config, nnx.Rngs(0)), BandEnergies(), "identity")


def events() -> Callable[[], float]:
    """Events that are sampled with a cache in a call."""
    from slowae_rlt.run_length.generation import sample_events

    model = _language_model(EVENTS)

    def run() -> float:
        sample_events(model)
        return EVENTS

    return run


def events_recomputed() -> Callable[[], float]:
    """Events with a forward pass over the whole sequence for each."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    graph, state = nnx.split(_language_model(EVENTS).model)

    @jax.jit
    def following(state: Any, values: Any, lengths: Any, key: Any) -> tuple[Any, Any]:
        model = nnx.merge(graph, state)
        states, known = model.states(values, lengths)
        value = jax.random.categorical(key, model.value_logits(states, known)[:, -1])
        length = jax.random.categorical(key, model.length_logits(states[:, -1], value)) + 1
        return values.at[:, -1].set(value), lengths.at[:, -1].set(length)

    def run() -> float:
        values, lengths = jnp.arange(EVENTS)[None] % 15, jnp.full((1, EVENTS), 20)
        for number in range(RECOMPUTED_EVENTS):
            values, lengths = following(state, values, lengths, jax.random.key(number))
        values.block_until_ready()
        return RECOMPUTED_EVENTS

    return run


# Way -> its maker, and the unit of what a call makes.
WAYS = {
    "run_lengths": (run_lengths, "cells"),
    "python_rle": (python_rle, "cells"),
    "encode": (encode, "seconds of speech"),
    "decode_samples": (decode_samples, "seconds of sound"),
    "decode_recomputed": (decode_recomputed, "seconds of sound"),
    "events": (events, "events"),
    "events_recomputed": (events_recomputed, "events"),
}

# Way, and the way it is compared with.
RATIOS = {"run_lengths": "python_rle", "decode_samples": "decode_recomputed", "events": "events_recomputed"}

CALLS = 3


def measure(way: str, threads: int) -> dict[str, float]:
    """In a process of its own: units a second, the best of a few calls after a first one."""
    pin(threads)
    run = WAYS[way][0]()
    run()
    rates = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        made = run()
        rates.append(made / (time.perf_counter() - begun))
    return {"per_second": max(rates)}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    options = option_parser(__doc__, quick="one round", measure=("WAY",)).parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], options.threads)))
        return
    ways = [way for way in WAYS if way != "python_rle" or importlib.util.find_spec("rle")]
    cases = {way: ["--measure", way, "--threads", str(options.threads)] for way in ways}
    answers = alternate(__file__, cases, 1 if options.quick else options.rounds)
    found = {way: [answer["per_second"] for answer in each] for way, each in answers.items()}
    write_result(options.output, {"threads": options.threads, "per_second": found}, PACKAGES)
    print("| way | a second | of | times the other |\n|---|---|---|---|")
    medians = {way: statistics.median(rates) for way, rates in found.items()}
    for way, rate in medians.items():
        other = medians.get(RATIOS.get(way, ""))
        print(f"| {way} | {rate:,.4g} | {WAYS[way][1]} | {f'{rate / other:,.1f}' if other else ''} |")


if __name__ == "__main__":
    main()
