"""Claims that train networks: ablations and comparisons, paired by seed."""

import functools
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines_with_intervals
from onepaper.jax.steps import JaxTask
from onepaper.training import LoopOptions, fit

from perceiver_ar.config import DataConfig, ExperimentConfig, ModelConfig, TransformerXLConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.data.images import ImageCodec, Images
from perceiver_ar.evaluation.documents import evaluate_documents, first_tokens
from perceiver_ar.models.counts import step_flops, xl_step_flops
from perceiver_ar.models.decoder import plain_decoder
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.transformer_xl import TransformerXL, score_stream, stateful_loss, stream_batches
from perceiver_ar.presets import PRESETS
from perceiver_ar.training import document_batches, make_loss, train

# Tokens of held-out documents in each evaluation.
EVALUATED_TOKENS = 16_384


# Base model of the ablations on text.
SMALL = ModelConfig(context_length=512, num_latents=64, depth=2, width=64, rotary_fraction=0.5)


# FLOP-matched comparison: targets of a step, the same for all networks, and steps of the Perceiver AR.
FLOP_MATCHED_TARGETS, FLOP_MATCHED_STEPS = 1024, 1600


# Held-out crops in the comparison of pixel orders, spread over both photographs because neighbours are similar.
EVALUATED_CROPS = 256


def study_config(data: DataConfig, model: ModelConfig, batch_size: int, steps: int) -> ExperimentConfig:
    """A configuration with the optimizer of the laptop presets."""
    base: ExperimentConfig = PRESETS["laptop-text"].config
    return replace(
        base, data=data, model=model, batch_size=batch_size, loop=LoopOptions(steps=steps, checkpoint_every=0)
    )


