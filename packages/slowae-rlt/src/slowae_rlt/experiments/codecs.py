"""Slow autoencoder and VQ-VAE of the same networks, trained alike: phones, bits and errors of held-out prompts."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from slowae_rlt.codec_comparison import SpeechCodec, align, compare_codecs, events_codec, vq_codec
from slowae_rlt.config import ExperimentConfig, VectorQuantizedExperiment
from slowae_rlt.data.prompts import PROMPT_RATE, Prompt, split_prompts
from slowae_rlt.presets import PRESETS
from slowae_rlt.pretrained.codecs import open_codec, open_vq
from slowae_rlt.speech_metrics import edit_distance, recognize_phones
from slowae_rlt.training import train
from slowae_rlt.vq_training import train_vq

SLOW: ExperimentConfig = PRESETS["laptop"].config
FIXED: VectorQuantizedExperiment = PRESETS["laptop-vq"].config

ResultT = TypeVar("ResultT")

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


def _codec(context: ClaimContext, name: str, seed: int) -> SpeechCodec:
    """A codec that is trained once for both claims: the files of its weights are an arm."""

    def trained() -> dict[str, bytes]:
        model = train(SLOW, seed=seed) if name == "slow" else train_vq(FIXED, seed=seed)
        with TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            return {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    with TemporaryDirectory() as folder:
        for file, content in context.arm(f"codec, {name}", seed, trained).items():
            (Path(folder) / file).write_bytes(content)
        return events_codec(open_codec(folder)) if name == "slow" else vq_codec(open_vq(folder))


def _of_both(
    context: ClaimContext, measure: Callable[[SpeechCodec], ResultT]
) -> tuple[dict[int, ResultT], dict[int, ResultT]]:
    """What is measured of the slow autoencoder and of the VQ-VAE, by seed."""
    slow, fixed = ({seed: measure(_codec(context, name, seed)) for seed in context.seeds} for name in ("slow", "vq"))
    return slow, fixed


def phones_of_both(context: ClaimContext) -> Evidence:
    """Phone accuracies of both; it needs the extra `metrics`."""
    recognize_phones(np.zeros(PROMPT_RATE), PROMPT_RATE)  # a missing library is noticed before the trainings
    prompts = held_out()
    slow, fixed = _of_both(context, lambda code: phone_accuracy(code, prompts))
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                "phone accuracy minus that of the VQ-VAE",
                {seed: slow[seed] - fixed[seed] for seed in context.seeds},
                "points",
            ),
            Measurement.over_seeds(ACCURACY, slow, "%"),
        ],
    )


def rate_and_distortion(context: ClaimContext) -> Evidence:
    """Bits and log-mel distances of both: files of events, and codes of equal length."""
    prompts = held_out()
    slow, fixed = _of_both(context, lambda code: compare_codecs({"": code}, prompts)[""])
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
