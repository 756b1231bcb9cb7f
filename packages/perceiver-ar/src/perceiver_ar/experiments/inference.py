"""Claims that are measured on shipped or untrained networks: each function maps a `ClaimContext` to `Evidence`."""

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float64, Int
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines, lines_with_intervals
from scipy.special import log_softmax

from perceiver_ar.config import RESERVED, SOS, ExperimentConfig, ModelConfig
from perceiver_ar.data import copy_task
from perceiver_ar.data.corpus import Tokens
from perceiver_ar.data.music import freedoom
from perceiver_ar.data.text import TEST_NOVELS, novel
from perceiver_ar.evaluation.copies import copy_accuracy
from perceiver_ar.evaluation.documents import evaluate_documents
from perceiver_ar.generation.cache import evict_oldest
from perceiver_ar.generation.decode import Sampler
from perceiver_ar.models.counts import official_parameter_count, parameter_count
from perceiver_ar.models.losses import sequence_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.presets import PRESETS, REPORTED_PARAMETERS
from perceiver_ar.pretrained.checkpoints import open_network

# Copy task: sequences for each seed, and an offset of the seeds from those of training.
COPY_SEQUENCES, COPY_SEED = 256, 10_000


# Contexts, latents, layers and width of the comparison of speed.
CONTEXTS, SCALING_LATENTS, SCALING_DEPTH, SCALING_WIDTH = (512, 1024, 2048, 4096, 8192), 256, 6, 32


# Bytes of an excerpt for the shipped text network.
EXCERPT = 1024


# Cache ages in multiples of N (at least one step), and the number of successive steps that are averaged.
DRIFT_AGES, DRIFT_PLACES = (0, 1 / 8, 1 / 2, 1, 2, 4), 16


def excerpt(seed: int, length: int) -> Tokens:
    """SOS and bytes of the test novel, from a random offset."""
    text = novel(TEST_NOVELS[0]).encode("utf-8")
    start = int(np.random.default_rng(seed).integers(len(text) - length))
    return np.concatenate([[SOS], np.frombuffer(text[start : start + length], np.uint8).astype(np.int32) + RESERVED])


def musical_excerpt(seed: int, length: int) -> Tokens:
    """Events of a test piece, from a random offset."""
    pieces = freedoom(None).test
    piece = pieces[seed % len(pieces)]
    start = int(np.random.default_rng(seed).integers(len(piece) - length + 1))
    return np.asarray(piece[start : start + length])


