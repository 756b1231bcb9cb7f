"""Tables 5 and 7, the number of spans, and width: small networks trained for each variant and seed."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot
from onepaper.display.plots import lines

from sed.config import EmbeddingConfig, ExperimentConfig, SamplingOptions
from sed.evaluation.tasks import held_out_task
from sed.experiments.shipped import measurements, setting, table_of
from sed.presets import PRESETS
from sed.sampling import Sampler
from sed.training import embedding_table, train, train_masked

# Training steps of each variant, samples of each, and their steps.
STEPS, SAMPLES, SAMPLING = 2000, 256, SamplingOptions(steps=100)

DIMENSIONS = (8, 16, 32, 64, 128)
SPANS = (1, 3, 5, 9)
SPACES = ("bits", "random", "pretrained")

_BASE: ExperimentConfig = PRESETS["laptop"].config

Variants = Mapping[str, ExperimentConfig]


def _space(source: str, self_conditioning: str) -> ExperimentConfig:
    """The laptop preset in another space of embeddings."""
    model = replace(_BASE.model, self_conditioning=self_conditioning)  # type: ignore[arg-type]
    if source == "bits":
        model = replace(model, embed_dim=(model.vocab_size - 1).bit_length(), bits=True)
    return replace(_BASE, embeddings=EmbeddingConfig(source), model=model)  # type: ignore[arg-type]


def _table(context: ClaimContext, config: ExperimentConfig, seed: int) -> Float[np.ndarray, "vocab embed"]:
    """The embeddings of a variant; of another dimension than the shipped ones a masked model is trained for them."""
    if config.embeddings.source != "pretrained" or config.model.embed_dim == _BASE.model.embed_dim:
        return embedding_table(config)[1]
    masked = PRESETS["laptop-embeddings"].config
    masked = replace(masked, model=replace(masked.model, embed_dim=config.model.embed_dim))

    def pretrain() -> dict[str, np.ndarray]:
        return {"table": np.asarray(train_masked(masked, seed=seed).model.table())}

    return np.asarray(context.arm(f"embeddings {config.model.embed_dim}", seed, pretrain)["table"])


def _measure(context: ClaimContext, name: str, seed: int, config: ExperimentConfig) -> dict[str, float]:
    """Unconditional samples of a network trained for a variant, kept as an arm that claims share."""

    def run() -> dict[str, float]:
        codec = setting().network.codec
        loop = replace(config.loop, steps=STEPS, evaluate_every=0)
        network = train(replace(config, loop=loop), seed=seed, embeddings=(codec, _table(context, config, seed)))
        return setting().evaluators.measure(Sampler(network.model, SAMPLING).unconditional(SAMPLES, seed=seed))

    return context.arm("laptop" if config == _BASE else name, seed, run)


def _evidence(context: ClaimContext, variants: Variants) -> Evidence:
    """AR-NLL and entropy of all variants, and the distance of the entropy from that of held-out text."""
    rows = {
        name: {seed: _measure(context, name, seed, config) for seed in context.seeds}
        for name, config in variants.items()
    }
    found = setting()
    data = found.evaluators.measure(held_out_task(found.network, found.corpus, "unconditional", SAMPLES).tokens)
    more = [
        Measurement.over_seeds(
            f"entropy above data, {name}", {seed: row["entropy"] - data["entropy"] for seed, row in by_seed.items()}
        )
        for name, by_seed in rows.items()
    ]
    return Evidence("", [*measurements(rows), *more], [table_of(rows, data)])


def spaces(context: ClaimContext) -> Evidence:
    """Bits, random and pretrained embeddings, with and without self-conditioning (paper, table 5)."""
    return _evidence(
        context,
        {
            f"{source}, {'with' if kind == 'coin' else 'without'}": _space(source, kind)
            for source in SPACES
            for kind in ("off", "coin")
        },
    )


def dimensions(context: ClaimContext) -> Evidence:
    """Dimensions of pretrained embeddings (paper, table 7)."""
    variants = {f"D={d}": replace(_BASE, model=replace(_BASE.model, embed_dim=d)) for d in DIMENSIONS}
    evidence = _evidence(context, variants)
    means = [evidence.measurement(f"AR-NLL, {name}").mean for name in variants]
    figure = lines({"": (DIMENSIONS, means)}, "dimension D", "AR-NLL in nats", log_x=True)
    return replace(evidence, artifacts=[Plot("Quality by dimension", figure), *evidence.artifacts])


def spans(context: ClaimContext) -> Evidence:
    """The largest number of spans in training masks (paper, section 4.4)."""
    return _evidence(
        context, {f"M={most}": replace(_BASE, spans=replace(_BASE.spans, max_spans=most)) for most in SPANS}
    )


def widths(context: ClaimContext) -> Evidence:
    """The laptop preset and the same with 2.2 times the width (paper, section 4.4, scaling)."""
    return _evidence(context, {"narrow": _BASE, "wide": PRESETS["laptop-wide"].config})
