"""Arms of the architectures and normalisations: equal cost, variances in closed form, and a training of two steps."""

from typing import Any

import numpy as np
import pytest
import torch
from onepaper.claims import ClaimContext
from torch.utils.flop_counter import FlopCounterMode

from hares.config import EncoderConfig
from hares.experiments import pretraining
from hares.models.encoder import Encoder


def _operations(config: EncoderConfig) -> int:
    with torch.device("meta"):
        encoder = Encoder(config).eval()
        with FlopCounterMode(display=False) as counter:
            encoder.embed_spectrogram(torch.empty(1, 98, 64))
    return counter.get_total_flops()


def test_networks_cost_the_same() -> None:
    costs = [_operations(config) for config in pretraining.ARCHITECTURES.values()]
    assert max(costs) / np.median(costs) < 1.2
    assert min(costs) / np.median(costs) > 0.8


def _fake(offsets: dict[Any, float]) -> Any:
    def score(encoder: EncoderConfig, seed: int) -> dict[str, float]:
        value = offsets[encoder.norm if encoder.architecture == "slowfast-resnet50" else encoder.architecture]
        return dict.fromkeys(("environment", "speech", "music", "all"), value + 0.01 * seed)

    return score


def test_variances(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = {"slowfast-nfnet": 0.5, "batch": 0.5, "cnn14": 0.5, "vit": 0.5}
    monkeypatch.setattr(pretraining, "_score", _fake(offsets))
    equal = pretraining.architectures(ClaimContext(seeds=(0, 1, 2)))
    assert equal.measurement("p of equal architectures").mean == pytest.approx(1.0)
    monkeypatch.setattr(pretraining, "_score", _fake({**offsets, "vit": 0.3}))
    different = pretraining.architectures(ClaimContext(seeds=(0, 1, 2)))
    assert different.measurement("p of equal architectures").mean < 1e-4


def test_differences_of_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "_score", _fake({"batch": 0.5, "none": 0.4, "layer": 0.6, "instance": 0.7}))
    evidence = pretraining.norms(ClaimContext(seeds=(0, 1, 2)))
    assert evidence.measurement("layer - batch, all").mean == pytest.approx(0.1)
    assert evidence.measurement("none - batch, speech").mean == pytest.approx(-0.1)


def test_one_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "_STEPS", 2)
    monkeypatch.setattr(pretraining, "_BATCH", 4)
    monkeypatch.setattr(pretraining, "_WARMUP", 1)
    monkeypatch.setattr(pretraining, "EMBEDDED_TASKS", pretraining.EMBEDDED_TASKS[:1])
    found = pretraining._score(pretraining.SLOWFAST, 0)
    assert set(found) == {"environment", "all"}
    assert 0.2 < found["all"] <= 1.0
