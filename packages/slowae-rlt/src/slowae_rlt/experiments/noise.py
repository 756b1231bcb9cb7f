"""Spurious events of quantisers on noisy levels: a claim that needs no network."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement

from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.events.schmitt_trigger import quantize
from slowae_rlt.models.band_energies import BandEnergies

# Steps and recordings of noise around a constant level, k, and the half-width of the noise in levels.
STEPS, REPETITIONS, LEVELS, WIDTH = 500, 20, 7, 0.45

PROMPTS = 12


def spurious_events(context: ClaimContext) -> Evidence:
    """Changes of level where the signal is constant but for noise, and event rates of latents of speech."""
    by_rounding, by_trigger = {}, {}
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        # Half-integers are where rounding changes its mind most often.
        centres = generator.integers(-LEVELS + 1, LEVELS - 1, REPETITIONS) + 0.5
        z = ((centres + generator.uniform(-WIDTH, WIDTH, (STEPS, REPETITIONS))) / LEVELS).astype(np.float32)
        counts = [(np.diff(quantize(z, LEVELS, margin).levels, axis=0) != 0).sum(axis=0) for margin in (0.5, 1.0)]
        by_rounding[seed] = float(counts[0].mean() / ((STEPS - 1) / 2))
        by_trigger[seed] = float(counts[1].max())
    codec = BandEnergies()
    levels, rate = codec.config.quantizer.levels, codec.config.grid_rate
    changes, errors, seconds = {0.5: 0, 1.0: 0}, {0.5: 0.0, 1.0: 0.0}, 0.0
    for prompt in split_prompts()["test"][:PROMPTS]:
        z = codec.latents(prompt.samples)
        seconds += len(z) / rate
        for margin in changes:
            found = quantize(z, levels, margin).levels
            changes[margin] += int((np.diff(found, axis=0) != 0).sum())
            errors[margin] += float(np.abs(found / levels - z).sum()) / (rate * z.shape[1])
    return Evidence(
        "",
        [
            Measurement.over_seeds("changes by rounding, over half of the steps", by_rounding),
            Measurement.over_seeds("most changes by the trigger", by_trigger),
            Measurement.exact("events a second, margin 0.5", changes[0.5] / seconds),
            Measurement.exact("events a second, margin 1", changes[1.0] / seconds),
            Measurement.exact("error of latents, margin 0.5", errors[0.5] / seconds),
            Measurement.exact("error of latents, margin 1", errors[1.0] / seconds),
        ],
    )
