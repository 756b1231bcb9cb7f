"""The measurements that train: networks that differ in one thing, paired by seed."""

import functools
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.jax.steps import JaxTask
from onepaper.training import LoopOptions, fit

from perceiver_ar.config import DataConfig, ExperimentConfig, ModelConfig, TransformerXLConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.data.images import ImageCodec, Images
from perceiver_ar.evaluation.documents import first_tokens, judge
from perceiver_ar.experiments.figures import lines
from perceiver_ar.models.counts import step_flops, xl_step_flops
from perceiver_ar.models.decoder import plain_decoder
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.transformer_xl import TransformerXL, carried_loss, score_stream, stream_batches
from perceiver_ar.presets import PRESETS
from perceiver_ar.training import document_batches, make_loss, train

# Tokens of held-out documents that each trained network is judged on.
JUDGED_TOKENS = 16_384


# A small network for text: what the studies of context and targets vary.
SMALL = ModelConfig(context_length=512, num_latents=64, depth=2, width=64, rotary_fraction=0.5)


# Of the comparison with Transformers: targets of a step of every network, and steps of the Perceiver AR.
RACE_TARGETS, RACE_STEPS = 1024, 1600


# Held-out crops that the orders of pixels are judged on, spread over both photographs: neighbours look alike.
JUDGED_CROPS = 256


def study(data: DataConfig, model: ModelConfig, batch_size: int, steps: int) -> ExperimentConfig:
    """A training with the optimiser of the laptop presets."""
    base: ExperimentConfig = PRESETS["laptop-text"].config
    return replace(
        base, data=data, model=model, batch_size=batch_size, loop=LoopOptions(steps=steps, checkpoint_every=0)
    )


