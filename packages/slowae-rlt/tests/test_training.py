"""The loss, the controller in a training, resuming, and warnings."""

import logging
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.jax.steps import JaxState
from onepaper.runs import Run

from slowae_rlt.config import ExperimentConfig
from slowae_rlt.data.recordings import crop_batches, load_recordings
from slowae_rlt.events.slowness import margin_loss, slowness
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.presets import PRESETS
from slowae_rlt.training import (
    TrainedModel,
    crop_context,
    evaluate_held_out,
    held_out_crops,
    load_checked_recordings,
    make_loss,
    make_warning,
    train,
)

SMOKE: ExperimentConfig = PRESETS["smoke"].config


@pytest.fixture(scope="module")
def batch(trained: SlowAE) -> jax.Array:
    recordings = load_recordings(SMOKE.data, 8000)["train"]
    return jnp.asarray(crop_batches(recordings, SMOKE.crop_steps * 16, crop_context(trained), 4, seed=1)(0))


def test_loss_is_the_sum_of_its_parts(batch: jax.Array) -> None:
    model = TrainedModel(SMOKE, nnx.Rngs(0))
    weight = float(model.weight[...])
    z = model.autoencoder.encoder(batch)
    assert z.shape[1] == SMOKE.crop_steps + 2 * model.autoencoder.decoder.context
    total, count, logged = make_loss(SMOKE)(model, batch, jax.random.key(0))
    expected = logged["reconstruction"] + weight * slowness(z).sum() + margin_loss(z).sum()
    assert count == 4
    assert float(total) == pytest.approx(float(expected), rel=1e-5)


def test_controller_moves_once_a_step(batch: jax.Array) -> None:
    model = TrainedModel(SMOKE, nnx.Rngs(0))
    before = float(model.weight[...])
    _, count, logged = make_loss(SMOKE)(model, batch, jax.random.key(0))
    rate = float(logged["event_rate"]) / count
    assert rate > 90
    assert float(model.rate[...]) == pytest.approx(rate)
    assert float(model.weight[...]) == pytest.approx(before * (1 + SMOKE.slowness.controller.step))


def test_the_encoder_learns_through_the_quantiser(batch: jax.Array) -> None:
    """The gradient of the reconstruction alone reaches the encoder, and none reaches the controller."""
    config = replace(SMOKE, model=replace(SMOKE.model, quantizer=replace(SMOKE.model.quantizer, margin_weight=0.0)))
    controller = replace(config.slowness.controller, initial=0.0)
    config = replace(config, slowness=replace(config.slowness, controller=controller))
    graph, params, rest = nnx.split(TrainedModel(config, nnx.Rngs(0)), nnx.Param, ...)

    def loss(params: nnx.State) -> jax.Array:
        return make_loss(config)(nnx.merge(graph, params, rest, copy=True), batch, jax.random.key(0))[0]

    gradient = jax.jit(jax.grad(loss))(params)
    assert float(jnp.abs(gradient["autoencoder"]["encoder"]["head"]["kernel"][...]).max()) > 0


def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=30, log_every=5, checkpoint_every=10))
    with Run.open(tmp_path / "whole", paper="slowae-rlt", verb="train", config=config) as run:
        whole = train(config, run, seed=3)
    recordings, logged = load_checked_recordings(config), list[int]()
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="slowae-rlt", verb="train", config=config) as run:
            resumed = train(
                part, run, seed=3, recordings=recordings, hooks=[lambda step, state, row: logged.append(step)]
            )
    for first, second in zip(*(jax.tree.leaves(nnx.state(model)) for model in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    assert logged[-1] == 30
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"reconstruction": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < 0.8 * losses[0]
    weights = [float(row.split('"slowness_weight": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert weights[1] != weights[0]


def test_held_out(trained: SlowAE) -> None:
    recordings = load_recordings(SMOKE.data, 8000)["validation"]
    found = evaluate_held_out(trained, held_out_crops(SMOKE, recordings, crop_context(trained)))
    assert found["reconstruction"] < found["reconstruction_shuffled"]
    assert found["fewest_levels"] >= 2


def test_warnings(caplog: pytest.LogCaptureFixture) -> None:
    warn, state = make_warning(SMOKE), JaxState({}, 7)
    with caplog.at_level(logging.WARNING):
        warn(7, state, {"event_rate": 60.0, "evaluate/fewest_levels": 4.0})
        assert not caplog.records
        warn(7, state, {"event_rate": 3.0})
        warn(8, state, {"event_rate": 70.0, "evaluate/fewest_levels": 1.0})
    assert "the codes have collapsed, 3.0 events a second of 75" in caplog.text
    assert "a channel is constant" in caplog.text


def test_no_accumulation() -> None:
    with pytest.raises(UsageError, match="accumulation is above 1"):
        train(replace(SMOKE, optimizer=replace(SMOKE.optimizer, accumulation=2)))
