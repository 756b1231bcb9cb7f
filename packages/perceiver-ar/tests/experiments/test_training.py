"""What the studies compare with, and that they measure what the rules ask for; no network is trained here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from onepaper.claims import ClaimContext, Verdict

from perceiver_ar.claims import CLAIMS
from perceiver_ar.config import DataConfig, ExperimentConfig, ModelConfig, TransformerXLConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.experiments import training as studies
from perceiver_ar.experiments.training import histogram_bits, image_file_bits, neighbour_bits
from perceiver_ar.models.counts import step_flops, xl_step_flops
from perceiver_ar.models.perceiver_ar import PerceiverAR

GENERATOR = np.random.default_rng(0)
NOISE = GENERATOR.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)


def test_noise_takes_eight_bits_under_every_code() -> None:
    assert histogram_bits(NOISE, NOISE[:50]) == pytest.approx(8, abs=0.05)
    assert neighbour_bits(NOISE, NOISE[:50]) == pytest.approx(8, abs=0.05)
    assert image_file_bits(NOISE, "png") == pytest.approx(8 * 49 / 48, abs=0.01)  # a byte of its own for each row


def test_codes_find_what_they_look_for() -> None:
    two = np.where(NOISE < 64, 0, 255).astype(np.uint8)  # a quarter is 0
    entropy = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert histogram_bits(two, two) == pytest.approx(entropy, abs=0.01)
    ramp = (np.arange(16)[None, None, :, None] * 3 + NOISE[:, :, :1]).astype(np.uint8)  # each row climbs by 3
    # the first of 16 columns takes 8 bits, the steps next to nothing
    assert neighbour_bits(ramp, ramp) == pytest.approx(8 / 16, abs=0.02)
    assert image_file_bits(np.zeros_like(NOISE), "webp") < 0.01


def test_studies_bear_the_names_that_rules_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With losses that behave as the paper says every verdict is positive."""

    def train_and_evaluate(config: ExperimentConfig, seed: int, **_: object) -> dict[str, float]:
        model, targets = config.model, config.batch_size * config.model.num_latents
        nats = 2 - targets / 1e4 - model.context_length / 1e5 - 0.1 * (model.prefix_dropout == 0.5)
        return {"nats": nats + seed / 1e6, "nats, trained on": nats - 1 + model.prefix_dropout}

    def pixels(config: ExperimentConfig, seed: int) -> Callable[[], dict[str, float]]:
        short = config.data.order == "planes" and config.model.context_length == config.model.num_latents
        return lambda: {"bits": 3.0 + short + seed / 1e6}

    monkeypatch.setattr(studies, "train_and_evaluate", train_and_evaluate)
    monkeypatch.setattr(studies, "_pixels_arm", pixels)
    monkeypatch.setattr(
        studies,
        "train_flop_matched",
        lambda model, *_: {"nats": 2.0 + isinstance(model, TransformerXLConfig), "steps a second": 10.0},
    )
    monkeypatch.setattr(studies, "_image_bits", lambda config, seed: {"bits": 0.1})
    monkeypatch.setattr(
        studies, "_digits_arm", lambda config, counts, seed: lambda: {str(n): 3 - 0.1 * min(n, 32) for n in counts}
    )
    for claim in CLAIMS:
        if claim.measure.startswith("perceiver_ar.experiments.training:"):
            evidence = getattr(studies, claim.measure.partition(":")[2])(ClaimContext(seeds=(0, 1, 2)))
            expected = Verdict.OBSERVATION if claim.id == "C16" else Verdict.REPRODUCED
            assert claim.rule.decide(evidence).verdict == expected, (
                claim.id,
                claim.rule.decide(evidence).reason,
            )


def test_a_training_is_evaluated_on_whole_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "EVALUATED_TOKENS", 100)
    config = studies.study_config(
        studies.DataConfig("novels"), replace(studies.SMALL, context_length=16, num_latents=8, width=8, heads=1), 2, 1
    )
    found = studies.train_and_evaluate(config, 0)
    assert found["nats"] == pytest.approx(np.log(259), abs=0.1)
    assert found["nats, trained on"] == pytest.approx(np.log(259), abs=0.1)


@pytest.mark.slow
def test_orders_of_pixels_are_evaluated_all_over_the_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first held-out crop, the last and one half-way, where a new network says ln 259 of every value."""
    evaluate_documents, evaluated = studies.evaluate_documents, []

    def noting(model: PerceiverAR, codec: ImageCodec, documents: list[np.ndarray], **options: int) -> dict[str, float]:
        evaluated.extend(documents)
        return evaluate_documents(model, codec, documents, **options)

    monkeypatch.setattr(studies, "EVALUATED_CROPS", 3)
    monkeypatch.setattr(studies, "evaluate_documents", noting)
    model = replace(studies.pixel_model(8, 48, 48), width=8, heads=2, depth=1)
    config = studies.study_config(DataConfig("photos", order="planes", side=8), model, 2, 1)
    assert studies._pixels_arm(config, 0)()["bits"] == pytest.approx(np.log2(259) * 193 / 192, abs=0.15)
    crops = load(config.data).test
    for document, number in zip(evaluated, (0, (len(crops) - 1) / 2, len(crops) - 1), strict=True):
        np.testing.assert_array_equal(document, crops[round(number)])


def test_racers_are_equal_in_arithmetic_and_targets() -> None:
    flops, targets, layers = {}, set(), set()
    for name, (model, batch, steps) in studies.flop_matched_networks().items():
        if isinstance(model, ModelConfig):
            flops[name] = steps * step_flops(model, batch)
            targets.add(batch * model.num_latents)
            layers.add(model.depth + 1)
        else:
            flops[name] = steps * xl_step_flops(model, batch)
            targets.add(batch * model.segment)
            layers.add(model.depth)
    assert targets == {studies.FLOP_MATCHED_TARGETS}
    assert len(layers) == 1
    assert max(flops.values()) / min(flops.values()) < 1.001


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "Perceiver AR",
        "decoder",
        "Transformer-XL",
    ],
)
def test_racers_train(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of each; a network that has seen nothing yet would say ln 259 of every byte."""
    monkeypatch.setattr(studies, "EVALUATED_TOKENS", 100)
    monkeypatch.setattr(
        studies, "SMALL", replace(studies.SMALL, context_length=16, num_latents=8, depth=1, width=8, heads=2)
    )
    monkeypatch.setattr(studies, "FLOP_MATCHED_TARGETS", 32)
    model, batch, _ = studies.flop_matched_networks()[name]
    found = studies.train_flop_matched(model, batch, 2, 0)
    assert found["nats"] == pytest.approx(np.log(259), abs=0.1)
    assert found["nats"] != pytest.approx(np.log(259), abs=1e-6)
    assert found["steps a second"] > 0