def trained(config: ExperimentConfig, seed: int, *, num_latents: int | None = None) -> dict[str, float]:
    """Train, then judge whole documents of the test part by half-blocks; also the loss of windows trained on."""
    model = train(config, seed=seed)
    corpus = load(config.data)
    latents = num_latents or config.model.num_latents
    documents = first_tokens(corpus.test, JUDGED_TOKENS)
    found = judge(model, corpus.codec, documents, stride=max(1, latents // 2), num_latents=latents, batch_size=16)
    seen = judge(model, corpus.codec, first_tokens(corpus.train, JUDGED_TOKENS), stride=max(1, latents // 2),
                 num_latents=latents, batch_size=16)  # fmt: skip
    return {"nats": found["nats_per_token"], "nats, trained on": seen["nats_per_token"]}


def arms(
    context: ClaimContext, prefix: str, configs: Mapping[Any, ExperimentConfig]
) -> dict[Any, dict[int, dict[str, float]]]:
    """name -> seed -> what `trained` found, each an arm of the claim."""
    work = [(name, seed) for name in configs for seed in context.seeds]
    found: dict[Any, dict[int, dict[str, float]]] = {name: {} for name in configs}
    for name, seed in context.track(work, "trainings"):
        found[name][seed] = context.arm(f"{prefix} {name}", seed, _arm(configs[name], seed))
    return found


def _arm(config: ExperimentConfig, seed: int) -> Callable[[], dict[str, float]]:
    return lambda: trained(config, seed)


def over_seeds(name: str, of_seed: Mapping[int, float]) -> Measurement:
    """One number for each seed."""
    return Measurement.over_seeds(name, of_seed)


def bits(found: Mapping[int, Mapping[str, float]]) -> dict[int, float]:
    """Bits for each token, by seed."""
    return {seed: numbers["nats"] / math.log(2) for seed, numbers in found.items()}


def targets_per_step(context: ClaimContext) -> Evidence:
    """C4: batch and latents varied; equal numbers of steps."""
    shapes = {(16, 4): 64, (64, 4): 256, (16, 16): 256, (64, 16): 1024}
    configs = {
        f"N={n}, batch {batch}": study(DataConfig("novels", least_inputs=256),
                                       replace(SMALL, context_length=256, num_latents=n), batch, 600)
        for n, batch in shapes
    }  # fmt: skip
    found = arms(context, "targets", configs)
    measured = [over_seeds(f"bits per byte, {name}", bits(of_name)) for name, of_name in found.items()]
    told = ", ".join(f"{m.mean:.3f} ({name})" for m, name in zip(measured, configs, strict=True))
    return Evidence(f"bits per byte after 600 steps: {told}", measured)


def worth_of_context(context: ClaimContext) -> Evidence:
    """C5b: the same stack of latents with four lengths of context."""
    lengths = (64, 128, 256, 512)
    configs = {
        length: study(DataConfig("novels", least_inputs=length), replace(SMALL, context_length=length), 16, 1200)
        for length in lengths
    }
    found = arms(context, "context", configs)
    measured = [over_seeds(f"bits per byte, context {length}", bits(found[length])) for length in lengths]
    figure = lines({"": (lengths, [m.mean for m in measured])}, "context", "bits per byte", log_x=True)
    told = ", ".join(f"{m.mean:.3f} ({length})" for m, length in zip(measured, lengths, strict=True))
    return Evidence(f"bits per byte by context: {told}", measured, [Plot("What a longer context is worth", figure)])


def racers() -> dict[str, tuple[ModelConfig | TransformerXLConfig, int, int]]:
    """name -> network, batch and steps: as many layers, as wide, as far a reach, targets a step and FLOPs in all.

    A decoder and a Transformer-XL have more targets in each row of a batch, so they take fewer rows.
    """
    decoder = plain_decoder(SMALL)
    half = SMALL.context_length // 2
    xl = TransformerXLConfig(segment=half, memory=half, depth=SMALL.depth + 1, width=SMALL.width, heads=SMALL.heads)
    rows = [RACE_TARGETS // count for count in (SMALL.num_latents, decoder.num_latents, half)]
    flops = step_flops(SMALL, rows[0]), step_flops(decoder, rows[1]), xl_step_flops(xl, rows[2])
    steps = [round(RACE_STEPS * flops[0] / each) for each in flops]
    names = "Perceiver AR", "decoder", "Transformer-XL"
    return dict(zip(names, zip((SMALL, decoder, xl), rows, steps, strict=True), strict=True))


def raced(model: ModelConfig | TransformerXLConfig, batch_size: int, steps: int, seed: int) -> dict[str, float]:
    """Train one of `racers`; nats of held-out targets that each see the same earlier tokens, and steps a second."""
    config = study(DataConfig("novels", least_inputs=SMALL.context_length), SMALL, batch_size, steps)
    config = replace(config, loop=replace(config.loop, log_every=-(-steps // 2)))
    corpus, stride = load(config.data), SMALL.num_latents // 2
    documents = first_tokens(corpus.test, JUDGED_TOKENS)
    if isinstance(model, TransformerXLConfig):
        task = JaxTask(lambda rngs: TransformerXL(model, rngs, carried=batch_size), carried_loss(config.z_loss),
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
        nats = judge(network, corpus.codec, documents, stride=stride, num_latents=model.num_latents)["nats_per_token"]
    return {"nats": nats, "steps a second": float(fitted.metrics["steps_per_second"])}


def against_transformers(context: ClaimContext) -> Evidence:
    """C6b: Perceiver AR, the decoder of as many layers, and Transformer-XL, for as many FLOPs each."""
    networks = racers()
    work = [(name, seed) for seed in context.seeds for name in networks]
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in networks}
    for name, seed in context.track(work, "trainings"):
        found[name][seed] = context.arm(f"race {name}", seed, functools.partial(raced, *networks[name], seed))
    measured = [over_seeds(f"bits per byte, {name}", bits(found[name])) for name in networks]
    speeds = {name: {s: numbers["steps a second"] for s, numbers in of.items()} for name, of in found.items()}
    rates: dict[str, Callable[[float, int], float]] = {
        "steps a second": lambda speed, steps: speed,
        "targets a second": lambda speed, steps: RACE_TARGETS * speed,
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
    told = ", ".join(
        f"{mean[f'bits per byte, {n}']:.3f} ({n}, {mean[f'seconds of training, {n}']:.0f} s)" for n in networks
    )
    return Evidence(
        f"bits per byte after equal arithmetic: {told}",
        measured,
        [
            Table("Three networks, equal arithmetic", ["network", "rows", "steps", "bits per byte", *rates], rows),
            Note(f"Every step has {RACE_TARGETS:,} targets. Speeds are those of the second half of each training."),
        ],
    )


def pixel_model(side: int, context: int, latents: int) -> ModelConfig:
    """A small network for colour images: tables for column, row and channel."""
    return ModelConfig(context_length=context, num_latents=latents, depth=3, width=96, positions="absolute",
                       position_tables="learned", axes=(side + 2, side + 2, 5))  # fmt: skip


def order_of_pixels(context: ClaimContext) -> Evidence:
    """C10: raster order and colour planes, each with the whole image and with as little context as latents."""
    side, latents = 8, 48
    whole = 3 * side * side + 1
    configs = {
        f"{order}, {name} context": study(DataConfig("photos", order=order, side=side),
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
    told = ", ".join(f"{m.mean:.3f} ({name})" for m, name in zip(measured, found, strict=False))
    return Evidence(f"bits per value: {told}", measured)


def _pixels_arm(config: ExperimentConfig, seed: int) -> Callable[[], dict[str, float]]:
    def arm() -> dict[str, float]:
        model, corpus = train(config, seed=seed), load(config.data)
        spread = np.linspace(0, len(corpus.test) - 1, JUDGED_CROPS).round().astype(int)
        documents = [corpus.test[int(number)] for number in spread]
        stride = config.model.num_latents // 2
        return {"bits": judge(model, corpus.codec, documents, stride=stride, batch_size=16)["bits_per_dim"]}

    return arm


def latents_of_images(context: ClaimContext) -> Evidence:
    """C11: networks for digits, with absolute positions as in the paper, judged with other numbers of latents."""
    config: ExperimentConfig = PRESETS["laptop-digits"].config
    trained_with = config.model.num_latents
    counts = (trained_with // 8, trained_with // 4, trained_with, 2 * trained_with)
    found = {seed: context.arm("digits", seed, _digits_arm(config, counts, seed))
             for seed in context.track(context.seeds, "trainings")}  # fmt: skip
    measured = [
        over_seeds(f"bits per value, {count} latents", {seed: found[seed][str(count)] for seed in context.seeds})
        for count in counts
    ]
    told = ", ".join(f"{m.mean:.3f} ({count})" for m, count in zip(measured, counts, strict=True))
    figure = lines({"": (counts, [m.mean for m in measured])}, "latents at test time", "bits per value", log_x=True)
    return Evidence(
        f"bits per value by latents, trained with {trained_with}: {told}",
        measured,
        [Plot("Latents at test time", figure)],
    )


def _digits_arm(config: ExperimentConfig, counts: Sequence[int], seed: int) -> Callable[[], dict[str, float]]:
    def arm() -> dict[str, float]:
        model, corpus = train(config, seed=seed), load(config.data)
        documents = first_tokens(corpus.test, 0)
        return {
            str(count): judge(model, corpus.codec, documents, stride=2, num_latents=count, batch_size=64)[
                "bits_per_dim"
            ]
            for count in counts
        }

    return arm


def hidden_prefix(context: ClaimContext) -> Evidence:
    """C15: prefix dropout on little music."""
    rates = (0.0, 0.5, 0.9)
    model = replace(SMALL, vocab_size=391, context_length=512, width=128)
    configs = {rate: study(DataConfig("freedoom"), replace(model, prefix_dropout=rate), 16, 1500) for rate in rates}
    found = arms(context, "dropout", configs)
    measured = [
        over_seeds(f"held-out nats, {rate}", {s: n["nats"] for s, n in found[rate].items()}) for rate in rates
    ] + [
        over_seeds(f"gap, {rate}", {s: n["nats"] - n["nats, trained on"] for s, n in found[rate].items()})
        for rate in rates
    ]
    told = ", ".join(f"{m.mean:.3f} ({rate})" for m, rate in zip(measured, rates, strict=False))
    gaps = ", ".join(f"{m.mean:.3f}" for m in measured[len(rates) :])
    return Evidence(f"held-out nats per event by dropout: {told}; above the loss on training pieces: {gaps}", measured)


def part_that_turns(context: ClaimContext) -> Evidence:
    """C16: the rotary part of the channels of each head."""
    parts = (0.125, 0.25, 0.5, 1.0)
    configs = {
        part: study(DataConfig("novels", least_inputs=512), replace(SMALL, rotary_fraction=part), 16, 1200)
        for part in parts
    }
    found = arms(context, "rotary", configs)
    measured = [over_seeds(f"bits per byte, {part:g} of the channels", bits(found[part])) for part in parts]
    told = ", ".join(f"{m.mean:.3f} ({part:g})" for m, part in zip(measured, parts, strict=True))
    return Evidence(f"bits per byte by part of the channels: {told}", measured)


def histogram_bits(train: Images, test: Images) -> float:
    """Bits for each value under the frequencies of values in each channel, one added to each count."""
    total = 0.0
    for channel in range(train.shape[3]):
        counts = np.bincount(train[..., channel].ravel(), minlength=256) + 1
        total -= float(np.log2(counts / counts.sum())[test[..., channel].ravel()].sum())
    return total / test.size


def neighbour_bits(train: Images, test: Images) -> float:
    """Bits for each value under the frequencies of differences to the same channel of the pixel on the left.

    The first column is coded by the frequencies of values. Differences wrap around, so they are bytes again.
    """
    total = 0.0
    for channel in range(train.shape[3]):
        old, new = train[..., channel], test[..., channel]
        first = np.bincount(old[:, :, 0].ravel(), minlength=256) + 1
        total -= float(np.log2(first / first.sum())[new[:, :, 0].ravel()].sum())
        steps = np.bincount((old[:, :, 1:] - old[:, :, :-1]).ravel(), minlength=256) + 1
        total -= float(np.log2(steps / steps.sum())[(new[:, :, 1:] - new[:, :, :-1]).ravel()].sum())
    return total / test.size


def picture_file_bits(images: Images, kind: str) -> float:
    """Bits for each value of all images as one tall lossless file: one header for all is to the format's favour."""
    from PIL import Image

    content = io.BytesIO()
    options: dict[str, Any] = {"optimize": True} if kind == "png" else {"lossless": True, "quality": 100, "method": 6}
    Image.fromarray(images.reshape(-1, *images.shape[2:])).save(content, kind, **options)
    return 8 * content.tell() / images.size


def better_than_formats(context: ClaimContext) -> Evidence:
    """C9b: `laptop-images` against frequencies, differences of neighbours, PNG and WebP on the same held-out crops."""
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
        "PNG": picture_file_bits(held_out, "png"),
        "lossless WebP": picture_file_bits(held_out, "webp"),
    }
    ours: dict[int, float] = {}
    for seed in context.track(context.seeds, "trainings"):
        ours[seed] = context.arm("images", seed, lambda seed=seed: _image_bits(config, seed))["bits"]
    measured = [
        over_seeds("bits per value", ours),
        *(Measurement.exact(f"bits per value, {name}", value) for name, value in rivals.items()),
    ]
    return Evidence(
        f"{measured[0].mean:.3f} bits per value; " + ", ".join(f"{name} {value:.3f}" for name, value in rivals.items()),
        measured,
        [Table("Bits per value", ["code", "bits"], [["Perceiver AR", measured[0].mean], *map(list, rivals.items())])],
    )


def _image_bits(config: ExperimentConfig, seed: int) -> dict[str, float]:
    """Bits for each value of all held-out crops; the token that ends an image is paid for as well."""
    model, corpus = train(config, seed=seed), load(config.data)
    documents = first_tokens(corpus.test, 0)
    found = judge(model, corpus.codec, documents, stride=config.model.num_latents // 2, batch_size=16)
    return {"bits": found["bits_per_dim"]}
