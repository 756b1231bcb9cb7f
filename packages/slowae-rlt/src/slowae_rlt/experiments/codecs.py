"""Slow autoencoder and VQ-VAE of the same networks, trained alike: phones, bits and errors of held-out prompts."""

from collections.abc import Callable

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from slowae_rlt.codec_comparison import SpeechCodec, align, compare_codecs, events_codec, vq_codec
from slowae_rlt.config import ExperimentConfig, VectorQuantizedExperiment
from slowae_rlt.data.prompts import PROMPT_RATE, Prompt, split_prompts
from slowae_rlt.presets import PRESETS
from slowae_rlt.speech_metrics import edit_distance, recognize_phones
from slowae_rlt.training import train
from slowae_rlt.vq_training import train_vq

SLOW: ExperimentConfig = PRESETS["laptop"].config
FIXED: VectorQuantizedExperiment = PRESETS["laptop-vq"].config

BITS, DISTANCE, ACCURACY = "bits a second", "log-mel distance (dB)", "phone accuracy"


def held_out() -> list[Prompt]:
    """English prompts of the test part."""
    return split_prompts(("en",))["test"]


def phone_accuracy(code: SpeechCodec, prompts: list[Prompt]) -> float:
    """100 minus the edit distance of recognised phones in percent of those of the recordings, over all together."""
    wrong = total = 0
    for prompt in prompts:
        true = recognize_phones(prompt.samples, PROMPT_RATE)
        decoded = align(code(prompt.samples).sound, prompt.samples)
        wrong += edit_distance(recognize_phones(decoded, PROMPT_RATE), true)
        total += len(true)
    return 100.0 * (1.0 - wrong / max(total, 1))


def _codec(name: str, seed: int) -> SpeechCodec:
    return events_codec(train(SLOW, seed=seed)) if name == "slow" else vq_codec(train_vq(FIXED, seed=seed))


def _differences(
    context: ClaimContext, what: str, measure: Callable[[SpeechCodec], dict[str, float]]
) -> tuple[dict[int, dict[str, float]], dict[int, dict[str, float]]]:
    """The measures of the slow autoencoder and of the VQ-VAE by seed."""
    slow, fixed = (
        {
            seed: context.arm(f"{what}, {name}", seed, lambda name=name, seed=seed: measure(_codec(name, seed)))
            for seed in context.seeds
        }
        for name in ("slow", "vq")
    )
    return slow, fixed


def phones_of_both(context: ClaimContext) -> Evidence:
    """Phone accuracies of both; it needs the extra `metrics`."""
    recognize_phones(np.zeros(PROMPT_RATE), PROMPT_RATE)  # a missing library is noticed before the trainings
    prompts = held_out()
    slow, fixed = _differences(context, "phones", lambda code: {ACCURACY: phone_accuracy(code, prompts)})
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                "phone accuracy minus that of the VQ-VAE",
                {seed: slow[seed][ACCURACY] - fixed[seed][ACCURACY] for seed in context.seeds},
                "points",
            ),
            Measurement.over_seeds(ACCURACY, {seed: row[ACCURACY] for seed, row in slow.items()}, "%"),
        ],
    )


def rate_and_distortion(context: ClaimContext) -> Evidence:
    """Bits and log-mel distances of both: files of events, and codes of equal length."""
    prompts = held_out()
    slow, fixed = _differences(context, "rate", lambda code: compare_codecs({"": code}, prompts)[""])
    rows = [
        (name, *(f"{np.mean([row[column] for row in table.values()]):.1f}" for column in (BITS, DISTANCE)))
        for name, table in (("slow autoencoder", slow), ("VQ-VAE", fixed))
    ]
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                "bits a second over those of the VQ-VAE",
                {seed: slow[seed][BITS] / fixed[seed][BITS] for seed in context.seeds},
            ),
            Measurement.over_seeds(
                "log-mel distance minus that of the VQ-VAE",
                {seed: slow[seed][DISTANCE] - fixed[seed][DISTANCE] for seed in context.seeds},
                "dB",
            ),
        ],
        [Table("Mean over seeds", ("codec", BITS, DISTANCE), rows)],
    )
