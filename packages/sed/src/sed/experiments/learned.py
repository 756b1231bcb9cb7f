"""C13: embeddings that are learned with the network, beside fixed ones from which they start."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines

from sed.config import DataConfig, EmbeddingConfig, ExperimentConfig, SamplingOptions
from sed.data.corpus import PAD
from sed.diffusion.embeddings import spread
from sed.evaluation.statistics import unigram_entropy
from sed.presets import PRESETS
from sed.sampling import Sampler
from sed.training import load_checked_corpus, train

# Characters, so that each embedding is trained many times in few steps, and their number in the Bible.
DATA, CHARACTERS = DataConfig(tokens="characters"), 67

STEPS, LOG_EVERY, SAMPLES, SAMPLING = 1000, 50, 256, SamplingOptions(steps=100)

# Noise of clean embeddings with which the readout has to keep them apart; that of the paper is 0.01.
LARGE_SIGMA = 0.5

SHOWN = 4


def _variants() -> Mapping[str, ExperimentConfig]:
    """The smoke preset on characters, with fixed and with learned embeddings."""
    base: ExperimentConfig = PRESETS["smoke"].config
    loop = replace(base.loop, steps=STEPS, log_every=LOG_EVERY, evaluate_every=0)
    fixed = replace(base, data=DATA, model=replace(base.model, vocab_size=CHARACTERS), loop=loop)
    learned = replace(fixed, embeddings=EmbeddingConfig("learned"))
    schedule = replace(fixed.model.schedule, sigma_0=LARGE_SIGMA)
    noisy = replace(learned, model=replace(learned.model, schedule=schedule))
    return {"fixed": fixed, "learned": learned, f"learned, sigma_0 = {LARGE_SIGMA:g}": noisy}


def _train(context: ClaimContext, name: str, config: ExperimentConfig, seed: int) -> Mapping[str, np.ndarray]:
    """Spread and error along a training, and samples, kept as an arm."""

    def run() -> dict[str, np.ndarray]:
        rows: list[tuple[float, float]] = []
        network = train(
            config,
            seed=seed,
            hooks=[lambda step, state, row: rows.append((row.get("embedding_spread", 1), row["mse"]))],
        )
        text = load_checked_corpus(config).validation
        spreads, errors = np.array(rows).T
        return {
            "spreads": spreads,
            "errors": errors,
            "spread": np.asarray(spread(network.model.table[...][text])),
            "samples": Sampler(network.model, SAMPLING).unconditional(SAMPLES, seed=seed),
        }

    return context.arm(f"embeddings {name}", seed, run)


def learned_embeddings(context: ClaimContext) -> Evidence:
    """Spread of the embeddings of held-out text, and entropy of samples, with fixed and with learned embeddings."""
    found = {
        name: {seed: _train(context, name, config, seed) for seed in context.seeds}
        for name, config in _variants().items()
    }

    def over_seeds(quantity: str, value: object) -> list[Measurement]:
        return [
            Measurement.over_seeds(f"{quantity}, {name}", {seed: float(value(arm)) for seed, arm in by_seed.items()})  # type: ignore[operator]
            for name, by_seed in found.items()
        ]

    measured = [
        *over_seeds("entropy", lambda arm: unigram_entropy(arm["samples"][arm["samples"] != PAD])),
        *over_seeds("spread", lambda arm: arm["spread"]),
        *over_seeds("squared error", lambda arm: arm["errors"][-1]),
    ]
    corpus, first = load_checked_corpus(_variants()["fixed"]), context.seeds[0]
    sizes = {name: int((by_seed[first]["samples"] != PAD).sum()) for name, by_seed in found.items()}
    held_out = unigram_entropy(corpus.test, min(sizes.values()))
    steps = np.arange(1, STEPS // LOG_EVERY + 1) * LOG_EVERY
    curves = {name: (steps, by_seed[first]["spreads"]) for name, by_seed in found.items() if name != "fixed"}
    texts = [
        f"{name}: {corpus.codec.decode(row)}"
        for name, by_seed in found.items()
        for row in np.asarray(by_seed[first]["samples"])[:SHOWN]
    ]
    return Evidence(
        "",
        measured,
        [
            Plot("Spread of learned embeddings", lines(curves, "step", "spread of embeddings", log_y=True)),
            Table("Entropy of held-out text", ("characters", "nats"), [(min(sizes.values()), f"{held_out:.3f}")]),
            Note("\n".join(texts)),
        ],
    )
