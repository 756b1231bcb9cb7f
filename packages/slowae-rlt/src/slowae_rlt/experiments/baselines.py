"""Trainings of language models: a Transformer of the raster, and a run-length Transformer with conditions."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement

from slowae_rlt.config import RunLengthExperiment
from slowae_rlt.presets import PRESETS
from slowae_rlt.run_length.evaluation import bits_by_sequence, sequence_nats
from slowae_rlt.run_length.raster import raster_bits, train_raster
from slowae_rlt.run_length.sequences import successive_sequences
from slowae_rlt.run_length.training import load_levels, train_language_model

BASE: RunLengthExperiment = PRESETS["laptop-rlt"].config
CONDITIONED: RunLengthExperiment = PRESETS["laptop-rlt-languages"].config


def raster_baseline(context: ClaimContext) -> Evidence:
    """Bits a second of held-out prompts by both Transformers, of equal size, sequence length and training."""
    data = load_levels(BASE)
    grid_rate, levels = data.codec.config.grid_rate, data.levels["test"]
    sequences = successive_sequences(levels, BASE.model)

    def events(seed: int) -> dict[str, float]:
        model = train_language_model(BASE, seed=seed, data=data).model
        return {"bits": float(bits_by_sequence(sequence_nats(model, sequences), sequences, grid_rate).mean())}

    def raster(seed: int) -> dict[str, float]:
        return {"bits": float(raster_bits(train_raster(BASE, seed=seed, data=data), levels, grid_rate).mean())}

    found = {
        name: {
            seed: context.arm(f"language model, {name}", seed, lambda fit=fit, seed=seed: fit(seed))["bits"]
            for seed in context.seeds
        }
        for name, fit in (("events", events), ("raster", raster))
    }
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                "bits a second of the raster minus those of events",
                {seed: found["raster"][seed] - found["events"][seed] for seed in context.seeds},
            ),
            *(Measurement.over_seeds(f"bits a second, {name}", by_seed) for name, by_seed in found.items()),
        ],
    )


def conditions(context: ClaimContext) -> Evidence:
    """Bits a second of held-out prompts with the right language, with another one, and with none, by one model."""
    data = load_levels(CONDITIONED)
    count, grid_rate = len(CONDITIONED.model.conditions), data.codec.config.grid_rate
    right = successive_sequences(data.levels["test"], CONDITIONED.model, data.labels["test"])
    rows = {
        "right": right,
        "wrong": right._replace(conditions=(right.conditions + 1) % count),
        "none": right._replace(conditions=np.full_like(right.conditions, -1)),
    }

    def measure(seed: int) -> dict[str, float]:
        model = train_language_model(CONDITIONED, seed=seed, data=data).model
        return {
            name: float(bits_by_sequence(sequence_nats(model, own), own, grid_rate).mean())
            for name, own in rows.items()
        }

    found = {seed: context.arm("conditions", seed, lambda seed=seed: measure(seed)) for seed in context.seeds}
    return Evidence(
        "",
        [
            *(
                Measurement.over_seeds(
                    f"bits a second with {name} condition minus those with the right one",
                    {seed: row[key] - row["right"] for seed, row in found.items()},
                )
                for name, key in (("no", "none"), ("a wrong", "wrong"))
            ),
            Measurement.over_seeds("bits a second", {seed: row["right"] for seed, row in found.items()}),
        ],
    )