def copy_accuracy_by_distance(context: ClaimContext) -> Evidence:
    """C1, C2: the shipped copy network with its full context, and with only the inputs of its latents."""
    network = open_network("copy").model
    config = network.config
    length, latents = config.context_length, config.num_latents
    distances = 2 * np.arange(length // 2) + 1
    # EOS has no source; beyond N tokens the source is not at a latent.
    symbols = distances < length - 1
    outside = symbols & (distances > latents)
    curves: dict[str, list[np.ndarray]] = {"whole context": [], "prefix hidden": []}
    far, all_, blind = {}, {}, {}
    for seed in context.track(context.seeds, "seeds"):
        generator = np.random.default_rng(COPY_SEED + seed)
        events = copy_task.mirrored(generator, COPY_SEQUENCES, length, config.vocab_size)
        seen, unseen = copy_accuracy(network, events), copy_accuracy(network, events, context=latents)
        curves["whole context"].append(seen)
        curves["prefix hidden"].append(unseen)
        far[seed], all_[seed] = float(seen[outside].mean()), float(seen[symbols].mean())
        blind[seed] = float(unseen[outside].mean())
    chance = 1 / (config.vocab_size - RESERVED)
    measured = [
        Measurement.over_seeds("accuracy, originals outside the latents", far),
        Measurement.over_seeds("accuracy, all copies", all_),
        Measurement.over_seeds("accuracy, prefix hidden, less chance", {s: v - chance for s, v in blind.items()}),
    ]
    shown = {name: (distances[symbols], np.mean(rows, axis=0)[symbols]) for name, rows in curves.items()}
    figure = lines(
        shown,
        "distance back to the original, tokens",
        "share of correct copies",
        bands={name: (np.min(rows, axis=0)[symbols], np.max(rows, axis=0)[symbols]) for name, rows in curves.items()},
        band_label="range of the seeds",
        reference=("chance", chance),
        vertical=("number of latents", latents),
    )
    return Evidence(
        f"originals outside the {latents} latents: {100 * np.mean(list(far.values())):.2f}% copied, with the prefix "
        f"hidden {100 * np.mean(list(blind.values())):.2f}% (chance {100 * chance:.2f}%); M={length}",
        measured,
        [Plot("Copies by distance", figure)],
    )


def random_tokens(config: ModelConfig, batch: int = 1) -> tuple[jax.Array, jax.Array]:
    """Random inputs and targets of the full context length."""
    generator = np.random.default_rng(0)
    events = generator.integers(RESERVED, config.vocab_size, (batch, config.context_length + 1))
    return jnp.asarray(events[:, :-1], jnp.int32), jnp.asarray(events[:, 1:], jnp.int32)


def compiled_gradient(config: ModelConfig) -> tuple[Any, tuple[Any, ...]]:
    """The compiled gradient of the loss of one sequence, and its arguments."""
    graph, params = nnx.split(PerceiverAR(config, nnx.Rngs(0)))
    input_ids, targets = random_tokens(config)

    def loss(params: Any, input_ids: jax.Array, targets: jax.Array) -> jax.Array:
        return sequence_loss(nnx.merge(graph, params), input_ids, targets).nats

    arguments = params, input_ids, targets
    return jax.jit(jax.grad(loss)).lower(*arguments).compile(), arguments


def step_seconds(run: Callable[..., Any], arguments: tuple[Any, ...], times: int) -> list[float]:
    """Seconds of each of several calls, after a warm-up call."""
    jax.block_until_ready(run(*arguments))
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        found.append(time.perf_counter() - begin)
    return found


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def cost_of_context(context: ClaimContext) -> Evidence:
    """C3: time and memory of a gradient as the context grows, with N fixed and with N = M (a plain decoder)."""
    base = ModelConfig(
        num_latents=SCALING_LATENTS, depth=SCALING_DEPTH, width=SCALING_WIDTH, context_length=max(CONTEXTS)
    )
    seconds: dict[str, dict[int, list[float]]] = {"Perceiver AR": {}, "decoder": {}}
    memory: dict[str, list[float]] = {"Perceiver AR": [], "decoder": []}
    repeats = len(context.seeds)
    for length in context.track(CONTEXTS, "contexts"):
        for name, latents in (("Perceiver AR", SCALING_LATENTS), ("decoder", length)):
            config = replace(base, context_length=length, num_latents=latents)
            run, arguments = compiled_gradient(config)
            seconds[name][length] = step_seconds(run, arguments, repeats)
            memory[name].append(run.memory_analysis().temp_size_in_bytes / 2**20)
    x = np.array(CONTEXTS, float)
    slopes = {
        name: {
            seed: slope(x, np.array([seconds[name][length][k] for length in CONTEXTS]))
            for k, seed in enumerate(context.seeds)
        }
        for name in seconds
    }
    longest = max(CONTEXTS)
    ratio = {
        seed: seconds["decoder"][longest][k] / seconds["Perceiver AR"][longest][k]
        for k, seed in enumerate(context.seeds)
    }
    middle = {name: [float(np.median(seconds[name][length])) for length in CONTEXTS] for name in seconds}
    rows = [
        [
            length,
            *(f"{middle[name][i] * 1000:,.0f}" for name in seconds),
            *(f"{memory[name][i]:,.0f}" for name in seconds),
            f"{SCALING_LATENTS / middle['Perceiver AR'][i]:,.0f}",
            f"{length / middle['decoder'][i]:,.0f}",
        ]
        for i, length in enumerate(CONTEXTS)
    ]
    header = [
        "context", "ms", "ms, decoder", "MiB", "MiB, decoder", "targets a second", "targets a second, decoder"
    ]  # fmt: skip
    measured = [
        Measurement.over_seeds("slope of time, Perceiver AR", slopes["Perceiver AR"]),
        Measurement.over_seeds("slope of time, decoder", slopes["decoder"]),
        Measurement.over_seeds(f"speed ratio at {longest} inputs", ratio),
        Measurement.exact("memory ratio at the longest context", memory["decoder"][-1] / memory["Perceiver AR"][-1]),
    ]
    return Evidence(
        f"time grows as M^{measured[0].mean:.2f}, a decoder's as M^{measured[1].mean:.2f}; at {longest:,} inputs a "
        f"step is {measured[2].mean:.0f} times as fast and takes 1/{measured[3].mean:.1f} of the memory",
        measured,
        [
            Table(f"One gradient, N={SCALING_LATENTS}, {SCALING_DEPTH} layers, width {SCALING_WIDTH}", header, rows),
            Plot("Time of a gradient", lines(
                {name: (x, y) for name, y in middle.items()}, "context, tokens", "seconds a gradient",
                log_x=True, log_y=True, band_label="range of the repetitions",
                bands={name: ([min(of[length]) for length in CONTEXTS], [max(of[length]) for length in CONTEXTS])
                       for name, of in seconds.items()},
            )),
            Note("A step of the decoder has M targets, one of Perceiver AR N: the last columns give the ratio per "
                 "target. Both use the same attention, which never holds an M x M array."),
        ],
    )  # fmt: skip


def latents_at_test_time(context: ClaimContext) -> Evidence:
    """C11b: the shipped text network evaluated with fewer and more latents than in training."""
    network = open_network("text")
    assert network.codec is not None
    trained_latents = network.model.config.num_latents
    counts = [trained_latents // 16, trained_latents // 4, trained_latents, 2 * trained_latents]
    bits: dict[int, dict[int, float]] = {count: {} for count in counts}
    for seed in context.track(context.seeds, "excerpts"):
        part = excerpt(seed, EXCERPT)
        for count in counts:
            found = evaluate_documents(network.model, network.codec, [part], stride=counts[0], num_latents=count)
            bits[count][seed] = found["bits_per_byte"]
    measured = [Measurement.over_seeds(f"bits per byte, {count} latents", bits[count]) for count in counts]
    means = [measurement.mean for measurement in measured]
    summary = ", ".join(f"{mean:.3f} ({count})" for mean, count in zip(means, counts, strict=True))
    figure = lines_with_intervals(
        counts,
        {"mean of the excerpts": [(m.mean, m.low, m.high) for m in measured]},
        "latents at test time",
        "bits per byte",
        vertical=("latents in training", trained_latents),
    )
    return Evidence(
        f"bits per byte by latents, trained with {trained_latents}: {summary}",
        measured,
        [Plot("Latents at test time", figure)],
    )


def cache_drift(context: ClaimContext) -> Evidence:
    """C17: KL divergence of plain key-value caching from a forward pass, by the number of steps since a reset."""
    models = {name: open_network(name).model for name in ("music", "text")}
    excerpts = {"music": musical_excerpt, "text": excerpt}
    ages, measured = {}, []
    for name, model in context.track(models.items(), "networks"):
        latents = model.config.num_latents
        ages[name] = [round(part * latents) or 1 for part in DRIFT_AGES]
        length = latents + ages[name][-1] + DRIFT_PLACES
        found = _drift(model, np.stack([excerpts[name](seed, length) for seed in context.seeds]), ages[name])
        measured += [
            Measurement.over_seeds(f"nats, {name}, {label}", dict(zip(context.seeds, values.tolist(), strict=True)))
            for label, values in found.items()
        ]
    mean = {measurement.name: measurement.mean for measurement in measured}
    summary = "; ".join(
        f"{name}: {mean[f'nats, {name}, after 1 steps']:.1e} nats after 1 step, "
        f"{mean[f'nats, {name}, after {ages[name][-1]} steps']:.1e} after {ages[name][-1]}, "
        f"{mean[f'nats, {name}, after a reset']:.1e} after a reset"
        for name in models
    )
    curves = {name: (ages[name], [mean[f"nats, {name}, after {age} steps"] for age in ages[name]]) for name in models}
    figure = lines(
        curves,
        "steps since the caches were filled",
        "KL(full pass || cached), nats",
        log_x=True,
        log_y=True,
        bands={
            name: tuple(
                # A logarithmic axis has no place for an interval's end below zero.
                [max(getattr(m, end), m.mean / 10) for m in measured if m.name in at_age]
                for end in ("low", "high")
            )
            for name in models
            for at_age in [[f"nats, {name}, after {age} steps" for age in ages[name]]]
        },
    )
    return Evidence(f"KL from a forward pass, {summary}", measured, [Plot("Drift of plain key-value caching", figure)])


def _drift(
    model: PerceiverAR, tokens: Int[np.ndarray, "batch length"], ages: list[int]
) -> dict[str, Float64[np.ndarray, " batch"]]:
    """KL divergence right after filling the caches, at these cache ages (means of successive steps), after a reset."""
    config, latents = model.config, model.config.num_latents
    batch, length = tokens.shape
    sampler = Sampler(model)

    def divergence(end: int, cached: jax.Array) -> Float64[np.ndarray, " batch"]:
        """KL(forward pass || cached) of the token after the first `end` tokens."""
        padded = np.zeros((batch, config.context_length), np.int32)
        padded[:, :end] = tokens[:, :end]
        fresh = _last_logits(model, jnp.asarray(padded), jnp.full(batch, end), latents)
        p, q = (log_softmax(np.asarray(logits, np.float64), axis=-1) for logits in (fresh, cached))
        return np.sum(np.exp(p) * (p - q), axis=-1)

    state = sampler.reset(sampler.start(tokens[:, :latents].tolist(), length - latents), latents)
    found = {"fresh caches": divergence(latents, state.logits)}
    of_age: dict[int, list[np.ndarray]] = {age: [] for age in ages}
    for end in range(latents + 1, length + 1):
        state = sampler.decode_step(evict_oldest(state), jnp.asarray(tokens[:, end - 1]))
        wanted = [age for age in ages if age <= end - latents < age + DRIFT_PLACES]
        if wanted:
            value = divergence(end, state.logits)
            for age in wanted:
                of_age[age].append(value)
    found |= {f"after {age} steps": np.mean(values, axis=0) for age, values in of_age.items()}
    return found | {"after a reset": divergence(length, sampler.reset(state, latents).logits)}


def cache_exactness(context: ClaimContext) -> Evidence:
    """X1: logits of each cached step against a forward pass with as many latents, also after the window slides."""
    config = ModelConfig(vocab_size=50, context_length=64, num_latents=8, depth=2, width=64, rotary_fraction=0.5)
    worst = {}
    for seed in context.track(context.seeds, "seeds"):
        model = PerceiverAR(config, nnx.Rngs(seed))
        assert model.head is not None
        # the initial head is zero
        model.head.kernel[...] = jax.random.normal(jax.random.key(seed), (config.width, config.vocab_size)) / 8
        sampler = Sampler(model)
        state = sampler.start([[SOS, *range(RESERVED, RESERVED + 40)]], 60)
        largest = 0.0
        for left in range(60, 0, -1):
            state, _ = sampler.step(state, jax.random.key(seed), left)
            fresh = _last_logits(model, state.tokens, state.lengths, int(state.filled))
            largest = max(largest, float(jnp.abs(fresh - state.logits).max()))
        worst[seed] = largest
    measured = [Measurement.over_seeds("largest difference of a logit", worst)]
    return Evidence(
        f"60 steps with resets, past the end of the window: logits differ by at most {max(worst.values()):.1e}",
        measured,
    )


@functools.partial(jax.jit, static_argnums=3)
def _last_logits(model: PerceiverAR, tokens: jax.Array, lengths: jax.Array, num_latents: int) -> jax.Array:
    return model(tokens, lengths, num_latents=num_latents)[:, -1]


def long_context_memory(context: ClaimContext) -> Evidence:
    """X2: memory of the gradient at 131,072 inputs, as reported by the compiler, relative to one N x M array."""
    del context  # nothing is random
    config = ModelConfig(context_length=131_072, num_latents=1024, depth=2, width=32, heads=4, rotary_fraction=1.0)
    run, _ = compiled_gradient(config)
    used = run.memory_analysis().temp_size_in_bytes
    scores = 4 * config.heads * config.num_latents * config.context_length
    return Evidence(
        f"{used / 2**20:,.0f} MiB of temporaries, the scores alone would be {scores / 2**20:,.0f} MiB",
        [Measurement.exact("temporaries over the scores", used / scores)],
    )


def parameter_counts(context: ClaimContext) -> Evidence:
    """X3: parameter counts of presets against those of the official code, of its layout, and reported ones."""
    del context  # nothing is random
    rows, worst = [], {"measured": 0.0, "computed": 0.0, "reported": 0.0}
    for name, reported in REPORTED_PARAMETERS.items():
        config: ExperimentConfig = PRESETS[name].config
        count = official_parameter_count(config.model)
        away = abs(count / reported.parameters - 1)
        worst[reported.source] = max(worst[reported.source], away)
        rows.append([name, f"{parameter_count(config.model):,}", f"{count:,}", f"{reported.parameters:,}",
                     reported.source, f"{100 * away:.2f}%"])  # fmt: skip
    measured = [Measurement.exact(f"largest deviation, {source}", value) for source, value in worst.items()]
    return Evidence(
        f"counts of the official code agree to {100 * worst['measured']:.4f}%, computed ones to "
        f"{100 * worst['computed']:.2f}%",
        measured,
        [Table("Parameters", ["preset", "here", "official layout", "quoted", "source", "away"], rows)],
    )