def train_and_evaluate(config: ExperimentConfig, seed: int, *, num_latents: int | None = None) -> dict[str, float]:
    """Train, then evaluate on test documents with stride N / 2, and on training documents."""
    model = train(config, seed=seed)
    corpus = load(config.data)
    latents = num_latents or config.model.num_latents
    documents = first_tokens(corpus.test, EVALUATED_TOKENS)
    found = evaluate_documents(
        model, corpus.codec, documents, stride=max(1, latents // 2), num_latents=latents, batch_size=16
    )
    seen = evaluate_documents(
        model, corpus.codec, first_tokens(corpus.train, EVALUATED_TOKENS), stride=max(1, latents // 2),
        num_latents=latents, batch_size=16,
    )  # fmt: skip
    return {"nats": found["nats_per_token"], "nats, trained on": seen["nats_per_token"]}


def arms(
    context: ClaimContext, prefix: str, configs: Mapping[Any, ExperimentConfig]
) -> dict[Any, dict[int, dict[str, float]]]:
    """name -> seed -> result of `train_and_evaluate`, each an arm of the claim."""
    work = [(name, seed) for name in configs for seed in context.seeds]
    found: dict[Any, dict[int, dict[str, float]]] = {name: {} for name in configs}
    for name, seed in context.track(work, "trainings"):
        found[name][seed] = context.arm(f"{prefix} {name}", seed, _arm(configs[name], seed))
    return found


def _arm(config: ExperimentConfig, seed: int) -> Callable[[], dict[str, float]]:
    return lambda: train_and_evaluate(config, seed)


def over_seeds(name: str, of_seed: Mapping[int, float]) -> Measurement:
    """A measurement with one number for each seed."""
    return Measurement.over_seeds(name, of_seed)


def bits(found: Mapping[int, Mapping[str, float]]) -> dict[int, float]:
    """Bits per token, by seed."""
    return {seed: numbers["nats"] / math.log(2) for seed, numbers in found.items()}


def targets_per_step(context: ClaimContext) -> Evidence:
    """C4: batch size and number of latents, with equal numbers of steps."""
    shapes = {(16, 4): 64, (64, 4): 256, (16, 16): 256, (64, 16): 1024}
    configs = {
        f"N={n}, batch {batch}": study_config(DataConfig("novels", least_inputs=256),
                                       replace(SMALL, context_length=256, num_latents=n), batch, 600)
        for n, batch in shapes
    }  # fmt: skip
    found = arms(context, "targets", configs)
    measured = [over_seeds(f"bits per byte, {name}", bits(of_name)) for name, of_name in found.items()]
    summary = ", ".join(f"{m.mean:.3f} ({name})" for m, name in zip(measured, configs, strict=True))
    return Evidence(f"bits per byte after 600 steps: {summary}", measured)


def context_length_ablation(context: ClaimContext) -> Evidence:
    """C5b: the same stack of latents with four context lengths."""
    lengths = (64, 128, 256, 512)
    configs = {
        length: study_config(DataConfig("novels", least_inputs=length), replace(SMALL, context_length=length), 16, 1200)
        for length in lengths
    }
    found = arms(context, "context", configs)
    measured = [over_seeds(f"bits per byte, context {length}", bits(found[length])) for length in lengths]
    figure = lines_with_intervals(
        lengths,
        {"mean of the trainings": [(m.mean, m.low, m.high) for m in measured]},
        "context, tokens",
        "bits per byte",
    )
    summary = ", ".join(f"{m.mean:.3f} ({length})" for m, length in zip(measured, lengths, strict=True))
    return Evidence(f"bits per byte by context: {summary}", measured, [Plot("Bits per byte by context", figure)])


def flop_matched_networks() -> dict[str, tuple[ModelConfig | TransformerXLConfig, int, int]]:
    """name -> network, batch size and steps, with equal layers, width, context, targets per step and total FLOPs.

    A decoder and a Transformer-XL have more targets in each row of a batch, so their batches have fewer rows.
    """
    decoder = plain_decoder(SMALL)
    half = SMALL.context_length // 2
    xl = TransformerXLConfig(segment=half, memory=half, depth=SMALL.depth + 1, width=SMALL.width, heads=SMALL.heads)
    rows = [FLOP_MATCHED_TARGETS // count for count in (SMALL.num_latents, decoder.num_latents, half)]
    flops = step_flops(SMALL, rows[0]), step_flops(decoder, rows[1]), xl_step_flops(xl, rows[2])
    steps = [round(FLOP_MATCHED_STEPS * flops[0] / each) for each in flops]
    names = "Perceiver AR", "decoder", "Transformer-XL"
    return dict(zip(names, zip((SMALL, decoder, xl), rows, steps, strict=True), strict=True))


def train_flop_matched(
    model: ModelConfig | TransformerXLConfig, batch_size: int, steps: int, seed: int
) -> dict[str, float]:
    """Train one of `flop_matched_networks`: nats of held-out targets with equal context each, and steps a second."""
    config = study_config(DataConfig("novels", least_inputs=SMALL.context_length), SMALL, batch_size, steps)
    config = replace(config, loop=replace(config.loop, log_every=-(-steps // 2)))
    corpus, stride = load(config.data), SMALL.num_latents // 2
    documents = first_tokens(corpus.test, EVALUATED_TOKENS)
    if isinstance(model, TransformerXLConfig):
        task = JaxTask(lambda rngs: TransformerXL(model, rngs, stateful_rows=batch_size), stateful_loss(config.z_loss),
                       config.optimizer, total_steps=steps)  # fmt: skip
        text = np.concatenate([corpus.train[number] for number in range(len(corpus.train))])
        fitted = fit(task, stream_batches(text, batch_size, model.segment), config.loop, seed=seed)
        network = task.model(fitted.state)
        assert isinstance(network, TransformerXL)
        scored = [score_stream(network, document, memory=SMALL.context_length - stride, segment=stride)
                  for document in documents]  # fmt: skip
        nats = float(np.concatenate(scored).mean())
    else:
        config = replace(config, model=model)
        task = JaxTask(lambda rngs: PerceiverAR(model, rngs), make_loss(config), config.optimizer, total_steps=steps)
        fitted = fit(task, document_batches(config, corpus, seed=seed), config.loop, seed=seed)
        network = task.model(fitted.state)
        assert isinstance(network, PerceiverAR)
        nats = evaluate_documents(network, corpus.codec, documents, stride=stride, num_latents=model.num_latents)[
            "nats_per_token"
        ]
    return {"nats": nats, "steps a second": float(fitted.metrics["steps_per_second"])}


def transformer_comparison(context: ClaimContext) -> Evidence:
    """C6b: Perceiver AR, a decoder and a Transformer-XL with equal layers and training FLOPs."""
    networks = flop_matched_networks()
    work = [(name, seed) for seed in context.seeds for name in networks]
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in networks}
    for name, seed in context.track(work, "trainings"):
        found[name][seed] = context.arm(
            f"race {name}", seed, functools.partial(train_flop_matched, *networks[name], seed)
        )
    measured = [over_seeds(f"bits per byte, {name}", bits(found[name])) for name in networks]
    speeds = {name: {s: numbers["steps a second"] for s, numbers in of.items()} for name, of in found.items()}
    rates: dict[str, Callable[[float, int], float]] = {
        "steps a second": lambda speed, steps: speed,
        "targets a second": lambda speed, steps: FLOP_MATCHED_TARGETS * speed,
        "milliseconds a step": lambda speed, steps: 1000 / speed,
        "seconds of training": lambda speed, steps: steps / speed,
    }
    measured += [
        over_seeds(
            f"{rate}, {name}", {seed: of_speed(speed, networks[name][2]) for seed, speed in speeds[name].items()}
        )
        for rate, of_speed in rates.items()
        for name in networks
    ]
    mean = {measurement.name: measurement.mean for measurement in measured}
    rows = [
        [
            name,
            batch,
            steps,
            f"{mean[f'bits per byte, {name}']:.3f}",
            *(f"{mean[f'{rate}, {name}']:,.1f}" for rate in rates),
        ]
        for name, (_, batch, steps) in networks.items()
    ]
    summary = ", ".join(
        f"{mean[f'bits per byte, {n}']:.3f} ({n}, {mean[f'seconds of training, {n}']:.0f} s)" for n in networks
    )
    return Evidence(
        f"bits per byte after equal arithmetic: {summary}",
        measured,
        [
            Table("Three networks, equal arithmetic", ["network", "rows", "steps", "bits per byte", *rates], rows),
            Note(
                f"Every step has {FLOP_MATCHED_TARGETS:,} targets. Speeds are measured in the second half of training."
            ),
        ],
    )


def pixel_model(side: int, context: int, latents: int) -> ModelConfig:
    """A small network for RGB images, with tables for column, row and channel."""
    return ModelConfig(context_length=context, num_latents=latents, depth=3, width=96, positions="absolute",
                       position_tables="learned", axes=(side + 2, side + 2, 5))  # fmt: skip


def order_of_pixels(context: ClaimContext) -> Evidence:
    """C10: raster order and color planes, each with full context and with a context as short as the latents."""
    side, latents = 8, 48
    whole = 3 * side * side + 1
    configs = {
        f"{order}, {name} context": study_config(DataConfig("photos", order=order, side=side),
                                          pixel_model(side, length, latents), 32, 1500)
        for order in ("raster", "planes")
        for name, length in (("whole", whole), ("short", latents))
    }  # fmt: skip
    found: dict[str, dict[int, float]] = {name: {} for name in configs}
    work = [(name, seed) for name in configs for seed in context.seeds]
    for name, seed in context.track(work, "trainings"):
        found[name][seed] = context.arm(f"pixels {name}", seed, _pixels_arm(configs[name], seed))["bits"]
    measured = [over_seeds(f"bits per value, {name}", of_name) for name, of_name in found.items()]
    losses = {
        name: {s: found[f"planes, {name} context"][s] - found[f"raster, {name} context"][s] for s in context.seeds}
        for name in ("whole", "short")
    }
    measured += [
        over_seeds("loss by planes, short context", losses["short"]),
        over_seeds("loss by planes, whole context, less a quarter of that",
                   {s: losses["whole"][s] - losses["short"][s] / 4 for s in context.seeds}),
    ]  # fmt: skip
    summary = ", ".join(f"{m.mean:.3f} ({name})" for m, name in zip(measured, found, strict=False))
    return Evidence(f"bits per value: {summary}", measured)


def _pixels_arm(config: ExperimentConfig, seed: int) -> Callable[[], dict[str, float]]:
    def arm() -> dict[str, float]:
        model, corpus = train(config, seed=seed), load(config.data)
        spread = np.linspace(0, len(corpus.test) - 1, EVALUATED_CROPS).round().astype(int)
        documents = [corpus.test[int(number)] for number in spread]
        stride = config.model.num_latents // 2
        return {
            "bits": evaluate_documents(model, corpus.codec, documents, stride=stride, batch_size=16)["bits_per_dim"]
        }

    return arm


def latents_of_images(context: ClaimContext) -> Evidence:
    """C11: networks for digits with absolute positions, as in the paper, evaluated with other numbers of latents."""
    config: ExperimentConfig = PRESETS["laptop-digits"].config
    trained_with = config.model.num_latents
    counts = (trained_with // 8, trained_with // 4, trained_with, 2 * trained_with)
    found = {seed: context.arm("digits", seed, _digits_arm(config, counts, seed))
             for seed in context.track(context.seeds, "trainings")}  # fmt: skip
    measured = [
        over_seeds(f"bits per value, {count} latents", {seed: found[seed][str(count)] for seed in context.seeds})
        for count in counts
    ]
    summary = ", ".join(f"{m.mean:.3f} ({count})" for m, count in zip(measured, counts, strict=True))
    figure = lines_with_intervals(
        counts,
        {"mean of the trainings": [(m.mean, m.low, m.high) for m in measured]},
        "latents at test time",
        "bits per value",
        vertical=("latents in training", trained_with),
    )
    return Evidence(
        f"bits per value by latents, trained with {trained_with}: {summary}",
        measured,
        [Plot("Latents at test time", figure)],
    )


def _digits_arm(config: ExperimentConfig, counts: Sequence[int], seed: int) -> Callable[[], dict[str, float]]:
    def arm() -> dict[str, float]:
        model, corpus = train(config, seed=seed), load(config.data)
        documents = first_tokens(corpus.test, 0)
        return {
            str(count): evaluate_documents(model, corpus.codec, documents, stride=2, num_latents=count, batch_size=64)[
                "bits_per_dim"
            ]
            for count in counts
        }

    return arm


def prefix_dropout_ablation(context: ClaimContext) -> Evidence:
    """C15: prefix dropout on a small corpus of music."""
    rates = (0.0, 0.5, 0.9)
    model = replace(SMALL, vocab_size=391, context_length=512, width=128)
    configs = {
        rate: study_config(DataConfig("freedoom"), replace(model, prefix_dropout=rate), 16, 1500) for rate in rates
    }
    found = arms(context, "dropout", configs)
    measured = [
        over_seeds(f"held-out nats, {rate}", {s: n["nats"] for s, n in found[rate].items()}) for rate in rates
    ] + [
        over_seeds(f"gap, {rate}", {s: n["nats"] - n["nats, trained on"] for s, n in found[rate].items()})
        for rate in rates
    ]
    summary = ", ".join(f"{m.mean:.3f} ({rate})" for m, rate in zip(measured, rates, strict=False))
    gaps = ", ".join(f"{m.mean:.3f}" for m in measured[len(rates) :])
    return Evidence(
        f"held-out nats per event by dropout: {summary}; above the loss on training pieces: {gaps}", measured
    )


def rotary_fraction_ablation(context: ClaimContext) -> Evidence:
    """C16: the fraction of rotary channels in each head."""
    parts = (0.125, 0.25, 0.5, 1.0)
    configs = {
        part: study_config(DataConfig("novels", least_inputs=512), replace(SMALL, rotary_fraction=part), 16, 1200)
        for part in parts
    }
    found = arms(context, "rotary", configs)
    measured = [over_seeds(f"bits per byte, {part:g} of the channels", bits(found[part])) for part in parts]
    summary = ", ".join(f"{m.mean:.3f} ({part:g})" for m, part in zip(measured, parts, strict=True))
    return Evidence(f"bits per byte by part of the channels: {summary}", measured)


def histogram_bits(train: Images, test: Images) -> float:
    """Bits per value under the histogram of each channel, with add-one smoothing."""
    total = 0.0
    for channel in range(train.shape[3]):
        counts = np.bincount(train[..., channel].ravel(), minlength=256) + 1
        total -= float(np.log2(counts / counts.sum())[test[..., channel].ravel()].sum())
    return total / test.size


def neighbour_bits(train: Images, test: Images) -> float:
    """Bits per value under the histogram of differences to the same channel of the pixel on the left.

    The first column is coded by the histogram of values. Differences are modulo 256.
    """
    total = 0.0
    for channel in range(train.shape[3]):
        old, new = train[..., channel], test[..., channel]
        first = np.bincount(old[:, :, 0].ravel(), minlength=256) + 1
        total -= float(np.log2(first / first.sum())[new[:, :, 0].ravel()].sum())
        steps = np.bincount((old[:, :, 1:] - old[:, :, :-1]).ravel(), minlength=256) + 1
        total -= float(np.log2(steps / steps.sum())[(new[:, :, 1:] - new[:, :, :-1]).ravel()].sum())
    return total / test.size


def image_file_bits(images: Images, kind: str) -> float:
    """Bits per value of all images in one tall lossless file, so that the format needs only one header."""
    from PIL import Image

    content = io.BytesIO()
    options: dict[str, Any] = {"optimize": True} if kind == "png" else {"lossless": True, "quality": 100, "method": 6}
    Image.fromarray(images.reshape(-1, *images.shape[2:])).save(content, kind, **options)
    return 8 * content.tell() / images.size


def compression_comparison(context: ClaimContext) -> Evidence:
    """C9b: `laptop-images` against histograms of values and of differences, PNG and WebP on the same test crops."""
    config: ExperimentConfig = PRESETS["laptop-images"].config
    corpus = load(config.data)
    codec = corpus.codec
    assert isinstance(codec, ImageCodec)

    def images(part: Any) -> Images:
        return np.stack([codec.decode(part[number]) for number in range(len(part))])

    known, held_out = images(corpus.train), images(corpus.test)
    rivals = {
        "frequencies of values": histogram_bits(known, held_out),
        "differences of neighbours": neighbour_bits(known, held_out),
        "PNG": image_file_bits(held_out, "png"),
        "lossless WebP": image_file_bits(held_out, "webp"),
    }
    network_bits: dict[int, float] = {}
    for seed in context.track(context.seeds, "trainings"):
        network_bits[seed] = context.arm("images", seed, lambda seed=seed: _image_bits(config, seed))["bits"]
    measured = [
        over_seeds("bits per value", network_bits),
        *(Measurement.exact(f"bits per value, {name}", value) for name, value in rivals.items()),
    ]
    return Evidence(
        f"{measured[0].mean:.3f} bits per value; " + ", ".join(f"{name} {value:.3f}" for name, value in rivals.items()),
        measured,
        [Table("Bits per value", ["code", "bits"], [["Perceiver AR", measured[0].mean], *map(list, rivals.items())])],
    )


def _image_bits(config: ExperimentConfig, seed: int) -> dict[str, float]:
    """Bits per value of all test crops, including those of the end token."""
    model, corpus = train(config, seed=seed), load(config.data)
    documents = first_tokens(corpus.test, 0)
    found = evaluate_documents(model, corpus.codec, documents, stride=config.model.num_latents // 2, batch_size=16)
    return {"bits": found["bits_per_dim"]}
