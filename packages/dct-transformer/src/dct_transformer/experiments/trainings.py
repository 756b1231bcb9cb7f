"""Claims that compare trainings of small networks."""

from dataclasses import replace

from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from dct_transformer.config import ExperimentConfig
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models.counts import CountModel
from dct_transformer.presets import PRESETS
from dct_transformer.training import train

# Chunks are short, so that most triples are in later chunks, and the overlap does not replace the encoder.
CHUNK = {"target": 32, "overlap": 4, "start": "uniform"}

# Steps where two trainings are compared with each other; where one is compared with counts, the preset's.
STEPS = 1000


def _short(config: ExperimentConfig) -> ExperimentConfig:
    return replace(config, loop=replace(config.loop, steps=STEPS, evaluate_every=0))


def _bits(context: ClaimContext, name: str, seed: int, **changes: object) -> float:
    """Bits a triple of held-out stamps after a training, in the triples that the network lists."""
    base = _short(PRESETS["laptop-16"].config)
    chunk = replace(base.model.chunk, **CHUNK)  # type: ignore[arg-type]
    config = replace(base, model=replace(base.model, chunk=chunk, classes=0, **changes))  # type: ignore[arg-type]

    return context.arm(f"{name} {config}", seed, lambda: bits_of_training(config, seed))["bits"]


def encoder_context(context: ClaimContext) -> Evidence:
    """The loss with an encoder that sees the triples before, and with one that does not."""
    with_encoder = {seed: _bits(context, "with encoder", seed) for seed in context.seeds}
    without = {seed: _bits(context, "without encoder", seed, encoder_input=False) for seed in context.seeds}
    ratio = {seed: without[seed] / with_encoder[seed] for seed in context.seeds}
    return Evidence(
        "",
        [
            Measurement.over_seeds("bits a triple, with the encoder's input", with_encoder),
            Measurement.over_seeds("bits a triple, without", without),
            Measurement.over_seeds("ratio", ratio),
        ],
    )


def colors_of_luma(context: ClaimContext) -> Evidence:
    """Bits of the chroma of held-out stamps, given their luma, relative to the better count model of chroma."""
    config: ExperimentConfig = PRESETS["laptop-16-colorize"].config
    ratio, rows = dict[int, float](), []
    for seed in context.seeds:
        arm = context.arm("chroma given luma", seed, lambda seed=seed: bits_of_training(config, seed))
        best = min(count_bits(config).values())
        ratio[seed] = arm["bits"] / best
        rows.append((str(seed), f"{arm['bits']:.3f}", f"{best:.3f}"))
    return Evidence(
        "",
        [Measurement.over_seeds("bits relative to the better count model", ratio)],
        [Table("Bits a triple of chroma", ("seed", "network", "better count model"), rows)],
    )


def low_resolution_helps(context: ClaimContext) -> Evidence:
    """Bits of held-out stamps with and without a version at a quarter of the resolution."""
    hinted = _short(PRESETS["laptop-16-upscale"].config)
    plain = replace(hinted, model=replace(hinted.model, condition="none"))
    found = {
        name: {
            seed: context.arm(name, seed, lambda config=config, seed=seed: bits_of_training(config, seed))["bits"]
            for seed in context.seeds
        }
        for name, config in (("bits a triple, alone", plain), ("bits a triple, low resolution given", hinted))
    }
    return Evidence("", [Measurement.over_seeds(name, bits) for name, bits in found.items()])


def bits_of_training(config: ExperimentConfig, seed: int) -> dict[str, float]:
    """Bits a triple of held-out stamps after a training."""
    model = train(config, seed=seed)
    held_out = open_images(config.data, config.model.height, config.model.width).part(held_out=True)
    return {"bits": likelihood(model, centre_examples(held_out, config.model)).bits_per_triple}


def count_bits(config: ExperimentConfig) -> dict[int, float]:
    """Bits a triple of held-out stamps under count models, by their order."""
    images = open_images(config.data, config.model.height, config.model.width)
    training, held_out = (
        [example.triples for example in centre_examples(images.part(held_out=part), config.model)]
        for part in (False, True)
    )
    return {
        order: CountModel(config.model, order).fit(training).likelihood(held_out).bits_per_triple for order in (1, 2)
    }
