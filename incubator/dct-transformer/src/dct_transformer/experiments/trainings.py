"""Claims that compare trainings of small networks."""

from dataclasses import replace

from onepaper.claims import ClaimContext, Evidence, Measurement

from dct_transformer.config import ExperimentConfig
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images
from dct_transformer.evaluation import likelihood
from dct_transformer.presets import PRESETS
from dct_transformer.training import train

# Chunks are short, so that most triples are in later chunks, and the overlap does not replace the encoder.
CHUNK = {"target": 32, "overlap": 4, "start": "uniform"}


def _bits(context: ClaimContext, name: str, seed: int, **changes: object) -> float:
    """Bits a triple of held-out stamps after a training, in the triples that the network lists."""
    base: ExperimentConfig = PRESETS["laptop-16"].config
    chunk = replace(base.model.chunk, **CHUNK)  # type: ignore[arg-type]
    config = replace(base, model=replace(base.model, chunk=chunk, classes=0, **changes))  # type: ignore[arg-type]

    def run() -> dict[str, float]:
        model = train(config, seed=seed)
        held_out = open_images(config.data, config.model.height, config.model.width).part(held_out=True)
        return {"bits": likelihood(model, centre_examples(held_out, config.model)).bits_per_triple}

    return context.arm(f"{name} {config}", seed, run)["bits"]


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
