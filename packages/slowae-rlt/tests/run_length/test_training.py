"""Training of language models: the loss, learning, and resuming to the same bits."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.runs import Run

from slowae_rlt.config import RunLengthExperiment
from slowae_rlt.presets import PRESETS
from slowae_rlt.pretrained.language_models import LanguageModel
from slowae_rlt.run_length.sequences import cut_sequences
from slowae_rlt.run_length.training import load_levels, loss, train_language_model

SMOKE: RunLengthExperiment = PRESETS["smoke-rlt"].config


def test_loss_counts_complete_events_only(language_model: LanguageModel) -> None:
    levels = np.random.default_rng(0).integers(-7, 8, (900, 4)).repeat(2, axis=0).astype(np.int8)
    batch = cut_sequences(levels, np.array([0, 9]), SMOKE.model)
    batch.counts[1, 5:] = False
    total, count, logged = loss(language_model.model, batch, jax.random.key(0))
    assert int(count) == 32 + 5
    batch.lengths[1, 9:] = 3
    batch.values[1, 9:] = 2
    again, _, _ = loss(language_model.model, batch, jax.random.key(0))
    assert float(again) == pytest.approx(float(total), rel=1e-5)
    assert float(logged["value_nats"] + logged["length_nats"]) == pytest.approx(float(total), rel=1e-6)


def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data = load_levels(SMOKE)
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=30, log_every=5, checkpoint_every=10, evaluate_every=30))
    with Run.open(tmp_path / "whole", paper="slowae-rlt", verb="train", config=config) as run:
        whole = train_language_model(config, run, seed=3, data=data)
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="slowae-rlt", verb="train", config=config) as run:
            resumed = train_language_model(part, run, seed=3, data=data)
    for first, second in zip(*(jax.tree.leaves(nnx.state(one.model)) for one in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"loss": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < losses[0] - 0.5
    assert "evaluate/bits_per_second" in rows[-1]


def test_another_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        load_levels(replace(SMOKE, codec="nowhere"))
